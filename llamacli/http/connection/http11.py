"""HTTP/1.1 read strictly: a truncated body never passes for a complete one."""

import re
import zlib
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse, IncompleteRead
from io import BufferedReader, RawIOBase
from typing import Any

from urllib3.exceptions import DecodeError

#: Interim responses before the response, and lines of headers or trailers besides its own headers.
MAX_INTERIM_RESPONSES = MAX_EXTRA_LINES = 100
MAX_LINE_BYTES = 1 << 16
#: Maximum compressed bytes in a row that unpack to nothing.
MAX_EMPTY_BYTES = 1 << 20
#: What separates two chunks of a chunked body (RFC 9112, 7.1): the end of one, the size of the next.
CHUNK_BOUNDARY = rb"\r\n([0-9A-Fa-f]+)[^\r\n]*\r\n"
#: The content codings of the IANA's registry that change the content.
CODINGS = {"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd", "dcb", "dcz", "exi", "pack200-gzip"}
#: What a request accepts, which is what Body can unpack and check.
ACCEPT_ENCODING = "gzip, deflate"


def open_response(*args: Any, on_begun: Callable[[], None], **kwargs: Any) -> HTTPResponse:
    """Returns a StrictResponse, or http.client's own as a fallback.

    The fallback is for later Python versions that lack what StrictResponse relies on.
    """
    try:
        return StrictResponse(*args, on_begun=on_begun, **kwargs)
    except AttributeError:
        return HTTPResponse(*args, **kwargs)


