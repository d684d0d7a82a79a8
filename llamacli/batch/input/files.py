"""Files of a batch: read as bytes, line by line, or each as an item."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from time import monotonic

from llamacli.batch.input.items import BOM, LOSSY_HINT, Item, ItemSource, SourceFile, Template
from llamacli.errors import ExitStatus, LlamaError, UsageError
from llamacli.stdio.files import read_regular
from llamacli.stdio.input import InputReader, display_path, is_stdin
from llamacli.stdio.text import check_encoding, split_names

BLOCK_BYTES = 1 << 16
#: The maximum size of a line, a record or a file that is an item.
MAX_ITEM_BYTES = 64 << 20


def split_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Splits blocks into lines, which keep their LF.

    The last one may have none. A line of more than MAX_ITEM_BYTES is cut after one byte more than
    that.
    """
    parts: list[bytes] = []
    size = 0
    for block in blocks:
        first, *others = block.splitlines(keepends=True) if b"\r" not in block else _split(block)
        if not first.endswith(b"\n"):
            if size <= MAX_ITEM_BYTES:
                parts.append(first)
                size += len(first)
            continue
        if size <= MAX_ITEM_BYTES:
            parts.append(first)
        yield _joined(parts) if len(parts) > 1 else first
        parts, size = [], 0
        for line in others:
            if line.endswith(b"\n"):
                yield line
            else:
                parts, size = [line], len(line)
    if parts:
        yield _joined(parts)


def _joined(parts: list[bytes]) -> bytes:
    return b"".join(parts)[: MAX_ITEM_BYTES + 1]


def _split(block: bytes) -> list[bytes]:
    # bytes.splitlines would cut at a CR alone.
    pieces = [line + b"\n" for line in block.split(b"\n")]
    pieces[-1] = pieces[-1][:-1]
    return pieces if pieces[-1] else pieces[:-1]


def open_input(path: str, hint: str = "nothing was sent", max_time: float | None = None) -> tuple[int, os.stat_result]:
    """Opens a file; returns descriptor and status. Raises LlamaError.

    A FIFO must have a writer within `max_time` seconds.
    """
    try:
        if max_time is None:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        else:
            from llamacli.stdio.shell import open_within

            fd = open_within(path, monotonic() + max_time)
        try:
            # A folder can be opened, but not read.
            os.read(fd, 0)
            return fd, os.fstat(fd)
        except BaseException:
            os.close(fd)
            raise
    except TimeoutError:
        message = f"{display_path(path)} has no writer after {max_time:g} s (--max-time)"
        raise LlamaError(ExitStatus.NETWORK, message, hint) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{display_path(path)}: {reason}", hint) from None


def read_blocks(path: str, fd: int) -> Iterator[bytes]:
    """Yields the bytes of a file, opened now if `fd` is negative."""
    fd = open_input(path, hint="")[0] if fd < 0 else fd
    try:
        while block := os.read(fd, BLOCK_BYTES):
            yield block
    except OSError as error:
        raise UsageError(f"{display_path(path)}: {error.strerror}") from None
    finally:
        with suppress(OSError):
            os.close(fd)


#: The placeholders of a file: in the template, and in the pattern of --write.
PATH_FIELDS = ("path", "dir", "name", "stem", "ext")


class FileList(ItemSource):
    """Files named by operands or on stdin, separated by NUL or by newlines."""

    def __init__(self, paths: Sequence[str], inputs: InputReader) -> None:
        self._inputs = inputs
        self._paths: list[str] = []
        for path in paths or ["-"]:
            self._paths += split_names(inputs.stdin_bytes("the names of files"), "stdin") if is_stdin(path) else [path]
        self.size, self._blank_count = len(self._paths), 0

    @property
    def total(self) -> int:
        return len(self._paths) - self._blank_count

    def check(self, template: Template | None) -> None:
        for field in template.fields if template else ():
            if field not in PATH_FIELDS:
                hint = f"use {{}} for its text, or {', '.join(f'{{{name}}}' for name in PATH_FIELDS)}"
                raise UsageError(f"a file has no field '{field}'", hint)

    def paths(self) -> Sequence[str]:
        return self._paths

    def statuses(self) -> Iterator[os.stat_result]:
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
        """Returns a file's text, without BOM. Raises UsageError."""
        try:
            data = read_regular(path, MAX_ITEM_BYTES + 1)
        except (OSError, ValueError) as error:
            raise UsageError(f"{name}: {getattr(error, 'strerror', None) or error}") from None
        if len(data) > MAX_ITEM_BYTES:
            raise UsageError(f"{name} is longer than 64 MiB", "split it")
        check_encoding(data, name, path)
        source = SourceFile(path, _digest(data), data.startswith(BOM), data.endswith(b"\n"))
        try:
            return data.removeprefix(BOM).decode("utf-8", "replace" if self._inputs.lossy else "strict"), source
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            message = f"{name} is not UTF-8: byte 0x{error.object[error.start]:02x} on line {line}"
            raise UsageError(message, LOSSY_HINT) from None


def split_path(path: str) -> dict[str, str]:
    """Returns a path's parts. `ext` has no dot; `dir` is `.` for a bare name."""
    name = os.path.basename(path)
    stem, ext = os.path.splitext(name)
    return {"path": path, "dir": os.path.dirname(path) or ".", "name": name, "stem": stem, "ext": ext[1:]}


def read_unchanged(file: SourceFile) -> bytes | None:
    """Returns a file's content, None if it changed since it was read."""
    try:
        data = read_regular(file.path)
    except OSError:
        return None
    return data if _digest(data) == file.digest else None


def _digest(data: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(data).digest()
