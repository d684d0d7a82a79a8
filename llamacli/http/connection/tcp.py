"""Opens TCP connections: the name and all of its addresses within one limit of time."""

import queue
import socket
import threading
import time
from contextlib import suppress
from typing import Any

#: What getaddrinfo returns.
Address = tuple[int, int, int, str, Any]


class Socket(socket.socket):
    """A socket that asks nothing of the system where a timeout stays as it is: urllib3 sets three for each request."""

    def settimeout(self, value: float | None) -> None:
        if value != self.gettimeout():
            super().settimeout(value)


def connect(host: str, port: int, seconds: float, options: Any = ()) -> socket.socket:
    """Connects to the first address that answers, all within so many seconds.

    Each address has its share of the time, so that one dead address (IPv6, often)
    leaves some for the next. Raises OSError, TimeoutError where the time is up.
    """
    deadline = time.monotonic() + seconds
    addresses = _resolve(host, port, seconds)
    failure: OSError = TimeoutError()
    for tried, (family, kind, protocol, _, address) in enumerate(addresses):
        share = (deadline - time.monotonic()) / (len(addresses) - tried)
        if share <= 0:
            break
        sock = Socket(family, kind, protocol)
        try:
            for option in options or ():
                sock.setsockopt(*option)
            sock.settimeout(share)
            sock.connect(address)
            return sock
        except OSError as error:
            failure = error
            sock.close()
    if isinstance(failure, TimeoutError):
        raise TimeoutError(f"no connection within {seconds:g} s")
    raise failure


def _resolve(host: str, port: int, seconds: float) -> list[Address]:
    """Looks a name up, in a thread of its own: nothing else can end a getaddrinfo, neither a clock nor Ctrl-C."""
    with suppress(OSError, UnicodeError):
        # An address needs no looking up.
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    answer: queue.SimpleQueue[list[Address] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answer.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except UnicodeError:
            answer.put(OSError(f"{host} is no host name"))
        except Exception as error:
            # Lack of memory too is the caller's to tell.
            answer.put(error)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        found = answer.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"the name was not found within {seconds:g} s") from None
    if isinstance(found, Exception):
        raise found
    return found
