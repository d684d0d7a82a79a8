"""HTTP/1.1 read strictly: a truncated body never passes for a complete one."""

import math
import zlib
from collections.abc import Callable
from contextlib import suppress
from http.client import BadStatusLine, HTTPException, IncompleteRead, RemoteDisconnected
from typing import Any

from urllib3 import HTTPHeaderDict
from urllib3.exceptions import DecodeError

#: Interim responses before the response, lines of headers or trailers, and bytes of one of them.
MAX_INTERIM_RESPONSES = MAX_LINES = 100
MAX_LINE_BYTES = 1 << 16
#: Maximum compressed bytes in a row that unpack to nothing.
MAX_EMPTY_BYTES = 1 << 20
#: Bytes to receive at once.
BLOCK_BYTES = 1 << 16
#: A longer Content-Length is not a number: Python refuses to read thousands of digits.
MAX_LENGTH_DIGITS = 20
#: The content codings of the IANA's registry that change the content.
CODINGS = {"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd", "dcb", "dcz", "exi", "pack200-gzip"}
#: What a request accepts, which is what Response can unpack and check.
ACCEPT_ENCODING = "gzip, deflate"


class StrictResponse:
    """A response read from a socket, its body as sent, for http.client's connections.

    http.client's own class takes a connection that closes within the headers for their
    end. It parses headers as an email, which takes, with urllib3's class around it, a
    third of a call's processor time. This one calls `on_begun` at its first byte, and
    returns all chunks that have arrived at once.
    """

    #: Attributes that urllib3 logs.
    version_string, length_remaining = "HTTP/1.1", None

    def __init__(
        self,
        sock: Any,
        method: str | None = None,
        *,
        on_begun: Callable[[], None] = lambda: None,
        on_released: Callable[[bool], None] = lambda is_reusable: None,
    ) -> None:
        """`on_released` learns whether the connection can be used again."""
        self._socket, self._method = sock, method
        self._on_begun, self._on_released = on_begun, on_released
        #: Keeps the socket open when the connection is closed.
        self._file = sock.makefile("rb", buffering=0)
        #: The bytes that have arrived, and the position of the first unread one.
        self._buffer, self._position = b"", 0
        #: The bytes left of the body, or of the chunk, and those of the line end before the next chunk.
        self._left, self._line_end = 0.0, 0
        self._is_chunked = self._has_ended = self._is_released = False
        self.headers = HTTPHeaderDict()
        self.status = self.version = 0
        self.reason = ""
        #: Closing the connection ends the body, whole or not.
        self.is_close_delimited = False
        self.will_close = True

    def begin(self) -> None:
        """Reads the status line and the headers, after any `103 Early Hints`."""
        if not self._receive():
            raise RemoteDisconnected("Remote end closed connection without response")
        self._on_begun()
        for _ in range(MAX_INTERIM_RESPONSES):
            self._read_status()
            lines = self._read_lines()
            # After 101 the connection speaks another protocol.
            if self.status >= 200 or self.status == 101:
                break
        else:
            raise HTTPException("too many interim responses")
        for line in lines:
            name, colon, value = line.partition(":")
            if colon:
                self.headers.add(name.strip(), value.strip())
        self._frame()

    def _read_status(self) -> None:
        line = self._read_line()
        version, _, rest = line.partition(" ")
        code, _, reason = rest.strip().partition(" ")
        if not version.startswith(("HTTP/1.", "HTTP/0.9")) or not (code.isdecimal() and len(code) == 3):
            raise BadStatusLine(line)
        self.version = 11 if version > "HTTP/1.0" else 10
        self.status, self.reason = int(code), reason.strip()

    def _frame(self) -> None:
        """Finds out where the body ends (RFC 9112, 6.3)."""
        get = self.headers.get
        connection = get("connection", "").lower()
        is_persistent = "close" not in connection if self.version == 11 else "keep-alive" in connection
        lengths = set(get("content-length", "").replace(" ", "").split(","))
        # Some servers write `chunked,` or `chunked; q=1`, or name other codings after it.
        codings = get("transfer-encoding", "").lower().replace(";", ",").split(",")
        self._is_chunked = "chunked" in map(str.strip, codings)
        if self.status in (101, 204, 304) or self._method == "HEAD":
            self._left, self._is_chunked = 0, False
        elif not self._is_chunked:
            if len(lengths) > 1:
                raise HTTPException("several lengths of one body")
            length = lengths.pop()
            self._left = int(length) if length.isdecimal() and len(length) < MAX_LENGTH_DIGITS else math.inf
        self.is_close_delimited = self._left == math.inf
        self.will_close = not is_persistent or self.is_close_delimited

    def _receive(self) -> bool:
        """Waits for more; returns False at the end of the connection."""
        data = self._socket.recv(BLOCK_BYTES)
        self._buffer, self._position = self._buffer[self._position :] + data, 0
        return bool(data)

    def _read_line(self) -> str:
        """Reads a line, without its end."""
        while (end := self._buffer.find(b"\n", self._position)) < 0:
            if len(self._buffer) - self._position > MAX_LINE_BYTES:
                raise HTTPException("a line of the headers is too long")
            if not self._receive():
                raise IncompleteRead(b"")
        line, self._position = self._buffer[self._position : end], end + 1
        return line.decode("iso-8859-1").removesuffix("\r")

    def _read_lines(self) -> list[str]:
        """Reads headers or trailers up to the blank line that ends them."""
        lines: list[str] = []
        for _ in range(MAX_LINES):
            line = self._read_line()
            if not line:
                return lines
            if line[0] in " \t" and lines:
                # An old form of long headers (RFC 9112, 5.2).
                lines[-1] += f" {line.strip()}"
            else:
                lines.append(line)
        raise HTTPException("too many headers")

    def read1(self, size: int = BLOCK_BYTES, decode_content: bool = False) -> bytes:
        """Returns what has arrived of the body, b"" at its end.

        It waits only for the first byte. The arguments are those of urllib3's responses: there are never more than
        BLOCK_BYTES, never unpacked.
        """
        while not self._has_ended:
            if data := self._take_chunks() if self._is_chunked else self._take():
                return data
            if not self._left and not self._is_chunked:
                self._has_ended = True
            elif not self._has_ended and not self._receive():
                if self._left < math.inf:
                    raise IncompleteRead(b"")
                self._has_ended = True
        self.release_conn()
        return b""

    def _take(self) -> bytes:
        """Takes what has arrived of the body, or of a chunk."""
        end = len(self._buffer)
        if end - self._position > self._left:
            end = self._position + int(self._left)
        data, self._position = self._buffer[self._position : end], end
        self._left -= len(data)
        return data

    def _take_chunks(self) -> bytes:
        """Takes the chunks that have arrived, the last one perhaps in part."""
        pieces = [self._take()] if self._left else []
        while not self._left:
            start = self._position + self._line_end
            if (end := self._buffer.find(b"\n", start)) < 0:
                if len(self._buffer) - start > MAX_LINE_BYTES:
                    raise HTTPException("the size of a chunk is too long")
                break
            size = _chunk_size(self._buffer[start:end])
            if size <= 0:
                # The end, or an error, is handled after the chunks before it, since it may have to wait for more.
                if not pieces:
                    self._position = end + 1
                    self._read_end(size)
                break
            self._position, self._left, self._line_end = end + 1, size, len(b"\r\n")
            pieces.append(self._take())
        return b"".join(pieces)

    def _read_end(self, size: int) -> None:
        if size < 0:
            raise HTTPException("malformed chunk size")
        # Some servers close the connection in place of the last line.
        with suppress(IncompleteRead):
            self._read_lines()
        self._has_ended = True

    def release_conn(self) -> None:
        """Gives the connection back, once: it is reusable after a whole body."""
        if not self._is_released:
            self._is_released = True
            self._file.close()
            is_whole = self._has_ended and self._position == len(self._buffer)
            self._on_released(is_whole and not self.will_close)

    def close(self) -> None:
        self._file.close()

    def isclosed(self) -> bool:
        is_closed: bool = self._file.closed
        return is_closed