class StrictResponse(HTTPResponse):
    """http.client's response, read strictly.

    It calls `on_begun` at its first byte and returns all chunks that have arrived.

    http.client takes a connection that closes in the middle of the headers for their
    end, and reads interim responses and trailers without a limit.
    """

    def __init__(self, *args: Any, on_begun: Callable[[], None] = lambda: None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._on_begun = on_begun
        self._counter = _CountingReader(self.fp.detach())
        self.fp = BufferedReader(self._counter, 1 << 16)

    def begin(self) -> None:
        if self.fp.peek(1):
            self._on_begun()
        super().begin()
        if self._counter.has_ended:
            raise IncompleteRead(b"")

    def _read_status(self) -> tuple[str, int, str]:
        """Reads the status line, after any `103 Early Hints`."""
        for _ in range(MAX_INTERIM_RESPONSES):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            # After 101 the connection speaks another protocol.
            if status >= 200 or status == 101:
                return version, status, reason
            self._skip_lines()
        raise HTTPException("too many interim responses")

    def _skip_lines(self) -> None:
        """Reads headers or trailers up to the blank line that ends them."""
        for _ in range(MAX_EXTRA_LINES):
            if self.fp.readline(MAX_LINE_BYTES) in (b"\r\n", b"\n", b""):
                return
        raise HTTPException("too many headers")

    _read_and_discard_trailer = _skip_lines

    def _read_next_chunk_size(self) -> int:
        size: int = super()._read_next_chunk_size()  # type: ignore[misc]
        if size < 0:
            raise ValueError("negative chunk size")
        return size

    def read1(self, n: int = -1) -> bytes:
        """Reads up to n bytes, and waits only for the first.

        It returns all chunks that have arrived whole. http.client returns them one by
        one, and each would be a write to stdout.
        """
        data = super().read1(n)
        if not data or not self.chunked or n < 0:
            return data
        return b"".join([data, *self._buffered_chunks(n - len(data))])

    def _buffered_chunks(self, n: int) -> list[bytes]:
        """Reads the whole chunks that are in the buffer, up to n bytes."""
        if getattr(self, "chunk_left", None) != 0 or self.fp.tell() >= self._counter.count:
            return []
        # Something is buffered, so this does not wait.
        ahead = self.fp.peek()
        boundary = re.compile(CHUNK_BOUNDARY)
        chunks: list[bytes] = []
        end = 0
        while match := boundary.match(ahead, end):
            start, size = match.end(), int(match[1], 16)
            n -= size
            if not 0 < size <= len(ahead) - start or n < 0:
                break
            end = start + size
            chunks.append(ahead[start:end])
        self.fp.read(end)
        return chunks


class _CountingReader(RawIOBase):
    """A socket's file that counts the bytes that it has read."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.count = 0
        self.has_ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        size: int | None = self._raw.readinto(buffer)
        self.count += size or 0
        self.has_ended = size == 0
        return size

    def tell(self) -> int:
        return self.count

    def close(self) -> None:
        self._raw.close()
        super().close()


class Body:
    """The body of urllib3's response, unpacked as it arrives and checked.

    urllib3 unpacks too, but returns a gzip stream that was cut short as if it were
    complete, and lets a small one grow without a limit.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.version, self.reason, self.headers = raw.version, raw.reason, raw.headers
        coding = raw.headers.get("Content-Encoding", "").strip().lower()
        # Some servers send names that are not codings: `utf-8`, `none`.
        is_packed = bool(coding) and any(name.strip() in CODINGS for name in coding.split(","))
        self._unpacker = _Unpacker(coding) if is_packed else None

    def read1(self, size: int, decode_content: bool = True) -> bytes:
        """Returns up to `size` bytes as soon as any come, b"" at the end.

        Raises zlib.error if a compressed body is broken or incomplete, DecodeError if
        its coding is not one that was asked for, and whatever urllib3 raises.
        """
        read, unpacker = self._raw.read1, self._unpacker
        if not unpacker:
            data: bytes = read(size, decode_content=False)
            return data
        without_output = 0
        while without_output <= MAX_EMPTY_BYTES:
            if output := unpacker.unpack(size):
                return output
            packed = read(size, decode_content=False)
            if not packed:
                unpacker.check_end()
                return b""
            unpacker.input += packed
            without_output += len(packed)
        raise zlib.error("too many bytes without content")

    def close(self) -> None:
        self._raw.close()

    def release_conn(self) -> None:
        self._raw.release_conn()


class _Unpacker:
    """Unpacks gzip or deflate; `input` is the data still to unpack."""

    GZIP_MAGIC = b"\x1f\x8b"
    #: What zlib calls the forms: gzip, deflate with zlib's header, and deflate as some servers send it, without.
    GZIP, ZLIB, RAW = 31, 15, -15

    def __init__(self, coding: str) -> None:
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise DecodeError(f"unexpected Content-Encoding: {coding}")
        self._is_gzip = coding != "deflate"
        self._zlib: Any = zlib.decompressobj(self.GZIP) if self._is_gzip else None
        self._may_hold_more = False
        self.input = b""

    def unpack(self, size: int) -> bytes:
        """Returns up to `size` bytes, b"" if that takes more input."""
        if not self._zlib and len(self.input) >= 2:
            # RFC 1950, 2.2: method 8, and a checksum of the header.
            has_header = self.input[0] & 15 == 8 and int.from_bytes(self.input[:2], "big") % 31 == 0
            self._zlib = zlib.decompressobj(self.ZLIB if has_header else self.RAW)
        while self._zlib and (self.input or self._may_hold_more):
            if self._zlib.eof and not self._begins_member():
                break
            output: bytes = self._zlib.decompress(self.input, size)
            self.input = self._zlib.unconsumed_tail or self._zlib.unused_data
            self._may_hold_more = len(output) == size
            if output:
                return output
        return b""

    def _begins_member(self) -> bool:
        """Begins the next member of a gzip file; ignores padding."""
        self._may_hold_more = False
        if not self._is_gzip or not self.GZIP_MAGIC.startswith(self.input[:2]):
            self.input = b""
        if len(self.input) < 2:
            return False
        self._zlib = zlib.decompressobj(self.GZIP)
        return True

    def check_end(self) -> None:
        """Raises zlib.error if the input has ended before the content."""
        if not self._zlib or not self._zlib.eof:
            raise zlib.error("incomplete")
