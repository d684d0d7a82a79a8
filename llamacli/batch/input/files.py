"""The inputs of a batch, and files as its items."""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO

from llamacli.batch.input.items import BOM, LOSSY_HINT, Item, ItemSource, SourceFile
from llamacli.batch.input.lines import MAX_ITEM_BYTES
from llamacli.batch.input.records import InputFile
from llamacli.batch.input.template import Template
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.input import InputReader, check_encoding, display_path, is_stdin

#: The placeholders of a file: in the template, and in the pattern of --write.
PATH_FIELDS = ("path", "dir", "name", "stem", "ext")


class FileList:
    """Files named by operands or on stdin, separated by NUL or by newlines."""

    def __init__(self, paths: Sequence[str], inputs: InputReader) -> None:
        self._inputs = inputs
        self._paths: list[str] = []
        for path in paths or ["-"]:
            self._paths += self._read_names() if is_stdin(path) else [path]
        self.size: int | None = len(self._paths)
        self.read_size = self._blank_count = 0

    @property
    def total(self) -> int:
        return len(self._paths) - self._blank_count

    def _read_names(self) -> list[str]:
        data = self._inputs.stdin_bytes("the names of files")
        separator = b"\0" if b"\0" in data else b"\n"
        return [os.fsdecode(name) for name in data.split(separator) if name]

    def check(self, template: Template | None) -> None:
        for field in template.fields if template else ():
            if field not in PATH_FIELDS:
                todo = f"use {{}} for its text, or {', '.join(f'{{{name}}}' for name in PATH_FIELDS)}"
                raise LlamaError(ExitStatus.USAGE, f"a file has no field '{field}'", todo)

    def paths(self) -> Sequence[str]:
        return self._paths

    def statuses(self) -> Iterator[os.stat_result | None]:
        for path in self._paths:
            with suppress(OSError, ValueError):
                yield os.stat(path)

    def items(self, start: int) -> Iterator[Item]:
        for path in self._paths:
            self.read_size += 1
            item = self._item(start, path)
            # Like a blank line, an empty file is not an item.
            if item.error or item.text.strip():
                yield item
                start += 1
            else:
                self._blank_count += 1

    def _item(self, index: int, path: str) -> Item:
        name = display_path(path)
        try:
            text, file = self._read(path, name)
        except LlamaError as error:
            return Item(index, name, name, error=error)
        record = {field: display_path(part) for field, part in split_path(path).items()}
        return Item(index, name, name, text, record, file=file)

    def _read(self, path: str, name: str) -> tuple[str, SourceFile]:
        """Returns a file's text, without BOM. Raises LlamaError (usage)."""
        try:
            with open_regular(path) as file:
                data = file.read(MAX_ITEM_BYTES + 1)
        except (OSError, ValueError) as error:
            raise LlamaError(ExitStatus.USAGE, f"{name}: {getattr(error, 'strerror', None) or error}") from None
        if len(data) > MAX_ITEM_BYTES:
            raise LlamaError(ExitStatus.USAGE, f"{name} is longer than 64 MiB", "split it")
        check_encoding(data, name, path)
        source = SourceFile(path, _digest(data), data.startswith(BOM), data.endswith(b"\n"))
        try:
            return data.removeprefix(BOM).decode("utf-8", "replace" if self._inputs.lossy else "strict"), source
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            what = f"{name} is not UTF-8: byte 0x{error.object[error.start]:02x} on line {line}"
            raise LlamaError(ExitStatus.USAGE, what, LOSSY_HINT) from None


def split_path(path: str) -> dict[str, str]:
    """Returns the parts of a path.

    `ext` is without its dot, `dir` is `.` for a bare name.
    """
    name = os.path.basename(path)
    stem, ext = os.path.splitext(name)
    return {"path": path, "dir": os.path.dirname(path) or ".", "name": name, "stem": stem, "ext": ext[1:]}


def open_regular(path: str) -> BinaryIO:
    """Opens a regular file for reading bytes. Raises OSError."""
    # Opening a FIFO would wait for its writer.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return open(path, "rb")


def read_unchanged(file: SourceFile) -> bytes | None:
    """Returns the content of a file, or None.

    It returns None if it has changed or disappeared since it was read.
    """
    try:
        with open_regular(file.path) as opened:
            data = opened.read()
    except OSError:
        return None
    return data if _digest(data) == file.digest else None


def open_inputs(paths: Sequence[str], format: str | None, inputs: InputReader) -> list[ItemSource]:
    """Opens the inputs of a batch, stdin without a path.

    Raises LlamaError (usage).
    """
    if format == "files":
        return [FileList(paths, inputs)]
    return [InputFile(path, format, inputs) for path in paths or ["-"]]


def _digest(data: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(data).digest()
