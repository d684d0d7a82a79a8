"""The login session that a call belongs to, and the conversation that was held last in it."""

import json
import os
import subprocess
from contextlib import suppress

from llamacli import session

#: A message and its answer fit in here, or the line is not worth the search.
TAIL = 1 << 20


def current() -> str:
    """Returns what tells this login session from every other one: POSIX's session id and its leader's start time."""
    leader = os.getsid(0)
    return f"{leader}-{_started(leader)}"


def _started(pid: int) -> str:
    """Returns when a process started, in whatever way the system says it; "" where the process is gone."""
    with suppress(OSError, IndexError), open(f"/proc/{pid}/stat", "rb") as file:
        # proc(5): field 22, counted behind the name, which may hold anything.
        return file.read().rpartition(b")")[2].split()[19].decode()
    if os.path.isdir("/proc/self"):
        return ""
    with suppress(OSError):
        command = ["ps", "-o", "lstart=", "-p", str(pid)]
        done = subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=False)
        return "".join(char for char in done.stdout.decode("ascii", "replace") if char.isalnum())
    return ""


def latest() -> str | None:
    """Returns the name of the conversation that was held last in this login session."""
    here = current()
    return next((name for name in session.names() if _last_login(name) == here), None)


def _last_login(name: str) -> object:
    try:
        with open(session.path_of(name), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            last = json.loads(file.read().splitlines()[-1])
            return last["meta"]["login"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
