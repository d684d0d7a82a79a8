"""What is sent for one item of a batch: a body in, a completion out, and what it took."""

import time
from collections.abc import Collection
from typing import Any, Protocol
from uuid import uuid4

from llamacli.api.accumulator import Accumulator
from llamacli.api.messages import Completion, find_problem
from llamacli.api.usage import reported_cost
from llamacli.batch.calls.pool import BatchEnded, WorkerPool
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.client import Call, Client
from llamacli.http.options import NetworkOptions
from llamacli.http.reply import Reply
from llamacli.http.request import ChatRequest
from llamacli.http.retry import Retryable, RetryPolicy
from llamacli.stdio.stderr import Stderr

#: Statuses that are about all calls and not about one: the server wants fewer.
THROTTLE_STATUSES = frozenset({429, 503})


#: What no further call can mend either: a refused key, an empty account.
FATAL_STATUSES = frozenset({ExitStatus.KEY, ExitStatus.CREDITS})


class BatchContext(Protocol):
    """What an exchange needs to know of its batch."""

    client: Client
    network: NetworkOptions
    stderr: Stderr

    @property
    def pool(self) -> WorkerPool[Any]: ...

    def stop(self, reason: LlamaError) -> None: ...

    def add_cost(self, usd: float | None) -> None: ...


class Worker:
    """The calls for one item."""

    def __init__(self, batch: BatchContext, order: int, index: int) -> None:
        self._batch, self._order, self._index = batch, order, index
        self._started = 0.0
        #: Of all requests for the item; time spent waiting for a slot does not count.
        self._policy = RetryPolicy(batch.network)
        self._call: Call | None = None
        self.attempts = 0

    @property
    def seconds(self) -> float:
        """The time since the first try began."""
        return round(time.monotonic() - self._started, 3) if self._started else 0.0

    def send(self, body: dict[str, Any], no_retry: Collection[int] = ()) -> Completion:
        """Sends a body, retries temporary failures, and returns the complete completion.

        HTTP statuses in `no_retry` are not retried. Raises LlamaError if there is no
        completion, BatchEnded if the batch ends first.
        """
        request = ChatRequest(body)
        request_id = self._request_id()
        failures = 0
        while True:
            queued = time.monotonic()
            started = self._batch.pool.acquire(self._order)
            self._policy.exclude(started - queued)
            self._started = self._started or started
            try:
                completion = self._attempt(request, request_id)
            except Retryable as failure:
                if failure.http_status in THROTTLE_STATUSES:
                    self._slow_down(started, failure)
                    continue
                self._batch.pool.release()
                if failure.http_status in no_retry:
                    raise failure.error from None
                wait = self._wait(failure, failures)
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
                return completion

    def _request_id(self) -> str:
        given = self._batch.network.request_id
        # Each item has a name of its own, or the provider's logs would show one for all.
        return f"{given[:115]}-{self._index}" if given else str(uuid4())

    def _attempt(self, request: ChatRequest, request_id: str) -> Completion:
        call = self._call = self._batch.client.call(request, self._policy, request_id=request_id)
        try:
            with Reply(call, call.attempt(), Accumulator(request.choices)) as reply:
                for _ in reply:
                    pass
                if request.stream:
                    reply.drain()
        finally:
            self.attempts += call.attempts
        completion = reply.accumulator.completion()
        # Before the slot is given back, and the next one begins.
        self._batch.add_cost(reported_cost(completion, reply.headers))
        return completion

    def _slow_down(self, started: float, failure: Retryable) -> None:
        """Returns the slot taken at `started` and slows all calls down. Raises BatchEnded if that is hopeless."""
        self._batch.stderr.verbose(f"* {failure.error.message}; slowing down")
        if self._batch.pool.throttled(started, failure.retry_after):
            return
        limit = self._batch.network.retry_max_time
        if failure.retry_after and failure.retry_after > limit:
            hint = f"the server asks to wait {failure.retry_after:.0f} s, more than --retry-max-time allows"
        else:
            hint = f"no answer for {limit:g} s (--retry-max-time); try again later"
        self._batch.stop(failure.error.add_hint(hint))
        raise BatchEnded

    def _wait(self, failure: Retryable, failures: int) -> float:
        """Returns the seconds to wait before this item's next attempt. Raises LlamaError if there is none."""
        options = self._batch.network
        if options.retry and options.retry_max_time and not self._batch.pool.should_continue():
            self._batch.stop(failure.error)
            raise BatchEnded
        wait = self._policy.wait_seconds(failure, failures)
        self._batch.stderr.verbose(f"* {self._policy.note(failure, failures, wait)}")
        return wait

    def find_problem(self, completion: Completion, allow_truncated: bool) -> LlamaError | None:
        """Says what keeps the latest completion from being a complete answer, None where nothing does."""
        found = find_problem(completion, allow_truncated)
        return self.with_request_id(found) if found else None

    def with_request_id(self, error: LlamaError) -> LlamaError:
        """Returns a fault with the request that it is about."""
        return self._call.error(error.status, error.message, error.hint) if self._call else error
