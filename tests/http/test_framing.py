"""Where headers and bodies end, and after which a connection is used again."""

from __future__ import annotations

import socket
import threading
from http.client import HTTPException

import pytest

from llamacli.http.connection.http11 import MAX_INTERIM_RESPONSES, MAX_LINE_BYTES, StrictResponse

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LENGTH = b"Content-Length: 5\r\n\r\n"


def response(data: bytes, method: str = "POST") -> tuple[StrictResponse, socket.socket, list[bool]]:
    """Returns a response of which so much has arrived, the peer's socket, and how connections were given back."""
    ours, theirs = socket.socketpair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 19)
    theirs.sendall(data)
    released: list[bool] = []
    with ours:
        return StrictResponse(ours, method, on_released=released.append), theirs, released


def read(data: bytes, method: str = "POST") -> tuple[StrictResponse, bytes, list[bool]]:
    """Reads a whole response, after which the server closes the connection."""
    result, peer, released = response(data, method)
    peer.close()
    try:
        result.begin()
        return result, b"".join(iter(result.read1, b"")), released
    finally:
        result.close()


@pytest.mark.parametrize(
    ("data", "body", "is_reusable"),
    [
        (OK + LENGTH + b"hello", b"hello", True),
        (OK + LENGTH + b"hello and more", b"hello", False),
        (b"HTTP/1.1 200\n" + LENGTH.replace(b"\r", b"") + b"hello", b"hello", True),
        (OK + b"Content-Length : 5\r\n\r\nhello", b"hello", True),
        (OK + b"content-length: 5, 5\r\n" + LENGTH + b"hello", b"hello", True),
        (OK + b"a line that is not a header\r\n" + LENGTH + b"hello", b"hello", True),
        (OK + b"Connection: close\r\n" + LENGTH + b"hello", b"hello", False),
        (b"HTTP/1.0 200 OK\r\n" + LENGTH + b"hello", b"hello", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n" + LENGTH + b"hello", b"hello", True),
        (OK + b"\r\nhello", b"hello", False),
        (OK + b"Content-Length: -5\r\n\r\nhello", b"hello", False),
        (OK + b"Content-Length: " + b"5" * 5000 + b"\r\n\r\nhello", b"hello", False),
        (OK + b"Content-Length: 0\r\n\r\n", b"", True),
        (OK.replace(b"200", b"204") + b"\r\n", b"", True),
        (OK.replace(b"200", b"304") + LENGTH, b"", True),
        (CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", b"hello", True),
        (CHUNKED + b"0005 ;a=b\r\nhello\r\nA\r\n and more.\r\n0\r\nX: y\r\n\r\n", b"hello and more.", True),
        (CHUNKED + b"5\r\nhello\r\n0\r\n", b"hello", True),
        (OK + b"Transfer-Encoding: chunked\r\n" + CHUNKED[len(OK) :] + b"5\r\nhello\r\n0\r\n\r\n", b"hello", True),
        (OK + b"Transfer-Encoding: Chunked; q=1,\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello", True),
        (OK + b"Transfer-Encoding: chunked, identity\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello", True),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + OK + LENGTH + b"hello",
            b"hello",
            True,
        ),
    ],
)
def test_a_body_ends_where_its_headers_say(data: bytes, body: bytes, is_reusable: bool) -> None:
    result, content, released = read(data)
    assert (content, released) == (body, [is_reusable])
    assert "link" not in result.headers


def test_an_answer_to_head_has_no_body() -> None:
    assert read(OK + LENGTH, "HEAD")[1:] == (b"", [True])


def test_headers_are_read_in_every_form() -> None:
    result, _, _ = read(OK + b"A:1\r\nb : 2 \r\nA: 3\r\nC: one\r\n\ttwo\r\n  three\r\nD: \xe9:\r\n" + LENGTH + b"hello")
    assert [result.headers[name] for name in "aBcd"] == ["1, 3", "2", "one two three", "é:"]
    assert (result.status, result.reason, result.version) == (200, "OK", 11)


@pytest.mark.parametrize("data", [OK + b"A: b\r\n" + LENGTH + b"hello", CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0"])
def test_a_response_that_is_cut_short_anywhere_is_an_error(data: bytes) -> None:
    for end in range(len(data)):
        with pytest.raises((HTTPException, ConnectionError)):
            read(data[:end])


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"200 OK\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_INTERIM_RESPONSES + 1),
        OK + b"A: b\r\n" * 200 + LENGTH + b"hello",
        OK + b"A: b\r\n" + b" c\r\n" * 200 + LENGTH + b"hello",
        OK + b"A: " + b"x" * 2 * MAX_LINE_BYTES + b"\r\n" + LENGTH + b"hello",
        OK + b"Content-Length: 9\r\n" + LENGTH + b"hello",
        CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"5\r\nhello\r\n-5\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"x\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"5;" + b"x" * 2 * MAX_LINE_BYTES + b"\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"0\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
)
def test_a_response_that_breaks_the_protocol_is_an_error(data: bytes) -> None:
    with pytest.raises(HTTPException):
        read(data)


def test_what_came_before_an_error_is_read() -> None:
    result, peer, _ = response(CHUNKED + b"5\r\nhello\r\nx\r\n")
    with peer:
        result.begin()
        assert result.read1() == b"hello"
        with pytest.raises(HTTPException):
            result.read1()


def test_the_end_of_a_chunked_body_does_not_hold_back_what_came_before() -> None:
    result, peer, _ = response(CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\n")
    with peer:
        result.begin()
        blocks: list[bytes] = []
        thread = threading.Thread(target=lambda: blocks.append(result.read1()), daemon=True)
        thread.start()
        thread.join(5)
        assert blocks == [b"hello world"]
        peer.sendall(b"\r\n")
        assert result.read1() == b""


def test_a_body_that_was_not_read_to_its_end_closes_the_connection() -> None:
    result, peer, released = response(OK + LENGTH + b"hello")
    with peer:
        result.begin()
        assert released == []
        result.close()
        assert result.isclosed()
        for _ in range(2):
            result.release_conn()
        assert released == [False]
