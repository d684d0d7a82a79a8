"""Makes the calls for one item of a batch."""

import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from llamacli.api.completion import reported_cost
from llamacli.ask.answers import AnswerReader
from llamacli.batch.calls.pool import BatchEnded, WorkerPool
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.options import NetworkOptions
from llamacli.http.request import ChatRequest, new_request_id
from llamacli.http.retry import Retryable, RetryPolicy, asked_wait
from llamacli.stdio.stderr import Stderr

if TYPE_CHECKING:
    from llamacli.http.client import Client
    from llamacli.http.reply import Reply

#: HTTP statuses that ask for fewer calls.
THROTTLE_STATUSES = frozenset({429, 503})

#: If more than this many calls succeed for each rejected call of other items, a rejection concerns only its item.
SUCCESSES_PER_REJECTION = 4
#: This many more successes show the same even if the server has rejected many calls before.
MANY_SUCCESSES = 10

#: Minimum retries for an item that is the only one rejected, whatever --retry says.
MIN_REJECTED_RETRIES = 3

#: Statuses that would end every other call too, such as a refused key or an empty account.
FATAL_STATUSES = frozenset({ExitStatus.KEY, ExitStatus.CREDITS})


class BatchContext(Protocol):
    """What a worker needs to know about its batch."""

    reader: AnswerReader
    network: NetworkOptions
    stderr: Stderr

    @property
    def client(self) -> "Client": ...

    @property
    def pool(self) -> WorkerPool[Any]: ...

    def stop(self, reason: LlamaError) -> None: ...

    def add_cost(self, usd: float | None) -> None: ...


class Worker:
    """The calls for one item."""

    def __init__(self, batch: BatchContext, order: int, index: int) -> None:
        self._batch, self._order, self._index = batch, order, index
        self._started = 0.0
        #: Covers all requests for the item, but not the time spent waiting for a slot.
        self._policy = RetryPolicy(batch.network)
        #: The batch's successes and rejections when the item was first sent, and the item's own rejections.
        self._counts = 0, 0
        self._rejections = 0
        self._is_rejected_alone = False
        #: The id of the latest request, the server's if it sent one; None if none was sent.
        self.request_id: str | None = None
        self.attempts = 0
        #: What the item's answers cost in USD, None if the server reports no cost.
        self.usd: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds since the first attempt began."""
        return round(time.monotonic() - self._started, 3) if self._started else 0.0

    def send(self, request: ChatRequest, no_retry: Collection[int] = ()) -> "Reply":
        """Sends a request and returns the reply, read to its end.

        Temporary failures are retried. HTTP statuses in `no_retry` are not retried.
        Raises LlamaError if there is no answer, BatchEnded if the batch ends first.
        """
        request_id = self._request_id()
        failures = 0
        while True:
            queued = time.monotonic()
            started = self._batch.pool.acquire(self._order)
            self._policy.exclude(started - queued)
            if not self._started:
                self._started, self._counts = started, self._batch.pool.counts()
            try:
                reply = self._attempt(request, request_id)
            except Retryable as failure:
                is_rejection = failure.http_status in THROTTLE_STATUSES
                if is_rejection and not self._is_own_problem(failure):
                    self._slow_down(request, started, failure)
                    continue
                self._batch.pool.release()
                if failure.http_status in no_retry:
                    raise failure.error from None
                wait = self._wait(request, failure, failures, is_rejection)
                failures += 1
                self._batch.pool.sleep(wait)
            except LlamaError as error:
                self._batch.pool.release()
                if error.status in FATAL_STATUSES:
                    self._batch.stop(error)
                    raise BatchEnded from None
                raise
            else:
                self._batch.pool.release(succeeded=True)
                return reply

    def _request_id(self) -> str:
        prefix = self._batch.network.request_id
        # Each item needs an id of its own in the provider's logs.
        return f"{prefix[:115]}-{self._index}" if prefix else new_request_id()

    def _attempt(self, request: ChatRequest, request_id: str) -> "Reply":
        # Imported only when a request is sent: stored answers don't need it.
        from llamacli.http.call import Call
        from llamacli.http.reply import Reply

        call = Call(self._batch.client, request, self._policy, request_id=request_id)
        self.request_id = call.request_id
        try:
            with Reply(call, call.attempt()) as reply:
                for _ in reply:
                    pass
        finally:
            self.attempts += call.attempts
            if call.error_response:
                self._set_request_id(call.error_response[0].headers)
        self._set_request_id(reply.headers)
        usd = reported_cost(reply.accumulator.completion(), reply.headers)
        if usd is not None:
            self.usd = (self.usd or 0) + usd
        # The batch may stop at --max-cost, so this comes before the slot is released and the next call starts.
        self._batch.add_cost(usd)
        return reply

    def _set_request_id(self, headers: Mapping[str, str]) -> None:
        self.request_id = headers.get("x-inference-id") or headers.get("x-request-id") or self.request_id

    def _is_own_problem(self, failure: Retryable) -> bool:
        """Records a 429 or 503. Returns True if only this item is rejected."""
        if self._is_rejected_alone:
            return True
        pool = self._batch.pool
        if (failure.retry_after or 0) > self._batch.network.retry_max_time:
            # The next item will show whether this concerns all items.
            return pool.has_just_succeeded() and pool.should_continue()
        successes, rejections = pool.counts()
        others = rejections - self._rejections
        surplus = successes - SUCCESSES_PER_REJECTION * others
        recent = surplus - (self._counts[0] - SUCCESSES_PER_REJECTION * self._counts[1])
        # There were many successes since the item was first sent, or some in a batch without other rejections.
        self._is_rejected_alone = self._rejections > 0 and (recent > MANY_SUCCESSES or min(recent, surplus) > 0)
        self._rejections += 1
        return self._is_rejected_alone

    def _slow_down(self, request: ChatRequest, started: float, failure: Retryable) -> None:
        """Returns the slot and slows the batch down.

        Raises BatchEnded if waiting any longer is pointless.
        """
        self._batch.stderr.verbose(f"* {failure.error.message}; slowing down")
        if self._batch.pool.throttled(started, failure.retry_after):
            return
        limit = self._batch.network.retry_max_time
        if failure.retry_after and failure.retry_after > limit:
            hint = f"{asked_wait(failure)}, more than --retry-max-time allows"
        else:
            hint = f"waiting longer would exceed --retry-max-time ({limit:g} s); try again later"
        raise self._give_up(request, failure.error.add_hint(hint))

    def _give_up(self, request: ChatRequest, error: LlamaError) -> BaseException:
        """Ends the batch or the use of a model, and returns what to raise."""
        if self._batch.reader.has_fallback(request):
            self._batch.reader.skip_model(request)
            return error
        self._batch.stop(error)
        return BatchEnded()

    def _wait(self, request: ChatRequest, failure: Retryable, failures: int, is_rejection: bool) -> float:
        """Returns the seconds until the next attempt. Raises LlamaError."""
        options = self._batch.network
        if is_rejection:
            self._policy.retries = max(options.retry, MIN_REJECTED_RETRIES)
        elif options.retry and options.retry_max_time and not self._batch.pool.should_continue():
            raise self._give_up(request, failure.error)
        wait = self._policy.wait_seconds(failure, failures)
        self._batch.stderr.verbose(f"* {self._policy.note(failure, failures, wait)}")
        return wait
