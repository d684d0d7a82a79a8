"""Reads a successful response as it arrives, whatever form it has."""

import re
import time
from collections.abc import Iterator
from itertools import chain
from types import TracebackType
from typing import Any, Protocol

from llamacli.api import sse
from llamacli.api.accumulator import Accumulator, Increment
from llamacli.api.errors import (
    MAX_ERROR_BYTES,
    PING_NAMES,
    error_in,
    error_message,
    is_wrong_path,
    reports_error,
    request_id,
)
from llamacli.api.finish import unknown_reason
from llamacli.api.json import loads
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.connection.attempt import Attempt
from llamacli.http.connection.lean_requests import FAILURES, requests
from llamacli.http.request import Request
from llamacli.http.retry import RetryPolicy
from llamacli.stdio.escape import one_line
from llamacli.stdio.stderr import Stderr

BLOCK_BYTES = 1 << 16


#: Maximum size of a document, and of what precedes an answer.
MAX_BODY_BYTES = 64 << 20


#: How a text/event-stream begins: a comment or a field.
SSE_START = re.compile(rb":|(data|event|id|retry)(:|\r|\n|$)")


BOM = b"\xef\xbb\xbf"


#: Seconds of silence after every choice has finished that end a stream: text, usage and [DONE] may still follow.
LINGER_SECONDS = 5.0


#: Seconds to wait for what may follow [DONE], mostly the end of the body: opening a new connection takes as long.
DRAIN_SECONDS = 0.1


class ReplyContext(Protocol):
    """What a reply needs to know about its call."""

    started: float
    request: Request
    url: str
    latest_attempt: Attempt
    policy: RetryPolicy
    stderr: Stderr

    def clear_status(self) -> None: ...

    def record(self, error: BaseException | None, reply: "Reply | None" = None) -> None: ...

    def connection_error(self, error: BaseException) -> Exception: ...

    def error(self, status: ExitStatus, what: str, todo: str, server_id: object = None) -> LlamaError: ...


