"""A conversation on disk: JSON Lines, one message of the API a line, safe against kill -9 and a second writer."""

import errno
import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from llamacli.chat.messages import SavedMessage, decode_lines, encode_lines, with_system, without_turn
from llamacli.config.paths import SESSIONS
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.files import write_atomically

#: The form of a session's name: always a safe file name, and never one that hides.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


NAME_WORDS = "letters, digits, '.', '_', '-', at most 64, beginning with a letter or digit"


def checked_name(name: str, origin: str) -> str:
    """Returns a name that is one. Raises LlamaError (usage)."""
    if not NAME.fullmatch(name):
        raise LlamaError(ExitStatus.USAGE, f"{origin}: '{name}' is no name of a session", f"give {NAME_WORDS}")
    return name


class Session:
    """One conversation: its entries are read anew for each turn, since the file is what is true.

    Without a name it has none until its first turn is there; with `is_saved` False
    nothing is ever written.
    """

    def __init__(self, name: str | None, *, is_saved: bool = True) -> None:
        self.name, self.is_saved = name, is_saved
        #: What was there when it was looked at last, should somebody take the file away.
        self._messages: list[SavedMessage] = []
        if name is not None and not is_saved:
            self._messages = self._read()

    @property
    def path(self) -> Path:
        return SESSIONS.path(self.name or "")

    def messages(self) -> list[SavedMessage]:
        """Returns all complete turns, the system message first where there is one.

        Raises LlamaError (usage) where the file cannot be read as a session.
        """
        if self.is_saved and self.name is not None:
            self._messages = self._read()
        return list(self._messages)

    def prepare(self) -> None:
        """Makes the folder. Raises LlamaError (output) where a turn could not be saved, before one is paid for."""
        if not self.is_saved:
            return
        try:
            os.makedirs(SESSIONS.path(), mode=0o700, exist_ok=True)
            if not os.access(SESSIONS.path(), os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            if self.name is not None and self.path.exists() and not os.access(self.path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.path))
        except OSError as error:
            what = f"cannot save a conversation in {error.filename or SESSIONS.path()}: {error.strerror}"
            raise LlamaError(ExitStatus.OUTPUT, what, "--no-save keeps nothing") from None

    def save(self, turn: list[SavedMessage], system: SavedMessage | None = None, without: object = None) -> None:
        """Saves a complete turn, whole or not at all; an empty one only takes another away.

        `system` takes the place of the system message, and `without` is the id of a
        turn that goes. What a second writer has added meanwhile stays. Raises
        LlamaError (output).
        """

        def changed(entries: list[SavedMessage]) -> list[SavedMessage]:
            return with_system(without_turn(entries, without), system) + turn

        with self._changing() as file:
            there, end = decode_lines(file.read(), self.path) if file else ([], 0)
            # It may be new, or was taken away since the turn began.
            entries = changed(there or self._messages)
            if file and not there:
                file.append(encode_lines(entries), 0)
            elif file and without is None and system is None:
                file.append(encode_lines(turn), end)
            elif file and entries:
                write_atomically(self.path, encode_lines(entries), 0o600, follow=True)
            elif file:
                os.unlink(self.path)
            self._messages = entries

    def save_as(self, name: str) -> None:
        """Goes on under another name; a name that the program gave goes, one that the user gave keeps its turns.

        Raises LlamaError: usage where the name is taken, output where it cannot be written.
        """
        entries = self.messages()
        try:
            os.makedirs(SESSIONS.path(), mode=0o700, exist_ok=True)
            if self.is_saved and self.name and TIME_NAME.fullmatch(self.name) and entries:
                with _LockedFile(self.path, os.O_CREAT):
                    # Not by os.rename, which would take the place of a session of that name.
                    os.link(self.path, SESSIONS.path(name))
                    os.unlink(self.path)
            else:
                with _LockedFile(SESSIONS.path(name), os.O_CREAT | os.O_EXCL) as file:
                    file.append(encode_lines(entries), 0)
        except FileExistsError:
            raise LlamaError(ExitStatus.USAGE, f"there is a session '{name}' already", "give another name") from None
        except OSError as error:
            raise _cannot_write(SESSIONS.path(name), error) from None
        self.name, self.is_saved = name, True

    def _read(self) -> list[SavedMessage]:
        try:
            with open(_opened(self.path, os.O_RDONLY), "rb") as file:
                return decode_lines(file.read(), self.path)[0]
        except (FileNotFoundError, NotADirectoryError):
            return self._messages
        except OSError as error:
            raise LlamaError(ExitStatus.USAGE, f"{self.path}: {error.strerror}", "nothing was sent") from None

    @contextmanager
    def _changing(self) -> Iterator["_LockedFile | None"]:
        """Holds the file under its lock; None where there is nothing to be written."""
        if not self.is_saved:
            yield None
            return
        try:
            os.makedirs(SESSIONS.path(), mode=0o700, exist_ok=True)
            with self._locked() as file:
                yield file
        except OSError as error:
            raise _cannot_write(SESSIONS.path() if self.name is None else self.path, error) from None

    def _locked(self) -> "_LockedFile":
        if self.name is not None:
            return _LockedFile(self.path, os.O_CREAT)
        for name in _time_names():
            with suppress(FileExistsError):
                file = _LockedFile(SESSIONS.path(name), os.O_CREAT | os.O_EXCL)
                self.name = name
                return file
        raise AssertionError("the names never end")


