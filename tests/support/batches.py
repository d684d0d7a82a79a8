"""Shared by the tests of `batch`: reading rows, and the requests that the server got."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.world import PROGRAM, Result, World


def rows(text: str | Path) -> list[dict[str, Any]]:
    """Returns the rows of a batch's output or file."""
    whole = text.read_text() if isinstance(text, Path) else text
    return [json.loads(line) for line in whole.splitlines()]


def contents(result: Result) -> list[Any]:
    return [row["content"] for row in rows(result.out)]


def errors(result: Result) -> list[tuple[int, str] | None]:
    found = [row["error"] for row in rows(result.out)]
    return [error and (error["status"], error["message"]) for error in found]


def asked(world: World) -> Counter[str]:
    """Returns how many times the server was asked each prompt."""
    return Counter(request.json["messages"][-1]["content"] for request in list(world.api.requests))


class Running(subprocess.Popen[bytes]):
    """A process that is killed if its test fails."""

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        if kind:
            self.kill()
        super().__exit__(kind, *rest)


def start(world: World, *arguments: str, **more: Any) -> Running:
    """Starts a batch, with pipes to all three ends unless told otherwise."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    return Running([*PROGRAM, "batch", *arguments], env=world.env, cwd=world.cwd, **pipes)


def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Waits until a condition is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.01)


def kill(running: subprocess.Popen[bytes]) -> None:
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