class Reply:
    """The body of a 2xx: read it as chunks by iterating, as a document, as events or as blocks of bytes."""

    def __init__(self, call: ReplyContext, response: requests.Response, accumulator: Accumulator) -> None:
        self._call, self.response = call, response
        #: Listens to the chunks, and knows the completion that they add up to.
        self.accumulator = accumulator
        self.started = call.started
        #: When the first and the latest text, and the latest chunk, arrived (monotonic).
        self.first_text = self.last_text = self.last_chunk = call.started
        #: [DONE] has arrived.
        self._is_done = False
        self._is_lingering = self._is_draining = False
        #: The accumulator's growth, and events that are not chunks, after the latest block.
        self._growth = self._activity = self._other_events = 0
        self.headers = response.headers

    def __enter__(self) -> "Reply":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call.clear_status()
        self._call.latest_attempt.close()
        self.response.close()
        self._call.record(value, self)
        if kind is None and self._call.stderr.is_verbose:
            self._call.stderr.verbose(f"* answer complete after {time.monotonic() - self.started:.3f} s")
            if reason := unknown_reason(self.accumulator.completion()):
                self._call.stderr.verbose(f"* unknown finish_reason '{reason}'; taken as a complete answer")

    @property
    def is_close_delimited(self) -> bool:
        """True if the body ends when the connection closes, so that truncation cannot be detected."""
        is_framed = "transfer-encoding" in self.headers or self.headers.get("content-length", "").isdigit()
        has_body = self.response.status_code != 204 and self._call.request.method != "HEAD"
        return has_body and not is_framed

    @property
    def time_left(self) -> float:
        """Seconds left of --max-time, infinite without it."""
        return self._call.policy.time_left

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
        if self.is_stream(start):
            increments = self._stream(blocks)
        elif start[:1] in b"{[":
            increments = self._whole(blocks)
        else:
            raise self._not_an_answer(start)
        for parts in increments:
            self._take_time()
            yield parts

    def is_stream(self, start: bytes) -> bool:
        """True if a body that starts like this is a stream of events."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return bool(SSE_START.match(start)) or (kind == "text/event-stream" and start[:1] not in (b"{", b"[", b"<"))

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

    def _take_time(self) -> None:
        self.last_chunk = time.monotonic()
        if self.accumulator.growth > self._growth:
            self.last_text = self.last_chunk
            if self.first_text == self.started:
                self.first_text = self.last_chunk

    @property
    def _is_complete(self) -> bool:
        return self._is_done or self.accumulator.is_whole

    def blocks(self) -> Iterator[bytes]:
        """Yields the body's bytes as they arrive, decompressed. Raises LlamaError (broken) if it is cut short."""
        while True:
            try:
                block = self.response.raw.read1(BLOCK_BYTES)
            except FAILURES as error:
                if self._is_complete:
                    return
                raise self._call.connection_error(error) from error
            if not block:
                if self._call.latest_attempt.was_cut and not self._is_complete:
                    raise self._call.connection_error(TimeoutError())
                return
            yield block
            self._limit_silence()

    def _limit_silence(self) -> None:
        """Once the answer is complete, waits for more only as long as more keeps coming."""
        self._growth = self.accumulator.growth
        activity, self._activity = self._activity, self._growth + self._other_events
        # A finish_reason without any text before it does not end an answer.
        if not self._is_complete or not (self._is_done or self._activity):
            return
        if self._is_done and not self._is_draining:
            self._is_draining = True
            self._call.latest_attempt.finishing(DRAIN_SECONDS)
        elif not self._is_lingering or self._activity > activity:
            self._is_lingering = True
            self._call.latest_attempt.finishing(LINGER_SECONDS)

    def events(self, blocks: Iterator[bytes], needs_answer: bool = True) -> Iterator[list[sse.Event]]:
        """Yields the events of a stream, for each block those that it completes.

        The consumer passes them on to the accumulator, which decides whether the stream
        is whole. Raises LlamaError (broken) if it is not; events that are not chunks of
        an answer pass unless it `needs_answer`.
        """
        decoder, failure = sse.Decoder(), None
        has_events = False
        try:
            for block in blocks:
                events = decoder.feed(block)
                if events:
                    has_events = has_events or not all(event.is_ping for event in events)
                    if not needs_answer and not self._is_done:
                        self._other_events += len(events)
                    yield from self._up_to_done(events)
        except sse.EventTooLong:
            raise self.error(f"the server sent an event of more than {sse.MAX_EVENT_BYTES >> 20} MiB") from None
        except LlamaError as error:
            failure = error
        if events := decoder.finish():
            has_events = True
            yield from self._up_to_done(events)
        if self._is_complete:
            return
        if failure:
            raise failure
        words = f": {one_line(decoder.stray, 200)}" if decoder.stray else ""
        if not has_events:
            raise self.error(f"the stream held no answer{words}")
        if needs_answer or self.accumulator.has_choices or decoder.is_truncated:
            raise self.error(f"the stream ended before the answer did{words}")

    def _up_to_done(self, events: list[sse.Event]) -> Iterator[list[sse.Event]]:
        """Yields the events in front of [DONE], then takes note of it and yields those after it."""
        place = next((place for place, event in enumerate(events) if event.is_done), len(events))
        if place:
            yield events[:place]
        if place < len(events):
            self._is_done = True
            if rest := [event for event in events[place:] if not event.is_done]:
                yield rest

    def _stream(self, blocks: Iterator[bytes]) -> Iterator[list[Increment]]:
        for events in self.events(blocks):
            yield from self._increments(events)

    def _increments(self, events: list[sse.Event]) -> Iterator[list[Increment]]:
        increments: list[Increment] = []
        for event in events:
            try:
                for chunk in self._chunks(event):
                    increments.append(self._accumulate(chunk))
            except LlamaError:
                # What arrived with it is printed before the error.
                yield increments
                raise
        if increments:
            yield increments

    def _chunks(self, event: sse.Event) -> Iterator[dict[str, Any]]:
        """Yields the chunks in an event: mostly one, none if it is a sign of life."""
        if (not event.data and not event.is_error) or event.name in PING_NAMES:
            return
        try:
            value = loads(event.data)
        except ValueError:
            # After the answer, text is another server's idea of [DONE].
            if event.is_error_text and not self._is_done:
                raise self._server_error(event.data) from None
            if self._is_complete:
                return
            raise self.error("the server sent malformed JSON") from None
        for chunk in value if isinstance(value, list) else [value]:
            if self._is_done and not (isinstance(chunk, dict) and chunk.get("choices")):
                continue
            if chunk or event.is_error:
                yield self._validate(chunk, event.is_error)

    def _whole(self, blocks: Iterator[bytes]) -> Iterator[list[Increment]]:
        data = self._read(blocks)
        try:
            value = loads(data)
        except ValueError:
            # Chunks that are not in any field, or an error before the first event.
            events = [*(decoder := sse.Decoder()).feed(data.encode()), *decoder.finish()]
            if not events:
                raise self.malformed() from None
            for part in self._up_to_done(events):
                yield from self._increments(part)
            if not self._is_complete:
                raise self.malformed() from None
            return
        documents = value if isinstance(value, list) and value else [value]
        yield [self._accumulate(self._validate(document, False)) for document in documents]

    def document(self, blocks: Iterator[bytes]) -> Any:
        """Reads a JSON document. Raises LlamaError (broken) if it is not one."""
        try:
            return loads(self._read(blocks))
        except ValueError:
            raise self.malformed() from None

    def _read(self, blocks: Iterator[bytes]) -> str:
        pieces, size = [], 0
        for block in blocks:
            pieces.append(block)
            size += len(block)
            if size > MAX_BODY_BYTES:
                raise self.error(f"the server sent more than {MAX_BODY_BYTES >> 20} MiB")
        return b"".join(pieces).removeprefix(BOM).decode("utf-8", "replace")

    def _accumulate(self, chunk: dict[str, Any]) -> Increment:
        try:
            return self.accumulator.add(chunk)
        except ValueError:
            raise self.error("the server sent a chunk that is not of the API's shape") from None

    def _validate(self, chunk: object, is_error: bool) -> dict[str, Any]:
        """Returns a chunk of an answer. Raises LlamaError if it is an error, or not of the API's shape."""
        if not is_error and isinstance(chunk, dict) and chunk.get("choices") and not chunk.get("error"):
            return chunk
        if is_error or reports_error(chunk):
            raise self._server_error(error_message(chunk), request_id(chunk))
        if not isinstance(chunk, dict):
            raise self.error("the server sent JSON that is not an answer")
        return chunk

    def _server_error(self, words: str, server_id: str | None = None) -> LlamaError:
        """Returns the error that the server reports under a 2xx."""
        words = one_line(self._call.stderr.redacted(words[:MAX_ERROR_BYTES]), 300)
        if not words:
            return self.error("the server sent an error without a message")
        from llamacli.http.status import path_hint

        todo = path_hint(self._call.url) if is_wrong_path(words) else "try again later"
        return self._call.error(ExitStatus.SERVER, f"the server failed: {words}", todo, server_id)

    def _not_an_answer(self, start: bytes) -> LlamaError:
        """Returns the error of a body that is neither JSON nor a stream."""
        words = one_line(self._call.stderr.redacted(error_in(start)), 100)
        if start[:1] == b"<":
            from llamacli.http.status import path_hint

            return self._call.error(ExitStatus.BROKEN, f"the server sent {words}", path_hint(self._call.url))
        return self.error(f"the server sent no answer but '{words}'")

    def error(self, what: str) -> LlamaError:
        """Returns the error of a broken answer."""
        return self._call.error(ExitStatus.BROKEN, what, "try again, and see -v")

    def malformed(self) -> LlamaError:
        """Returns the error of a document that is not JSON."""
        return self.error("the server sent malformed or incomplete JSON")