def names() -> list[str]:
    """Returns the names of all sessions, the one that was used last first. Raises LlamaError (usage)."""
    try:
        there = SESSIONS.names()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise LlamaError(ExitStatus.USAGE, f"{SESSIONS.path()}: {error.strerror}") from None
    ages = {name: age for name in there if NAME.fullmatch(name) and (age := sessions_by_age(name)) is not None}
    return sorted(ages, key=lambda name: (-ages[name], name))


def sessions_by_age(name: str) -> float | None:
    """Returns when a session was written last, in seconds since the epoch; None where it is no file."""
    with suppress(OSError):
        status = os.stat(SESSIONS.path(name))
        return status.st_mtime if stat.S_ISREG(status.st_mode) else None
    return None


#: The names that are given where the user gives none.
TIME_NAME = re.compile(r"\d{4}-\d\d-\d\d-\d{6}(-\d+)?")


def _time_names() -> Iterator[str]:
    now, number = time.strftime("%Y-%m-%d-%H%M%S"), 1
    yield now
    while True:
        number += 1
        yield f"{now}-{number}"


def _cannot_write(path: Path, error: OSError) -> LlamaError:
    return LlamaError(ExitStatus.OUTPUT, f"the turn could not be saved in {path}: {error.strerror}")


def _opened(path: Path, flags: int) -> int:
    """Opens a regular file. Raises OSError, also where the path is that of a FIFO, which would keep us waiting."""
    fd = os.open(path, flags | os.O_NONBLOCK, 0o600)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return fd


class _LockedFile:
    """A session's file, held by its lock. Raises OSError."""

    def __init__(self, path: Path, flags: int) -> None:
        self.path = path
        while True:
            self.fd = _opened(path, os.O_RDWR | flags)
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX)
                # While this one waited, another may have replaced or removed the file.
                if os.path.exists(path) and os.path.samestat(os.fstat(self.fd), os.stat(path)):
                    return
            except BaseException:
                os.close(self.fd)
                raise
            os.close(self.fd)

    def __enter__(self) -> "_LockedFile":
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self.fd)

    def read(self) -> bytes:
        with open(self.fd, "rb", closefd=False) as file:
            return file.read()

    def append(self, data: bytes, end: int) -> None:
        """Writes after the first `end` bytes, all or nothing."""
        os.ftruncate(self.fd, end)
        if end and os.pread(self.fd, 1, end - 1) != b"\n":
            data = b"\n" + data
        try:
            written = os.pwrite(self.fd, data, end)
            if written < len(data):
                os.pwrite(self.fd, data[written:], end + written)
            os.fsync(self.fd)
        except BaseException:
            os.ftruncate(self.fd, end)
            if not end:
                # An empty session is none.
                os.unlink(self.path)
            raise