def _chunk_size(line: bytes) -> int:
    """Returns the size of a chunk (RFC 9112, 7.1), -1 if it is malformed."""
    try:
        return int(line.partition(b";")[0], 16)
    except ValueError:
        return -1


class Response:
    """A response, its body unpacked as it arrives and checked.

    urllib3 unpacks too, but returns a gzip stream that was cut short as if it were
    complete, and lets a small one grow without a limit.
    """

    def __init__(self, raw: Any) -> None:
        """`raw` is a StrictResponse, or urllib3's."""
        self._raw = raw
        self.status, self.version, self.reason, self.headers = raw.status, raw.version, raw.reason, raw.headers
        self.is_close_delimited: bool = getattr(raw, "is_close_delimited", False)
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
        """Gives the connection back, closed unless the body was read to its end."""
        self._raw.close()
        self._raw.release_conn()


class _Unpacker:
    """Unpacks gzip or deflate; `input` is the data still to unpack."""

    GZIP_MAGIC = b"\x1f\x8b"
    #: First bytes of JSON, events and HTML. gzip never begins with one of them.
    TEXT_STARTS = b"{[<:dei \t\r\n\xef"
    #: What zlib calls the forms: gzip, deflate with zlib's header, and deflate as some servers send it, without.
    GZIP, ZLIB, RAW = 31, 15, -15

    def __init__(self, coding: str) -> None:
        self._coding, self._is_gzip = coding, coding != "deflate"
        self._zlib: Any = zlib.decompressobj(self.GZIP) if self._is_gzip else None
        self._may_hold_more = self._is_text = False
        #: No input has come: HEAD and 204 have no body, whatever its coding.
        self._is_empty = True
        self.input = b""

    def unpack(self, size: int) -> bytes:
        """Returns up to `size` bytes, b"" if that takes more input."""
        if self._is_empty and self.input:
            # Some relays unpack the body, but leave the header.
            self._is_empty, self._is_text = False, self._is_gzip and self.input[0] in self.TEXT_STARTS
        if not self._is_empty and self._coding not in ("gzip", "x-gzip", "deflate"):
            raise DecodeError(f"unexpected Content-Encoding: {self._coding}")
        if self._is_text:
            text, self.input = self.input[:size], self.input[size:]
            return text
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
        if not (self._is_empty or self._is_text or (self._zlib and self._zlib.eof)):
            raise zlib.error("incomplete")
