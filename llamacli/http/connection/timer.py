"""Calls back when a time is up: one thread for all that wait, begun with the first of them."""

import math
import time
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue


class TimerThread:
    """Alarms by the monotonic clock, each known by an object of its owner's.

    What is asked for goes through a queue, which a signal in the main thread cannot
    leave locked; hence an alarm may still ring that was dropped at that very moment.
    """

    def __init__(self) -> None:
        self._asked: SimpleQueue[tuple[object, float, Callable[[], None]]] = SimpleQueue()
        #: Of the clock's thread alone.
        self._alarms: dict[object, tuple[float, Callable[[], None]]] = {}
        self._is_running = allocate_lock()

    def start(self, owner: object, seconds: float, act: Callable[[], None]) -> None:
        """Has `act` called in so many seconds, in place of what the owner has asked for before. It must not wait."""
        self._asked.put((owner, time.monotonic() + seconds, act))
        if self._is_running.acquire(blocking=False):
            try:
                start_new_thread(self._run, ())
            except BaseException:
                self._is_running.release()
                raise

    def cancel(self, owner: object) -> None:
        """Has nothing called for an owner any more."""
        self._asked.put((owner, math.inf, lambda: None))

    def _run(self) -> None:
        try:
            while True:
                self._listen()
                now = time.monotonic()
                for owner in [owner for owner, (at, _) in self._alarms.items() if at <= now]:
                    _, act = self._alarms.pop(owner)
                    # No owner's fault may stop the clock of the others.
                    with suppress(Exception):
                        act()
        finally:
            self._is_running.release()

    def _listen(self) -> None:
        """Takes note of all that has been asked for, and waits for that until the next alarm."""
        # There are no more of them than calls in flight.
        at = min((at for at, _ in self._alarms.values()), default=math.inf)
        wait = None if at == math.inf else max(at - time.monotonic(), 0)
        with suppress(Empty):
            while True:
                owner, at, act = self._asked.get(timeout=wait)
                self._alarms.pop(owner, None)
                if at < math.inf:
                    self._alarms[owner] = at, act
                wait = 0


TIMERS = TimerThread()
