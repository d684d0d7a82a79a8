"""Files to blocks of bytes to lines, as they come."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress

from llamacli.errors import ExitStatus, LlamaError

BLOCK_BYTES = 1 << 16


def split_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Cuts blocks into lines, which keep their LF; the last one may have none."""
    held: list[bytes] = []
    for block in blocks:
        first, *others = block.splitlines(keepends=True) if b"\r" not in block else _split(block)
        if not first.endswith(b"\n"):
            held.append(first)
            continue
        yield b"".join([*held, first]) if held else first
        held = []
        for line in others:
            if line.endswith(b"\n"):
                yield line
            else:
                held = [line]
    if held:
        yield b"".join(held)


def _split(block: bytes) -> list[bytes]:
    # bytes.splitlines would cut at a CR alone.
    pieces = [line + b"\n" for line in block.split(b"\n")]
    pieces[-1] = pieces[-1][:-1]
    return pieces if pieces[-1] else pieces[:-1]


def open_input(path: str) -> tuple[int, os.stat_result]:
    """Opens a file and says what it is. Raises LlamaError (usage) where it cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        # Of a folder this fails.
        os.read(fd, 0)
        return fd, os.fstat(fd)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise LlamaError(ExitStatus.USAGE, f"{path}: {reason}", "nothing was sent") from None


def read_blocks(path: str, fd: int) -> Iterator[bytes]:
    """Yields the bytes of a file that is open, or is opened now where the descriptor is negative."""
    fd = open_input(path)[0] if fd < 0 else fd
    try:
        while block := os.read(fd, BLOCK_BYTES):
            yield block
    except OSError as error:
        raise LlamaError(ExitStatus.USAGE, f"{path}: {error.strerror}") from None
    finally:
        with suppress(OSError):
            os.close(fd)
