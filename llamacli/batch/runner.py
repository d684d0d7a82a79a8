"""A batch: items to requests to rows, many at once, with one pace, one purse and one end for all of them."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from llamacli import signals
from llamacli.batch.calls.answers import AnswerReader
from llamacli.batch.calls.limiter import Limiter
from llamacli.batch.calls.pool import WorkerPool
from llamacli.batch.calls.worker import Worker
from llamacli.batch.input.items import Item, Items
from llamacli.batch.input.requests import RequestBuilder, request_digest
from llamacli.batch.options import LimitOptions
from llamacli.batch.output.journal import Journal
from llamacli.batch.output.progress import Bar, ProgressState, Stats
from llamacli.batch.output.rows import Row, row
from llamacli.errors import ExitStatus, LlamaError, Stopped
from llamacli.http.client import Client
from llamacli.http.endpoint import Endpoint
from llamacli.http.options import NetworkOptions
from llamacli.stdio.stderr import Stderr


class BatchTask(NamedTuple):
    """An item that is to be asked. `fault` is what keeps it from being asked."""

    #: Counts the tasks from 0.
    order: int
    item: Item
    body: dict[str, Any]
    key: str | None
    error: LlamaError | None


class Sink(Protocol):
    """Where rows go."""

    @property
    def is_full(self) -> bool: ...

    @property
    def shows_keys(self) -> bool: ...

    def put(self, order: int, row: Row) -> None: ...

    def finish(self, is_complete: bool) -> None: ...


class BatchRunner:
    """Asks all items of an input. Raises LlamaError with what it ends with, Stopped where a signal came."""

    def __init__(
        self,
        items: Items,
        builder: RequestBuilder,
        sink: Sink,
        limits: LimitOptions,
        network: NetworkOptions,
        endpoint: Endpoint,
        stderr: Stderr,
        reader: AnswerReader,
    ) -> None:
        self._items, self._builder, self._sink = items, builder, sink
        self._journal = sink if isinstance(sink, Journal) else None
        self.limits, self.network, self.stderr = limits, network, stderr
        self._reader = reader
        # Alone until it has told what it cost, so that a server that does not tell is asked once.
        first_alone = limits.max_cost is not None
        pace = Limiter(limits.jobs, limits.rpm, network.retry_max_time, first_alone)
        _allow_descriptors(limits.jobs)
        # What a client cannot do without, certificates say, is missed now and not by every item.
        self.client = Client(endpoint, network, stderr, connections=limits.jobs)
        self.pool: WorkerPool[BatchTask] = WorkerPool(limits.jobs, pace, self._work, lambda: sink.is_full)
        self.stats = Stats()
        self._lock = threading.Lock()
        #: What ended the batch before its time.
        self._reason: LlamaError | None = None
        self._tasks_made = self._rows_made = 0
        self._all_read = False

    def run(self) -> None:
        """Asks until there is nothing more to ask, or something ends it; what has been received is written."""
        self.stderr.show_status(Bar(self._state, self.stderr.is_colored)).start()
        stopped = None
        try:
            try:
                self.pool.run(self._tasks())
            except Stopped as signalled:
                if signalled.number != signal.SIGINT:
                    raise
                stopped = signalled
                self._finish_in_flight()
        except BaseException:
            # A reader that does not read must not keep a signal from ending the program.
            closing = threading.Thread(target=self._abandon, daemon=True)
            closing.start()
            closing.join(1)
            raise
        self._close(self._is_complete)
        self._conclude(stopped)

    def _finish_in_flight(self) -> None:
        """Starts nothing more and waits for what is out, which may have been paid for. Raises Stopped."""
        signals.catch()
        self.pool.end()
        if self.pool.in_flight:
            self.stderr.note(f"finishing {self.pool.in_flight} in flight; Ctrl-C again stops at once")
        self.pool.wait()

    def _abandon(self) -> None:
        with suppress(LlamaError, OSError):
            self._close(False)

    def _close(self, is_complete: bool) -> None:
        self.stderr.clear_status()
        self.pool.close()
        self._sink.finish(is_complete)
        self.client.close()

    @property
    def _is_complete(self) -> bool:
        return self._all_read and self._rows_made == self._tasks_made

    def _tasks(self) -> Iterator[BatchTask]:
        """Yields what is to be asked, in the order of the input."""
        number, shards = self.limits.shard or (1, 1)
        for item in self._items:
            is_ours = item.index % shards == number - 1
            if not is_ours and not self._journal:
                continue
            body, digest, fault = self._make_task(item)
            if digest and self._journal and (has_failed := self._journal.reuse(item, digest)) is not None:
                self.stats.add_reused(has_failed)
            elif is_ours:
                yield BatchTask(self._tasks_made, item, body, digest, fault)
                self._tasks_made += 1
        self._all_read = True

    def _make_task(self, item: Item) -> tuple[dict[str, Any], str | None, LlamaError | None]:
        try:
            body = self._reader.build_item_body(item, self._builder.build_body(item))
        except LlamaError as fault:
            return {}, None, fault
        return body, request_digest(body, self._reader.extracts) if self._sink.shows_keys else None, None

    def _work(self, task: BatchTask) -> None:
        """Asks one item and writes its row. Raises Ended where the batch ends before there is one."""
        exchange = Worker(self, task.order, task.item.index)
        shaped, fault = None, task.error
        if not fault:
            try:
                shaped = self._reader.run(task.body, exchange)
                fault = shaped.error
            except LlamaError as error:
                fault = error
        told = self.stderr.redacted(str(fault))
        completion, parts = (shaped.completion, shaped.row_fields) if shaped else (None, {})
        made = row(task.item, task.key, completion, parts, fault, told, exchange.seconds, exchange.attempts)
        self._sink.put(task.order, made)
        with self._lock:
            self._rows_made += 1
            self.stats.add_row(made)
        if fault and self.limits.fail_fast:
            self.stop(LlamaError(ExitStatus.FAILED, f"item {task.item.index} failed: {told}", "--fail-fast ended it"))

    def add_cost(self, usd: float | None) -> None:
        """Takes note of what an answer cost, None where the server does not tell, and ends what it must end."""
        limit = self.limits.max_cost
        with self._lock:
            self.stats.add_cost(usd)
            spent = self.stats.cost or 0
        if limit is None:
            return
        if usd is None:
            what = "the server tells no cost, so that --max-cost cannot be kept"
            self.stop(LlamaError(ExitStatus.USAGE, what, "go on without it"))
        elif spent >= limit:
            self.stop(LlamaError(ExitStatus.FAILED, f"--max-cost {limit:g} USD is spent"))

    def stop(self, reason: LlamaError) -> None:
        """Starts nothing more; the first reason is the one that is told."""
        with self._lock:
            self._reason = self._reason or reason
        self.pool.end()

    def _conclude(self, stopped: Stopped | None) -> None:
        """Says how it went. Raises what the program ends with where that is not 0."""
        summary = self.stats.summary()
        if stopped:
            self.stderr.note(summary)
            raise stopped
        if self._reason and not self._is_complete:
            self.stderr.note(summary)
            raise self._reason.add_hint("--resume asks for the rest") if self._journal else self._reason
        if self._journal and self._journal.orphans:
            self.stderr.note(
                f"{self._journal.orphans} rows of no item in this input are in {self._journal.orphans_path}"
            )
        if self.stats.failed:
            todo = "see each one's error"
            if self._journal:
                again = "--resume asks again for those that may go better"
                todo = again if self.stats.passing else "--retry-failed asks again for all of them"
            raise LlamaError(ExitStatus.FAILED, summary, todo)
        self.stderr.note(summary)

    def _state(self) -> ProgressState:
        tally, read, share = self.stats, self._items.count, self._items.share
        finished = self._rows_made + tally.kept_count
        total = read / share if share else None
        # What was kept took no time, and says nothing of the rate.
        rate = self._rows_made / max(time.monotonic() - tally.started, 0.001)
        left = (total - finished) / rate if total and rate else None
        return ProgressState(
            finished / total if total else None, tally.answered, tally.failed, tally.retries, tally.cost, left
        )


def _allow_descriptors(jobs: int) -> None:
    """Raises the limit of open files, 256 on some systems, where so many connections want more."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * jobs + 64
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
