"""A chat at a real terminal; what it sent and saved."""

from __future__ import annotations

import json
import re
import stat
import time

from tests.support.fake_api import delta, event, stream
from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, World

CHAT = [*PROGRAM, "chat"]
#: What readline sends when it is ready for a message, or for a further line of one.
READY = re.compile(r"\x1b\[\?2004h[>.] ")
HALF = stream([event(delta("half an answer"))], then="hang")


class Chat(Terminal):
    """A chat at a terminal, ready for the first line."""

    def __init__(self, world: World, *options: str, command: str = "", **env: str) -> None:
        words = ["bash", "-c", command] if command else [*CHAT, *options]
        super().__init__(world, *words, **{"NO_COLOR": "1", **env})
        self.after(0, READY)

    def __enter__(self) -> Chat:
        return self

    def say(self, typed: str, *answers: str, ready: bool = True) -> None:
        """Types a text, and waits for the output and the next prompt."""
        before = len(self.shown)
        self.type(typed)
        self.after(before, *answers, *([READY] if ready else []))

    def after(self, before: int, *expected: str | re.Pattern[str]) -> None:
        """Waits until all of these have been shown, in this order."""
        for text in expected:
            pattern = re.compile(re.escape(text)) if isinstance(text, str) else text
            end = time.monotonic() + 30
            while not (match := pattern.search(self.shown, before)):
                assert time.monotonic() < end, f"{text!r} never came, but {self.shown[before:]!r}"
                assert self.read(0.1) or pattern.search(self.shown, before), f"no {text!r}: {self.shown!r}"
            before = match.start()

    def leave(self) -> None:
        self.type("\x04")
        assert self.wait() == 0


def said(world: World) -> list[tuple[str, str]]:
    """Returns role and content of each message of the last request."""
    return [(message["role"], message["content"]) for message in world.api.body["messages"]]


def saved(world: World, name: str) -> list[tuple[str, str]]:
    """Returns role and content of each line of a session."""
    path = world.home / ".local" / "state" / "llamacli" / "sessions" / f"{name}.jsonl"
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return [(entry["role"], entry["content"]) for entry in entries]


def names(world: World) -> list[str]:
    folder = world.home / ".local" / "state" / "llamacli" / "sessions"
    return sorted(path.stem for path in folder.glob("*.jsonl")) if folder.exists() else []
