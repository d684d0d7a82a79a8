"""Runs the user's commands in a shell, and quotes words for one."""

import signal
import subprocess

from llamacli.errors import Stopped


def quote(text: str) -> str:
    """Quotes a word for a POSIX shell.

    Inside the single quotes nothing is special.
    """
    return "'" + text.replace("'", "'\\''") + "'"


def read_output(command: str, stdin: int | None, max_bytes: int) -> tuple[int, bytes]:
    """Runs a command in the shell and returns its status and output.

    The output is the first bytes of its stdout. A command that prints more is stopped.
    Raises Stopped if Ctrl-C ended it, which was meant for llamacli too.
    """
    with subprocess.Popen(["/bin/sh", "-c", command], stdin=stdin, stdout=subprocess.PIPE) as process:
        try:
            output = process.stdout.read(max_bytes) if process.stdout else b""
        except BaseException:
            # A signal to llamacli alone: the command would be waited for.
            process.kill()
            raise
        if len(output) == max_bytes:
            process.kill()
    if process.returncode in (-signal.SIGINT, 128 + signal.SIGINT):
        raise Stopped(signal.SIGINT)
    return (0 if len(output) == max_bytes else process.returncode), output


def run_shell(command: str, stdin: int | None, stdout: int) -> "subprocess.CompletedProcess[bytes]":
    """Runs a command in the shell.

    Raises Stopped if Ctrl-C ended it, which was meant for llamacli too.
    """
    done = subprocess.run(["/bin/sh", "-c", command], stdin=stdin, stdout=stdout, check=False)
    if done.returncode in (-signal.SIGINT, 128 + signal.SIGINT):
        raise Stopped(signal.SIGINT)
    return done
