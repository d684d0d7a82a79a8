"""All saved sessions: their names, their rows in the list, and which is the last one.

Reading thousands of files takes long, so an index keeps each row. It is only
a copy: an entry applies as long as the session's file has the same size and time of change.
"""

import json
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from llamacli.chat.messages import decode_lines, message_text, unreadable_lines
from llamacli.chat.options import NAME
from llamacli.chat.session import TIME_FORMAT, TIME_NAME, current_login
from llamacli.config import INDEX, SESSIONS
from llamacli.errors import LlamaError, UsageError
from llamacli.stdio.files import read_regular, remove, write_atomically

#: Characters of the first message in the list.
FIRST_WORDS_LENGTH = 60
#: Fewer sessions are listed without an index.
MIN_INDEXED_SESSIONS = 1000
#: A file that changed so recently may change again at the same time, since file systems round it.
RECENT_SECONDS = 2


class Row(NamedTuple):
    """What is listed of a session; `written` is in seconds since the epoch."""

    name: str
    written: float
    turns: str
    first_words: str


#: A session's turns and first words, and what is wrong with its file.
Entry = tuple[str, str, str]


def rows(note: Callable[[str], None]) -> list[Row]:
    """Returns the row of each session, the latest first.

    `note` is called for each one that cannot be read. Raises UsageError.
    """
    result: list[Row] = []
    index, new_index = _read_index(), dict[str, Entry]()
    recent = time.time() - RECENT_SECONDS
    for name, path, status in _files():
        key = f"{name}\t{status.st_ctime_ns}\t{status.st_size}"
        # It may have been removed meanwhile.
        with suppress(FileNotFoundError):
            entry = index.get(key) or _read(path)
            turns, words, problem = entry
            if problem:
                note(problem)
            elif status.st_ctime < recent:
                new_index[key] = entry
            result.append(Row(name, status.st_mtime, turns, words))
    if new_index != index:
        _write_index(new_index)
    return sorted(result, key=lambda row: (-row.written, row.name))


def _read(path: str) -> Entry:
    try:
        lines = decode_lines(read_regular(path))
    except FileNotFoundError:
        raise
    except OSError as error:
        return "?", "", f"cannot read {path}: {error.strerror}"
    questions = [message for message in lines.messages if message["role"] == "user"]
    words = " ".join(message_text(questions[0]).split()) if questions else ""
    problem = unreadable_lines(path, lines.unreadable) if lines.unreadable else ""
    return str(len(questions)), words[:FIRST_WORDS_LENGTH], problem


def _read_index() -> dict[str, Entry]:
    """Returns the index, an empty one if there is none or it is damaged."""
    with suppress(OSError, ValueError):
        lines = read_regular(INDEX.path()).decode("utf-8", "surrogatepass").split("\n")
        return {key: (turns, words, "") for key, turns, words in (line.rsplit("\t", 2) for line in lines[:-1])}
    return {}


def _write_index(index: dict[str, Entry]) -> None:
    """Replaces the index, or removes it if it would be short."""
    if len(index) < MIN_INDEXED_SESSIONS:
        remove_index()
        return
    data = "".join(f"{key}\t{turns}\t{words}\n" for key, (turns, words, _) in index.items())
    with suppress(OSError):
        write_atomically(INDEX.path(), data.encode("utf-8", "surrogatepass"), 0o600, follow=False)


def remove_index() -> None:
    """Removes the index, which contains the first words of each session."""
    with suppress(OSError):
        remove(INDEX.path())


def names() -> list[str]:
    """Returns all names, the latest first. Raises UsageError."""
    return list(write_times())


def write_times() -> dict[str, float]:
    """Returns when each session was last written, the latest first.

    Raises UsageError.
    """
    times = {name: status.st_mtime for name, _, status in _files()}
    return dict(sorted(times.items(), key=lambda item: (-item[1], item[0])))


def _files() -> Iterator[tuple[str, str, os.stat_result]]:
    """Yields each session's name, path and status. Raises UsageError."""
    # There may be thousands.
    is_session = re.compile(NAME + re.escape(SESSIONS.suffix)).fullmatch
    end = -len(SESSIONS.suffix)
    try:
        with os.scandir(SESSIONS.path()) as files:
            for file in files:
                if is_session(file.name):
                    # It may have been removed meanwhile, or be a broken link.
                    with suppress(OSError):
                        status = file.stat()
                        if stat.S_ISREG(status.st_mode):
                            yield file.name[:end], file.path, status
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise UsageError(f"cannot read {SESSIONS.path()}: {error.strerror}") from None


def prune(keep: int, current: str | None) -> None:
    """Removes unnamed sessions, except the newest `keep` and the current one.

    If the clock was ahead, the current one may look older than all others.
    """
    with suppress(OSError, LlamaError):
        if sum(map(bool, map(TIME_NAME.fullmatch, SESSIONS.names()))) > keep:
            for name in list(filter(TIME_NAME.fullmatch, names()))[keep:]:
                if name != current:
                    remove(SESSIONS.path(name))


def latest_name() -> str | None:
    """Returns the last conversation's name in this login session, or None."""
    login = current_login()
    latest, latest_time = None, 0.0
    for name, written in write_times().items() if login else ():
        # All that follow are older.
        if latest and latest_time >= written:
            break
        if (used := _last_used(name, login)) > latest_time:
            latest, latest_time = name, used
    return latest


def _last_used(name: str, login: str) -> float:
    """Returns when a login session last added to a conversation.

    The time is in seconds since the epoch, 0 for never. Other login sessions may have
    added to it later, and a line may be incomplete.
    """
    try:
        data = read_regular(SESSIONS.path(name))
    except OSError:
        return 0.0
    for line in reversed(data.splitlines() if login.encode() in data else []):
        with suppress(ValueError, LookupError, TypeError, RecursionError):
            meta = json.loads(line)["meta"]
            if meta["login"] == login:
                return datetime.strptime(meta["time"], TIME_FORMAT).timestamp()
    return 0.0
