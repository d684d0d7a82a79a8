"""The login session that a call belongs to, and the conversation that was held last in it."""

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
    """Returns the time as a message's `meta` has it."""
    return time.strftime(TIME)


def current() -> str:
    """Returns what tells this login session from every other one, "" where that cannot be told.

    It is POSIX's session id and the start time of the session's leader: ids come
    again, and 0 stands for a leader outside of this container.
    """
    leader = os.getsid(0)
    started = _started(leader) if leader else ""
    return f"{leader}-{started}" if started else ""


def _started(pid: int) -> str:
    """Returns when a process started, in whatever way the system says it; "" where the process is gone."""
    # proc(5): field 22, counted behind the name, which may hold anything.
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
    """Returns the name of the conversation that was held last in this login session, None where there is none."""
    here = current()
    found, when = None, 0.0
    for name in session.names() if here else []:
        # Those that follow are older still.
        if found and when >= (session.sessions_by_age(name) or 0):
            break
        if (held := _last_held(name, here)) > when:
            found, when = name, held
    return found


def _last_held(name: str, login: str) -> float:
    """Returns when a login session has last added to a conversation, in seconds since the epoch; 0 for never.

    Other login sessions may have added to it later, and a line may be torn.
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
