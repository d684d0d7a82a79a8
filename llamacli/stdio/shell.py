"""Commands of the user's, run or quoted for a POSIX shell."""

import signal
import subprocess

from llamacli.errors import Stopped


def quote(text: str) -> str:
    """Quotes a word for a POSIX shell: nothing inside of single quotes means anything."""
    return "'" + text.replace("'", "'\\''") + "'"


def run_shell(command: str, stdin: int | None, stdout: int) -> "subprocess.CompletedProcess[bytes]":
    """Runs a command of the user's by the shell. Raises Stopped where Ctrl-C ended it, meant for llamacli too."""
    done = subprocess.run(["/bin/sh", "-c", command], stdin=stdin, stdout=stdout, check=False)
    if done.returncode in (-signal.SIGINT, 128 + signal.SIGINT):
        raise Stopped(signal.SIGINT)
    return done
