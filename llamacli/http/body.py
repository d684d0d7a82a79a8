"""The body of a response as blocks, events or a document."""

import re
from collections.abc import Iterator
from itertools import chain

from llamacli.api import sse
from llamacli.api.accumulator import Accumulator
from llamacli.api.json import Json, loads
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.call import BLOCK_BYTES, Call
from llamacli.http.connection.lean_requests import FAILURES, requests
from llamacli.stdio.escape import one_line

#: Maximum size of a document, and of what precedes an answer.
MAX_BODY_BYTES = 64 << 20

#: How a text/event-stream begins: a comment or a field.
SSE_START = rb":|(data|event|id|retry)(:|\r|\n|$)"

BOM = b"\xef\xbb\xbf"

#: Once every choice has finished, this many seconds of silence end a stream: text, usage and [DONE] may follow.
LINGER_SECONDS = 5.0

#: Seconds to wait for what may follow [DONE], mostly the end of the body: opening a new connection takes as long.
DRAIN_SECONDS = 0.1


class Body:
    """The body of a 2xx; the accumulator knows when it is complete."""

    def __init__(self, call: Call, response: requests.Response) -> None:
        self._call, self.response, self.headers = call, response, response.headers
        #: Receives the chunks and assembles the completion.
        self.accumulator = Accumulator(call.request.choices)
        #: [DONE] has arrived.
        self._is_done = False
        self._is_lingering = self._is_draining = False
        #: The accumulator's growth, and events that are not chunks, after the latest block.
        self._growth = self._activity = self._other_events = 0

    @property
    def is_close_delimited(self) -> bool:
        """True if closing the connection ends the body, whole or not."""
        is_framed = "transfer-encoding" in self.headers or self.headers.get("content-length", "").isdigit()
        has_body = self.response.status_code != 204 and self._call.request.method != "HEAD"
        return has_body and not is_framed

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
            try:
                self._limit_silence()
            except RuntimeError:
                # Not enough memory for the thread of the timer: a complete answer is not worth an error.
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
        pieces, size = [], 0
        for block in blocks:
            pieces.append(block)
            size += len(block)
            if size > MAX_BODY_BYTES:
                raise self.error(f"the server sent more than {MAX_BODY_BYTES >> 20} MiB")
        return b"".join(pieces).removeprefix(BOM).decode("utf-8", "replace")

    def error(self, message: str) -> LlamaError:
        """Returns the error of a broken answer."""
        return self._call.error(ExitStatus.BROKEN, message, "try again with -v")

    def malformed(self) -> LlamaError:
        """Returns the error of a document that is not JSON."""
        return self.error("the server sent malformed or incomplete JSON")
