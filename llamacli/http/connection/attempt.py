"""One attempt at a call: how far it got, and its deadlines."""

import os
import socket
import time
from contextlib import suppress

from llamacli.http.connection.timer import TIMERS


class Attempt:
    """How far one call got. Whether a failed call may be repeated, and its exit status, follow from it.

    Times are in seconds: for connecting (name, addresses, proxy and TLS together), for
    a silence of the server, and for all of the call, which may be infinite.
    """

    def __init__(self, connect_timeout: float, read_timeout: float, limit: float) -> None:
        self.connect_timeout, self.read_timeout = connect_timeout, read_timeout
        self.connected = False
        #: The connection is one that an earlier call has left open.
        self.is_reused = False
        #: A byte of the response has come.
        self.begun = False
        #: A clock has ended the call.
        self.was_cut = False
        self._end = time.monotonic() + limit
        self._handle: socket.socket | None = None
        self._kept: socket.socket | None = None
        self._has_alarm = False

    def connecting(self, sock: socket.socket, seconds: float) -> None:
        """Takes note of the call's socket, for which so much time is left to get ready."""
        # TLS takes over the socket's descriptor, hence a duplicate of it.
        self._handle = sock.dup()
        self._schedule_cut(seconds)

    def opened(self, sock: socket.socket) -> None:
        """Takes note of the call's socket, which is ready as it is."""
        self._kept = sock

    def reusing(self, sock: socket.socket) -> None:
        """Takes note that the call goes over a connection that was there already."""
        self.is_reused = True
        self.opened(sock)
        self.ready()

    def ready(self) -> None:
        """Takes note that the connection is there; from now on the limit of the whole call counts."""
        self.connected = True
        self._schedule_cut(float("inf"))

    def finishing(self, seconds: float) -> None:
        """Gives the call so much time to end, and no more than its limit allows."""
        self._schedule_cut(seconds)

    def _schedule_cut(self, seconds: float) -> None:
        left = min(self._end - time.monotonic(), seconds)
        if left == float("inf"):
            self._stop_clock()
            return
        if self._kept and not self._handle:
            # Not before it is needed, which for most calls of a batch is never.
            self._handle = socket.socket(fileno=os.dup(self._kept.fileno()))
        TIMERS.start(self, left, self._cut)
        self._has_alarm = True

    def _stop_clock(self) -> None:
        if self._has_alarm:
            TIMERS.cancel(self)
            self._has_alarm = False

    def _cut(self) -> None:
        self.was_cut = True
        # Taken once, since the other thread may forget it meanwhile.
        if handle := self._handle:
            # Wakes a read in another thread, which closing would not.
            with suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stops the clock and forgets the socket."""
        self._stop_clock()
        self._kept = None
        if self._handle:
            self._handle.close()
            self._handle = None
