"""The ways in which a call can fail, as tables: what the server does, and how each command ends.

A row says how `ask` ends, and how another command does where that differs. The
columns are in tests/program/test_matrix.py.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.support.fake_api import (
    Behavior,
    Handler,
    answer,
    completion,
    delta,
    document,
    drip,
    event,
    hang,
    raw,
    stream,
    streamed,
    text,
)

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
SO_FAR = event(delta("so far"))


@dataclass(frozen=True)
class Fault:
    """A way to fail.

    `status` is how ask ends, `text` how much of the answer has arrived by then. `others`
    holds the statuses of other kinds of command where they differ: raw, models, check.
    """

    behavior: Behavior | None
    status: int
    text: str = ""
    others: Mapping[str, int] = field(default_factory=dict)
    #: Words of the line on stderr, if a command ends as ask does.
    message: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    #: The server to call instead of the stand-in, by its name in the fixture `places`.
    place: str = ""
    #: The number of requests; None if no request reaches the server.
    requests: int | None = 1
    #: A whole document arrived, but it is empty: --json prints it all the same.
    is_hollow: bool = False

    def ends(self, kind: str) -> int:
        return self.others.get(kind, self.status)


# Without a response


def _line(
    message: str, behavior: Behavior | None = None, requests: int | None = None, place: str = "", **env: str
) -> Fault:
    return Fault(behavior, 8, message=message, env=env, place=place, requests=requests)


LINE: dict[str, Fault] = {
    "refused": _line("Connection refused", place="refused"),
    "no such name": _line("cannot connect to no-such-host.invalid", place="no name"),
    "tls with a wrong name": _line("TLS: Hostname mismatch", place="wrong name"),
    "tls with an unknown authority": _line("TLS: unable to get local issuer certificate", place="unknown authority"),
    "tls to a server that knows none": _line("TLS: ", place="no tls"),
    "tls that never answers": _line("cannot connect", place="mute tls", LLAMACLI_CONNECT_TIMEOUT="0.2"),
    "hang before the headers": _line("within 0.2 s", hang, 1, LLAMACLI_TIMEOUT="0.2"),
    "hang before the headers, whole call limited": _line("--max-time 0.3 s", hang, 1, LLAMACLI_MAX_TIME="0.3"),
    "fin before the headers": _line("lost the connection", raw(b""), 1),
    "rst before the headers": _line("lost the connection", raw(b"", "reset"), 1),
}


# A response that is not an answer


def endless(head: bytes, block: bytes, most: int = 400 << 20) -> Behavior:
    """Sends a head and then a block again and again, until the client leaves."""

    def behave(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(head)
        for _ in range(max(1, most // len(block))):
            handler.wfile.write(block)

    return behave


def packed(data: bytes, kept: int | None = None, chunked: bool = False) -> Behavior:
    """Sends this many bytes of a gzip-encoded body, in complete HTTP framing."""

    def behave(handler: Handler) -> None:
        squeezed = gzip.compress(data)[:kept]
        kind = "application/json" if data.startswith(b"{") else "text/event-stream"
        handler.reply(200, b"" if chunked else squeezed, kind, [("Content-Encoding", "gzip")], chunked)
        if chunked:
            handler.chunk(squeezed)
            handler.chunk(b"")

    return behave


@cache
def bomb() -> bytes:
    """Returns a few bytes that unpack to a huge body."""
    return gzip.compress(b'{"a": "' + b"x" * (80 << 20) + b'"}', 1)


def explode(handler: Handler) -> None:
    handler.reply(200, bomb(), headers=[("Content-Encoding", "gzip")])


def _broken(behavior: Behavior, text: str = "", raw: int = 9, check: int = 9, **more: Any) -> Fault:
    return Fault(behavior, 9, text, {"raw": raw, "check": check}, **more)


def _hollow(behavior: Behavior) -> Fault:
    # One token may be an empty one: `config check` has seen the server answer.
    return _broken(behavior, raw=0, check=0, is_hollow=True)


def _shape(*chunks: object, text: str = "") -> Fault:
    """Events of a wrong shape, in a stream with complete HTTP framing: raw accepts them."""
    return _broken(stream([event(chunk) for chunk in chunks]), text, raw=0)


BIG = 1 << 20
TIMED = {"LLAMACLI_TIMEOUT": "0.2"}
LIMITED = {"LLAMACLI_MAX_TIME": "0.4"}
WHOLE_JSON = json.dumps(completion("whole")).encode()

BROKEN: dict[str, Fault] = {
    # Nothing in it
    "empty body": _broken(document(b""), raw=0),
    "204": _broken(raw(b"HTTP/1.1 204 No Content\r\n\r\n"), raw=0),
    "205": _broken(raw(b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"), raw=0),
    "blank body": _broken(document(b"  \r\n\r\n "), raw=0),
    "empty stream": _broken(raw(HEAD)),
    "empty stream in chunks": _broken(stream([])),
    "only comments": _broken(stream([b": ping\n\n", b":\n\n"])),
    "only done": _broken(stream([event("[DONE]")]), raw=0),
    "only blank events": _broken(stream([b"\n\n\n", b"event: ping\n\n"])),
    "nothing in it": _hollow(answer("")),
    "null": _hollow(answer(None)),
    "a stream with nothing in it": _hollow(text("")),
    # Something else
    "html": _broken(document(b"<!doctype html><title>Wi-Fi login</title>", kind="text/html"), raw=0),
    "text": _broken(document(b"It works!", kind="text/plain"), raw=0),
    "text that begins like a field": _broken(document(b"error: upstream gone", kind="text/plain"), raw=0),
    "a field's name and no more": _broken(document(b"data", kind="text/plain")),
    "no http": _broken(raw(b"SSH-2.0-OpenSSH_9.2\r\n")),
    "http 9": _broken(raw(b"HTTP/9 200 OK\r\nContent-Length: 2\r\n\r\n{}")),
    "a status of two digits": _broken(raw(b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n{}")),
    "zeros": _broken(raw(b"\0" * 70_000)),
    "a line of status without an end": _broken(endless(b"HTTP/1.1 200 ", b"x" * 65536)),
    # Malformed JSON, or JSON of another shape
    "malformed json": _broken(document(b'{"choices": [}')),
    "half a document": _broken(document(json.dumps(completion()).encode()[:-1])),
    "no object": _broken(document([1]), raw=0),
    "no choices": _broken(document({"id": "x"}), raw=0),
    "empty choices": _broken(document({"choices": []}), raw=0),
    "choices of another shape": _broken(document({"choices": {"a": 1}}), raw=0),
    "choices of words": _broken(document({"choices": ["a"]}), raw=0),
    "deep json": _broken(document(b"[" * 200_000 + b"]" * 200_000), raw=0),
    "content that is a list of numbers": _broken(answer([5]), raw=0),  # type: ignore[arg-type]
    "content with a number among its parts": _shape(delta(content=[5], finish="stop")),  # type: ignore[arg-type]
    "a tool call that is a word": _broken(answer(None, tool_calls=["f"]), raw=0),
    "a function that is a word": _broken(answer(None, tool_calls=[{"function": "f"}]), raw=0),
    "an older call that is a word": _broken(answer(None, function_call="f"), raw=0),
    "indexes of many kinds": _broken(stream([event(delta("a", index="1")), event(delta("b", index=1))]), "ab"),  # type: ignore[arg-type]
    "a chunk that is no object": _broken(stream([SO_FAR, event([1])]), "so far"),
    "a chunk of another shape": _broken(stream([SO_FAR, event({"choices": [{"delta": 5}]})]), "so far"),
    "malformed chunk": _broken(stream([SO_FAR, b"data: {nonsense\n\n"]), "so far"),
    # Cut short
    "no end": _broken(stream([SO_FAR]), "so far"),
    "fin in mid-stream": _broken(stream([SO_FAR], then="cut"), "so far"),
    "rst in mid-stream": _broken(stream([SO_FAR], then="reset"), "so far"),
    "hang in mid-stream": _broken(stream([SO_FAR], then="hang"), "so far", env=TIMED, message="no data for 0.2 s"),
    "slow drip of headers": _broken(drip(HEAD * 100, 0.02), env=LIMITED, message="--max-time 0.4 s"),
    "slow drip of a body": _broken(drip(HEAD + b"data:" * 1000, 0.005), env=LIMITED, message="--max-time 0.4 s"),
    "comments without an end": _broken(
        stream([b": ping\n\n"] * 1000, pause=0.02), env=LIMITED, message="--max-time 0.4 s"
    ),
    "headers only": _broken(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")),
    "half the headers": _broken(raw(b"HTTP/1.1 200 OK\r\nContent-Len")),
    "half a status line": _broken(raw(b"HTT")),
    "half a status line and a reset": _broken(raw(b"HTT", then="reset")),
    "a status line alone": _broken(raw(b"HTTP/1.1 200 OK\r\n")),
    "half of an error's headers": _broken(raw(b"HTTP/1.1 429 Too Many Requests\r\nRetry-Af")),
    "short body": _broken(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + SO_FAR), "so far"),
    "half a chunk": _broken(raw(CHUNKED + b"%x\r\n" % len(SO_FAR) + SO_FAR + b"\r\nff\r\ndata: "), "so far"),
    "bad chunk size": _broken(raw(CHUNKED + b"zz\r\n")),
    "negative chunk size": _broken(raw(CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n")),
    "negative content length": _broken(raw(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n")),
    "two lengths": _broken(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\nhello")),
    # Badly packed
    "no gzip": _broken(raw(HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\nnogzip"))),
    "half a gzip stream": _broken(packed(b"".join(streamed("one two three four five six"))[:300], -12, True), "*"),
    "half a gzip document": _broken(packed(WHOLE_JSON, -40)),
    "a gzip bomb": _broken(explode, raw=0),
    # Without an end
    "too many headers": _broken(raw(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1000)),
    "headers without an end": _broken(endless(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 10_000)),
    "a header without an end": _broken(endless(b"HTTP/1.1 200 OK\r\na: ", b"x" * 65536)),
    "go on, for ever": _broken(endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)),
    "100 MB without a newline": _broken(
        endless(HEAD + b"data: ", b"x" * BIG, 100 << 20), message="an event of more than 64 MiB"
    ),
    "100 MB of one event": _broken(
        endless(HEAD, b"data: xxxxxxxx\n" * 70_000, 100 << 20), message="an event of more than 64 MiB"
    ),
    "100 MB of empty lines of data": _broken(endless(HEAD, b"data\n" * 70_000, 100 << 20)),
    "100 MB without a name": _broken(endless(HEAD, b"x" * BIG, 100 << 20)),
    "100 MB of a document": _broken(endless(HEAD + b'{"a": "', b"x" * BIG, 100 << 20)),
    "100 MB of nothing": _broken(endless(HEAD, b" " * BIG, 100 << 20)),
    "a chunk's size without an end": _broken(endless(CHUNKED + b"5;", b"x" * BIG, 100 << 20)),
    "trailers without an end": _broken(
        endless(CHUNKED + b"%x\r\n" % len(SO_FAR) + SO_FAR + b"\r\n0\r\n", b"a: b\r\n" * 10_000), "so far"
    ),
}

# An error under a 200

WORDS: dict[str, dict[str, Any]] = {
    "openai": {"error": {"message": "overloaded", "type": "t", "code": "500"}},
    "integer code": {"error": {"message": "overloaded", "code": 500}},
    "text": {"error": "overloaded"},
    "aimlapi": {"message": "overloaded", "statusCode": "500", "requestId": "req-1", "path": "/"},
    "detail": {"detail": "overloaded"},
    "beside choices": {"choices": [], "error": {"message": "overloaded"}},
}


def _failed(name: str) -> dict[str, Fault]:
    data = event(WORDS[name])
    named = b"event: error\n" + data
    return {
        # For raw, which does not read errors, a stream that did not finish is broken.
        f"{name} in mid-stream": Fault(stream([SO_FAR + data]), 7, "so far", {"raw": 9}, "overloaded"),
        f"{name} in place of a stream": Fault(stream([named]), 7, "", {"raw": 0}, "overloaded"),
        f"{name} in place of a document": Fault(document(WORDS[name]), 7, "", {"raw": 0, "models": 7}, "overloaded"),
    }


ERRORS: dict[str, Fault] = {key: fault for name in WORDS for key, fault in _failed(name).items()}

# A whole answer that does not look like one


def _whole(behavior: Behavior, text: str = "whole") -> Fault:
    return Fault(behavior, 0, text)


ENOUGH = event(delta("whole")) + event(delta(finish="stop"))
WHOLE: dict[str, Fault] = {
    "no done": _whole(stream([ENOUGH])),
    "no finish reason": _whole(stream([event(delta("whole")), event("[DONE]")])),
    "garbage after done": _whole(stream([ENOUGH, event("[DONE]"), b"\xff garbage", event({"error": "late"})])),
    "fin after the end": _whole(stream([ENOUGH], then="cut")),
    "rst after the end": _whole(stream([ENOUGH], then="reset")),
    "closed without a word of how long": _whole(raw(HEAD + ENOUGH)),
    "gzip in chunks": _whole(packed(ENOUGH, chunked=True)),
    "gzip of known length": _whole(packed(WHOLE_JSON)),
    "early hints": _whole(
        raw(
            b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(WHOLE_JSON) + WHOLE_JSON
        )
    ),
    "http 1.0": _whole(raw(b"HTTP/1.0 200 OK\r\n\r\n" + WHOLE_JSON)),
    "bare line feeds": _whole(raw(b"HTTP/1.1 200 OK\n\n" + WHOLE_JSON)),
    "trailers": _whole(raw(CHUNKED + b"%x\r\n" % len(ENOUGH) + ENOUGH + b"\r\n0\r\na: b\r\n\r\n")),
    "chunk extensions": _whole(raw(CHUNKED + b"%x;a=b\r\n" % len(ENOUGH) + ENOUGH + b"\r\n0\r\n\r\n")),
}

FAULTS: dict[str, Fault] = {**LINE, **BROKEN, **ERRORS, **WHOLE}

# HTTP's own errors

#: The exit status for each HTTP error.
CODES: dict[int, int] = {
    **dict.fromkeys((301, 302, 303, 304, 307, 308), 4),
    **dict.fromkeys((400, 404, 405, 406, 409, 410, 413, 414, 415, 418, 422, 431, 451, 499), 4),
    401: 3,
    402: 5,
    403: 5,
    408: 7,
    425: 7,
    429: 6,
    **dict.fromkeys((500, 501, 502, 503, 504, 520, 529, 599, 999), 7),
}

#: Bodies of errors: the body, and two texts that the line on stderr must contain.
BODIES: list[tuple[bytes, str, str]] = [
    (b'{"message": "words", "path": "/v1", "requestId": "req-7", "statusCode": "400"}', "words", "[request id inf-1]"),
    (b'{"error": {"message": "words", "type": "t", "param": null, "code": "c"}}', ": words;", ""),
    (b'{"error": "words"}', ": words;", ""),
    (b'{"detail": "words"}', ": words;", ""),
    (b'{"detail": [{"loc": ["body", "n"], "msg": "too big", "type": "t"}]}', "too big, in body.n", ""),
    (b'{"type": "about:blank", "title": "Bad", "detail": "words", "validation": [{"message": "v1"}]}', "words", "v1"),
    (b'{"message": ["a must be b", "c"], "error": "Bad Request", "statusCode": 400}', "a must be b, c", ""),
    (
        b'{"message": "Body validation error!", "errors": [{"expected": "number", "received": "string"}]}',
        "Body validation error!",
        "expected number, received string",
    ),
    (b"plain words\n and more", "plain words and more", ""),
    (b"<html><head><TITLE>\n Login </TITLE></head><body>x</body></html>", "an HTML page, 'Login'", ""),
    (b"<p>x", "an HTML page", ""),
    (b"", " from 127.0.0.1", ""),
    (b"{}", " from 127.0.0.1", ""),
    (b"[1, null]", " from 127.0.0.1", ""),
    (b'"words"', ": words;", ""),
    (b'{"error": {"code": 5}}', " from 127.0.0.1", ""),
    (b"\xff\xfe\x00", " from 127.0.0.1", ""),
    (b"[" * 100_000, " from 127.0.0.1", ""),
    (b'{"message": "' + b"long " * 10_000 + b'"}', "long lo...", "request id"),
    (b"x" * 1_000_000, "xxx...", "request id"),
    (event({"error": {"message": "words"}}), "words", ""),
]


# A response cut at every byte


def framed(blocks: Iterable[bytes], framing: str, kind: str) -> bytes:
    """Returns a whole response of these blocks, framed by chunks, length or the end of the connection."""
    parts = list(blocks)
    body, head = b"".join(parts), b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n" % kind.encode()
    if framing == "chunked":
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    if framing == "length":
        head += b"Content-Length: %d\r\n" % len(body)
    return head + b"\r\n" + body


FRAMINGS = ("chunked", "length", "close")
SWEPT_TEXT = "é 🦙"
SWEPT_STREAM = [
    *(b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % part.encode() for part in ("é ", "🦙")),
    b'data: {"choices":[{"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
]
SWEPT_DOCUMENT = [
    f'{{"choices":[{{"message":{{"content":"{SWEPT_TEXT}"}},'.encode(),
    b'"finish_reason":"stop"}]}',
]
