"""Reads the answer in a successful response as it arrives, in any form."""

import time
from collections.abc import Iterator
from types import TracebackType

from llamacli.api import sse
from llamacli.api.accumulator import Increment
from llamacli.api.completion import unknown_reason
from llamacli.api.errors import (
    MAX_ERROR_BYTES,
    PING_NAMES,
    error_in,
    error_message,
    has_error_words,
    is_wrong_path,
    reports_error,
    request_id,
)
from llamacli.api.json import JsonObject, loads
from llamacli.api.messages import unwrap
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.body import Body
from llamacli.http.call import Call
from llamacli.http.connection.lean_requests import requests
from llamacli.http.retry import path_hint
from llamacli.stdio.escape import one_line


class Reply(Body):
    """The body of a 2xx as an answer: iterating reads its chunks."""

    def __init__(self, call: Call, response: requests.Response) -> None:
        super().__init__(call, response)
        self.started = call.started
        #: When the first and the latest text, and the latest chunk, arrived (monotonic).
        self.first_text = self.last_text = self.last_chunk = call.started
        #: The latest document that may report an error, and the accumulator's growth when it came.
        self._doubt: tuple[JsonObject, int] | None = None

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
    def is_logged(self) -> bool:
        """True if the usage log gets a line about this reply."""
        return self._call.is_logged

    @property
    def time_left(self) -> float:
        """Seconds left of --max-time, infinite without it."""
        return self._call.policy.time_left

    def with_request_id(self, error: LlamaError) -> LlamaError:
        """Returns the error with the ids of this reply's request."""
        return self._call.error(error.status, error.message, error.hint)

    def __iter__(self) -> Iterator[Increment]:
        """Yields the chunks that came together, and the text in them.

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
        try:
            for increment in increments:
                self._note_time()
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
            raise self._server_error(error_message(document), request_id(document)) from error

    def _note_time(self) -> None:
        self.last_chunk = time.monotonic()
        if self.accumulator.growth > self._growth:
            self.last_text = self.last_chunk
            if self.first_text == self.started:
                self.first_text = self.last_chunk

    def _stream(self, blocks: Iterator[bytes]) -> Iterator[Increment]:
        for events in self.events(blocks):
            yield from self._increments(events)

    def _increments(self, events: list[sse.Event]) -> Iterator[Increment]:
        chunks: list[JsonObject] = []
        try:
            for event in events:
                for chunk in self._chunks(event):
                    self._accumulate(chunk)
                    chunks.append(chunk)
                if self.accumulator.error and not self._is_done:
                    raise self._server_error(error_message(self.accumulator.error))
        except LlamaError:
            # What arrived with it is printed before the error.
            yield self.accumulator.increment(chunks)
            raise
        if chunks:
            yield self.accumulator.increment(chunks)

    def _chunks(self, event: sse.Event) -> list[JsonObject]:
        """Returns the chunks in an event: usually one, none for a ping."""
        is_error = event.is_error if event.name else False
        if (not event.data and not is_error) or event.name in PING_NAMES:
            return []
        try:
            value = loads(event.data)
        except ValueError:
            # After the answer, stray text is some server's variant of [DONE].
            if event.is_error_text and not self._is_done:
                raise self._server_error(event.data) from None
            if self._is_complete:
                return []
            raise self.error("the server sent malformed JSON") from None
        if isinstance(value, dict) and not self._is_done:
            return [self._validate(value, is_error)] if value or is_error else []
        chunks = value if isinstance(value, list) else [value]
        if self._is_done:
            chunks = [chunk for chunk in chunks if isinstance(chunk, dict) and chunk.get("choices")]
        return [self._validate(chunk, is_error) for chunk in chunks if chunk or is_error]

    def _whole(self, blocks: Iterator[bytes]) -> Iterator[Increment]:
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
        chunks = [self._validate(document, False) for document in documents]
        for chunk in chunks:
            self._accumulate(chunk)
        yield self.accumulator.increment(chunks)
        if self.accumulator.error:
            raise self._server_error(error_message(self.accumulator.error))
        if '"delta"' in data and self.accumulator.is_cut:
            raise self.error("the server sent only the beginning of an answer")
        if not any("choices" in unwrap(document) for document in documents):
            from llamacli.http.retry import path_hint

            message = "the server sent JSON without choices, so it is not a chat completion"
            raise self._call.error(ExitStatus.BROKEN, message, path_hint(self._call.url))

    def _accumulate(self, chunk: JsonObject) -> None:
        try:
            self.accumulator.add(chunk)
        except ValueError:
            raise self.error("the server sent a chunk of an unexpected shape") from None

    def _validate(self, chunk: object, is_error: bool) -> JsonObject:
        """Returns a chunk. Raises LlamaError for an error or another shape."""
        if not is_error and isinstance(chunk, dict) and chunk.get("choices") and not chunk.get("error"):
            return chunk
        is_error_text = isinstance(chunk, str) and sse.Event(chunk).is_error_text
        if is_error or is_error_text or reports_error(chunk):
            raise self._server_error(error_message(chunk), request_id(chunk))
        if not isinstance(chunk, dict):
            raise self.error("the server sent JSON that is not an answer")
        document = unwrap(chunk)
        if has_error_words(document) and not self._is_complete:
            self._doubt = document, self.accumulator.growth
        return chunk

    def _server_error(self, words: str, server_id: str | None = None) -> LlamaError:
        """Returns the error that the server reports under a 2xx."""
        words = one_line(self._call.stderr.redacted(words[:MAX_ERROR_BYTES]), 300)
        if not words:
            return self.error("the server sent an error without a message")
        hint = path_hint(self._call.url) if is_wrong_path(words) else "try again later"
        return self._call.error(ExitStatus.SERVER, f"the server failed: {words}", hint, server_id)

    def _not_an_answer(self, start: bytes) -> LlamaError:
        """Returns the error of a body that is neither JSON nor a stream."""
        words = one_line(self._call.stderr.redacted(error_in(start)), 100)
        if start[:1] == b"<":
            return self._call.error(ExitStatus.BROKEN, f"the server sent {words}", path_hint(self._call.url))
        return self.error(f"the server sent text in place of an answer: '{words}'")
