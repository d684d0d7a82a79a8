"""Reads the answer out of a successful response, as it comes and whatever form it comes in."""

import json
import re
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from types import TracebackType
from typing import Any, Protocol

from llamacli.api import sse
from llamacli.api.accumulator import Assembly
from llamacli.api.messages import Chunk, verdict
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.connection.attempt import Progress
from llamacli.http.connection.failures import FAILURES
from llamacli.http.connection.lean_requests import requests
from llamacli.http.request import Outgoing
from llamacli.stdio.escape import one_line
from llamacli.stdio.stderr import Stderr

BLOCK = 1 << 16


#: Bytes of an answer in one piece; more than that is no answer.
MAX_BODY = 64 << 20


#: How a text/event-stream begins: a comment or a field.
STREAM = re.compile(rb":|(data|event|id|retry)(:|\r|\n|$)")


BOM = b"\xef\xbb\xbf"


DONE = "[DONE]"


#: Seconds that a stream may go on for after every choice has finished: usage and [DONE] may follow, or nothing.
LINGER = 5.0


#: Seconds to wait for the end of a body whose answer is there: a new connection takes about as long.
DRAIN = 0.1


class AnyCall(Protocol):
    """What a reply needs to know of the call that it belongs to."""

    started: float
    outgoing: Outgoing
    progress: Progress
    stderr: Stderr

    def settle(self) -> None: ...

    def lost(self, error: BaseException) -> Exception: ...

    def fault(self, status: ExitStatus, what: str, todo: str, server_id: object = None) -> LlamaError: ...


