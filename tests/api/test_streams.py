"""Bytes to events to completions: the text is the same wherever the bytes are cut."""

import copy
import json
from collections.abc import Iterable, Iterator
from http.client import HTTPException
from io import BytesIO
from itertools import combinations, pairwise
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llamacli.api import sse
from llamacli.api.accumulator import Accumulator
from llamacli.api.errors import error_in, error_message
from llamacli.http.connection.http11 import StrictResponse
from tests.support.fake_api import delta, event

TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(edges)]


def decoded(blocks: Iterable[bytes]) -> Iterator[list[sse.Event]]:
    """Yields, for each block, the events that it completes."""
    decoder = sse.Decoder()
    for block in blocks:
        yield decoder.feed(block)


def reference(data: bytes) -> list[tuple[str, str]]:
    """The standard's algorithm, line by line."""
    text = data.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    found: list[tuple[str, str]] = []
    fields: list[str] = []
    name = ""
    for line in text.split("\n")[:-1]:
        if not line:
            if fields:
                found.append(("\n".join(fields), name))
            fields, name = [], ""
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            fields.append(value)
        elif field == "event":
            name = value
    return found


FIELDS = [b"data: x", b"data:", b"data", b"data:  y", b"event: e", b"event", b"id: 1", b"retry: 5", b""]
ODDITIES = [b": comment", b":", b"dataset: no", b" data: no", b"data: \xff\xf0\x9f", b"\xef\xbb\xbfdata: late"]
LINES = st.sampled_from([*FIELDS, *ODDITIES, "data: 日本🦙\u2028\x85".encode()])
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(st.lists(st.tuples(LINES, ENDS), max_size=30), st.lists(st.integers(0, 500), max_size=20), st.booleans())
@example([(b"data: x", b"\n"), (b"event: e", b"\n"), (b"event", b"\n"), (b"", b"\n")], [], False)
def test_events_are_those_of_the_standard_wherever_the_bytes_are_cut(
    lines: list[tuple[bytes, bytes]], places: list[int], bom: bool
) -> None:
    data = (b"\xef\xbb\xbf" if bom else b"") + b"".join(line + end for line, end in lines)
    found = [(found.data, found.name) for part in decoded(cut(data, places)) for found in part]
    assert found == reference(data)


@given(st.lists(TEXTS, min_size=1, max_size=10), st.lists(st.integers(0, 5000), max_size=30), ENDS)
def test_a_text_arrives_unchanged(texts: list[str], places: list[int], end: bytes) -> None:
    data = b"".join(event(delta(text)) for text in texts).replace(b"\n", end)
    answer = Accumulator()
    taken = ""
    for part in decoded(cut(data + end, places)):
        for found in part:
            answer.add(json.loads(found.data))
            taken += answer.increment([]).content
    assert taken == "".join(texts)
    assert answer.completion()["choices"][0]["message"]["content"] == taken


#: Streams as real servers send them, all with the same text.
TOLD = ["Grüße 👩🏽\u200d🚀", "\u2028 and \x85, ", "data: [DONE]\n\n", "日本語"]


def _stream(chunks: list[dict[str, Any]], end: str = "\n", space: str = " ", between: str = "") -> bytes:
    rows = [f"data:{space}{json.dumps(chunk, ensure_ascii=False)}{end}{end}{between}" for chunk in chunks]
    return "".join([*rows, f"data:{space}[DONE]{end}{end}"]).encode()


DELTAS = [delta(text) for text in TOLD]
REAL = {
    "plain": _stream([delta(role="assistant", content=""), *DELTAS, delta(finish="stop")]),
    "null first": _stream([delta(role="assistant", content=None), *DELTAS, delta(finish="stop")]),
    "comments between": b":\n\n" + _stream(DELTAS, between=": ping - 2026-01-01 00:00:00\n\n"),
    "crlf": _stream(DELTAS, "\r\n"),
    "cr": _stream(DELTAS, "\r"),
    "no space": _stream(DELTAS, space=""),
    "with a byte order mark": b"\xef\xbb\xbf" + _stream(DELTAS),
    "usage at the end": _stream([*DELTAS, delta(finish="stop"), {"choices": [], "usage": {"total_tokens": 1}}]),
    "all fields": _stream(DELTAS).replace(b"data: {", b"id: 1\nevent: message\nretry: 10\ndata: {"),
    "data in several lines": _stream(DELTAS).replace(b'"choices":', b'\ndata: "choices":'),
}


