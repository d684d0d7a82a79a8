"""Saved conversations, and which is the last one of this login session.

Each is a file of JSON Lines, safe against kill -9 and concurrent writers.
"""

import errno
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from llamacli.chat.messages import (
    Lines,
    SavedMessage,
    complete_turns,
    decode_lines,
    encode_lines,
    unreadable_lines,
    with_system,
    without_turn,
)
from llamacli.chat.options import NAME, NAME_WORDS
from llamacli.config import SESSIONS
from llamacli.errors import ExitStatus, LlamaError, UsageError
from llamacli.stdio.files import LockedFile, read_regular, remove, write_atomically


def checked_name(name: str, origin: str) -> str:
    """Returns a session's name. Raises UsageError."""
    if not re.fullmatch(NAME, name):
        raise UsageError(f"{origin}: '{name}' is not a session name", f"use {NAME_WORDS}")
    return name


class Session:
    """One conversation.

    Its file is read again for each turn, since other processes may write to it.

    A session without a name gets one with its first turn. With `is_saved` False,
    nothing is ever written. `warn` is called for each line that cannot be read.
    """

    def __init__(
        self, name: str | None, *, is_saved: bool = True, warn: Callable[[str], None] = lambda text: None
    ) -> None:
        self.name, self.is_saved, self._warn = name, is_saved, warn
        #: The messages as last read, in case the file is removed.
        self._messages: list[SavedMessage] = []
        self._reported_lines: set[int] = set()
        #: What the file contained when it was last read, and the same decoded.
        self._content = b"", Lines([], 0, [])
        #: Turns that could not be saved. The conversation continues with them, and each save tries again.
        self._unsaved: list[SavedMessage] = []
        if name is not None and not is_saved:
            self._messages = self._read()

    @property
    def path(self) -> Path:
        return SESSIONS.path(self.name or "")

    def messages(self) -> list[SavedMessage]:
        """Returns all complete turns. Raises UsageError."""
        if self.is_saved and self.name is not None:
            self._messages = self._read()
        return [*self._messages, *self._unsaved]

    def prepare(self) -> None:
        """Creates the folder.

        Raises LlamaError (output) now if a turn could not be saved after it was paid for.
        """
        if not self.is_saved:
            return
        try:
            os.makedirs(SESSIONS.path(), mode=0o700, exist_ok=True)
            # A session may be a link to a file elsewhere, whose folder may be missing.
            target = Path(os.path.realpath(self.path))
            os.stat(target.parent)
            for path, mode in (target.parent, os.W_OK | os.X_OK), (target, os.W_OK):
                if path.exists() and not os.access(path, mode):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        except OSError as error:
            message = f"cannot save the conversation in {error.filename}: {error.strerror}"
            raise LlamaError(ExitStatus.OUTPUT, message, "use --no-save to continue without saving") from None

    def save(self, turn: list[SavedMessage], system: SavedMessage | None = None, without: object = None) -> None:
        """Saves a complete turn atomically; an empty list adds nothing.

        `system` replaces the system message, and `without` is the id of a turn to
        remove. Turns that other processes have added meanwhile stay. Raises LlamaError
        (output), and keeps the turn in memory.
        """
        turn = [*without_turn(self._unsaved, without), *turn]

        def changed(entries: list[SavedMessage]) -> list[SavedMessage]:
            return with_system(without_turn(entries, without), system) + turn

        try:
            with self._changing() as file:
                lines = self._decode(file.read() if file else b"")
                # The file may be new, or was removed since the turn began.
                entries = changed(lines.entries or self._messages)
                if file and not entries:
                    remove(self.path)
                elif file and not lines.entries:
                    _append(file, encode_lines(entries), 0)
                elif file and without is None and system is None:
                    _append(file, encode_lines(turn), lines.end)
                elif file:
                    write_atomically(self.path, encode_lines(entries), 0o600, follow=True)
        except LlamaError:
            self._unsaved = turn
            raise
        self._messages, self._unsaved = complete_turns(entries), []

    def save_as(self, name: str) -> None:
        """Renames the session, or copies it if the user had named it.

        Raises LlamaError: usage if the name is taken, output if it cannot be written.
        """
        entries, path = self.messages(), SESSIONS.path(name)
        try:
            os.makedirs(path.parent, mode=0o700, exist_ok=True)
            renames = self.is_saved and self.name and TIME_NAME.fullmatch(self.name) and entries and not self._unsaved
            # Renaming would replace a session of that name, and not all file systems have links.
            with LockedFile(self.path) if renames else nullcontext() as old, LockedFile(path, is_new=True) as new:
                _append(new, (old.read() if old else b"") or encode_lines(entries), 0)
                if not entries:
                    # The first turn creates it again.
                    os.unlink(path)
                elif old:
                    remove(self.path)
        except FileExistsError:
            raise UsageError(f"session '{name}' already exists", "choose another name") from None
        except OSError as error:
            raise _cannot_write(path, error) from None
        self.name, self.is_saved, self._unsaved = name, True, []

    def _read(self) -> list[SavedMessage]:
        try:
            lines = self._decode(read_regular(self.path))
        except (FileNotFoundError, NotADirectoryError):
            return self._messages
        except OSError as error:
            raise UsageError(f"cannot read {self.path}: {error.strerror}") from None
        if numbers := [number for number in lines.unreadable if number not in self._reported_lines]:
            self._reported_lines.update(numbers)
            self._warn(unreadable_lines(self.path, numbers))
        return lines.messages

    def _decode(self, data: bytes) -> Lines:
        """Decodes a file. For each turn it is read several times, usually unchanged."""
        if data != self._content[0]:
            self._content = data, decode_lines(data)
        return self._content[1]

    @contextmanager
    def _changing(self) -> Iterator[LockedFile | None]:
        """Locks the file; yields None if nothing is to be written."""
        if not self.is_saved:
            yield None
            return
        try:
            os.makedirs(SESSIONS.path(), mode=0o700, exist_ok=True)
            with self._locked() as file:
                yield file
        except OSError as error:
            raise _cannot_write(SESSIONS.path() if self.name is None else self.path, error) from None

    def _locked(self) -> LockedFile:
        if self.name is not None:
            return LockedFile(self.path)
        now, number = time.strftime("%Y-%m-%d-%H%M%S"), 1
        while True:
            name = now if number == 1 else f"{now}-{number}"
            with suppress(FileExistsError):
                file = LockedFile(SESSIONS.path(name), is_new=True)
                self.name = name
                return file
            number += 1


