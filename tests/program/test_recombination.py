"""Streams put together at random, cut anywhere, against a model of what a whole answer is."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.fake_api import delta, raw
from tests.support.world import World

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


class Piece(NamedTuple):
    """Something that a server sends. `data` is visibly complete, `end` is what follows."""

    data: bytes
    text: str = ""
    finish: str | None = None
    is_done: bool = False
    is_error: bool = False
    end: bytes = b"\n\n"


def chunk(text: str | None = None, finish: str | None = None, **more: Any) -> Piece:
    return Piece(b"data: " + json.dumps(delta(text, finish, **more)).encode(), text or "", finish)


TEXTS = st.sampled_from(["a", "é🦙", "data: [DONE]", "\u2028", "x\ny", '{"error": "no"}'])
REASONS = st.sampled_from(["stop", "length", "content_filter", "network_error"])
SIGNS_OF_LIFE = st.sampled_from(
    [
        Piece(b"data: null"),
        Piece(b": ping", end=b"\n"),
        Piece(b"data:"),
        Piece(b'event: ping\ndata: {"type": "ping"}'),
        Piece(b'data: {"choices": [], "usage": {"total_tokens": 3}}'),
        Piece(b"id: 7", end=b"\n"),
    ]
)
ENDS = st.sampled_from([Piece(b"data: [DONE]", is_done=True), Piece(b'data: "[DONE]"', is_done=True)])
ERRORS = st.sampled_from(
    [
        Piece(b'error: {"message": "died"}', is_error=True),
        Piece(b'data: {"error": {"message": "died"}}', is_error=True),
        Piece(b'event: error\ndata: {"message": "died"}', is_error=True),
        Piece(b'{\n"error": {\n"message": "died"\n}\n}', is_error=True),
    ]
)
PIECES = st.one_of(
    TEXTS.map(chunk), TEXTS.map(chunk), TEXTS.map(chunk), SIGNS_OF_LIFE,
    REASONS.map(lambda reason: chunk(None, reason)),
    st.tuples(TEXTS, REASONS).map(lambda pair: chunk(*pair)), ENDS, ERRORS,
)  # fmt: skip
STATUSES = {"stop": 0, "length": 10, "content_filter": 11, "network_error": 7}


def model(pieces: list[Piece]) -> tuple[str, int]:
    """Returns the text and the exit status of a stream of these pieces."""
    text, is_done = "", False
    reason: str | None = None
    for piece in pieces:
        if piece.is_error and not is_done:
            return text, 7
        text += piece.text
        is_done = is_done or piece.is_done
        # A reason for an incomplete answer stays, whatever follows.
        if piece.finish and (reason in (None, "stop") or piece.finish != "stop"):
            reason = piece.finish
    if not is_done and reason is None:
        return text, 9
    status = STATUSES[reason or "stop"]
    return text, status if text or status else 9


def printed(text: str) -> str:
    return text + "\n" if text and not text.endswith("\n") else text


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(PIECES, max_size=8), st.booleans(), st.integers(0, 1000))
def test_nothing_is_lost_and_nothing_broken_looks_complete(
    world: World, pieces: list[Piece], is_cut: bool, place: int
) -> None:
    stream = b"".join(piece.data + piece.end for piece in pieces)
    length = place % (len(stream) + 1) if is_cut else len(stream)
    world.api.will(raw(HEAD + stream[:length]))
    result = world.call("ask", "Hi")
    whole: list[Piece] = []
    start = 0
    for piece in pieces:
        if length < start + len(piece.data):
            break
        whole.append(piece)
        start += len(piece.data) + len(piece.end)
    text, status = model(whole)
    assert result.out == printed(text)
    # Enough of a truncated error may have arrived to recognize it.
    may_fail = len(whole) < len(pieces) and pieces[len(whole)].is_error
    assert result.status in ({status, 7} if may_fail else {status}), result.err
