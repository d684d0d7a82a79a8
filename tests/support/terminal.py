"""A real terminal (a pty) that runs a program."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import termios
import time

import pytest

from tests.support.world import World


class Terminal:
    """Runs a program in its own session on a pty. `shown` is everything that it has printed, `sent` its bytes."""

    def __init__(self, world: World, *command: str, **env: str) -> None:
        self.shown = ""
        self.sent = b""
        self.status: int | None = None
        environ = {**world.env, "TERM": "xterm", **env}
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(world.cwd)
            os.execvpe(command[0], command, environ)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)

    def read(self, seconds: float) -> bool:
        """Reads output for this many seconds; False if the program has closed the terminal."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            block = os.read(self.master, 65536)
        except OSError:
            return False
        self.sent += block
        self.shown += block.decode("utf-8", "replace")
        return bool(block)

    def until(self, text: str, seconds: float = 30, start: int = 0) -> str:
        """Waits for a text, shown after the first `start` characters, and returns all that was shown by then."""
        end = time.monotonic() + seconds
        while text not in self.shown[start:]:
            assert time.monotonic() < end, f"{text!r} never came, but {self.shown!r}"
            assert self.read(0.1) or text in self.shown[start:], f"ended without {text!r}: {self.shown!r}"
        return self.shown

    def type(self, text: str | bytes) -> None:
        os.write(self.master, text if isinstance(text, bytes) else text.encode())

    def wait(self, seconds: float = 10) -> int:
        """Waits for the end and returns the status, negative for a signal."""
        end = time.monotonic() + seconds
        while self.read(0.1):
            assert time.monotonic() < end, f"still running: {self.shown!r}"
        _, raw = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(raw)
        return self.status


#: Common shells, started without the user's settings.
SHELLS = [
    ["bash", "--norc", "-i"],
    ["dash", "-i"],
    ["mksh", "-i"],
    ["busybox", "ash", "-i"],
    ["zsh", "-f", "-i"],
    ["fish", "--no-config", "-i"],
]


def in_shell(world: World, shell: list[str]) -> Terminal:
    """Runs an interactive shell on a pty; skips the test if it is not installed."""
    if not shutil.which(shell[0]):
        pytest.skip(f"{shell[0]} is not installed")
    return Terminal(world, *shell, PS1="# ", NO_COLOR="1", ENV="", INPUTRC="/dev/null")
