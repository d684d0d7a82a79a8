"""Opens TCP connections: name and addresses within one timeout."""

import queue
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from llamacli.http.request import is_localhost

#: What getaddrinfo returns.
Address = tuple[int, int, int, str, Any]


class Socket(socket.socket):
    """A socket that makes no system call if its timeout is unchanged.

    urllib3 sets the timeout three times per request.
    """

    def settimeout(self, value: float | None) -> None:
        if value != self.gettimeout():
            super().settimeout(value)


def connect(host: str, port: int, seconds: float, options: Any = ()) -> socket.socket:
    """Connects to the first address that answers within `seconds`.

    Each address has its share of the time, so that a dead one (often IPv6) leaves some
    for the next. Raises OSError, TimeoutError once the time is up.
    """
    deadline = time.monotonic() + seconds
    addresses = resolve(host, port, seconds)
    failure: OSError = TimeoutError()
    for position, (family, kind, protocol, _, address) in enumerate(addresses):
        share = (deadline - time.monotonic()) / (len(addresses) - position)
        if share <= 0:
            break
        try:
            sock = Socket(family, kind, protocol)
        except OSError as error:
            # The system may lack a family: IPv6, mostly.
            failure = error
            continue
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


def resolve(host: str, port: int, seconds: float) -> list[Address]:
    """Returns the addresses of a name.

    Raises OSError, TimeoutError once the time is up.

    localhost and all names under it are this machine's own, as in curl (RFC 6761,
    6.3): a name server that says otherwise would be sent the key unencrypted.
    """
    if is_localhost(host):
        stream = socket.SOCK_STREAM, socket.IPPROTO_TCP, ""
        return [(socket.AF_INET6, *stream, ("::1", port)), (socket.AF_INET, *stream, ("127.0.0.1", port))]
    # Bytes, since a text would import encodings.idna. Every URL that gets here is ASCII.
    name = host.encode("ascii", "replace")
    with suppress(OSError):
        # An address needs no look-up.
        return list(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    answer: queue.SimpleQueue[list[Address] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answer.put(list(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)))
        except Exception as error:
            # The caller reports a lack of memory too.
            answer.put(error)

    # In a thread of its own, since neither a timeout nor Ctrl-C can end getaddrinfo.
    threading.Thread(target=look_up, daemon=True).start()
    try:
        result = answer.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no address for the name within {seconds:g} s") from None
    if isinstance(result, Exception):
        raise result
    return result
