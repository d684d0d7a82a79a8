"""Lines and records of files: plain lines, JSON Lines, CSV and TSV."""

import csv
import json
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from llamacli.api.json import JsonObject, json_fault, parse_json
from llamacli.batch.input.files import MAX_ITEM_BYTES, FileList, open_input, read_blocks, split_lines
from llamacli.batch.input.items import BOM, LOSSY_HINT, Item, ItemSource, Template
from llamacli.batch.options import INPUT_FORMATS
from llamacli.errors import LlamaError, UsageError
from llamacli.stdio.input import InputReader, display_path, is_stdin
from llamacli.stdio.text import check_encoding


class _TooLong(Exception):
    """A record of a CSV or TSV exceeds the maximum size."""


class InputFile(ItemSource):
    """A file of lines or records, or stdin. Raises UsageError."""

    def __init__(self, path: str, format: str | None, inputs: InputReader) -> None:
        self.name = "stdin" if is_stdin(path) else display_path(path)
        self.format = format or format_of(path)
        self._inputs, self._path = inputs, path
        if is_stdin(path):
            inputs.claim_stdin("the items")
            self._blocks, self._status = inputs.stdin_blocks(), os.fstat(0)
        else:
            if os.path.isfile(path):
                fd, self._status = open_input(path)
            else:
                # Opening a FIFO waits for its writer.
                with inputs.waiting(f"waiting for {self.name}"):
                    fd, self._status = open_input(path, max_time=inputs.max_time)
            # Regular files are opened one at a time, since there may be thousands; a FIFO can be read only once.
            if stat.S_ISREG(self._status.st_mode):
                self._check_encoding(os.pread(fd, 1 << 16, 0))
                os.close(fd)
                fd = -1
            self._blocks = read_blocks(path, fd)
        if stat.S_ISREG(self._status.st_mode):
            self.size = self._status.st_size
        self._header: list[str] = []
        self._rows: Iterator[tuple[int, list[str] | LlamaError]] = iter(())

    def _check_encoding(self, block: bytes) -> None:
        check_encoding(block, self.name, "" if self.name == "stdin" else self._path)

    def _checked_blocks(self) -> Iterator[bytes]:
        """Yields the blocks. Raises UsageError for binary data."""
        first = next(self._blocks, b"")
        self._check_encoding(first)
        return chain([first] if first else [], self._blocks)

    def check(self, template: Template | None) -> None:
        fields = template.fields if template else ()
        if self.format == "lines" and fields:
            message = f"{self.name} is read as plain lines, so there is no {{{fields[0]}}}"
            raise UsageError(message, "add --input csv (or tsv, jsonl); for literal braces write {{ }}")
        if self.format not in ("csv", "tsv"):
            return
        self._rows = self._split_rows()
        for _, row in self._rows:
            if isinstance(row, LlamaError):
                raise row
            self._header = row
            self._check_header(fields if template else ("prompt",), template is None)
            return

    def _check_header(self, fields: Sequence[str], is_default: bool) -> None:
        header = self._header
        if duplicate := next((name for name in header if header.count(name) > 1), None):
            raise UsageError(f"{self.name} has two columns '{duplicate}'", "rename one")
        if missing := next((name for name in fields if name not in header), None):
            hint = f"its columns are {', '.join(header)}"
            if is_default:
                hint += "; give a template, as in: batch 'Translate {" + header[0] + "}' FILE"
            raise UsageError(f"{self.name} has no column '{missing}'", hint)

    def statuses(self) -> Iterable[os.stat_result]:
        return [self._status]

    def items(self, start: int) -> Iterator[Item]:
        if self.format in ("csv", "tsv"):
            yield from self._records(start)
            return
        for index, (number, line) in enumerate(self._numbered(), start):
            location = f"{self.name} line {number}"
            try:
                item = self._item(index, location, line)
            except UsageError as error:
                line = line[:200] if len(line) > MAX_ITEM_BYTES else line
                item = Item(index, location, line.decode("utf-8", "replace"), error=error)
            yield item

    def _numbered(self) -> Iterator[tuple[int, bytes]]:
        for number, line in enumerate(split_lines(self._checked_blocks()), 1):
            self.read_size += len(line)
            line = line.removesuffix(b"\n").removesuffix(b"\r")
            if number == 1:
                line = line.removeprefix(BOM)
            if line and not line.isspace():
                yield number, line

    def _item(self, index: int, location: str, line: bytes) -> Item:
        """Returns the item in a line. Raises UsageError."""
        if len(line) > MAX_ITEM_BYTES:
            raise UsageError(f"{location} is longer than 64 MiB", "split it")
        try:
            text = line.decode("utf-8", "replace" if self._inputs.lossy else "strict")
        except UnicodeDecodeError as error:
            byte, offset = line[error.start], error.start
            raise UsageError(f"{location} is not UTF-8: byte 0x{byte:02x} at offset {offset}", LOSSY_HINT) from None
        if "\0" in text:
            raise UsageError(f"{location} contains a NUL byte at offset {line.index(0)}", "remove it")
        if self.format == "lines":
            return Item(index, location, text, text)
        try:
            value = parse_json(text)
        except ValueError as error:
            problem = json_fault(error) if isinstance(error, json.JSONDecodeError) else str(error)
            problem = problem.replace(" line 1 ", " ")
            raise UsageError(f"{location} {problem}", "correct the line") from None
        if isinstance(value, dict):
            return Item(index, location, value, text.strip(), value)
        if isinstance(value, str):
            return Item(index, location, value, value)
        raise UsageError(f"{location} is not an object or a string", "correct the line")

    def _records(self, start: int) -> Iterator[Item]:
        for index, (number, row) in enumerate(self._rows, start):
            location = f"{self.name} line {number}"
            if isinstance(row, LlamaError):
                yield Item(index, location, None, error=row)
                continue
            if len(row) > len(self._header):
                message = f"{location} has {len(row)} fields, but the header has {len(self._header)}"
                hint = "quote fields with commas" if self.format == "csv" else "remove tabs from its fields"
                yield Item(index, location, row, error=UsageError(message, hint))
                continue
            record: JsonObject = dict(zip(self._header, row, strict=False))
            yield Item(index, location, record, json.dumps(record, ensure_ascii=False), record)

    def _split_rows(self) -> Iterator[tuple[int, list[str] | LlamaError]]:
        """Yields header and records, each with its first line's number."""
        lines = _DecodedLines(self)
        rows = self._split_csv(lines) if self.format == "csv" else self._split_tsv(lines)
        for number, row in rows:
            if isinstance(row, LlamaError) or all(map(_is_text, row)):
                # A row of empty cells is a blank line.
                if isinstance(row, LlamaError) or any(cell and not cell.isspace() for cell in row):
                    yield number, row
            elif any("\0" in cell for cell in row):
                message = f"{self.name} line {number} contains a NUL byte"
                yield number, UsageError(message, "remove it")
            else:
                # Bytes that are not UTF-8 are read as lone surrogates.
                yield number, UsageError(f"{self.name} line {number} is not UTF-8", LOSSY_HINT)

    def _split_csv(self, lines: "_DecodedLines") -> Iterator[tuple[int, list[str] | LlamaError]]:
        csv.field_size_limit(MAX_ITEM_BYTES)
        rows = csv.reader(lines, strict=True)
        while True:
            first = lines.number + 1
            lines.record_size = 0
            try:
                row = next(rows)
            except StopIteration:
                return
            except _TooLong:
                yield first, self._too_long(first)
                if lines.number > first:
                    # The quote of a field was never closed: where the next record starts is unknown.
                    return
            except csv.Error as error:
                yield first, self._csv_error(first, str(error))
            else:
                yield first, row

    def _split_tsv(self, lines: "_DecodedLines") -> Iterator[tuple[int, list[str] | LlamaError]]:
        """Yields the lines of text/tab-separated-values (IANA) as rows."""
        while True:
            lines.record_size = 0
            try:
                line = next(lines)
            except StopIteration:
                return
            except _TooLong:
                yield lines.number, self._too_long(lines.number)
                continue
            yield lines.number, [_unquoted(cell) for cell in line.removesuffix("\n").removesuffix("\r").split("\t")]

    def _too_long(self, number: int) -> LlamaError:
        return UsageError(f"{self.name} line {number}: the record is longer than 64 MiB", "split it")

    def _csv_error(self, number: int, reason: str) -> LlamaError:
        hint = "check its quotes"
        # Python's advice here is for programmers.
        if "new-line character" in reason:
            reason, hint = "CR without LF", "end its lines with LF or CR LF"
        elif "field larger" in reason:
            return self._too_long(number)
        return UsageError(f"{self.name} line {number} is not valid CSV: {reason}", hint)


