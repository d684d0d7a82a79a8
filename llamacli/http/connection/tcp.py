"""Opens TCP connections, and finds out whether they lead to a proxy."""

import os
import queue
import re
import socket
import sys
import threading
import time
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.endpoint import is_localhost, is_loopback
from llamacli.stdio.stderr import Stderr

#: What getaddrinfo returns.
Address = tuple[int, int, int, str, Any]


class Socket(socket.socket):
    """A socket that makes no system call to set the timeout that it already has."""

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
            # The system may lack an address family, usually IPv6.
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
    try:
        threading.Thread(target=look_up, daemon=True).start()
    except RuntimeError:
        # The system allows no more threads.
        look_up()
    try:
        result = answer.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no address for the name within {seconds:g} s") from None
    if isinstance(result, Exception):
        raise result
    return result


PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
#: User and password, host, port.
PROXY_NETLOC = r"(?:(?P<user>[!-~]*)@)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?"


def has_any_proxy() -> bool:
    """True if the environment names a proxy; cheaper than requests."""
    if sys.platform == "darwin":
        from urllib.request import getproxies

        return bool(getproxies().keys() - {"no"})
    names = [name.lower() for name, value in os.environ.items() if value]
    return any(name.endswith("_proxy") and name != "no_proxy" for name in names)


class Proxy:
    """The proxy for a URL; `host` is None without one."""

    def __init__(self, url: str, stderr: Stderr) -> None:
        """Looks it up.

        Raises LlamaError (network) if it is malformed, without showing what may be a password.
        """
        self.host: str | None = None
        self.proxies: dict[str, str] = {}
        # requests would send even localhost, and the key with it, to a proxy.
        proxy = None if is_loopback(url) else _look_up(url)
        if not proxy:
            return
        proxy_url = proxy if "://" in proxy else f"http://{proxy}"
        try:
            parts = urlsplit(proxy_url)
            self.host = parts.hostname
            match = re.fullmatch(PROXY_NETLOC, parts.netloc)
            # urlsplit drops line breaks.
            is_printable = re.fullmatch(r"[!-~]+", proxy_url)
            is_valid = is_printable and parts.scheme in PROXY_SCHEMES and (parts.port is None or parts.port > 0)
        except ValueError:
            is_valid = match = None
        if not match or not is_valid:
            scheme = urlsplit(url).scheme
            raise LlamaError(
                ExitStatus.NETWORK, f"invalid proxy URL for {scheme}", f"check {scheme}_proxy, or all_proxy"
            )
        if match["user"]:
            stderr.redact(match["user"])
        self.proxies = {"all": proxy_url}


def _look_up(url: str) -> str | None:
    from urllib.request import getproxies, proxy_bypass

    parts, proxies = urlsplit(url), getproxies()
    host, port = (parts.hostname or "").rstrip("."), parts.port or (443 if parts.scheme == "https" else 80)
    if proxy_bypass(host) or any(_is_exempt(host, port, entry) for entry in re.split(r"[\s,]+", proxies.get("no", ""))):
        return None
    return proxies.get(parts.scheme) or proxies.get("all")


def _is_exempt(host: str, port: int, entry: str) -> bool:
    """True if an entry of no_proxy covers a host.

    As in curl and Go it may be a name, which includes its subdomains, an address or a network, with a port.
    """
    if match := re.fullmatch(r"(\[.*\]|[^:]*):(\d{1,5})", entry):
        entry = match[1]
        if int(match[2]) != port:
            return False
    # `*.example`, `.example`, `example.` and `[::1]`.
    entry = re.sub(r"^\*?\.|\.$|[][]", "", entry.lower())
    if entry == "*" or f".{host}".endswith(f".{entry}" if entry else " "):
        return True
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        return False