#: The names of sessions that the user did not name.
TIME_NAME = re.compile(r"\d{4}-\d\d-\d\d-\d{6}(-\d+)?")


def _cannot_write(path: Path, error: OSError) -> LlamaError:
    return LlamaError(ExitStatus.OUTPUT, f"cannot save the turn in {path}: {error.strerror}")


def _append(file: LockedFile, data: bytes, end: int) -> None:
    try:
        file.append(data, end)
    except BaseException:
        if not end:
            # An empty file is not a session.
            os.unlink(file.path)
        raise


#: The format of the time in `meta`.
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%z"


def timestamp() -> str:
    """Returns the current time in the format of `meta`."""
    return time.strftime(TIME_FORMAT)


def current_login() -> str:
    """Returns an id of this login session, "" if it cannot be determined.

    It is the POSIX session id with the start time of the session's leader, since ids
    are reused. The id 0 stands for a leader outside this container.
    """
    leader = os.getsid(0)
    started = _started(leader) if leader else ""
    return f"{leader}-{started}" if started else ""


def _started(pid: int) -> str:
    """Returns when a process started, "" if it is gone."""
    # proc(5): field 22. The name before it may contain anything.
    with suppress(OSError, IndexError), open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()[19].decode()
    if os.path.isdir("/proc/self"):
        return ""
    import subprocess

    with suppress(OSError):
        command = ["ps", "-o", "lstart=", "-p", str(pid)]
        done = subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=False)
        return "".join(char for char in done.stdout.decode("ascii", "replace") if char.isalnum())
    return ""
