"""One attempt at a call, its deadlines, and the thread that enforces them."""

import math
import os
import socket
import time
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue


class Attempt:
    """How far one attempt got.

    This decides whether it may be repeated and what the exit status is. Times are in
    seconds: for connecting (name, addresses, proxy and TLS together), for the server's
    longest silence, and for the whole attempt, which may be infinite.
    """

    def __init__(self, connect_timeout: float, read_timeout: float, limit: float) -> None:
        self.connect_timeout, self.read_timeout = connect_timeout, read_timeout
        #: The request may have reached the server.
        self.connected = False
        #: The connection was left open by an earlier call.
        self.is_reused = False
        #: The first byte of the response has arrived.
        self.begun = False
        #: A deadline has passed, and the connection was shut down.
        self.was_cut = False
        self._end = time.monotonic() + limit
        #: A duplicate of the connection's descriptor, which `shutdown` may use from another thread.
        self._duplicate: socket.socket | None = None
        self._socket: socket.socket | None = None
        self._has_timer = False

    def connecting(self, sock: socket.socket, seconds: float) -> None:
        """Watches a socket that must connect, handshakes included, in time."""
        # TLS takes over the socket's descriptor.
        self._duplicate = sock.dup()
        self._cut_after(seconds)

    def opened(self, sock: socket.socket) -> None:
        """Watches a socket that needs no handshake."""
        self._socket = sock

    def reusing(self, sock: socket.socket) -> None:
        """Watches a connection that an earlier call has opened."""
        self.is_reused = True
        self.opened(sock)
        self.ready()

    def ready(self) -> None:
        """Ends the connect timeout; the limit of the attempt remains."""
        self.connected = True
        self._cut_after(math.inf)

    def finishing(self, seconds: float) -> None:
        """Cuts the attempt after `seconds`, or earlier at its own limit."""
        self._cut_after(seconds)

    def _cut_after(self, seconds: float) -> None:
        left = min(self._end - time.monotonic(), seconds)
        if left == math.inf:
            self._stop_timer()
            return
        if self._socket and not self._duplicate:
            # Only now, since most calls of a batch never need it.
            self._duplicate = socket.socket(fileno=os.dup(self._socket.fileno()))
        TIMERS.start(self, left, self._cut)
        self._has_timer = True

    def _stop_timer(self) -> None:
        if self._has_timer:
            TIMERS.cancel(self)
            self._has_timer = False

    def _cut(self) -> None:
        self.was_cut = True
        # Read once: the other thread may set it to None in the meantime.
        if duplicate := self._duplicate:
            # Wakes a read in another thread, which closing would not.
            with suppress(OSError):
                duplicate.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stops the timer and forgets the socket."""
        self._stop_timer()
        self._socket = None
        if self._duplicate:
            self._duplicate.close()
            self._duplicate = None


class TimerThread:
    """Monotonic timers, one for each owner, in one lazily started thread.

    Requests go through a queue, because a signal in the main thread cannot leave it locked. So a timer that is
    canceled at the last moment may still call back.
    """

    def __init__(self) -> None:
        self._orders: SimpleQueue[tuple[object, float, Callable[[], None]]] = SimpleQueue()
        #: Used only by the thread.
        self._timers: dict[object, tuple[float, Callable[[], None]]] = {}
        self._is_running = allocate_lock()

    def start(self, owner: object, seconds: float, callback: Callable[[], None]) -> None:
        """Calls back after this time; replaces the owner's former timer."""
        self._orders.put((owner, time.monotonic() + seconds, callback))
        self.begin()

    def begin(self) -> None:
        """Starts the thread unless it is running. Raises RuntimeError if the system allows no more threads."""
        if self._is_running.acquire(blocking=False):
            try:
                start_new_thread(self._run, ())
            except BaseException:
                self._is_running.release()
                raise

    def cancel(self, owner: object) -> None:
        """Drops the owner's timer, if there is one."""
        self._orders.put((owner, math.inf, lambda: None))

    def _run(self) -> None:
        try:
            while True:
                self._receive()
                now = time.monotonic()
                for owner in [owner for owner, (time_due, _) in self._timers.items() if time_due <= now]:
                    _, callback = self._timers.pop(owner)
                    # An error of one owner must not stop the timers of the others.
                    with suppress(Exception):
                        callback()
        finally:
            self._is_running.release()

    def _receive(self) -> None:
        """Accepts requests until the next timer is due."""
        # There are no more timers than calls in flight, so searching them all is cheap.
        time_due = min((time_due for time_due, _ in self._timers.values()), default=math.inf)
        timeout = None if time_due == math.inf else max(time_due - time.monotonic(), 0)
        with suppress(Empty):
            while True:
                owner, time_due, callback = self._orders.get(timeout=timeout)
                self._timers.pop(owner, None)
                if time_due < math.inf:
                    self._timers[owner] = time_due, callback
                timeout = 0


TIMERS = TimerThread()
