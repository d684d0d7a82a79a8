"""Lines that a person types: editing by readline, a history, Tab, messages of several lines."""

import json
import locale
import os
import readline
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NamedTuple, TypeVar

from llamacli import signals
from llamacli.errors import Stopped

T = TypeVar("T")


#: Opens and closes a message of several lines.
FENCE = '"""'


#: The signals that are heard here. After SIGQUIT readline would leave the terminal as it has set it.
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


#: Entries of the history that are read back.
HISTORY_LENGTH = 1000


class Interrupted(Exception):
    """Ctrl-C while a line was typed. `was_empty` tells whether there was anything to throw away."""

    def __init__(self, was_empty: bool) -> None:
        super().__init__(was_empty)
        self.was_empty = was_empty


class TypedInput(NamedTuple):
    """A message; one of several lines is meant as it stands, and no command."""

    text: str
    is_block: bool


def stoppable(what: Callable[[], T]) -> T:
    """Does what Ctrl-C may stop. Raises Stopped.

    While this is not being done, SIGINT is passed over, so that of many that come
    together none ends what the first one leads to.
    """
    try:
        return what()
    except Exception as error:
        if stopped := signals.behind(error):
            raise stopped from None
        raise


def _is_stoppable(frame: FrameType | None) -> bool:
    # A flag would have to be taken back after the exception, and the next signal may come before that.
    while frame and frame.f_code is not stoppable.__code__:
        frame = frame.f_back
    return frame is not None


class LineEditor:
    """Reads messages from the terminal on descriptors 0 and 1.

    `complete` returns what a line may be completed to: whole lines. Without a
    `history` nothing is kept beyond the call.
    """

    def __init__(self, history: Path | None, complete: Callable[[str], list[str]]) -> None:
        self._history, self._complete = history, complete
        self._matches: list[str] = []
        # What is typed is UTF-8, whatever the locale says, and the descriptors may lead elsewhere than at the start.
        sys.stdin = open(0, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
        # input() does without none of the three, and 2 may have been closed.
        sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
        readline.set_auto_history(False)
        readline.set_completer(self._next)
        readline.set_completer_delims(" ")
        if "libedit" in (readline.__doc__ or ""):
            readline.parse_and_bind("bind ^I rl_complete")
        else:
            readline.parse_and_bind("tab: complete")
            # A newline that is pasted does not send the line.
            readline.parse_and_bind("set enable-bracketed-paste on")
        self._load()
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._interrupt)

    def read(self) -> TypedInput:
        """Returns the next message. Raises EOFError after Ctrl-D, Interrupted after Ctrl-C."""
        text = self._line("> ")
        if is_block := text.strip() == FENCE:
            text = self._block()
        if text.strip():
            self.remember(text)
        return TypedInput(text, is_block)

    def remember(self, text: str) -> None:
        """Puts a text where the arrow keys find it."""
        _add(text)
        if not self._history:
            return
        # A history is worth no failure.
        with suppress(OSError):
            os.makedirs(self._history.parent, mode=0o700, exist_ok=True)
            fd = os.open(self._history, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with open(fd, "wb") as file:
                file.write(json.dumps(text).encode() + b"\n")

    def _line(self, prompt: str) -> str:
        try:
            return stoppable(lambda: input(prompt))
        except Stopped as stopped:
            if stopped.number != signal.SIGINT:
                raise
            raise Interrupted(was_empty=not readline.get_line_buffer()) from None

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """Ends what is being done by raising Stopped; after SIGINT the program may go on."""
        if number != signal.SIGINT:
            # The second one is not waited for.
            signal.signal(number, signal.SIG_DFL)
        elif not _is_stoppable(frame):
            return
        raise Stopped(number)

    def _block(self) -> str:
        """Returns the lines up to the one that closes the message. Raises Interrupted after Ctrl-C or Ctrl-D."""
        lines: list[str] = []
        try:
            while (line := self._line(". ")).strip() != FENCE:
                lines.append(line)
        except (EOFError, Interrupted):
            raise Interrupted(was_empty=False) from None
        return "\n".join(lines)

    def _load(self) -> None:
        if not self._history:
            return
        with suppress(OSError):
            if not self._history.is_file():
                return
            entries = self._history.read_bytes().splitlines()
            for entry in entries[-HISTORY_LENGTH:]:
                with suppress(ValueError, RecursionError):
                    if isinstance(text := json.loads(entry), str):
                        _add(text)
            if len(entries) > 2 * HISTORY_LENGTH:
                from llamacli.stdio.files import write_atomically

                kept = b"".join(entry + b"\n" for entry in entries[-HISTORY_LENGTH:])
                write_atomically(self._history, kept, 0o600, follow=True)

    def _next(self, word: str, number: int) -> str | None:
        """Is asked by readline for one candidate after the other; each takes the place of the line's last word."""
        if number == 0:
            before = readline.get_line_buffer()[: readline.get_endidx()]
            line, start = _as_utf8(before), len(_as_utf8(before)) - len(_as_utf8(word))
            try:
                self._matches = [_as_locale(whole[start:]) for whole in self._complete(line)]
            except OSError:
                self._matches = []
        return self._matches[number] if number < len(self._matches) else None


def _add(text: str) -> None:
    # NUL ends a line of C's.
    readline.add_history(_as_locale(text.replace("\0", "")))


def _as_locale(text: str) -> str:
    """Returns what Python's readline, which encodes by the C library's locale, makes UTF-8 bytes of."""
    return text.encode("utf-8", "replace").decode(locale.nl_langinfo(locale.CODESET), "surrogateescape")


def _as_utf8(text: str) -> str:
    """Returns the text whose UTF-8 bytes readline has decoded by the C library's locale."""
    return text.encode(locale.nl_langinfo(locale.CODESET), "surrogateescape").decode("utf-8", "replace")
