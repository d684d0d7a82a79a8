"""Changes to the terminal's state, undone before Ctrl-Z or the end."""

import errno
import os
import signal
import termios
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import Any, TypeVar

from llamacli import signals

Result = TypeVar("Result")


class _Change:
    """One change: how it is made, and how it is undone."""

    def __init__(self, enter: Callable[[], None], leave: Callable[[], None]) -> None:
        self._enter, self._leave, self._is_active = enter, leave, False

    def enter(self) -> None:
        self._is_active = True
        self._enter()

    def leave(self) -> None:
        if self._is_active:
            self._is_active = False
            self._leave()


#: Stops in a row after which the terminal is read anyway.
MAX_STOPS = 100
#: The changes in effect, the latest last.
_changes: list[_Change] = []


@contextmanager
def mode(enter: Callable[[], None], leave: Callable[[], None]) -> Iterator[None]:
    """Calls `enter` and `leave` now and at the end, and around each stop."""
    change = _Change(enter, leave)
    _changes.append(change)
    try:
        change.enter()
        yield
    finally:
        change.leave()
        _changes.remove(change)


def catch_stop() -> None:
    """Restores the terminal in a stop; an ignored SIGTSTP stays ignored."""
    if signal.getsignal(signal.SIGTSTP) != signal.SIG_IGN:
        signal.signal(signal.SIGTSTP, lambda number, frame: stop())
    signal.signal(signal.SIGCONT, lambda number, frame: resume())


def catch_first_stop() -> None:
    """Does what catch_stop does, unless SIGTSTP is handled already."""
    if signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL:
        with suppress(ValueError):
            catch_stop()


def stop() -> None:
    """Restores the terminal and stops, as Ctrl-Z does, until continued."""
    for change in reversed(_changes):
        change.leave()
    handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, handler)


def resume() -> None:
    """Makes all changes again, unless in the background."""
    if may_draw(next((fd for fd in (0, 1, 2) if os.isatty(fd)), 0)):
        for change in _changes:
            change.enter()


def may_draw(fd: int) -> bool:
    """True unless this is a background job of the terminal on `fd`."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        # It is not this session's terminal, so there are no background jobs.
        return True


def wait_for_foreground(fd: int) -> None:
    """Stops while this is a background job, as reading would."""
    # OSError: it is not this session's terminal, so there are no background jobs.
    with suppress(OSError):
        # A process that nobody can continue is not stopped by the signal.
        for _ in range(MAX_STOPS):
            if os.tcgetpgrp(fd) == os.getpgrp():
                break
            os.kill(os.getpid(), signal.SIGTTIN)


def _call(function: Callable[..., Result], *arguments: object) -> Result:
    """Calls a function of termios, again if a stop interrupts it. Raises OSError."""
    while True:
        try:
            return function(*arguments)
        except termios.error as error:
            if error.args[0] != errno.EINTR:
                raise OSError(*error.args) from None


@contextmanager
def no_echo(fd: int) -> Iterator[None]:
    """Keeps typed text in the terminal's queue, unechoed and whole.

    Ctrl-C and Ctrl-Z still work. In canonical mode the terminal drops what exceeds 4096 bytes in a
    line.
    """
    try:
        before = _call(termios.tcgetattr, fd)
    except OSError:
        yield
        return
    quiet = before.copy()
    quiet[3] = before[3] & ~(termios.ECHO | termios.ICANON)

    def put(value: list[Any]) -> None:
        # TCSADRAIN keeps typed text, TCSAFLUSH would drop it.
        with suppress(OSError):
            _call(termios.tcsetattr, fd, termios.TCSADRAIN, value)

    with mode(lambda: put(quiet), lambda: put(before)):
        yield


def read_hidden(prompt: str) -> str:
    """Reads a line from the terminal without showing it.

    Ctrl-Z gives the shell its echo back, and after `fg` the prompt is there again, with
    the echo off. Raises EOFError after Ctrl-D, UnicodeError if the line is not UTF-8, and
    OSError if the terminal is gone.
    """
    try:
        fd = out = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        fd, out = 0, 2
    wait_for_foreground(fd)
    before = _call(termios.tcgetattr, fd)
    hidden = before.copy()
    hidden[3] = before[3] & ~termios.ECHO

    def hide() -> None:
        # What was typed before the prompt is not a part of the answer.
        _call(termios.tcsetattr, fd, termios.TCSAFLUSH, hidden)
        os.write(out, prompt.encode())

    def show() -> None:
        with suppress(OSError):
            _call(termios.tcsetattr, fd, termios.TCSADRAIN, before)

    def quit(number: int, frame: FrameType | None) -> None:
        signals.stop(number)

    catch_first_stop()
    line = b""
    with ExitStack() as stack:
        # Ctrl-\\ would leave the terminal without echo.
        stack.callback(signal.signal, signal.SIGQUIT, signal.signal(signal.SIGQUIT, quit))
        stack.enter_context(mode(hide, show))
        while not line.endswith(b"\n"):
            block = os.read(fd, 4096)
            if not block and not line:
                raise EOFError
            line += block or b"\n"
        os.write(out, b"\n")
    return line.decode().rstrip("\r\n")
