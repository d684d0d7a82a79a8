"""Reads what may never arrive: from FIFOs, devices and commands, until a deadline."""

import os
import select
from collections.abc import Iterator
from contextlib import suppress
from threading import Event, Thread
from time import monotonic


def open_within(path: str, end: float) -> int:
    """Opens a FIFO or device for reading.

    Raises TimeoutError if there is no writer by `end`, a monotonic time.
    """
    is_open = Event()

    def unblock() -> None:
        delay = max(0.0, end - monotonic())
        while not is_open.wait(delay):
            # A writer that opens and closes the FIFO ends the wait. Before the wait begins, opening it fails.
            with suppress(OSError):
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY))
            delay = 0.05

    Thread(target=unblock, daemon=True).start()
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        is_open.set()
    if monotonic() >= end:
        os.close(fd)
        raise TimeoutError
    return fd


def blocks_within(fd: int, end: float | None, block_bytes: int) -> Iterator[bytes]:
    """Yields what arrives at a descriptor. Raises TimeoutError at `end`, if there is one."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while True:
        # /dev/zero is always ready.
        if end is not None and (not poll.poll(max(0.0, end - monotonic()) * 1000) or monotonic() >= end):
            raise TimeoutError
        if not (block := os.read(fd, block_bytes)):
            return
        yield block
