"""Reads messages from the terminal: readline, its history, Tab, pastes."""

import json
import os
import select
import signal
import sys
import time
from _thread import start_new_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple, TypeVar

from llamacli import signals
from llamacli.chat.readline_setup import (
    IS_LIBEDIT,
    LOCALE,
    allows_bracketed_paste,
    check_charset,
    decoded,
    from_readline,
    line_buffer,
    read_bytes,
    readline,
    readline_locale,
    to_readline,
)
from llamacli.chat.slash import FENCE
from llamacli.errors import ExitStatus, Stopped
from llamacli.stdio import terminal
from llamacli.stdio.files import append_line, open_log, read_regular, write_atomically
from llamacli.stdio.stderr import is_dumb

T = TypeVar("T")
#: The signals that are handled here. After SIGQUIT, readline would leave the terminal in its own mode.
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
#: Entries of the history that are read.
HISTORY_LENGTH = 1000
#: Seconds within which further lines belong to the same paste, if the terminal does not mark pastes.
PASTE_PAUSE = 0.02


class Interrupted(Exception):
    """Ctrl-C during typing. `was_empty` is True if the line was."""

    def __init__(self, was_empty: bool) -> None:
        super().__init__(was_empty)
        self.was_empty = was_empty


class TypedInput(NamedTuple):
    """A message; one of several lines is never a command."""

    text: str
    is_block: bool


def interruptible(act: Callable[[], T]) -> T:
    """Does what Ctrl-C may stop. Raises Stopped.

    At all other times SIGINT is ignored, so that a second Ctrl-C does not end what the first one started.
    """
    try:
        return act()
    except Exception:
        if stopped := signals.find_stopped():
            raise stopped from None
        raise


def _is_within(frame: FrameType | None, code: CodeType) -> bool:
    # A flag would have to be reset after the exception, and the next signal may arrive before that.
    while frame and frame.f_code is not code:
        frame = frame.f_back
    return frame is not None


def _read_line(prompt: str) -> str:
    """Reads one line. In this frame, readline owns the terminal."""
    return interruptible(lambda: input(prompt))


