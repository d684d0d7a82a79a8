"""The items of a batch: lines or records, read as they come and never all at once."""

import csv
import json
import os
import stat
from collections.abc import Iterator, Sequence
from typing import Any

from llamacli.api.json import json_fault, parse_json
from llamacli.batch.input.lines import open_input, read_blocks, split_lines
from llamacli.batch.input.template import Template
from llamacli.batch.options import INPUT_FORMATS
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.input import InputReader

BOM = b"\xef\xbb\xbf"


#: What helps where bytes are not UTF-8.
LOSSY_HINT = "--lossy reads such bytes as U+FFFD"


class Item:
    """One line or record. `fault` says what is wrong with it, and then there is nothing else to it.

    `index` counts the items from 0, over all files; `place` is the file and line that
    it begins at, in words; `value` stands for it in the output: the line, or the
    record. `text` is what `{}` stands for; `record` is None where it is a line.
    """

    __slots__ = ("error", "index", "location", "record", "text", "value")

    def __init__(
        self,
        index: int,
        location: str,
        value: object,
        text: str = "",
        record: dict[str, Any] | None = None,
        error: LlamaError | None = None,
    ) -> None:
        self.index, self.location, self.value = index, location, value
        self.text, self.record, self.error = text, record, error

    @property
    def id(self) -> object:
        """Its own name for itself: the custom_id of OpenAI's batch format, else a field `id`, else None."""
        record = self.record or {}
        return record.get("custom_id", record.get("id"))


