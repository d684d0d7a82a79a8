"""The worker threads of a batch, and the slots that they share."""

import heapq
import math
import threading
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable, Iterator
from itertools import count
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Generic, TypeVar

from llamacli.batch.calls.limiter import Limiter

Task = TypeVar("Task")

#: The name of the thread that reads the tasks. It cannot be stopped while it waits for input.
READER_THREAD = "reader"


class BatchEnded(BaseException):
    """Raised in threads that wait for a slot when the batch ends."""


class _Over:
    """The event that all tasks are done."""


class _Waiter:
    """A thread that waits for a slot; the lowest order is first."""

    def __init__(self, order: int, number: int) -> None:
        self.rank = order, number
        self.is_granted = False
        self.gate = allocate_lock()
        self.gate.acquire()

    def __lt__(self, other: "_Waiter") -> bool:
        return self.rank < other.rank


class WorkerPool(Generic[Task]):
    """Runs tasks in worker threads.

    A reader thread reads only a few tasks ahead. A worker needs a slot for each call,
    and there are as many slots as parallel calls. While a worker waits to retry, it has
    no slot, and another worker can use it. A free slot goes to the earliest task that
    waits, so no task waits forever.
    """

    def __init__(self, jobs: int, limiter: Limiter, work: Callable[[Task], None], is_full: Callable[[], bool]) -> None:
        self.jobs, self.limiter = jobs, limiter
        self._work, self._is_full = work, is_full
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._todo: SimpleQueue[Task | None] = SimpleQueue()
        self._events: SimpleQueue[BaseException | type[_Over]] = SimpleQueue()
        self._waiting: list[_Waiter] = []
        self._numbers = count()
        #: When the next waiting thread may start, and the condition that reports a change of it.
        self._alarm = math.inf
        self._alarm_set = threading.Condition(self._lock)
        self._reader: threading.Thread | None = None
        self._ending = threading.Event()
        self._threads = self._sleeping = self._outstanding = 0
        self._read_all = False
        self.in_flight = 0

    def run(self, tasks: Iterator[Task]) -> None:
        """Runs all tasks. Raises what a task raises, or Stopped."""
        # Before the workers, which may take all the threads that the system allows.
        start_new_thread(self._keep_time, ())
        self._reader = threading.Thread(target=self._read, args=(tasks,), name=READER_THREAD, daemon=True)
        self._reader.start()
        self.wait()

    def stops_reading(self) -> bool:
        """True once no more tasks are read. Call it while the pool ends."""
        if self._reader:
            self._reader.join(1)
        return not (self._reader and self._reader.is_alive())

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for the tasks; False if they take longer than `timeout`."""
        # A signal can interrupt this thread anywhere, so it must not hold a lock or change shared data.
        end = None if timeout is None else monotonic() + timeout
        while True:
            try:
                event = self._events.get(timeout=None if end is None else max(0.0, end - monotonic()))
            except Empty:
                return False
            if event is _Over:
                return True
            if isinstance(event, BaseException):
                raise event

    def end(self) -> None:
        """Starts no more calls. Calls in flight continue."""
        with self._lock:
            self._ending.set()
            waiting, self._waiting = self._waiting, []
            for waiter in waiting:
                waiter.gate.release()
            self._room.notify()
            self._alarm_set.notify()
            self._check_over()

    @property
    def is_ending(self) -> bool:
        return self._ending.is_set()

    def close(self) -> None:
        """Ends the threads."""
        self.end()
        for _ in range(self._threads):
            self._todo.put(None)

    def _read(self, tasks: Iterator[Task]) -> None:
        try:
            for task in tasks:
                with self._lock:
                    # Read one task per job ahead, then wait until half of them are taken.
                    if self._outstanding >= 2 * self.jobs + self._replaced or self._is_full():
                        self._room.wait_for(self._has_room)
                    if self.is_ending:
                        break
                    self._outstanding += 1
                    self._begin_thread()
                self._todo.put(task)
        except BaseException as error:
            self._events.put(error)
        with self._lock:
            self._read_all = True
            self._check_over()

    def _has_room(self) -> bool:
        low = self.jobs + self.jobs // 2 + self._replaced
        return self.is_ending or (self._outstanding <= low and not self._is_full())

    @property
    def _replaced(self) -> int:
        """The number of sleeping threads for which another thread runs."""
        return min(self._sleeping, 4 * self.jobs)

    def _begin_thread(self) -> None:
        if self._threads - self._replaced < self.jobs:
            try:
                start_new_thread(self._serve, ())
            except RuntimeError:
                # The system allows no more threads: those that run do all the work.
                if not self._threads:
                    raise
            else:
                self._threads += 1

    def _serve(self) -> None:
        while (task := self._todo.get()) is not None:
            try:
                self._work(task)
            except BatchEnded:
                pass
            except BaseException as error:
                self._events.put(error)
                return
            with self._lock:
                self._outstanding -= 1
                if self._has_room():
                    self._room.notify()
                self._check_over()

    def _check_over(self) -> None:
        if self._outstanding == 0 and (self._read_all or self.is_ending):
            self._events.put(_Over)

    def acquire(self, order: int) -> float:
        """Waits for a slot and returns the time. Raises BatchEnded."""
        with self._lock:
            if self.is_ending:
                raise BatchEnded
            waiter = _Waiter(order, next(self._numbers))
            heapq.heappush(self._waiting, waiter)
            self._grant()
        waiter.gate.acquire()
        if not waiter.is_granted:
            raise BatchEnded
        return monotonic()

    def _grant(self) -> None:
        """Gives free slots to waiting threads, and sets the alarm for the next."""
        now = monotonic()
        while self._waiting:
            ready_at = self.limiter.ready_at(self.in_flight, now)
            if ready_at > now:
                if ready_at < self._alarm:
                    self._alarm = ready_at
                    self._alarm_set.notify()
                return
            waiter = heapq.heappop(self._waiting)
            self.in_flight += 1
            self.limiter.started(now)
            waiter.is_granted = True
            waiter.gate.release()

    def _keep_time(self) -> None:
        """Grants slots when their time comes.

        This thread does it because signals can interrupt the main thread.
        """
        with self._lock:
            while not self.is_ending:
                left = self._alarm - monotonic()
                if left > 0:
                    self._alarm_set.wait(min(left, 3600))
                else:
                    self._alarm = math.inf
                    self._grant()

    def release(self, succeeded: bool = False) -> None:
        """Returns a slot to the pool."""
        with self._lock:
            self.in_flight -= 1
            if succeeded:
                self.limiter.succeeded()
            self._grant()

    def throttled(self, started: float, retry_after: float | None) -> bool:
        """Returns a slot after a 429 or 503; False to stop the batch."""
        with self._lock:
            self.in_flight -= 1
            is_worthwhile = self.limiter.throttled(self.in_flight, started, monotonic(), retry_after)
            self._grant()
        return is_worthwhile

    def should_continue(self) -> bool:
        """Records a failure. Returns False if the batch should stop."""
        with self._lock:
            return self.limiter.should_continue(now := monotonic(), now)

    def counts(self) -> tuple[int, int]:
        """Returns the number of successes and of rejections so far."""
        return self.limiter.successes, self.limiter.rejections

    def has_just_succeeded(self) -> bool:
        """True if nothing has failed since the latest success."""
        return self.limiter.has_just_succeeded

    def sleep(self, seconds: float) -> None:
        """Waits without holding a slot. Raises BatchEnded."""
        with self._lock:
            self._sleeping += 1
            self._room.notify()
            if not self._todo.empty():
                self._begin_thread()
        ended = self._ending.wait(min(seconds, threading.TIMEOUT_MAX))
        with self._lock:
            self._sleeping -= 1
        if ended:
            raise BatchEnded
