"""Reads the answer out of a successful response, as it comes and whatever form it comes in."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from types import TracebackType
from typing import Any, Protocol

from llamacli.api import sse
from llamacli.api.accumulator import Accumulator
from llamacli.api.messages import Chunk, find_problem
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.connection.attempt import Attempt
from llamacli.http.connection.lean_requests import FAILURES, requests
from llamacli.http.request import Request
from llamacli.stdio.escape import one_line
from llamacli.stdio.stderr import Stderr

BLOCK_BYTES = 1 << 16


#: Bytes of an answer in one piece; more than that is no answer.
MAX_BODY_BYTES = 64 << 20


#: How a text/event-stream begins: a comment or a field.
SSE_START = re.compile(rb":|(data|event|id|retry)(:|\r|\n|$)")


BOM = b"\xef\xbb\xbf"


DONE = "[DONE]"


#: Seconds that a stream may go on for after every choice has finished: usage and [DONE] may follow, or nothing.
LINGER_SECONDS = 5.0


#: Seconds to wait for the end of a body whose answer is there: a new connection takes about as long.
DRAIN_SECONDS = 0.1


class ReplyContext(Protocol):
    """What a reply needs to know of the call that it belongs to."""

    started: float
    request: Request
    latest_attempt: Attempt
    stderr: Stderr

    def clear_status(self) -> None: ...

    def connection_error(self, error: BaseException) -> Exception: ...

    def error(self, status: ExitStatus, what: str, todo: str, server_id: object = None) -> LlamaError: ...


class Reply:
    """The body of a 2xx. Iterating reads it; `answer` is what has come so far."""

    def __init__(self, call: ReplyContext, response: requests.Response, answer: Accumulator) -> None:
        self._call, self._response = call, response
        self.accumulator = answer
        self.started = call.started
        #: When the first and the latest text came, by the monotonic clock.
        self.first_text = self.last_text = call.started
        self.headers = response.headers

    def __enter__(self) -> "Reply":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self._call.clear_status()
        self._call.latest_attempt.close()
        self._response.close()
        if kind is None:
            self._call.stderr.verbose(f"* answer complete after {time.monotonic() - self.started:.3f} s")

    @property
    def is_close_delimited(self) -> bool:
        """Whether nothing else says where the body ends, so that one cut short looks whole."""
        is_framed = "transfer-encoding" in self.headers or self.headers.get("content-length", "").isdigit()
        has_body = self._response.status_code != 204 and self._call.request.method != "HEAD"
        return has_body and not is_framed

    def find_problem(self, allow_truncated: bool) -> LlamaError | None:
        """Says what keeps a whole reply from being a complete answer, None where nothing does."""
        found = find_problem(self.accumulator.completion(), allow_truncated)
        return self.with_request_id(found) if found else None

    def with_request_id(self, error: LlamaError) -> LlamaError:
        """Makes the error name the request that it came of."""
        return self._call.error(error.status, error.message, error.hint)

    def __iter__(self) -> Iterator[list[Chunk]]:
        """Yields the chunks as they come, those that came together in one list; a whole completion is one chunk.

        What a body is shows in its first byte: servers send streams unasked, documents
        in place of streams, and either under any Content-Type. Raises LlamaError
        (broken) where the answer is not whole, (server) where it holds an error.
        """
        start, blocks = self.sniff()
        if not start:
            raise self.error("the server sent an empty body")
        if start[:1] in b"{[":
            document = self._accumulate(self._validate(self.document(blocks), False))
            self._take_time()
            yield [document]
        elif SSE_START.match(start):
            for chunks in self._stream(blocks):
                self._take_time()
                yield chunks
        else:
            from llamacli.api.errors import error_in

            words = one_line(self._call.stderr.redacted(error_in(start)), 100)
            raise self.error("the server sent " + (words if start[:1] == b"<" else f"no answer but '{words}'"))

    def sniff(self) -> tuple[bytes, Iterator[bytes]]:
        """Reads on until it shows what the body is, and returns that much and the whole body again."""
        blocks = self.blocks()
        head, size, start = [], 0, b""
        for block in blocks:
            head.append(block)
            size += len(block)
            if size > MAX_BODY_BYTES:
                raise self.error(f"the server sent {MAX_BODY_BYTES >> 20} MiB of nothing")
            start = (start + block).removeprefix(BOM).lstrip()
            if BOM.startswith(start):
                continue
            # Enough to tell a field's name from a word.
            if start[:1] not in b"deir" or len(start) > 6 or b"\n" in start or b"\r" in start:
                break
        return start, chain(head, blocks)

    def drain(self) -> None:
        """Reads what may follow the end of the answer, for a moment, so that its connection can be kept."""
        self._call.latest_attempt.finishing(DRAIN_SECONDS)
        with suppress(*FAILURES):
            while self._response.raw.read1(BLOCK_BYTES):
                pass

    def _take_time(self) -> None:
        self.last_text = time.monotonic()
        if self.first_text == self.started and self.accumulator.has_text:
            self.first_text = self.last_text

    def blocks(self) -> Iterator[bytes]:
        """Yields the body's bytes as they come, unpacked. Raises LlamaError (broken) where it is cut short."""
        lingering = False
        while True:
            try:
                block = self._response.raw.read1(BLOCK_BYTES)
            except FAILURES as error:
                if self.accumulator.is_whole:
                    return
                raise self._call.connection_error(error) from error
            if not block:
                if self._call.latest_attempt.was_cut and not self.accumulator.is_whole:
                    raise self._call.connection_error(TimeoutError())
                return
            yield block
            if not lingering and self.accumulator.is_whole:
                lingering = True
                self._call.latest_attempt.finishing(LINGER_SECONDS)

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
        except sse.EventTooLong:
            raise self.error(f"the server sent an event of more than {sse.MAX_EVENT_BYTES >> 20} MiB") from None
        if not self.accumulator.is_whole:
            raise self.error("the stream ended before the answer did" if begun else "the stream held no answer")

    def _chunk(self, event: sse.Event) -> Chunk:
        try:
            chunk = json.loads(event.data)
        except (ValueError, RecursionError):
            raise self.error("the server sent malformed JSON") from None
        return self._accumulate(self._validate(chunk, event.name == "error"))

    def document(self, blocks: Iterator[bytes]) -> Any:
        """Reads a JSON document. Raises LlamaError (broken) where it is none."""
        pieces, size = [], 0
        for block in blocks:
            pieces.append(block)
            size += len(block)
            if size > MAX_BODY_BYTES:
                raise self.error(f"the server sent more than {MAX_BODY_BYTES >> 20} MiB")
        try:
            return json.loads(b"".join(pieces).removeprefix(BOM).decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            raise self.error("the server sent malformed or incomplete JSON") from None

    def _accumulate(self, chunk: Chunk) -> Chunk:
        try:
            self.accumulator.add(chunk)
        except ValueError:
            raise self.error("the server sent a chunk that is not of the API's shape") from None
        return chunk

    def _validate(self, chunk: object, is_error: bool) -> Chunk:
        """Tells an answer from an error that comes under a 200."""
        if not isinstance(chunk, dict):
            raise self.error("the server sent JSON that is no answer")
        is_error = is_error or bool(chunk.get("error"))
        if is_error or "choices" not in chunk:
            from llamacli.api.errors import error_message, request_id

            if words := one_line(self._call.stderr.redacted(error_message(chunk)), 300):
                what = f"the server failed: {words}"
                raise self._call.error(ExitStatus.SERVER, what, "try again later", request_id(chunk))
            if is_error:
                raise self.error("the server sent an error without a word")
        return chunk

    def error(self, what: str) -> LlamaError:
        """Makes the error of a broken answer."""
        return self._call.error(ExitStatus.BROKEN, what, "try again, and see -v")