class Pieces:
    """A socket that receives pieces of any size."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = [piece for piece in pieces if piece]

    def recv(self, size: int) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def makefile(self, mode: str, buffering: int) -> BytesIO:
        return BytesIO()


def body(data: bytes, places: list[int]) -> Iterator[bytes]:
    """Reads the body of an HTTP response that comes in pieces."""
    response = StrictResponse(Pieces(cut(data, places)))
    response.begin()
    while block := response.read1(1 << 16):
        yield block


CUTS = st.lists(st.integers(0, 5000), max_size=25)


@given(st.sampled_from(sorted(REAL)), CUTS, CUTS, st.booleans())
def test_a_real_stream_is_the_same_text_wherever_chunks_and_packets_are_cut(
    name: str, chunks: list[int], packets: list[int], is_chunked: bool
) -> None:
    data = REAL[name]
    head = b"HTTP/1.1 200 OK\r\n"
    if is_chunked:
        sent = b"".join(b"%X;x\r\n%s\r\n" % (len(part), part) for part in cut(data, chunks) if part)
        data = head + b"Transfer-Encoding: chunked\r\n\r\n" + sent + b"0\r\nTrailer: x\r\n\r\n"
    else:
        data = head + b"Content-Length: %d\r\n\r\n" % len(data) + data
    answer, ended = Accumulator(), False
    for part in decoded(body(data, packets)):
        for found in part:
            ended = found.data == "[DONE]"
            if not ended:
                answer.add(json.loads(found.data))
    assert ended
    assert answer.completion()["choices"][0]["message"]["content"] == "".join(TOLD)


@given(st.integers(0, 300), CUTS)
def test_headers_cut_by_the_end_of_the_connection_are_incomplete(length: int, places: list[int]) -> None:
    head = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 0\r\n\r\n"
    if length >= len(head):
        assert b"".join(body(head, places)) == b""
    else:
        with pytest.raises((HTTPException, ConnectionError)):
            list(body(head[:length], places))


@pytest.mark.parametrize(
    "blocks",
    [
        [b"data: "] + [b"x" * 1000] * 20,
        [b"data: " + b"x" * 100 + b"\n"] * 100,
        [b"data\n" * 100] * 10,
        [b": " + b"x" * 1000] * 20,
        [b"x" * 1000] * 20,
        [b"event: " + b"x" * 1000] * 20,
    ],
    ids=["one line", "many lines", "empty lines", "a comment", "no field", "a name"],
)
def test_an_event_has_a_maximum_size(blocks: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 10_000)
    with pytest.raises(sse.EventTooLong):
        list(decoded(blocks))


def test_many_events_and_comments_have_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    blocks = [b"data: " + b"x" * 100 + b"\n\n", b": " + b"x" * 100 + b"\n", b"event: a\nid: 1\n"] * 1000
    assert sum(map(len, decoded(blocks))) == 1000


def test_a_long_line_takes_time_in_proportion_to_its_length() -> None:
    decoder = sse.Decoder()
    for _ in range(20_000):
        assert decoder.feed(b"x" * 1000) == []
    assert [event.data for event in decoder.feed(b"\ndata: y\n\n")] == ["y"]


@given(JSONS, JSONS)
def test_no_shape_of_chunk_is_an_internal_error(one: Any, other: Any) -> None:
    for value in (one, [one], {"delta": one}, [{"delta": one, "index": other, "logprobs": other}]):
        answer = Accumulator()
        try:
            for choices in (value, other):
                answer.add({"choices": choices, "usage": other})
            answer.completion()
        except ValueError:
            pass


@given(JSONS)
def test_no_shape_of_error_document_is_an_internal_error(value: Any) -> None:
    assert isinstance(error_message(value), str)
    assert isinstance(error_in(json.dumps(value).encode()), str)


@given(st.binary(max_size=200))
def test_no_error_body_is_an_internal_error(body: bytes) -> None:
    assert isinstance(error_in(body), str)


class SlowAccumulator(Accumulator):
    """Reads each chunk in full, even one that is only more text."""

    def _add_text(self, chunk: dict[str, Any]) -> bool:
        return False


DOCUMENT_PART = {"index": 1, "message": {"content": "whole"}}
#: Values that make a chunk more than text: in the chunk, its choice or its delta.
ODD_VALUES: list[tuple[str, str, Any]] = [
    (place, key, value)
    for place, key, values in cast(
        "list[tuple[str, str, list[Any]]]",
        [
            ("chunk", "id", [None, "y"]),
            ("chunk", "usage", [{"total_tokens": 3}]),
            ("chunk", "finish_reason", ["stop"]),
            ("chunk", "x_server", [{"error": "down"}]),
            ("chunk", "choices", [None, [], [None], ["text"], {"delta": {"content": "c"}}, [DOCUMENT_PART]]),
            ("choice", "index", [1, None, "0", 0.5, True]),
            ("choice", "delta", [None, "d", {}, {"content": "e", "role": "user"}, {"reasoning_content": "f"}]),
            ("choice", "finish_reason", [None, "", "stop", "length"]),
            ("choice", "logprobs", [None, {"content": [1]}]),
            ("choice", "message", [{"content": "begin and more"}]),
            ("choice", "error", ["down"]),
            ("delta", "content", ["", None, ["g"], 5]),
            ("delta", "error", ["down"]),
        ],
    )
    for value in values
]


def text_chunk(*odd: tuple[str, str, Any]) -> dict[str, Any]:
    """Returns a chunk that is only more text, except for the odd values."""
    text: dict[str, Any] = {"content": "x"}
    choice: dict[str, Any] = {"index": 0, "delta": text}
    chunk: dict[str, Any] = {"choices": [choice]}
    for place, key, value in odd:
        {"chunk": chunk, "choice": choice, "delta": text}[place][key] = value
    return chunk


def accumulated(answer: Accumulator, chunks: list[dict[str, Any]]) -> list[Any]:
    """Returns everything that is known after each chunk."""
    known: list[Any] = []
    for chunk in copy.deepcopy(chunks):
        try:
            answer.add(chunk)
        except ValueError:
            known.append("unexpected shape")
        increment = answer.increment([])
        known += [increment.content, increment.reasoning, answer.growth, answer.error, answer.is_whole]
    return [*known, answer.completion()]


def test_a_chunk_of_only_text_is_added_like_any_other() -> None:
    first = {**delta("begin", role="assistant"), "id": "y"}
    two = {**delta("other"), "id": "y"}
    two["choices"][0]["index"] = 1
    for odd in ((), *((value,) for value in ODD_VALUES), *combinations(ODD_VALUES, 2)):
        for before in ([], [first], [two, first], [first, two, {**first, "choices": [DOCUMENT_PART]}]):
            chunks = [*before, text_chunk(*odd), text_chunk()]
            assert accumulated(Accumulator(), chunks) == accumulated(SlowAccumulator(), chunks), odd


def test_logprobs_and_unknown_fields_are_put_together() -> None:
    answer = Accumulator()
    for text in ("a", "b"):
        chunk = delta(text)
        chunk["choices"][0]["logprobs"] = {"content": [{"token": text}], "refusal": None}
        chunk["system_fingerprint"] = "fp"
        answer.add(chunk)
    answer.add({**delta(finish="stop"), "usage": {"total_tokens": 2}})
    answer.add({"choices": [], "usage": None, "object": "chat.completion.chunk"})
    whole: dict[str, Any] = dict(answer.completion())
    assert whole["choices"][0]["logprobs"]["content"] == [{"token": "a"}, {"token": "b"}]
    assert whole["system_fingerprint"] == "fp"
    assert whole["usage"] == {"total_tokens": 2}
    assert whole["object"] == "chat.completion"


def test_tool_calls_are_told_apart_however_a_server_numbers_them() -> None:
    def calls(*parts: dict[str, Any]) -> list[str]:
        answer = Accumulator()
        for part in parts:
            answer.add(delta(tool_calls=[part]))
        return [call["function"]["arguments"] for call in answer.completion()["choices"][0]["message"]["tool_calls"]]

    def part(arguments: str, **more: Any) -> dict[str, Any]:
        return {"function": {"arguments": arguments}, **more}

    assert calls(part("a", index=0, id="x"), part("b", index=0), part("c", index=1, id="y")) == ["ab", "c"]
    assert calls(part("a", id="x"), part("b"), part("c", id="y")) == ["ab", "c"]
    assert calls(part("a", index=0, id="x"), part("c", index=0, id="y"), part("d", index=0)) == ["a", "cd"]
    assert calls(part("a", index=0, id="x"), part("b", index=0, id="x")) == ["ab"]


@pytest.mark.parametrize(
    ("lines", "is_read"),
    [
        (["[{}", *[",{}"] * 50, "]"], True),
        # Any line could be the last one; parsing everything again after each would be quadratic.
        (["[{}", *[",{}"] * 200, "]"], False),
        (["{", '"a": "' + "x" * 60_000 + '"', "}"], True),
        (["{", '"a": "' + "x" * 70_000 + '"', "}"], False),
    ],
)
def test_json_outside_of_any_field_has_a_maximum_size(lines: list[str], is_read: bool) -> None:
    decoder = sse.Decoder()
    events = decoder.feed("\n".join([*lines, "", "data: 1", "", ""]).encode())
    assert [event.data for event in events] == (["\n".join(lines), "1"] if is_read else ["1"])
    assert bool(decoder.stray) is not is_read
