"""http.client's response made strict: an end is no end of headers, and nothing around a body is endless."""

import re
import socket
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse, IncompleteRead
from io import BufferedReader, RawIOBase
from typing import Any

#: Interim responses, and lines of headers or trailers beside the answer's own headers, that a response may have.
MAX_LINE_BYTES = 100


CHUNK_SIZE_LINE = 1 << 16


#: What stands between two chunks of a chunked body (RFC 9112, 7.1): the end of one, the size of the next.
CHUNK_BOUNDARY = re.compile(rb"\r\n([0-9A-Fa-f]+)[^\r\n]*\r\n")


class StrictResponse(HTTPResponse):
    """A response that calls `sent` when it is waited for and `begun` at its first byte; it reads all that is there."""

    def __init__(
        self,
        sock: socket.socket,
        *args: Any,
        sent: Callable[[], None] = lambda: None,
        begun: Callable[[], None] = lambda: None,
        **kwargs: Any,
    ) -> None:
        super().__init__(sock, *args, **kwargs)
        self._sent, self._begun = sent, begun
        self._counted = _CountingReader(self.fp.detach())
        self.fp = BufferedReader(self._counted, 1 << 16)

    def begin(self) -> None:
        self._sent()
        if self.fp.peek(1):
            self._begun()
        super().begin()
        if self._counted.has_ended:
            # http.client takes an end in the middle of the headers for the end of the headers.
            raise IncompleteRead(b"")

    def _read_status(self) -> tuple[str, int, str]:
        """Reads the status line, of the answer and not of a `103 Early Hints` before it (RFC 9110, 15.2)."""
        for _ in range(MAX_LINE_BYTES):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            # After 101 another protocol is spoken.
            if status >= 200 or status == 101:
                return version, status, reason
            self._skip_lines()
        raise HTTPException("interim responses without an end")

    def _skip_lines(self) -> None:
        """Reads headers or trailers to the blank line after them."""
        for _ in range(MAX_LINE_BYTES):
            if self.fp.readline(CHUNK_SIZE_LINE) in (b"\r\n", b"\n", b""):
                return
        raise HTTPException("headers without an end")

    _read_and_discard_trailer = _skip_lines

    def _read_next_chunk_size(self) -> int:
        size: int = super()._read_next_chunk_size()  # type: ignore[misc]
        if size < 0:
            raise ValueError("a chunk of negative size")
        return size

    def read1(self, n: int = -1) -> bytes:
        """Reads at most n bytes, waiting only for the first; of a chunked body all chunks that have come whole.

        http.client returns them one by one, and each would be a write to stdout.
        """
        data = super().read1(n)
        if not data or not self.chunked or n < 0:
            return data
        pieces, size = [data], len(data)
        while size < n and self._has_whole_chunk():
            data = super().read1(n - size)
            pieces.append(data)
            size += len(data)
        return b"".join(pieces)

    def _has_whole_chunk(self) -> bool:
        if self.chunk_left != 0 or self.fp.tell() >= self._counted.count:
            return False
        # Something is buffered, hence this does not wait.
        ahead = self.fp.peek()
        match = CHUNK_BOUNDARY.match(ahead)
        size = int(match[1], 16) if match else 0
        return bool(match and 0 < size <= len(ahead) - match.end())


class _CountingReader(RawIOBase):
    """A socket's file that counts what it has read: a buffer over it can tell how much it holds, and if that is all."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.count = 0
        self.has_ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        got: int | None = self._raw.readinto(buffer)
        self.count += got or 0
        self.has_ended = got == 0
        return got

    def tell(self) -> int:
        return self.count

    def close(self) -> None:
        self._raw.close()
        super().close()
