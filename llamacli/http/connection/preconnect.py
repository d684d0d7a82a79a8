"""A TLS connection that a thread opens while the program is still importing."""

import os
import socket
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit

from llamacli.http.connection import tcp

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

    from llamacli.http.connection.tls import Context


Value = TypeVar("Value")


class Future(Generic[Value]):
    """The value or error of another thread.

    concurrent.futures has a Future too, but it takes a millisecond to import.
    """

    _value: Value
    error: BaseException | None = None

    def __init__(self) -> None:
        self._is_pending = allocate_lock()
        self._is_pending.acquire()
        self._callbacks_lock = allocate_lock()
        self._callbacks: list[Callable[[Future[Value]], None]] | None = []

    def set_result(self, value: Value) -> None:
        self._value = value
        self._finish()

    def set_error(self, error: BaseException) -> None:
        self.error = error
        self._finish()

    def _finish(self) -> None:
        self._is_pending.release()
        with self._callbacks_lock:
            callbacks, self._callbacks = self._callbacks, None
        for callback in callbacks or ():
            callback(self)

    def result(self, seconds: float = -1) -> Value:
        """Returns the value. Raises its error, or TimeoutError."""
        if not self._is_pending.acquire(timeout=seconds):
            raise TimeoutError
        self._is_pending.release()
        if self.error:
            raise self.error
        return self._value

    def when_done(self, callback: "Callable[[Future[Value]], None]") -> None:
        """Calls back once this future is done, maybe at once."""
        with self._callbacks_lock:
            if self._callbacks is not None:
                self._callbacks.append(callback)
                return
        callback(self)


class OpenConnection:
    """A connection that is ready; `settings` are those of `tls.settings`."""

    def __init__(self, sock: socket.socket, is_verified: bool, settings: tuple[object, ...] | None) -> None:
        self.sock, self.is_verified, self.settings = sock, is_verified, settings


class Preconnect:
    """A TLS connection that a thread is opening, for one request to claim.

    Close it in any case.

    An error is kept for the request, which raises it as if it had connected itself;
    without a request it is never reported.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self.host, self.port = _server(url)
        #: The certificates to trust, once `secure` was called.
        self.bundle: str | None = None
        self._context: Future[Context | None] = Future()
        self._is_imported: Future[None] = Future()
        self._duplicate: Future[socket.socket] = Future()
        self._opened: Future[OpenConnection] = Future()
        self._is_taken = self._is_secured = False
        start_new_thread(self._open, (seconds,))

    def leads_to(self, url: str) -> bool:
        """True if a URL has the same server and uses TLS."""
        return url.startswith("https:") and _server(url) == (self.host, self.port)

    def secure(self, bundle: str | None) -> None:
        """Imports what a handshake needs and lets it begin.

        Without a bundle, requests' own certificates are used. Only the first call counts.
        """
        if self._is_secured:
            return
        import certifi

        from llamacli.http.connection import tls

        self.bundle = bundle or certifi.where()
        # In parallel with the import below, which takes as long: loading certificates releases Python's lock.
        start_new_thread(lambda: self._context.set_result(tls.trusting(self.bundle or "")), ())
        # Not in the thread: two threads that import parts of one package wait for each other.
        import urllib3.connection  # noqa: F401

        self._is_imported.set_result(None)
        self._is_secured = True

    def _open(self, seconds: float) -> None:
        try:
            sock = tcp.connect(self.host, self.port, seconds)
            self._duplicate.set_result(sock.dup())
        except Exception as error:
            self._duplicate.set_error(error)
            return
        try:
            # The attempt that claims it has the deadline.
            sock.settimeout(None)
            self._opened.set_result(self._shake_hands(sock))
        except Exception as error:
            sock.close()
            self._opened.set_error(error)

    def _shake_hands(self, sock: socket.socket) -> OpenConnection:
        """Lets urllib3 do the handshake, as for any other connection."""
        self._is_imported.result()
        context = self._context.result()
        from urllib3.connection import HTTPSConnection

        from llamacli.http.connection import tls

        if not hasattr(HTTPSConnection, "_new_conn"):
            raise ConnectionError("this urllib3 takes no socket; see the package's docstring")

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
        if context and tls.configure_like_urllib3(context):
            tls.use(context, connection)
        connection.connect()
        return OpenConnection(connection.sock, connection.is_verified, settings)

    def matches(self, connection: "HTTPConnection") -> bool:
        """True if a connection uses TLS, no proxy, and the same server."""
        from urllib3.connection import HTTPSConnection

        host = getattr(connection, "_dns_host", connection.host).lower()
        is_same = (host, connection.port or connection.default_port) == (self.host, self.port)
        return is_same and isinstance(connection, HTTPSConnection) and not connection.proxy

    def duplicate_fd(self, seconds: float) -> socket.socket:
        """Returns a duplicate of the connected socket. Raises OSError."""
        try:
            return self._duplicate.result(seconds)
        except TimeoutError:
            if self._duplicate.error:
                raise
            raise TimeoutError(f"no connection within {seconds:g} s") from None

    def claim(self, connection: "HTTPConnection") -> OpenConnection | None:
        """Returns the connection once it is ready for a request, or None.

        It returns None if it has died or has other settings.

        Raises any other error of the handshake.
        """
        from ssl import SSLEOFError, SSLZeroReturnError

        from llamacli.http.connection import tls

        try:
            opened = self._opened.result()
        except (ConnectionError, SSLEOFError, SSLZeroReturnError):
            return None
        if not opened.settings or opened.settings != tls.settings(connection) or not _is_idle(opened.sock):
            return None
        self._is_taken = True
        return opened

    def close(self) -> None:
        """Closes an unclaimed connection, as soon as it is open."""
        if not self._is_secured:
            self._is_imported.set_error(ConnectionAbortedError())
            self._is_secured = True
        if not self._is_taken:
            self._duplicate.when_done(_shut_down)
            self._opened.when_done(_close)
        self._duplicate.when_done(_close)


def _server(url: str) -> tuple[str, int]:
    """Returns the host and port of an https URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 443


def _is_idle(sock: socket.socket) -> bool:
    """True if the server waits for the request.

    Neither an end nor data can be read then. Reading also removes the session tickets
    of TLS 1.3 (RFC 8446, 4.6.1), which urllib3 would take for an end.
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


def _shut_down(duplicate: "Future[socket.socket]") -> None:
    # Checked, not raised: raising an exception again changes it for others that are handling it.
    if not duplicate.error:
        with suppress(OSError):
            # Ends the handshake.
            duplicate.result().shutdown(socket.SHUT_RDWR)


def _close(future: "Future[Any]") -> None:
    if not future.error:
        result = future.result()
        (result.sock if isinstance(result, OpenConnection) else result).close()
