"""Reads a successful response as it arrives, whatever form it has."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from types import TracebackType
from typing import Any, Protocol

from llamacli.api import sse
from llamacli.api.accumulator import Accumulator, Increment
from llamacli.api.messages import find_problem
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.connection.attempt import Attempt
from llamacli.http.connection.lean_requests import FAILURES, requests
from llamacli.http.request import Request
from llamacli.stdio.escape import one_line
from llamacli.stdio.stderr import Stderr

BLOCK_BYTES = 1 << 16


#: Maximum size of a document, and of what precedes an answer.
MAX_BODY_BYTES = 64 << 20


#: How a text/event-stream begins: a comment or a field.
SSE_START = re.compile(rb":|(data|event|id|retry)(:|\r|\n|$)")


BOM = b"\xef\xbb\xbf"


DONE = "[DONE]"


#: Seconds that a stream may go on for after every choice has finished: usage and [DONE] may follow, or nothing.
LINGER_SECONDS = 5.0


#: Seconds to wait for the end of a body after its answer: opening a new connection takes about as long.
DRAIN_SECONDS = 0.1


class ReplyContext(Protocol):
    """What a reply needs to know about its call."""

    started: float
    request: Request
    latest_attempt: Attempt
    stderr: Stderr

    def clear_status(self) -> None: ...

    def connection_error(self, error: BaseException) -> Exception: ...

    def error(self, status: ExitStatus, what: str, todo: str, server_id: object = None) -> LlamaError: ...


class Reply:
    """The body of a 2xx: read it as chunks by iterating, as a document, as events or as blocks of bytes."""

    def __init__(self, call: ReplyContext, response: requests.Response, accumulator: Accumulator) -> None:
        self._call, self._response = call, response
        #: Listens to the chunks, and knows the completion that they add up to.
        self.accumulator = accumulator
        self.started = call.started
        #: When the first and the latest text arrived (monotonic).
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
        """True if the body ends when the connection closes, so that truncation cannot be detected."""
        is_framed = "transfer-encoding" in self.headers or self.headers.get("content-length", "").isdigit()
        has_body = self._response.status_code != 204 and self._call.request.method != "HEAD"
        return has_body and not is_framed

    def find_problem(self, allow_truncated: bool) -> LlamaError | None:
        """Returns why a complete reply is not a complete answer, None if it is one."""
        error = find_problem(self.accumulator.completion(), allow_truncated)
        return self.with_request_id(error) if error else None

    def with_request_id(self, error: LlamaError) -> LlamaError:
        """Returns the error with the ids of this reply's request."""
        return self._call.error(error.status, error.message, error.hint)

    def __iter__(self) -> Iterator[list[Increment]]:
        """Yields what each chunk adds, those that arrived together in one list.

        A whole completion is a single chunk. The first bytes decide what a body is:
        servers send streams unasked, documents in place of streams, and either under
        any Content-Type. Raises LlamaError (broken) if the answer is not whole,
        (server) if it contains an error.
        """
        start, blocks = self.sniff()
        if not start:
            raise self.error("the server sent an empty body")
        if start[:1] in b"{[":
            document = self._accumulate(self._validate(self.document(blocks), False))
            self._take_time()
            yield [document]
        elif SSE_START.match(start):
            for increments in self._stream(blocks):
                self._take_time()
                yield increments
        else:
            from llamacli.api.errors import error_in

            words = one_line(self._call.stderr.redacted(error_in(start)), 100)
            raise self.error("the server sent " + (words if start[:1] == b"<" else f"no answer but '{words}'"))

    def sniff(self) -> tuple[bytes, Iterator[bytes]]:
        """Reads until it is clear what the body is; returns that much, and all blocks of the body."""
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
        """Reads what may follow the answer, for a moment, so that the connection can be reused."""
        self._call.latest_attempt.finishing(DRAIN_SECONDS)
        with suppress(*FAILURES):
            while self._response.raw.read1(BLOCK_BYTES):
                pass

    def _take_time(self) -> None:
        self.last_text = time.monotonic()
        if self.first_text == self.started and self.accumulator.has_text:
            self.first_text = self.last_text

    def blocks(self) -> Iterator[bytes]:
        """Yields the body's bytes as they arrive, decompressed. Raises LlamaError (broken) if it is cut short."""
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

    def events(self, blocks: Iterator[bytes], needs_answer: bool = True) -> Iterator[list[sse.Event]]:
        """Yields the events of a stream up to [DONE], for each block those that it completes.

        The consumer passes them on to the accumulator, which decides whether the stream
        is whole. Raises LlamaError (broken) if it is not; events that are not chunks of
        an answer pass unless it `needs_answer`.
        """
        decoder, has_events = sse.Decoder(), False
        try:
            for block in blocks:
                events = decoder.feed(block)
                done = next((place for place, event in enumerate(events) if event.data.strip() == DONE), None)
                if events:
                    yield events[:done]
                if done is not None:
                    return
                # An event without data is a sign of life.
                has_events = has_events or any(event.data for event in events)
        except sse.EventTooLong:
            raise self.error(f"the server sent an event of more than {sse.MAX_EVENT_BYTES >> 20} MiB") from None
        if self.accumulator.is_whole:
            return
        if not has_events:
            raise self.error("the stream held no answer")
        if needs_answer or self.accumulator.has_choices or decoder.is_inside:
            raise self.error("the stream ended before the answer did")

    def _stream(self, blocks: Iterator[bytes]) -> Iterator[list[Increment]]:
        for events in self.events(blocks):
            increments: list[Increment] = []
            for event in filter(lambda event: event.data, events):
                try:
                    increments.append(self._increment(event))
                except LlamaError:
                    # What arrived with it is printed before the error.
                    yield increments
                    raise
            if increments:
                yield increments

    def _increment(self, event: sse.Event) -> Increment:
        try:
            chunk = json.loads(event.data)
        except (ValueError, RecursionError):
            raise self.error("the server sent malformed JSON") from None
        return self._accumulate(self._validate(chunk, event.name == "error"))

    def document(self, blocks: Iterator[bytes]) -> Any:
        """Reads a JSON document. Raises LlamaError (broken) if it is not one."""
        pieces, size = [], 0
        for block in blocks:
            pieces.append(block)
            size += len(block)
            if size > MAX_BODY_BYTES:
                raise self.error(f"the server sent more than {MAX_BODY_BYTES >> 20} MiB")
        try:
            return json.loads(b"".join(pieces).removeprefix(BOM).decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            raise self.malformed() from None

    def _accumulate(self, chunk: dict[str, Any]) -> Increment:
        try:
            return self.accumulator.add(chunk)
        except ValueError:
            raise self.error("the server sent a chunk that is not of the API's shape") from None

    def _validate(self, chunk: object, is_error: bool) -> dict[str, Any]:
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
        """Returns the error of a broken answer."""
        return self._call.error(ExitStatus.BROKEN, what, "try again, and see -v")

    def malformed(self) -> LlamaError:
        """Returns the error of a document that is not JSON."""
        return self.error("the server sent malformed or incomplete JSON")
