"""Runs the user's own commands, and waits for what may never be ready: their output, FIFOs, devices."""

import errno
import os
import select
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

from llamacli.errors import ExitStatus, LlamaError, Stopped, UsageError
from llamacli.stdio.stderr import WAITING_NOTE_SECONDS
from llamacli.stdio.text import shell_quoted


def read_output(
    command: str, stdin: int | None, max_bytes: int, timeout: float | None = None
) -> tuple[int | None, bytes]:
    """Runs a command in the shell and returns its status and output.

    The output is the first bytes of its stdout. A command that prints more is stopped. The status
    is None if the command was stopped after `timeout` seconds. Raises Stopped if Ctrl-C ended it.
    """
    end = None if timeout is None else monotonic() + timeout
    output = b""
    with subprocess.Popen(["/bin/sh", "-c", command], stdin=stdin, stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            for block in blocks_within(process.stdout.fileno(), end, max_bytes):
                output += block
                if len(output) >= max_bytes:
                    process.kill()
                    return 0, output[:max_bytes]
        except BaseException as error:
            # A signal to llamacli alone, or a timeout: the command would be waited for. Ending the shell is not
            # enough: its child processes may hold the pipe open.
            process.kill()
            if not isinstance(error, TimeoutError):
                raise
            return None, output
    return _checked(process.returncode), output


def _checked(status: int) -> int:
    """Returns a status. Raises Stopped after Ctrl-C, which was for us too."""
    if status in (-signal.SIGINT, 128 + signal.SIGINT):
        raise Stopped(signal.SIGINT)
    return status


def describe_end(status: int) -> str:
    """Returns in words how a child process failed."""
    return f"exited with status {status}" if status > 0 else f"was killed by signal {-status}"


def write_draft(text: str) -> Path:
    """Writes a text to a new file in a folder of its own. Raises LlamaError (output)."""
    import tempfile

    try:
        draft = Path(tempfile.mkdtemp(prefix="llamacli-"), "prompt.md")
        draft.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"cannot write a temporary file: {error.strerror}"
        raise LlamaError(ExitStatus.OUTPUT, message, "check the free space in TMPDIR") from None
    return draft


def run_editor(path: str) -> None:
    """Opens a file in $VISUAL or $EDITOR. Raises UsageError if that fails.

    The editor uses the terminal even if stdin and stdout are pipes.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    with _terminal() as terminal, _ignoring_signals():
        if not editor and terminal is None:
            # vi would wait for a terminal forever.
            raise UsageError("the editor needs a terminal", "set VISUAL or EDITOR to one that does not")
        # Through the shell, as git does: $EDITOR may have arguments.
        command = ["/bin/sh", "-c", f"{editor or 'vi'} {shell_quoted(path)}"]
        done = subprocess.run(command, stdin=terminal or subprocess.DEVNULL, stdout=terminal or 2, check=False)
    if status := _checked(done.returncode):
        hint = "check VISUAL and EDITOR" if status in (126, 127) else ""
        raise UsageError(f"the editor '{editor or 'vi'}' {describe_end(status)}", hint)


@contextmanager
def _terminal() -> Iterator[int | None]:
    try:
        fd = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _ignoring_signals() -> Iterator[None]:
    """Ignores Ctrl-C and Ctrl-\\ while the editor runs, as system(3) does."""
    # Not SIG_IGN, which the editor would inherit.
    former = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


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


def open_for_writing(path: str, note: Callable[[str], None], seconds: float) -> int:
    """Opens a FIFO or a device for writing. A note says that it waits for a reader."""
    start, is_noted = monotonic(), False
    while True:
        try:
            # Without O_NONBLOCK, it would wait for a reader forever.
            fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as error:
            if error.errno != errno.ENXIO or not stat.S_ISFIFO(os.stat(path).st_mode):
                raise
        else:
            os.set_blocking(fd, True)
            return fd
        waited = monotonic() - start
        if waited >= seconds:
            raise TimeoutError(errno.ETIMEDOUT, "nothing has opened it for reading within --max-time")
        if waited > WAITING_NOTE_SECONDS and not is_noted:
            is_noted = True
            note(f"waiting for a reader of {path}")
        sleep(0.05)


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


def file_blocks_within(path: str, end: float) -> Iterator[bytes]:
    """Yields the content of a FIFO or device. Raises TimeoutError at `end`, or OSError."""
    fd = open_within(path, end)
    try:
        yield from blocks_within(fd, end, 1 << 18)
    finally:
        os.close(fd)
