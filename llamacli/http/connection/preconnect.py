"""A connection that is opened before the request is ready."""

import os
import socket
from _thread import start_new_thread
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from llamacli.http.connection import tcp

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

    from llamacli.http.connection.tls import Context


class OpenConnection(NamedTuple):
    """A connection that is ready for a request. `is_verified`: as urllib3's connections say it of themselves."""

    sock: socket.socket
    is_verified: bool
    settings: tuple[object, ...]


class Preconnect:
    """A connection that is being opened in a thread of its own, for one request to take. Close it in any case.

    An error is kept for the request, which raises it where connecting would have;
    where there is no request, nobody hears of it. Times are in seconds.
    """

    def __init__(self, url: str, seconds: float) -> None:
        parts = urlsplit(url)
        self.is_tls = parts.scheme == "https"
        self.host, self.port = parts.hostname or "", parts.port or (443 if self.is_tls else 80)
        #: The certificates to trust, where `secure` was called.
        self.bundle: str | None = None
        self._context: Future[Context | None] = Future()
        self._is_imported: Future[None] = Future()
        self._handle: Future[socket.socket] = Future()
        self._opened: Future[OpenConnection] = Future()
        self._is_taken = False
        start_new_thread(self._open, (seconds,))

    def secure(self, bundle: str | None) -> None:
        """Imports what a handshake needs, and lets it begin. No bundle is requests' own."""
        import certifi

        from llamacli.http.connection import tls

        self.bundle = bundle or certifi.where()
        # In parallel with what follows, since it takes as long and leaves Python's lock alone.
        start_new_thread(lambda: self._context.set_result(tls.trusting(self.bundle or "")), ())
        # Not in the thread: two that import parts of one package at once get in each other's way.
        import urllib3.connection  # noqa: F401

        self._is_imported.set_result(None)

    def _open(self, seconds: float) -> None:
        try:
            sock = tcp.connect(self.host, self.port, seconds)
            self._handle.set_result(sock.dup())
        except Exception as error:
            self._handle.set_exception(error)
            return
        try:
            # Who takes it has the clock.
            sock.settimeout(None)
            self._opened.set_result(self._secured(sock) if self.is_tls else OpenConnection(sock, False, ()))
        except Exception as error:
            sock.close()
            self._opened.set_exception(error)

    def _secured(self, sock: socket.socket) -> OpenConnection:
        """Does the handshake, or rather has urllib3 do it, so that it is done as ever."""
        self._is_imported.result()
        context = self._context.result()
        from urllib3.connection import HTTPSConnection

        from llamacli.http.connection import tls

        class Connected(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return sock

        is_folder = os.path.isdir(self.bundle or "")
        connection = Connected(
            self.host,
            self.port,
            cert_reqs="CERT_REQUIRED",
            ca_certs=None if is_folder else self.bundle,
            ca_cert_dir=self.bundle if is_folder else None,
        )
        settings = tls.settings(connection)
        if context and tls.set_like_urllib3(context):
            tls.use(context, connection)
        connection.connect()
        return OpenConnection(connection.sock, connection.is_verified, settings)

    def matches(self, connection: "HTTPConnection") -> bool:
        """Tells whether a connection goes to the same server by the same scheme, and not through a proxy."""
        meant = connection._dns_host.lower(), connection.port or connection.default_port
        is_tls = hasattr(connection, "cert_reqs")
        return (*meant, is_tls) == (self.host, self.port, self.is_tls) and not connection.proxy

    def duplicate_fd(self, seconds: float) -> socket.socket:
        """Returns a second descriptor of the socket as soon as that is connected. Raises OSError."""
        try:
            return self._handle.result(seconds)
        except NotInTime:
            raise TimeoutError(f"no connection within {seconds:g} s") from None

    def claim(self, connection: "HTTPConnection") -> OpenConnection | None:
        """Returns what is open as soon as a request may be sent; None where it has died since, or is not the same.

        Raises whatever else the handshake has raised.
        """
        from ssl import SSLEOFError, SSLZeroReturnError

        from llamacli.http.connection import tls

        try:
            opened = self._opened.result()
        except (ConnectionError, SSLEOFError, SSLZeroReturnError):
            return None
        if (self.is_tls and opened.settings != tls.settings(connection)) or not _is_waiting(opened.sock):
            return None
        self._is_taken = True
        return opened

    def close(self) -> None:
        """Closes what nobody took, as soon as it is there."""
        self._is_imported.cancel()
        if not self._is_taken:
            self._handle.add_done_callback(_shut_down)
            self._opened.add_done_callback(_close)
        self._handle.add_done_callback(_close)


def _is_waiting(sock: socket.socket) -> bool:
    """Tells whether a server waits for the request: nothing can be read, neither an end nor a word.

    Reading also takes the session tickets of TLS 1.3 (RFC 8446, 4.6.1) out of the
    way, which urllib3 would hold for an end.
    """
    from ssl import SSLWantReadError

    sock.settimeout(0)
    try:
        sock.recv(1)
    except (BlockingIOError, SSLWantReadError):
        return True
    except OSError:
        pass
    return False


def _shut_down(handle: "Future[socket.socket]") -> None:
    # Asked for, not raised: raising it once more would change the exception that others are handling.
    if not handle.exception():
        with suppress(OSError):
            # Ends the handshake.
            handle.result().shutdown(socket.SHUT_RDWR)


def _close(opened: "Future[Any]") -> None:
    if not opened.exception():
        found = opened.result()
        (found.sock if isinstance(found, OpenConnection) else found).close()
