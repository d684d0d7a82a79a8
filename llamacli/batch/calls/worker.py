"""What is sent for one item of a batch: a body in, a completion out, and what it took."""

import time
from collections.abc import Collection
from typing import Any, Protocol
from uuid import uuid4

from llamacli.api.accumulator import Assembly
from llamacli.api.json import encode
from llamacli.api.messages import Completion, verdict
from llamacli.api.usage import cost
from llamacli.batch.calls.pool import Ended, Pool
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http import retry
from llamacli.http.client import Call, Client, Retryable
from llamacli.http.options import NetworkOptions
from llamacli.http.reply import Reply
from llamacli.http.request import CHAT, Outgoing
from llamacli.stdio.stderr import Stderr

#: Statuses that are about all calls and not about one: the server wants fewer.
SLOW_DOWN = frozenset({429, 503})


#: What no further call can mend either: a refused key, an empty account.
HOPELESS = frozenset({ExitStatus.KEY, ExitStatus.CREDITS})


class AnyBatch(Protocol):
    """What an exchange needs to know of its batch."""

    client: Client
    network: NetworkOptions
    stderr: Stderr

    @property
    def pool(self) -> Pool[Any]: ...

    def end(self, reason: LlamaError) -> None: ...

    def paid(self, usd: float | None) -> None: ...


class Exchange:
    """The calls for one item."""

    def __init__(self, batch: AnyBatch, order: int, index: int) -> None:
        self._batch, self._order, self._index = batch, order, index
        self._started = 0.0
        self._call: Call | None = None
        self.attempts = 0

    @property
    def seconds(self) -> float:
        """The time since the first try began."""
        return round(time.monotonic() - self._started, 3) if self._started else 0.0

    def send(self, body: dict[str, Any], final: Collection[int] = ()) -> Completion:
        """Sends a body, again where that may help, and returns the completion once it is whole.

        After an HTTP status in `final` it would not help. Raises LlamaError where
        there is no completion, Ended where the batch ends first.
        """
        outgoing = Outgoing("POST", CHAT, encode(body))
        request_id = self._request_id()
        failures, waited = 0, 0.0
        while True:
            started = self._batch.pool.enter(self._order)
            self._started = self._started or started
            try:
                completion = self._try(outgoing, body, request_id)
            except Retryable as failure:
                if failure.code in SLOW_DOWN:
                    self._slow_down(started, failure)
                    continue
                self._batch.pool.leave()
                if failure.code in final:
                    raise failure.error from None
                wait = self._wait(failure, failures, waited)
                failures, waited = failures + 1, waited + wait
                self._batch.pool.sleep(wait)
            except LlamaError as error:
                self._batch.pool.leave()
                if error.status in HOPELESS:
                    self._batch.end(error)
                    raise Ended from None
                raise
            else:
                self._batch.pool.leave(succeeded=True)
                return completion

    def _request_id(self) -> str:
        given = self._batch.network.request_id
        # Each item has a name of its own, or the provider's logs would show one for all.
        return f"{given[:115]}-{self._index}" if given else str(uuid4())

    def _try(self, outgoing: Outgoing, body: dict[str, Any], request_id: str) -> Completion:
        streaming = body.get("stream") is True
        call = self._call = self._batch.client.call(outgoing, streaming, request_id=request_id)
        answers = body.get("n")
        try:
            with Reply(call, call.attempt(), Assembly(answers if isinstance(answers, int) else 1)) as reply:
                for _ in reply:
                    pass
                if streaming:
                    reply.drain()
        finally:
            self.attempts += call.tries
        completion = reply.answer.completion()
        # Before the slot is given back, and the next one begins.
        self._batch.paid(cost(completion, reply.headers))
        return completion

    def _slow_down(self, started: float, failure: Retryable) -> None:
        """Gives the slot that came at `started` back and slows all calls down. Raises Ended where there is no hope."""
        self._batch.stderr.verbose(f"* {failure.error.what}; slowing down")
        if self._batch.pool.refuse(started, failure.after):
            return
        limit = self._batch.network.retry_max_time
        if failure.after and failure.after > limit:
            failure.error.todo = f"the server asks to wait {failure.after:.0f} s, more than --retry-max-time allows"
        else:
            failure.error.todo = f"nothing has been answered for --retry-max-time, {limit:g} s; try again later"
        self._batch.end(failure.error)
        raise Ended

    def _wait(self, failure: Retryable, failures: int, waited: float) -> float:
        """Returns the seconds to wait before this item's next try. Raises LlamaError where there is to be none."""
        options = self._batch.network
        wait = failure.after if failure.after is not None else retry.backoff(failures)
        if options.retry and options.retry_max_time and not self._batch.pool.is_hopeful():
            self._batch.end(failure.error)
            raise Ended
        if failures >= options.retry or waited + wait > options.retry_max_time:
            raise failure.error
        self._batch.stderr.verbose(f"* {failure.error.what}; retry {failures + 1} of {options.retry} in {wait:.1f} s")
        return wait

    def verdict(self, completion: Completion, allow_truncated: bool) -> LlamaError | None:
        """Says what keeps the latest completion from being a complete answer, None where nothing does."""
        found = verdict(completion, allow_truncated)
        return self.named(found) if found else None

    def named(self, found: LlamaError) -> LlamaError:
        """Returns a fault with the request that it is about."""
        return self._call.fault(found.status, found.what, found.todo) if self._call else found
