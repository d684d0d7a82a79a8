"""Reads the answer in a successful response as it arrives, in any form."""

import re
import time
from collections.abc import Iterator
from itertools import chain

from llamacli.api import errors, sse
from llamacli.api.accumulator import Accumulator, Increment
from llamacli.api.completion import unknown_reason
from llamacli.api.json import Json, JsonObject, loads, split_json
from llamacli.api.messages import unwrap
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.call import Call
from llamacli.http.connection.http11 import BLOCK_BYTES, Response
from llamacli.http.connection.lean_requests import FAILURES
from llamacli.http.retry import path_hint
from llamacli.stdio.text import one_line

#: Maximum size of a document, and of what precedes an answer.
MAX_BODY_BYTES = 64 << 20
#: How a text/event-stream begins: a comment or a field.
SSE_START = rb":|(data|event|id|retry)(:|\r|\n|$)"
BOM = b"\xef\xbb\xbf"
#: Once every choice has finished, this many seconds of silence end a stream: text, usage and [DONE] may follow.
LINGER_SECONDS = 5.0
#: Seconds to wait for what may follow [DONE], usually the end of the body: opening a new connection takes as long.
DRAIN_SECONDS = 0.1


class Reply:
    """The body of a 2xx: blocks, events, a document, or by iterating the chunks of an answer.

    The accumulator knows when the answer is complete.
    """

    def __init__(self, call: Call, response: Response) -> None:
        self._call, self.response, self.headers = call, response, response.headers
        #: Receives the chunks and assembles the completion.
        self.accumulator = Accumulator(call.request.choices)
        #: [DONE] has arrived.
        self._is_done = False
        self._is_lingering = self._is_draining = False
        #: The accumulator's growth, and events that are not chunks, after the latest block.
        self._growth = self._activity = self._other_events = 0
        self.started = call.started
        #: When the first and the latest text, and the latest chunk, arrived (monotonic).
        self.first_text = self.last_text = self.last_chunk = call.started
        #: The latest document that may report an error, and the accumulator's growth when it came.
        self._doubt: tuple[JsonObject, int] | None = None

    def __enter__(self) -> "Reply":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._call.clear_status()
        self._call.latest_attempt.close()
        self.response.close()
        self._call.record(error, self)
        if error is None and self._call.stderr.is_verbose:
            self._call.stderr.verbose(f"* answer complete after {time.monotonic() - self.started:.3f} s")
            if reason := unknown_reason(self.accumulator.completion()):
                self._call.stderr.verbose(f"* unknown finish_reason '{reason}'; taken as a complete answer")

    @property
    def is_logged(self) -> bool:
        """True if the usage log gets a line about this reply."""
        return self._call.client.usage_log is not None

    @property
    def time_left(self) -> float:
        """Seconds left of --max-time, infinite without it."""
        return self._call.policy.time_left

    def with_request_id(self, error: LlamaError) -> LlamaError:
        """Returns the error with the ids of this reply's request."""
        return self._call.error(error.status, error.message, error.hint)

    def __iter__(self) -> Iterator[Increment]:
        """Yields the chunks that came together, and the text in them.

        A whole completion is a single chunk. The first bytes decide what a body is: servers send
        streams unasked, documents in place of streams, and either under any Content-Type. Raises
        LlamaError (broken) if the answer is not whole, (server) if it contains an error.
        """
        start, blocks = self.sniff()
        if not start:
            raise self.error("the server sent an empty body")
        increments: Iterator[Increment]
        if self.is_stream(start):
            increments = chain.from_iterable(map(self._increments, self.events(blocks)))
        elif start[:1] in b"{[":
            increments = self._whole(blocks)
        else:
            words = one_line(self._call.stderr.redacted(errors.error_in(start)), 100)
            sent = words if start[:1] == b"<" else f"text in place of an answer: '{words}'"
            raise self._call.error(ExitStatus.BROKEN, f"the server sent {sent}", path_hint(self._call.url))
        try:
            for increment in increments:
                self.last_chunk = time.monotonic()
                if self.accumulator.growth > self._growth:
                    self.last_text = self.last_chunk
                    if self.first_text == self.started:
                        self.first_text = self.last_chunk
                yield increment
        except LlamaError as error:
            self._settle_doubt(error)
            raise
        self._settle_doubt()

    def _settle_doubt(self, error: LlamaError | None = None) -> None:
        """Raises the error that a document may have reported, unless text followed it.

        Text shows that it was only news, as from a server that loads the model first.
        """
        if self._doubt and self.accumulator.growth == self._doubt[1]:
            document, self._doubt = self._doubt[0], None
            raise self._server_error(errors.error_message(document), errors.request_id(document)) from error

    def _increments(self, events: list[sse.Event]) -> Iterator[Increment]:
        chunks: list[JsonObject] = []
        try:
            for event in events:
                for chunk in self._chunks(event):
                    self._accumulate(chunk)
                    chunks.append(chunk)
                if self.accumulator.error and not self._is_done:
                    raise self._server_error(errors.error_message(self.accumulator.error))
        except LlamaError:
            # What arrived with it is printed before the error.
            yield self.accumulator.increment(chunks)
            raise
        if chunks:
            yield self.accumulator.increment(chunks)

    def _chunks(self, event: sse.Event) -> list[JsonObject]:
        """Returns the chunks in an event: usually one, none for a ping."""
        is_error = event.is_error if event.name else False
        if event.name.lower() in sse.PING_NAMES or (event.is_ping and not is_error):
            return []
        try:
            value = loads(event.data)
        except ValueError:
            # After the answer, stray text is some server's variant of [DONE].
            if event.is_error_text and not self._is_done:
                raise self._server_error(event.data) from None
            if self._is_complete:
                return []
            if not (value := split_json(event.data)):
                if error := errors.error_inside(event.data):
                    raise self._server_error(errors.error_message(error), errors.request_id(error)) from None
                words = one_line(self._call.stderr.redacted(event.data[: errors.MAX_ERROR_BYTES]), 100)
                raise self.error(f"the server sent malformed JSON: '{words}'") from None
        if isinstance(value, dict) and not self._is_done:
            return [self._validate(value, is_error)] if value or is_error else []
        chunks = value if isinstance(value, list) else [value]
        if self._is_done:
            chunks = [
                chunk for chunk in chunks if isinstance(chunk, dict) and ("usage" in chunk or chunk.get("choices"))
            ]
        return [self._validate(chunk, is_error) for chunk in chunks if chunk or is_error]

    def _whole(self, blocks: Iterator[bytes]) -> Iterator[Increment]:
        data = self._read(blocks)
        try:
            value = loads(data)
        except ValueError:
            # Chunks that are not in any field, or an error before the first event.
            events = [*(decoder := sse.Decoder()).feed(data.encode()), *decoder.finish()]
            # Or several documents on one line.
            for part in self._up_to_done(events or [sse.Event(data)] * bool(split_json(data))):
                yield from self._increments(part)
            if not self._is_complete:
                raise self.malformed() from None
            return
        documents = value if isinstance(value, list) and value else [value]
        chunks = [self._validate(document, False) for document in documents]
        for chunk in chunks:
            self._accumulate(chunk)
        yield self.accumulator.increment(chunks)
        if self.accumulator.error:
            raise self._server_error(errors.error_message(self.accumulator.error))
        if '"delta"' in data and self.accumulator.is_cut:
            raise self.error("the server sent only the beginning of an answer")
        if not any("choices" in unwrap(document) for document in documents):
            message = "the server sent JSON without choices, so it is not a chat completion"
            raise self._call.error(ExitStatus.BROKEN, message, path_hint(self._call.url))

    def _accumulate(self, chunk: JsonObject) -> None:
        try:
            self.accumulator.add(chunk)
        except ValueError:
            raise self.error("the server sent a chunk of an unexpected shape") from None

    def _validate(self, chunk: object, is_error: bool) -> JsonObject:
        """Returns a chunk. Raises LlamaError for an error or another shape."""
        if not is_error and isinstance(chunk, dict) and chunk.get("choices") and errors.ERRORS.isdisjoint(chunk):
            return chunk
        is_error_text = isinstance(chunk, str) and sse.Event(chunk).is_error_text
        if is_error or is_error_text or errors.reports_error(chunk):
            raise self._server_error(errors.error_message(chunk), errors.request_id(chunk))
        if not isinstance(chunk, dict):
            raise self.error("the server sent JSON that is not an answer")
        document = unwrap(chunk)
        if errors.has_error_words(document) and not self._is_complete:
            self._doubt = document, self.accumulator.growth
        return chunk

    def _server_error(self, words: str, server_id: str | None = None) -> LlamaError:
        words = one_line(self._call.stderr.redacted(words[: errors.MAX_ERROR_BYTES]), 300)
        if not words:
            return self.error("the server sent an error without a message")
        hint = path_hint(self._call.url) if errors.is_wrong_path(words) else "try again later"
        return self._call.error(ExitStatus.SERVER, f"the server failed: {words}", hint, server_id)

    # The body

    def is_stream(self, start: bytes) -> bool:
        """True if a body that starts like this is a stream of events."""
        if start[:1] in (b"{", b"[", b"<"):
            return False
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return kind == "text/event-stream" or re.match(SSE_START, start) is not None

    def sniff(self) -> tuple[bytes, Iterator[bytes]]:
        """Reads until its kind is clear; returns the start and all blocks."""
        blocks = self.blocks()
        head, size, start = [], 0, b""
        for block in blocks:
            head.append(block)
            size += len(block)
            if size > MAX_BODY_BYTES:
                raise self.error(f"the server sent {MAX_BODY_BYTES >> 20} MiB of white space")
            start = (start + block).removeprefix(BOM).lstrip()
            if BOM.startswith(start):
                continue
            # Enough to tell a field name from plain text.
            if start[:1] not in b"deir" or len(start) > 6 or b"\n" in start or b"\r" in start:
                break
        return start, chain(head, blocks)

    @property
    def _is_complete(self) -> bool:
        return self._is_done or self.accumulator.is_whole

    def blocks(self) -> Iterator[bytes]:
        """Yields the body, decompressed. Raises LlamaError if it is cut."""
        while True:
            try:
                block = self.response.read1(BLOCK_BYTES)
            except FAILURES as error:
                if self._is_complete:
                    return
                raise self._call.connection_error(error) from error
            if not block:
                if self._call.latest_attempt.was_cut and not self._is_complete:
                    raise self._call.connection_error(TimeoutError())
                return
            yield block
            try:
                self._limit_silence()
            except (RuntimeError, OSError):
                # No thread or descriptor is left for the timer: a complete answer is not worth an error.
                return

    def _limit_silence(self) -> None:
        """Once the answer is complete, waits only while more data comes."""
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
        """Yields lists of events: for each block, those that it completes.

        The consumer passes them on to the accumulator, which decides whether the stream
        is whole. Raises LlamaError (broken) if it is not; events that are not chunks of
        an answer pass unless it `needs_answer`.
        """
        decoder, failure, has_events = sse.Decoder(), None, False
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
        # An error page of a gateway may be followed by its [DONE].
        if self.accumulator.is_whole or (self._is_done and not (needs_answer and decoder.stray)):
            return
        if failure:
            raise failure
        words = f": {one_line(decoder.stray, 200)}" if decoder.stray else ""
        if not has_events:
            raise self.error(f"the stream contained no answer{words}")
        if needs_answer or self.accumulator.has_choices or decoder.is_truncated:
            raise self.error(f"the stream ended before the answer did{words}")

    def _up_to_done(self, events: list[sse.Event]) -> Iterator[list[sse.Event]]:
        """Yields all events except [DONE], and notes that it came."""
        place = next((place for place, event in enumerate(events) if event.is_done), len(events))
        if place:
            yield events[:place]
        if place < len(events):
            self._is_done = True
            if rest := [event for event in events[place:] if not event.is_done]:
                yield rest

    def document(self, blocks: Iterator[bytes]) -> Json:
        """Reads a JSON document. Raises LlamaError (broken)."""
        try:
            return loads(self._read(blocks))
        except ValueError:
            raise self.malformed() from None

    def _read(self, blocks: Iterator[bytes]) -> str:
        body = bytearray()
        try:
            for block in blocks:
                body += block
                if len(body) > MAX_BODY_BYTES:
                    raise self.error(f"the server sent more than {MAX_BODY_BYTES >> 20} MiB")
        except LlamaError:
            # JSON shows where it ends even if HTTP's framing or the compression does not.
            if not sse.Event(body.decode("utf-8", "replace")).is_json:
                raise
        return body.removeprefix(BOM).decode("utf-8", "replace")

    def error(self, message: str) -> LlamaError:
        """Returns the error of a broken answer."""
        return self._call.error(ExitStatus.BROKEN, message, "try again with -v")

    def malformed(self) -> LlamaError:
        """Returns the error of a document that is not JSON."""
        return self.error("the server sent malformed or incomplete JSON")