class InputFile:
    """One file, or stdin where the path is `-`. Raises LlamaError (usage) where it cannot be read."""

    def __init__(self, path: str, format: str | None, inputs: InputReader) -> None:
        self.name = "stdin" if path == "-" else path
        self.format = format or format_of(path)
        self._inputs = inputs
        #: Bytes of a regular file, None where nobody knows how much will come.
        self.size: int | None = None
        #: How much of it the items so far have taken.
        self.taken = 0
        if path == "-":
            inputs.claim_stdin("the items")
            self._blocks, status = inputs.stdin_blocks(), os.fstat(0)
        else:
            fd, status = open_input(path)
            # A thousand files are opened one after another, but what comes from a FIFO comes only once.
            if stat.S_ISREG(status.st_mode):
                os.close(fd)
                fd = -1
            self._blocks = read_blocks(path, fd)
        if stat.S_ISREG(status.st_mode):
            self.size = status.st_size
        self._header: list[str] = []
        self._rows: Iterator[tuple[int, list[str] | LlamaError]] = iter(())

    def check(self, template: Template | None) -> None:
        """Reads the header, where there is one. Raises LlamaError (usage) where a template's field is not in it."""
        fields = template.fields if template else ()
        if self.format == "lines" and fields:
            todo = "name the form with --input, or write {{ and }} for braces that are text"
            raise LlamaError(ExitStatus.USAGE, f"{self.name} is read as lines, which have no field '{fields[0]}'", todo)
        if self.format not in ("csv", "tsv"):
            return
        self._rows = self._split_rows()
        for _, row in self._rows:
            if isinstance(row, LlamaError):
                raise row
            self._header = row
            self._check_header(fields if template else ("prompt",), template is None)
            return

    def _check_header(self, wanted: Sequence[str], is_default: bool) -> None:
        header = self._header
        if twice := next((name for name in header if header.count(name) > 1), None):
            raise LlamaError(ExitStatus.USAGE, f"{self.name}: two columns are called '{twice}'", "rename one")
        if missing := next((name for name in wanted if name not in header), None):
            todo = f"there is {', '.join(header)}"
            if is_default:
                todo += "; give a template, as in: batch 'Translate {" + header[0] + "}' FILE"
            raise LlamaError(ExitStatus.USAGE, f"{self.name}: no column '{missing}'", todo)

    def items(self, start: int) -> Iterator[Item]:
        """Yields the items, counted from `start`."""
        read = {"lines": self._lines, "jsonl": self._documents}.get(self.format, self._records)
        yield from read(start)

    def _numbered(self) -> Iterator[tuple[int, bytes]]:
        """Yields the lines that are not blank with their numbers from 1, without CR LF and BOM."""
        for number, line in enumerate(split_lines(self._blocks), 1):
            self.taken += len(line)
            line = line.removesuffix(b"\n").removesuffix(b"\r")
            if number == 1:
                line = line.removeprefix(BOM)
            if line and not line.isspace():
                yield number, line

    def _lines(self, start: int) -> Iterator[Item]:
        for index, (number, line) in enumerate(self._numbered(), start):
            place = f"{self.name} line {number}"
            try:
                text = line.decode("utf-8", "replace" if self._inputs.lossy else "strict")
            except UnicodeDecodeError as error:
                yield self._broken(index, place, line, _undecodable(line, error.start), LOSSY_HINT)
                continue
            yield Item(index, place, text, text)

    def _documents(self, start: int) -> Iterator[Item]:
        for index, (number, line) in enumerate(self._numbered(), start):
            place = f"{self.name} line {number}"
            try:
                text = line.decode("utf-8", "replace" if self._inputs.lossy else "strict")
                value = parse_json(text)
            except UnicodeDecodeError as error:
                yield self._broken(index, place, line, _undecodable(line, error.start), LOSSY_HINT)
            except json.JSONDecodeError as error:
                yield self._broken(index, place, line, json_fault(error).replace(" line 1 ", " "))
            except ValueError as error:
                yield self._broken(index, place, line, str(error))
            else:
                if isinstance(value, dict):
                    yield Item(index, place, value, text.strip(), value)
                elif isinstance(value, str):
                    yield Item(index, place, value, value)
                else:
                    yield self._broken(index, place, line, "is neither an object nor a text")

    def _records(self, start: int) -> Iterator[Item]:
        for index, (number, row) in enumerate(self._rows, start):
            place = f"{self.name} line {number}"
            if isinstance(row, LlamaError):
                yield Item(index, place, None, error=row)
                continue
            if len(row) > len(self._header):
                what = f"has {len(row)} fields, and the header {len(self._header)}"
                yield Item(index, place, row, error=LlamaError(ExitStatus.USAGE, f"{place} {what}", "quote its commas"))
                continue
            record: dict[str, Any] = dict(zip(self._header, row, strict=False))
            yield Item(index, place, record, json.dumps(record, ensure_ascii=False), record)

    def _split_rows(self) -> Iterator[tuple[int, list[str] | LlamaError]]:
        """Yields the header and then the records of a CSV or TSV, each with the number of its first line."""
        # A field may be as long as a prompt may be.
        csv.field_size_limit(1 << 30)
        dialect = csv.excel_tab if self.format == "tsv" else csv.excel
        rows = csv.reader(self._csv_lines(), dialect, strict=True)
        number = 0
        while True:
            first = number + 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                number = rows.line_num
                yield first, self._no_csv(first, str(error))
                continue
            number = rows.line_num
            if not row:
                continue
            # Bytes that are not UTF-8 were carried through as lone surrogates.
            if not all(map(_is_text, row)):
                what = f"{self.name} line {first} is not UTF-8"
                yield first, LlamaError(ExitStatus.USAGE, what, LOSSY_HINT)
                continue
            yield first, row

    def _no_csv(self, number: int, reason: str) -> LlamaError:
        todo = "mend its quotes"
        # Here Python tells how a program is to open a file.
        if "new-line character" in reason:
            reason, todo = "there is a CR without LF", "end its lines with LF or CR LF"
        return LlamaError(ExitStatus.USAGE, f"{self.name} line {number} is no {self.format.upper()}: {reason}", todo)

    def _csv_lines(self) -> Iterator[str]:
        errors = "replace" if self._inputs.lossy else "surrogateescape"
        for number, line in enumerate(split_lines(self._blocks), 1):
            self.taken += len(line)
            yield (line.removeprefix(BOM) if number == 1 else line).decode("utf-8", errors)

    def _broken(self, index: int, place: str, line: bytes, what: str, todo: str = "mend the line") -> Item:
        fault = LlamaError(ExitStatus.USAGE, f"{place} {what}", todo)
        return Item(index, place, line.decode("utf-8", "replace"), error=fault)


class Items:
    """All items of a batch, from all its files in turn."""

    def __init__(
        self, paths: Sequence[str], format: str | None, template: Template | None, inputs: InputReader
    ) -> None:
        self._sources = [InputFile(path, format, inputs) for path in paths or ["-"]]
        for source in self._sources:
            source.check(template)
        #: How many have been read.
        self.count = 0

    def __iter__(self) -> Iterator[Item]:
        for source in self._sources:
            for item in source.items(self.count):
                self.count = item.index + 1
                yield item

    @property
    def share(self) -> float | None:
        """How much of the input has been read, from 0 to 1; None where nobody can know."""
        sizes = [source.size for source in self._sources]
        if None in sizes:
            return None
        total = sum(size or 0 for size in sizes)
        return min(1.0, sum(source.taken for source in self._sources) / total) if total else 1.0


def format_of(path: str) -> str:
    """Returns the form that a file's name tells."""
    return next((name for name, end in INPUT_FORMATS.items() if end and path.endswith(end)), "lines")


def _undecodable(line: bytes, start: int) -> str:
    return f"is not UTF-8: byte 0x{line[start]:02x} at offset {start}"


def _is_text(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode()) or True
    except UnicodeEncodeError:
        return False
