"""Runs a batch, with shared rate limiting, budget and shutdown."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from llamacli import signals
from llamacli.api.json import JsonObject
from llamacli.api.messages import RequestBody
from llamacli.ask.answers import Answer, AnswerReader
from llamacli.batch.calls.limiter import Limiter
from llamacli.batch.calls.pool import WorkerPool
from llamacli.batch.calls.worker import Worker
from llamacli.batch.input.items import Item, Items, request_digest
from llamacli.batch.options import LimitOptions
from llamacli.batch.output.progress import Bar, Stats, clock
from llamacli.batch.output.rows import Row, RowError, Sink, build_row
from llamacli.errors import ExitStatus, LlamaError, Stopped, UsageError
from llamacli.http.endpoint import Endpoint
from llamacli.http.options import NetworkOptions
from llamacli.http.request import ChatRequest
from llamacli.stdio.stderr import Stderr

if TYPE_CHECKING:
    from llamacli.http.client import Client

#: Seconds to wait for calls in flight after SIGTERM or SIGHUP. SIGKILL may follow soon.
SIGTERM_GRACE_SECONDS = 5.0
#: Maximum seconds for counting the items that are left when a batch ends early.
COUNTING_SECONDS = 5.0


class BatchTask(NamedTuple):
    """An item to ask. `error` is why it cannot be asked."""

    #: The number of the item in this batch, or in its shard, from 0.
    order: int
    item: Item
    body: RequestBody
    key: str | None
    error: LlamaError | None


class BatchRunner:
    """Asks all items. Raises LlamaError unless the status is 0."""

    def __init__(
        self,
        items: Items,
        build_body: Callable[[Item], RequestBody],
        sink: Sink,
        limits: LimitOptions,
        network: NetworkOptions,
        server: Callable[[], Endpoint],
        stderr: Stderr,
        reader: AnswerReader,
    ) -> None:
        self._items, self._build_body, self._sink = items, build_body, sink
        self._item_iterator = iter(items)
        self.limits, self.network, self.stderr = limits, network, stderr
        self.reader = reader
        # With a budget the first call runs alone: a server that reports no cost is asked only once.
        first_alone = limits.max_cost is not None
        limiter = Limiter(limits.jobs, limits.rpm, network.retry_max_time, first_alone)
        _raise_descriptor_limit(limits.jobs)
        self._server, self._client_lock = server, threading.Lock()
        self._client: Client | None = None
        if not reader.cache:
            # Fail now, not once per item, if certificates are missing.
            self._make_client()
        self.pool: WorkerPool[BatchTask] = WorkerPool(limits.jobs, limiter, self._work, lambda: sink.is_full)
        self.stats = Stats()
        self._lock = threading.Lock()
        #: What ended the batch early.
        self._reason: LlamaError | None = None
        #: The number of items that were read, and of those that have a row.
        self._read_count = self._row_count = 0
        self._all_read = self._has_read_error = False

    @property
    def client(self) -> "Client":
        """The client, made for the first request: stored answers need none."""
        with self._client_lock:
            return self._client or self._make_client()

    def _make_client(self) -> "Client":
        # Imported once, by one thread, with all that a call needs.
        import llamacli.http.reply  # noqa: F401
        from llamacli.http.client import Client
        from llamacli.http.connection.attempt import TIMERS

        # Before the workers, which may take all the threads that the system allows.
        TIMERS.begin()
        self._client = Client(self._server(), self.network, self.stderr, connections=self.limits.jobs)
        return self._client

    def run(self) -> None:
        """Asks until something ends it, and writes what was received."""
        self.stderr.show_status(Bar(self._state, self.stderr.is_colored)).start()
        stopped = None
        try:
            try:
                self.pool.run(self._tasks())
            except Stopped as signalled:
                stopped = signalled
                self._finish_in_flight(signalled.number)
        except BaseException:
            # A reader that does not read must not keep a signal from ending the program.
            closing = threading.Thread(target=self._abandon, daemon=True)
            closing.start()
            closing.join(1)
            raise
        self._close(self._is_complete)
        self._conclude(stopped)

    def _finish_in_flight(self, number: int) -> None:
        """Waits for the calls in flight, which may be paid for. Raises Stopped."""
        signals.catch()
        self.pool.end()
        is_interrupt = number == signal.SIGINT
        if self.pool.in_flight and is_interrupt:
            self.stderr.note(f"finishing {self.pool.in_flight} in flight; Ctrl-C again stops at once")
        if not self.pool.wait(None if is_interrupt else SIGTERM_GRACE_SECONDS):
            raise Stopped(number)

    def _abandon(self) -> None:
        with suppress(LlamaError, OSError):
            self._close(False)

    def _close(self, is_complete: bool) -> None:
        self.stderr.clear_status()
        self.pool.close()
        self._sink.finish(is_complete, None if is_complete else self._count_items())
        if self._client:
            self._client.close()
        if self.reader.cache:
            self.reader.cache.prune()

    def _count_items(self) -> int:
        """Counts the whole input if that is quick, else what was read."""
        end = time.monotonic() + COUNTING_SECONDS
        if not self._all_read and not self._has_read_error and self._items.is_finite and self.pool.stops_reading():
            with suppress(LlamaError):
                for item in self._item_iterator:
                    self._read_count += self._is_ours(item)
                    if time.monotonic() > end:
                        return self._read_count
                self._all_read = True
        return self._read_count

    @property
    def _is_complete(self) -> bool:
        return self._all_read and self._row_count == self._read_count

    def _is_ours(self, item: Item) -> bool:
        number, shards = self.limits.shard or (1, 1)
        return item.index % shards == number - 1

    def _tasks(self) -> Iterator[BatchTask]:
        try:
            for item in self._item_iterator:
                is_ours = self._is_ours(item)
                if not is_ours and not self._sink.can_resume:
                    continue
                order = self._read_count
                self._read_count += is_ours
                body, key, error = self._build_request(item)
                row = self._sink.reuse(order, item, key, is_ours) if key else None
                if row:
                    with self._lock:
                        if is_ours:
                            self._row_count += 1
                        self.stats.add_reused(row)
                elif is_ours:
                    yield BatchTask(order, item, body, key, error)
            self._all_read = True
        except LlamaError as error:
            # Calls in flight are still finished, and their answers kept.
            self._has_read_error = True
            self.stop(error)

    def _build_request(self, item: Item) -> tuple[JsonObject, str | None, LlamaError | None]:
        try:
            body = self._build_body(item)
        except LlamaError as error:
            return {}, None, error
        return body, request_digest(body, self.reader) if self._sink.needs_keys else None, None

    def _work(self, task: BatchTask) -> None:
        """Asks an item and writes its row. Raises BatchEnded."""
        worker = Worker(self, task.order, task.item.index)
        answer, error = None, task.error
        if not error:
            try:
                self._sink.check(task.item)
                answer = self.reader.read(ChatRequest(task.body), worker.send)
                error = answer.error
            except LlamaError as failure:
                if failure.status == ExitStatus.OUTPUT:
                    self.stop(failure)
                    return
                error = failure
        completion, replacements = (answer.completion, self._row_fields(answer)) if answer else (None, {})
        row_error: RowError | None = None
        if error:
            row_error = {"status": int(error.status), "message": self.stderr.redacted(str(error))}
        row = build_row(task.item, task.key, completion, replacements, row_error, worker)
        row = self._sink.put(task.order, task.item, row)
        with self._lock:
            self._row_count += 1
            self.stats.add_row(row)
        if row["error"] and row["error"]["status"] == ExitStatus.OUTPUT:
            # The disk may be full: the next file could not be written either.
            self.stop(LlamaError(ExitStatus.OUTPUT, row["error"]["message"]))
        elif row["error"] and self.limits.fail_fast:
            message = f"item {task.item.index} failed: {row['error']['message']}"
            self.stop(LlamaError(ExitStatus.FAILED, message, "stopped by --fail-fast"))

    def _row_fields(self, answer: Answer) -> Row:
        fields: Row = {"usage": answer.usage or None}
        if self.reader.has_format:
            values = answer.values or [None]
            fields["content"] = values if len(values) > 1 else values[0]
        if self.reader.validation:
            fields["tool_calls"] = None
        return fields

    def add_cost(self, usd: float | None) -> None:
        """Records a cost, None if unknown; ends the batch at --max-cost."""
        limit = self.limits.max_cost
        with self._lock:
            self.stats.add_cost(usd)
            spent = self.stats.cost or 0
        if limit is None:
            return
        if usd is None:
            self.stop(UsageError("--max-cost: the server reports no cost", "run without --max-cost"))
        elif spent >= limit:
            self.stop(LlamaError(ExitStatus.FAILED, f"the budget of --max-cost {limit:g} USD is spent"))

    def stop(self, reason: LlamaError) -> None:
        """Starts nothing more. The first reason is reported."""
        with self._lock:
            self._reason = self._reason or reason
        self.pool.end()

    def _conclude(self, stopped: Stopped | None) -> None:
        """Prints the summary, and raises the error to end with, if any."""
        left = self._read_count - self._row_count if self._all_read else None
        summary = self.stats.summary(left) if self._read_count else "there are no items; nothing was asked"
        if stopped:
            self.stderr.note(summary + ("; --resume asks for the rest" if self._sink.can_resume else ""))
            raise stopped
        if self._reason and (not self._is_complete or self._reason.status == ExitStatus.OUTPUT):
            if self._read_count:
                self.stderr.note(summary)
            raise self._reason.add_hint("--resume asks for the rest") if self._sink.can_resume else self._reason
        orphans, path = self._sink.orphans
        if orphans:
            self.stderr.note(f"answers that match no item, moved to {path}: {orphans}")
        if self.stats.failed:
            hint = ""
            if self._sink.can_resume:
                hint = "--resume asks for the rest" if self.stats.resumable else "--retry-failed asks for them again"
            raise LlamaError(ExitStatus.FAILED, summary, hint)
        self.stderr.note(summary)

    def _state(self, seconds: float) -> tuple[float | None, str]:
        """Returns the share of the items that is done, None if unknown, and the text beside the bar."""
        stats, share = self.stats, self._items.share
        done, total, estimate = self._row_count, self._items.total, ""
        if self._all_read or total is not None:
            total = self._read_count if self._all_read else total
        elif share and self._read_count:
            total, estimate = round(self._read_count / share), "~"
        answered = max(done - stats.failed, 0)
        parts = [f"{answered + stats.failed}/{estimate}{max(total, done)} done" if total else f"{answered} done"]
        if stats.failed:
            parts.append(f"{stats.failed} failed")
        if stats.retries:
            parts.append(f"{stats.retries} retries")
        if answered:
            parts.append(f"{answered / seconds:.1f}/s")
        if stats.cost is not None:
            parts.append(f"${stats.cost:.4f}")
        # What an earlier call saved took no time, and says nothing about the rate.
        rate = (done - stats.reused) / max(time.monotonic() - stats.started, 0.001)
        if total and rate > 0:
            parts.append(f"{clock(max(total - done, 0) / rate)} left")
        return min(done / total, 1.0) if total else None, ", ".join(parts)


def _raise_descriptor_limit(jobs: int) -> None:
    """Raises the limit of open files, 256 on some systems, if necessary."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * jobs + 64
    if soft != resource.RLIM_INFINITY and soft < needed:
        limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