class Reply:
    """The body of a 2xx. Iterating reads it; `answer` is what has come so far."""

    def __init__(self, call: AnyCall, response: requests.Response, answer: Assembly) -> None:
        self._call, self._response = call, response
        self.answer = answer
        self.started = call.started
        #: When the first and the latest text came, by the monotonic clock.
        self.first_text = self.last_text = call.started
        self.headers = response.headers

    def __enter__(self) -> "Reply":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self._call.settle()
        self._call.progress.close()
        self._response.close()
        if kind is None:
            self._call.stderr.verbose(f"* answer complete after {time.monotonic() - self.started:.3f} s")

    @property
    def ends_with_the_connection(self) -> bool:
        """Whether nothing else says where the body ends, so that one cut short looks whole."""
        is_framed = "transfer-encoding" in self.headers or self.headers.get("content-length", "").isdigit()
        has_body = self._response.status_code != 204 and self._call.outgoing.method != "HEAD"
        return has_body and not is_framed

    def verdict(self, allow_truncated: bool) -> LlamaError | None:
        """Says what keeps a whole reply from being a complete answer, None where nothing does."""
        found = verdict(self.answer.completion(), allow_truncated)
        return self.named(found) if found else None

    def named(self, found: LlamaError) -> LlamaError:
        """Makes the error name the request that it came of."""
        return self._call.fault(found.status, found.what, found.todo)

    def __iter__(self) -> Iterator[list[Chunk]]:
        """Yields the chunks as they come, those that came together in one list; a whole completion is one chunk.

        What a body is shows in its first byte: servers send streams unasked, documents
        in place of streams, and either under any Content-Type. Raises LlamaError
        (broken) where the answer is not whole, (server) where it holds an error.
        """
        start, blocks = self.opening()
        if not start:
            raise self.fault("the server sent an empty body")
        if start[:1] in b"{[":
            document = self._added(self._checked(self.document(blocks), False))
            self._take_time()
            yield [document]
        elif STREAM.match(start):
            for chunks in self._stream(blocks):
                self._take_time()
                yield chunks
        else:
            from llamacli.api.errors import error_in

            words = one_line(self._call.stderr.hidden(error_in(start)), 100)
            raise self.fault("the server sent " + (words if start[:1] == b"<" else f"no answer but '{words}'"))

    def opening(self) -> tuple[bytes, Iterator[bytes]]:
        """Reads on until it shows what the body is, and returns that much and the whole body again."""
        blocks = self.blocks()
        head, size, start = [], 0, b""
        for block in blocks:
            head.append(block)
            size += len(block)
            if size > MAX_BODY:
                raise self.fault(f"the server sent {MAX_BODY >> 20} MiB of nothing")
            start = (start + block).removeprefix(BOM).lstrip()
            if BOM.startswith(start):
                continue
            # Enough to tell a field's name from a word.
            if start[:1] not in b"deir" or len(start) > 6 or b"\n" in start or b"\r" in start:
                break
        return start, chain(head, blocks)

    def drain(self) -> None:
        """Reads what may follow the end of the answer, for a moment, so that its connection can be kept."""
        self._call.progress.finishing(DRAIN)
        with suppress(*FAILURES):
            while self._response.raw.read1(BLOCK):
                pass

    def _take_time(self) -> None:
        self.last_text = time.monotonic()
        if self.first_text == self.started and self.answer.has_text:
            self.first_text = self.last_text

    def blocks(self) -> Iterator[bytes]:
        """Yields the body's bytes as they come, unpacked. Raises LlamaError (broken) where it is cut short."""
        lingering = False
        while True:
            try:
                block = self._response.raw.read1(BLOCK, decode_content=True)
            except FAILURES as error:
                if self.answer.is_whole:
                    return
                raise self._call.lost(error) from error
            if not block:
                if self._call.progress.was_cut and not self.answer.is_whole:
                    raise self._call.lost(TimeoutError())
                if not _is_unpacked(self._response.raw) and not self.answer.is_whole:
                    raise self._call.lost(zlib.error())
                return
            yield block
            if not lingering and self.answer.is_whole:
                lingering = True
                self._call.progress.finishing(LINGER)

    def _stream(self, blocks: Iterator[bytes]) -> Iterator[list[Chunk]]:
        begun = False
        try:
            for events in sse.events(blocks):
                chunks: list[Chunk] = []
                for event in events:
                    if event.data.strip() == DONE:
                        yield chunks
                        return
                    if not event.data:
                        # A sign of life.
                        continue
                    try:
                        chunk = self._chunk(event)
                    except LlamaError:
                        # What came with it is printed before the error is told.
                        yield chunks
                        raise
                    chunks.append(chunk)
                if chunks:
                    begun = True
                    yield chunks
        except sse.TooLong:
            raise self.fault(f"the server sent an event of more than {sse.MAX_EVENT >> 20} MiB") from None
        if not self.answer.is_whole:
            raise self.fault("the stream ended before the answer did" if begun else "the stream held no answer")

    def _chunk(self, event: sse.Event) -> Chunk:
        try:
            chunk = json.loads(event.data)
        except (ValueError, RecursionError):
            raise self.fault("the server sent malformed JSON") from None
        return self._added(self._checked(chunk, event.name == "error"))

    def document(self, blocks: Iterator[bytes]) -> Any:
        """Reads a JSON document. Raises LlamaError (broken) where it is none."""
        pieces, size = [], 0
        for block in blocks:
            pieces.append(block)
            size += len(block)
            if size > MAX_BODY:
                raise self.fault(f"the server sent more than {MAX_BODY >> 20} MiB")
        try:
            return json.loads(b"".join(pieces).removeprefix(BOM).decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            raise self.fault("the server sent malformed or incomplete JSON") from None

    def _added(self, chunk: Chunk) -> Chunk:
        try:
            self.answer.add(chunk)
        except ValueError:
            raise self.fault("the server sent a chunk that is not of the API's shape") from None
        return chunk

    def _checked(self, chunk: object, is_error: bool) -> Chunk:
        """Tells an answer from an error that comes under a 200."""
        if not isinstance(chunk, dict):
            raise self.fault("the server sent JSON that is no answer")
        is_error = is_error or bool(chunk.get("error"))
        if is_error or "choices" not in chunk:
            from llamacli.api.errors import error_message, request_id

            if words := one_line(self._call.stderr.hidden(error_message(chunk)), 300):
                what = f"the server failed: {words}"
                raise self._call.fault(ExitStatus.SERVER, what, "try again later", request_id(chunk))
            if is_error:
                raise self.fault("the server sent an error without a word")
        return chunk

    def fault(self, what: str) -> LlamaError:
        """Makes the error of a broken answer."""
        return self._call.fault(ExitStatus.BROKEN, what, "try again, and see -v")


def _is_unpacked(raw: Any) -> bool:
    """Tells whether a compressed body came to the end that its compression knows, which urllib3 does not ask."""
    decoder = getattr(raw, "_decoder", None)
    # Behind the first of several members anything may follow.
    return getattr(getattr(decoder, "_obj", None), "eof", True) or bool(getattr(decoder, "_state", 0))
