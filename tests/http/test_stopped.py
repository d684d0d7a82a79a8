"""A server notices that the client no longer waits."""

from __future__ import annotations

import threading

from tests.support.chat import Chat
from tests.support.fake_api import Handler
from tests.support.world import World


def test_a_call_that_is_stopped_closes_its_connection(world: World) -> None:
    asked, left = threading.Event(), threading.Event()

    def wait(handler: Handler) -> None:
        handler.close_connection = True
        asked.set()
        handler.connection.settimeout(10)
        # The connection ends, although the program continues.
        if handler.connection.recv(1) == b"":
            left.set()

    world.api.will(wait)
    # With a limit, the timer holds on to the connection too.
    with Chat(world, "--no-save", "--max-time", "60") as chat:
        chat.say("a question\r", ready=False)
        assert asked.wait(10)
        chat.say("\x03")
        assert left.wait(10)
        chat.type("\x04")
        chat.wait()
