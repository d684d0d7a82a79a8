"""Calls back when a time is up: one thread for all that wait, begun with the first of them."""

import math
import threading
import time
from _thread import start_new_thread
from collections.abc import Callable


class Clock:
    """Alarms by the monotonic clock, each known by an object of its owner's. Seconds may be infinite: none, then."""

    def __init__(self) -> None:
        # Taken itself and not by way of the condition, whose Python code a signal could leave with the lock taken.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._alarms: dict[object, tuple[float, Callable[[], None]]] = {}
        self._wakes_at = math.inf
        self._is_running = False

    def set(self, owner: object, seconds: float, act: Callable[[], None]) -> None:
        """Has `act` called in so many seconds, in place of what the owner has asked for before. It must not wait."""
        at = time.monotonic() + seconds
        with self._lock:
            self._alarms.pop(owner, None)
            if at == math.inf:
                return
            self._alarms[owner] = at, act
            if not self._is_running:
                # threading's own way waits for the thread to begin, which a signal must not break off in here.
                start_new_thread(self._run, ())
                self._is_running = True
            elif at < self._wakes_at:
                self._changed.notify()

    def drop(self, owner: object) -> None:
        """Calls nothing: once this has returned, what was asked for has been called or will never be."""
        with self._lock:
            self._alarms.pop(owner, None)

    def _run(self) -> None:
        with self._lock:
            while True:
                now = time.monotonic()
                for owner in [owner for owner, (at, _) in self._alarms.items() if at <= now]:
                    self._alarms.pop(owner)[1]()
                # There are no more of them than calls in flight.
                self._wakes_at = min((at for at, _ in self._alarms.values()), default=math.inf)
                self._changed.wait(None if self._wakes_at == math.inf else self._wakes_at - now)


CLOCK = Clock()
