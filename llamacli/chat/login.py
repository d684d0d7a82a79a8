"""The POSIX session of a call, and the last conversation in it."""

import json
import os
import subprocess
import time
from contextlib import suppress
from datetime import datetime

from llamacli.chat import session
from llamacli.config.paths import SESSIONS

TIME = "%Y-%m-%dT%H:%M:%S%z"


def now() -> str:
    """Returns the current time in the format of `meta`."""
    return time.strftime(TIME)


def current() -> str:
    """Returns an id of this login session, "" if it cannot be determined.

    It is the POSIX session id with the start time of the session's leader, since ids
    are reused. The id 0 stands for a leader outside this container.
    """
    leader = os.getsid(0)
    started = _started(leader) if leader else ""
    return f"{leader}-{started}" if started else ""


def _started(pid: int) -> str:
    """Returns when a process started, in the system's own format.

    Returns "" if it is gone.
    """
    # proc(5): field 22. The name before it may contain anything.
    with suppress(OSError, IndexError), open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()[19].decode()
    if os.path.isdir("/proc/self"):
        return ""
    with suppress(OSError):
        command = ["ps", "-o", "lstart=", "-p", str(pid)]
        done = subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=False)
        return "".join(char for char in done.stdout.decode("ascii", "replace") if char.isalnum())
    return ""


def latest() -> str | None:
    """Returns the last conversation's name in this login session, or None."""
    here = current()
    latest_name, latest_time = None, 0.0
    for name in session.names() if here else []:
        # All that follow are older.
        if latest_name and latest_time >= (session.last_written(name) or 0):
            break
        if (used := _last_used(name, here)) > latest_time:
            latest_name, latest_time = name, used
    return latest_name


def _last_used(name: str, login: str) -> float:
    """Returns when a login session last added to a conversation.

    The time is in seconds since the epoch, 0 for never. Other login sessions may have
    added to it later, and a line may be incomplete.
    """
    try:
        data = SESSIONS.path(name).read_bytes()
    except OSError:
        return 0.0
    for line in reversed(data.splitlines() if login.encode() in data else []):
        with suppress(ValueError, LookupError, TypeError, RecursionError):
            meta = json.loads(line)["meta"]
            if meta["login"] == login:
                return datetime.strptime(meta["time"], TIME).timestamp()
    return 0.0
