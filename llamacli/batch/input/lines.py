"""Files to blocks of bytes to lines, as they arrive."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress

from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.input import display_path

BLOCK_BYTES = 1 << 16

#: The maximum size of a line, a record or a file that is an item.
MAX_ITEM_BYTES = 64 << 20


def split_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Splits blocks into lines, which keep their LF.

    The last one may have none.

    A line of more than MAX_ITEM_BYTES is cut after one byte more than that.
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


def open_input(path: str, hint: str = "nothing was sent") -> tuple[int, os.stat_result]:
    """Opens a file and returns its descriptor and status.

    Raises LlamaError (usage).
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            # A folder can be opened, but not read.
            os.read(fd, 0)
            return fd, os.fstat(fd)
        except BaseException:
            os.close(fd)
            raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise LlamaError(ExitStatus.USAGE, f"{display_path(path)}: {reason}", hint) from None


def read_blocks(path: str, fd: int) -> Iterator[bytes]:
    """Yields the bytes of an open file.

    With a negative descriptor the file is opened now.
    """
    fd = open_input(path, hint="")[0] if fd < 0 else fd
    try:
        while block := os.read(fd, BLOCK_BYTES):
            yield block
    except OSError as error:
        raise LlamaError(ExitStatus.USAGE, f"{display_path(path)}: {error.strerror}") from None
    finally:
        with suppress(OSError):
            os.close(fd)
