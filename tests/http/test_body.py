"""Bodies are unpacked as they arrive, whole or not at all, and never grow without a limit."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.exceptions import DecodeError

from llamacli.http.connection.http11 import Response
from tests.support.fake_api import raw, streamed
from tests.support.world import World


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:]),
    " gzip ": lambda data: gzip.compress(data) + b"\0" * 9,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "": bytes,
    "identity": bytes,
    "UTF-8": bytes,
}


class Pieces:
    """A response as it was sent, in pieces of any size."""

    def __init__(self, coding: str, data: bytes, sizes: list[int]) -> None:
        self.headers = {"Content-Encoding": coding} if coding else {}
        self.data, self.sizes = data, sizes
        self.status, self.version, self.reason = 200, 11, "OK"

    def read1(self, size: int, decode_content: bool) -> bytes:
        assert not decode_content
        size = min(size, self.sizes.pop(0) if self.sizes else size)
        piece, self.data = self.data[:size], self.data[size:]
        return piece


def unpack(coding: str, data: bytes, sizes: list[int], limit: int = 1 << 16) -> bytes:
    body, pieces = Response(Pieces(coding, data, sizes)), []
    while piece := body.read1(limit):
        assert len(piece) <= limit
        pieces.append(piece)
    return b"".join(pieces)


EMPTY = "Content-Length: 0"


@pytest.mark.parametrize("coding", CODINGS)
@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.binary(max_size=60) | st.integers(0, 900_000).map(bytes),
    st.lists(st.integers(1, 5), max_size=40),
    st.sampled_from([1, 258, 1 << 16]),
)
def test_a_body_is_unchanged_however_it_is_cut(coding: str, data: bytes, sizes: list[int], limit: int) -> None:
    if limit == 1:
        data = data[:300]
    assert unpack(coding, CODINGS[coding](data), sizes, limit) == data


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", " gzip ", "deflate", "Deflate"])
def test_a_body_that_is_cut_short_anywhere_is_an_error(coding: str) -> None:
    data = CODINGS[coding](b"some text, some text, some text").rstrip(b"\0")
    for end in range(1, len(data)):
        with pytest.raises(zlib.error):
            unpack(coding, data[:end], [])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
@pytest.mark.parametrize(
    ("method", "head"),
    [("HEAD", "200 OK\r\nContent-Length: 9"), ("DELETE", "204 No Content"), ("GET", "200 OK\r\n" + EMPTY)],
)
def test_no_body_is_whole_whatever_its_coding(world: World, coding: str, method: str, head: str) -> None:
    assert unpack(coding, b"", []) == b""
    world.api.will(raw(f"HTTP/1.1 {head}\r\nContent-Encoding: {coding}\r\n\r\n".encode()))
    result = world.call("raw", "-X", method, "--endpoint", "/models")
    assert (result.status, result.out, result.err) == (0, "", "")


@pytest.mark.parametrize(
    ("framing", "status"),
    [("Content-Length: 0, 0", 0), (EMPTY, 0), ("Transfer-Encoding: gzip", 9), ("Content-Length: \xb2", 9), ("X: y", 9)],
)
def test_an_empty_body_is_whole_if_its_framing_says_so(world: World, framing: str, status: int) -> None:
    world.api.will(raw(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode("iso-8859-1")))
    assert world.call("raw", "--endpoint", "/models").status == status


def test_a_broken_body_is_an_error() -> None:
    data = bytearray(gzip.compress(b"some text"))
    for position in (0, 2, 12, len(data) - 6):
        with pytest.raises(zlib.error):
            unpack("gzip", bytes([*data[:position], data[position] ^ 255, *data[position + 1 :]]), [])


def test_bytes_that_never_become_content_end() -> None:
    with pytest.raises(zlib.error, match="too many bytes"):
        unpack("gzip", gzip.compress(b"") * 100_000, [])


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip"])
def test_a_coding_that_was_not_asked_for_is_named(world: World, coding: str) -> None:
    with pytest.raises(DecodeError):
        unpack(coding, b"x", [])
    answer: Any = b"".join(streamed("hello"))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(answer)}\r\n\r\n"
    world.api.will(raw(head.encode() + answer))
    result = world.call("ask", "Hi")
    assert (result.status, result.out) == (9, "")
    assert f"unexpected Content-Encoding: {coding}" in result.err
    assert world.api.requests[-1].headers["accept-encoding"] == "gzip, deflate"


def test_an_http_error_in_an_unexpected_coding_keeps_its_status(world: World) -> None:
    world.api.will(raw(b"HTTP/1.1 404 Not Found\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx"))
    result = world.call("ask", "Hi")
    assert (result.status, result.out) == (4, "")
    assert "404 Not Found" in result.err