class LineEditor:
    """Reads messages from the terminal on descriptors 0 and 1.

    `complete` returns the whole lines that a line may be completed to. Without a
    `history` nothing is remembered beyond the call.
    """

    def __init__(self, history: Path | None, complete: Callable[[str], list[str]], is_colored: bool) -> None:
        check_charset()
        self._history, self._complete = history, complete
        # readline takes what is between \x01 and \x02 to have no width.
        self._prompt = "\x01\x1b[1m\x02> \x01\x1b[0m\x02" if is_colored and not IS_LIBEDIT else "> "
        self._matches: list[str] = []
        #: The line when a signal arrived: libedit forgets it then.
        self._typed = ""
        # input() must return all bytes, and the descriptors may have been replaced.
        sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
        # input() needs all three, and 2 may have been closed.
        sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
        #: The terminal marks pasted text, so that readline does not take its newlines for Enter.
        self._marks_pastes = not IS_LIBEDIT and not is_dumb() and allows_bracketed_paste()
        with readline_locale():
            self._configure()
        self._load()
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._interrupt)
        if signal.getsignal(signal.SIGTSTP) != signal.SIG_IGN:
            signal.signal(signal.SIGTSTP, self._suspend)
        signal.signal(signal.SIGCONT, self._suspend)
        if IS_LIBEDIT:
            start_new_thread(_end_with_terminal, ())

    def _configure(self) -> None:
        readline.set_auto_history(False)
        readline.set_completer(self._next)
        readline.set_completer_delims(" ")
        if IS_LIBEDIT:
            readline.parse_and_bind("bind ^I rl_complete")
            return
        readline.parse_and_bind("tab: complete")
        # Python turns it off.
        if self._marks_pastes:
            readline.parse_and_bind("set enable-bracketed-paste on")
        if LOCALE == "C":
            for setting in ("input-meta on", "output-meta on", "convert-meta off"):
                readline.parse_and_bind(f"set {setting}")

    def read(self) -> TypedInput:
        """Returns the next message.

        Raises EOFError after Ctrl-D, Interrupted after Ctrl-C, UsageError if the
        terminal sent bytes that are not text.
        """
        read_bytes.begin()
        text = self._pasted_lines(self._prompt)
        # Text that was pasted with its newlines is a message as it is, and may be Python.
        if is_block := "\n" not in text and text.lstrip().startswith(FENCE):
            text = self._block(text.strip().removeprefix(FENCE))
        text = decoded(text)
        if text.strip():
            self.remember(text)
        return TypedInput(text, is_block or "\n" in text)

    def remember(self, text: str) -> None:
        """Adds a text to the history."""
        _add(text)
        if not self._history:
            return
        # A history that cannot be written is not worth an error.
        with suppress(OSError):
            os.makedirs(self._history.parent, mode=0o700, exist_ok=True)
            fd = open_log(self._history)
            try:
                append_line(fd, json.dumps(text).encode() + b"\n")
            finally:
                os.close(fd)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keeps what is typed meanwhile for the next message."""
        with terminal.no_echo(0):
            if not self._marks_pastes:
                yield
                return
            with terminal.mode(lambda: _write(b"\x1b[?2004h"), lambda: _write(b"\x1b[?2004l")):
                yield

    def _pasted_lines(self, prompt: str) -> str:
        """Returns a line, or several if a paste is not marked."""
        text = self._line(prompt)
        if self._marks_pastes or text.startswith("/") or text.strip() == FENCE:
            return text
        with suppress(EOFError):
            while self._has_input():
                text += "\n" + self._line(". ")
        return text

    def _has_input(self) -> bool:
        # Canonical mode would hide a last line without a newline.
        with terminal.no_echo(0):
            return bool(select.select([0], [], [], PASTE_PAUSE)[0])

    def _line(self, prompt: str) -> str:
        typed = ""
        while True:
            # After Ctrl-Z, editing continues with what was typed.
            readline.set_pre_input_hook((lambda: _insert(typed)) if typed else None)  # noqa: B023
            # readline would stop, too, but after it has begun the line.
            terminal.wait_for_foreground(0)
            try:
                self._typed = ""
                with readline_locale():
                    return _read_line(prompt)
            except Stopped as stopped:
                if stopped.number not in (signal.SIGINT, signal.SIGTSTP, signal.SIGCONT):
                    raise
                signals.forget()
                typed = self._typed
                if stopped.number == signal.SIGINT:
                    raise Interrupted(was_empty=not typed) from None
                if stopped.number == signal.SIGTSTP:
                    terminal.stop()
                    self._offer(typed)

    def _offer(self, typed: str) -> None:
        """Keeps a half-typed line for Up: libedit cannot begin with it."""
        if IS_LIBEDIT and typed:
            readline.add_history(typed)
            _write(b"llamacli: press Up for the line that you were typing\n")

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """Raises Stopped; after SIGINT the program continues."""
        if number != signal.SIGINT:
            # The second one ends the program at once.
            signal.signal(number, signal.SIG_DFL)
        elif not _is_within(frame, interruptible.__code__):
            return
        if _is_within(frame, _read_line.__code__):
            self._leave_line(b"^C" if number == signal.SIGINT else b"")
        signals.stop(number)

    def _leave_line(self, key: bytes) -> None:
        """Remembers the line, and shows the key as other programs do."""
        self._typed = line_buffer()
        _write(key)

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        """Lets readline restore the terminal, and later draw its line."""
        if _is_within(frame, _read_line.__code__):
            self._leave_line(b"^Z" if number == signal.SIGTSTP else b"")
            signals.stop(number)
        if number == signal.SIGTSTP:
            terminal.stop()
        else:
            terminal.resume()

    def _block(self, first: str) -> str:
        """Returns the lines up to the closing one. Raises Interrupted."""
        if first.endswith(FENCE):
            return first.removesuffix(FENCE)
        lines = [first] if first else []
        try:
            while not _ends_block(lines):
                lines += self._line(". ").split("\n")
        except (EOFError, Interrupted):
            raise Interrupted(was_empty=False) from None
        last = lines[-1].rstrip().removesuffix(FENCE)
        return "\n".join([*lines[:-1], last] if last.strip() else lines[:-1])

    def _load(self) -> None:
        if not self._history:
            return
        with suppress(OSError):
            entries = read_regular(self._history).splitlines()
            for entry in entries[-HISTORY_LENGTH:]:
                with suppress(ValueError, RecursionError):
                    if isinstance(text := json.loads(entry), str):
                        _add(text)
            if len(entries) > 2 * HISTORY_LENGTH:
                newest = b"".join(entry + b"\n" for entry in entries[-HISTORY_LENGTH:])
                write_atomically(self._history, newest, 0o600, follow=True)

    def _next(self, word: str, number: int) -> str | None:
        """Returns a candidate for the last word; readline calls it."""
        if number == 0:
            line = from_readline(readline.get_line_buffer()[: readline.get_endidx()])
            start = len(line) - len(from_readline(word))
            try:
                self._matches = [to_readline(whole[start:]) for whole in self._complete(line)]
            except OSError:
                self._matches = []
        return self._matches[number] if number < len(self._matches) else None


def _end_with_terminal() -> None:
    """Ends the program if its terminal is gone.

    libedit would try to read from it forever, in a loop that no signal ends.
    """
    poll = select.poll()
    poll.register(0, 0)
    if any(event & select.POLLHUP for _, event in poll.poll()):
        # By then a program that noticed has ended.
        time.sleep(1)
        os._exit(ExitStatus.HANGUP)


def _add(text: str) -> None:
    # NUL would end a string of C's.
    readline.add_history(to_readline(text.replace("\0", "")))


def _write(sequence: bytes) -> None:
    with suppress(OSError):
        os.write(1, sequence)


def _insert(text: str) -> None:
    readline.insert_text(text)
    readline.redisplay()


def _ends_block(lines: list[str]) -> bool:
    """True if the last line closes the block.

    It does so with marks alone, or at its end unless they close a Python docstring.
    """
    if not lines or lines[-1].strip() == FENCE:
        return bool(lines)
    is_quoted = sum(line.count(FENCE) for line in lines[:-1]) % 2 == 1
    return lines[-1].rstrip().endswith(FENCE) and lines[-1].count(FENCE) == 1 and not is_quoted