class _DecodedLines:
    """The lines of a CSV or TSV; bytes not UTF-8 become lone surrogates."""

    def __init__(self, file: InputFile) -> None:
        self._file, self._lines = file, split_lines(file._checked_blocks())
        self._errors = "replace" if file._inputs.lossy else "surrogateescape"
        self.number = self.record_size = 0

    def __iter__(self) -> "_DecodedLines":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        self._file.read_size += len(line)
        self.record_size += len(line)
        if self.record_size > MAX_ITEM_BYTES:
            raise _TooLong
        return (line.removeprefix(BOM) if self.number == 1 else line).decode("utf-8", self._errors)


def open_inputs(paths: Sequence[str], format: str | None, inputs: InputReader) -> list[ItemSource]:
    """Opens a batch's inputs, stdin without paths. Raises LlamaError."""
    if format == "files":
        return [FileList(paths, inputs)]
    return [InputFile(path, format, inputs) for path in paths or ["-"]]


def format_of(path: str) -> str:
    """Returns the format that a file's name implies."""
    return next((name for name, end in INPUT_FORMATS.items() if end and path.lower().endswith(end)), "lines")


def _unquoted(cell: str) -> str:
    """Returns a TSV field without the quotes that Excel may add."""
    inner = cell[1:-1]
    if len(cell) < 2 or cell[0] != '"' or cell[-1] != '"' or '"' in inner.replace('""', ""):
        return cell
    return inner.replace('""', '"')


def _is_text(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
