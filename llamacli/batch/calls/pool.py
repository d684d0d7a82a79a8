"""Many calls at once: the threads of a batch, the slots that they share, and how all of it ends."""

import heapq
import math
import threading
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Generic, TypeVar

from llamacli.batch.calls.limiter import Limiter

Task = TypeVar("Task")


#: The name of the thread that reads the tasks, which nothing can end while it waits for one.
READER_THREAD = "reader"


class BatchEnded(BaseException):
    """The batch starts nothing more: what waits for a slot gives up."""


class _Over:
    """The last event: everything is done."""


class _Waiter:
    """A thread that waits for a slot: the lowest order is the first one, and who came first among equals."""

    def __init__(self, order: int, number: int) -> None:
        self.rank = order, number
        self.is_granted = False
        self.gate = allocate_lock()
        self.gate.acquire()

    def __lt__(self, other: "_Waiter") -> bool:
        return self.rank < other.rank


class WorkerPool(Generic[Task]):
    """Works on tasks in threads, each task from its beginning to its end in one of them.

    Tasks are read by a thread of their own, and not many ahead. What the threads share
    is slots, each of which is leave to have one call in flight: a thread that waits for
    its next try holds none, and another one takes over. Where slots are rare the lowest
    task goes first, so that none starves.
    """

    def __init__(self, jobs: int, limiter: Limiter, work: Callable[[Task], None], is_full: Callable[[], bool]) -> None:
        self.jobs, self.limiter = jobs, limiter
        self._work, self._is_full = work, is_full
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._todo: SimpleQueue[Task | None] = SimpleQueue()
        self._events: SimpleQueue[BaseException | type[_Over] | None] = SimpleQueue()
        self._waiting: list[_Waiter] = []
        self._numbers = count()
        self._alarm = math.inf
        self._ending = threading.Event()
        self._threads = self._sleeping = self._outstanding = 0
        self._read_all = False
        self.in_flight = 0

    def run(self, tasks: Iterator[Task]) -> None:
        """Works on all tasks. Raises what was raised there, or Stopped, after which `wait` may go on."""
        threading.Thread(target=self._read, args=(tasks,), name=READER_THREAD, daemon=True).start()
        self.wait()

    def wait(self) -> None:
        """Waits until all is done that was begun. Raises what was raised in a thread."""
        while True:
            event: BaseException | type[_Over] | None = None
            with suppress(Empty):
                timeout = None if self._alarm == math.inf else max(0.0, self._alarm - monotonic())
                event = self._events.get(timeout=timeout)
            if event is _Over:
                return
            if isinstance(event, BaseException):
                raise event
            if monotonic() >= self._alarm:
                with self._lock:
                    self._alarm = math.inf
                    self._grant()

    def end(self) -> None:
        """Starts nothing more: what is in flight is finished, what waits is given up."""
        with self._lock:
            self._ending.set()
            waiting, self._waiting = self._waiting, []
            for waiter in waiting:
                waiter.gate.release()
            self._room.notify()
            self._check_over()

    @property
    def is_ending(self) -> bool:
        return self._ending.is_set()

    def close(self) -> None:
        """Lets the threads go."""
        self.end()
        for _ in range(self._threads):
            self._todo.put(None)

    def _read(self, tasks: Iterator[Task]) -> None:
        try:
            for task in tasks:
                with self._lock:
                    # Read ahead by one task a job, then nothing until half of that is used up.
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
        """How many threads sleep and have another one work in their place."""
        return min(self._sleeping, 4 * self.jobs)

    def _begin_thread(self) -> None:
        if self._threads - self._replaced < self.jobs:
            self._threads += 1
            start_new_thread(self._serve, ())

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
        """Waits for a slot, lowest order first, and returns when it came (monotonic seconds). Raises BatchEnded."""
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
        """Lets those in who may start now, and sets the alarm for the first one who may start later."""
        now = monotonic()
        while self._waiting:
            ready_at = self.limiter.ready_at(self.in_flight, now)
            if ready_at > now:
                if ready_at < self._alarm:
                    self._alarm = ready_at
                    # Wakes the main thread, which keeps the time.
                    self._events.put(None)
                return
            waiter = heapq.heappop(self._waiting)
            self.in_flight += 1
            self.limiter.started(now)
            waiter.is_granted = True
            waiter.gate.release()

    def release(self, succeeded: bool = False) -> None:
        """Gives a slot back."""
        with self._lock:
            self.in_flight -= 1
            if succeeded:
                self.limiter.succeeded()
            self._grant()

    def throttled(self, started: float, after: float | None) -> bool:
        """Gives a slot back that came at `started`, after a 429 or 503; tells whether it is worth going on."""
        with self._lock:
            self.in_flight -= 1
            is_hopeful = self.limiter.throttled(self.in_flight, started, monotonic(), after)
            self._grant()
        return is_hopeful

    def should_continue(self) -> bool:
        """Takes note of a failure, and tells whether it is worth going on."""
        with self._lock:
            return self.limiter.should_continue(now := monotonic(), now)

    def sleep(self, seconds: float) -> None:
        """Waits without a slot. Raises BatchEnded."""
        with self._lock:
            self._sleeping += 1
            self._room.notify()
            if not self._todo.empty():
                self._begin_thread()
        ended = self._ending.wait(seconds)
        with self._lock:
            self._sleeping -= 1
        if ended:
            raise BatchEnded
