"""requests' adapter over connections that keep to an Attempt's deadlines."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.poolmanager import PoolManager

from llamacli.http.connection import tcp
from llamacli.http.connection.attempt import Attempt
from llamacli.http.connection.http11 import StrictResponse
from llamacli.http.connection.lean_requests import requests
from llamacli.http.connection.tls import ContextCache

if TYPE_CHECKING:
    from llamacli.http.connection.preconnect import Preconnect


class Adapter(requests.adapters.HTTPAdapter):
    """requests' adapter with connections that keep to a Progress. Set `progress` before each call, in its thread."""

    #: Is called each time that a request has been sent, before the response is waited for.
    on_sent: Callable[[], None] = staticmethod(lambda: None)
    #: Is open or being opened already, and goes to the first request.
    preconnect: "Preconnect | None" = None
    #: What requests has found out for a request, for those that are alike.
    _pools: dict[tuple[object, ...], Any]
    _urls: dict[tuple[object, ...], str]

    def __init__(self, connections: int) -> None:
        self.contexts = ContextCache()
        self._pools, self._urls = {}, {}
        self._calls = threading.local()
        super().__init__(pool_maxsize=connections)

    @property
    def attempt(self) -> Attempt:
        """Of the call that this thread makes."""
        found: Attempt = self._calls.progress
        return found

    @attempt.setter
    def attempt(self, progress: Attempt) -> None:
        self._calls.progress = progress

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._use_own_connections(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        self._use_own_connections(manager)
        return manager

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        """Returns urllib3's pool for a request, looked up once for requests that are alike."""
        wanted = request.url, verify, *(proxies or {}).items(), cert
        if wanted not in self._pools:
            self._pools[wanted] = super().get_connection_with_tls_context(request, verify, proxies, cert)
        return self._pools[wanted]

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        """Returns what is asked of the server or proxy, found out once for requests that are alike."""
        wanted = request.url, *(proxies or {}).items()
        if wanted not in self._urls:
            self._urls[wanted] = super().request_url(request, proxies)
        return self._urls[wanted]

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Returns the response with its headers as they came, without cookies and an encoding that nobody asks for."""
        response = requests.Response()
        response.status_code, response.headers, response.raw = resp.status, resp.headers, resp
        return response

    def _use_own_connections(self, manager: PoolManager) -> None:
        def own(kind: Any) -> Any:
            return kind if isinstance(kind, partial) else partial(self._pool, kind)

        pools = manager.pool_classes_by_scheme.items()
        manager.pool_classes_by_scheme = {scheme: own(kind) for scheme, kind in pools}

    def _pool(self, kind: Any, *args: Any, **kwargs: Any) -> Any:
        """Makes a pool of urllib3's, whose connections know this adapter."""
        pool = kind(*args, **kwargs)
        pool.ConnectionCls = partial(_with_deadlines(kind.ConnectionCls), adapter=self)
        return pool


@cache
def _with_deadlines(kind: type[HTTPConnection]) -> Any:
    """Returns the class of a kind of connection that keeps to a Progress: made once, since making one takes long."""
    return type("Clocked", (DeadlineConnection, kind), {})


def _is_tls(connection: HTTPConnection) -> bool:
    return hasattr(connection, "cert_reqs")


class DeadlineConnection(HTTPConnection):
    """A connection, of whatever kind, that tells the adapter's Progress how far it got and keeps to its clock."""

    #: The headers of a request whose body is still to come; empty where they are, None where neither is.
    _head: bytes | None = None

    def __init__(self, *args: Any, adapter: Adapter, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._adapter = adapter
        self.response_class = partial(StrictResponse, sent=self._sent, begun=self._begun)  # type: ignore[assignment]

    def _sent(self) -> None:
        self._adapter.on_sent()

    def _begun(self) -> None:
        self._adapter.attempt.begun = True

    def _new_conn(self) -> socket.socket:
        progress = self._adapter.attempt
        deadline = time.monotonic() + progress.connect_timeout
        sock = self._through_socks() if hasattr(self, "_socks_options") else self._direct(progress.connect_timeout)
        if not _is_tls(self):
            progress.opened(sock)
            return sock
        # The clock has the handshakes of a proxy and of TLS end in time, the timeout each of their reads.
        sock.settimeout(progress.connect_timeout)
        progress.connecting(sock, deadline - time.monotonic())
        return sock

    def _through_socks(self) -> socket.socket:
        return super()._new_conn()

    def _direct(self, seconds: float) -> socket.socket:
        port = self.port or self.default_port
        return self._in_own_words(lambda: tcp.connect(self._dns_host, port, seconds, self.socket_options))

    def _in_own_words(self, connect: Callable[[], socket.socket]) -> socket.socket:
        """Connects, and raises urllib3's exceptions in place of the system's."""
        try:
            return connect()
        except socket.gaierror as error:
            raise NameResolutionError(self._dns_host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, str(error)) from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error

    def connect(self) -> None:
        if not self._take_over():
            self._adapter.contexts.get(self)
            super().connect()
        self._adapter.attempt.ready()
        self._allow_silence()

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            if not self._adapter.attempt.connected:
                self._adapter.attempt.reusing(self.sock)
            self._allow_silence()
        else:
            # While urllib3 is sending: connected later, a request without a body would wait under the wrong timeout.
            self.connect()
        super().putrequest(*args, **kwargs)
        self._head = b""

    def send(self, data: Any) -> None:
        """Sends the headers along with the beginning of the body: one packet and one wait where there were two."""
        head, self._head = self._head, None
        if head == b"" and isinstance(data, bytes):
            self._head = data
        else:
            super().send(head + data if head else data)

    def getresponse(self) -> Any:
        if self._head:
            self.send(b"")
        return super().getresponse()

    def _allow_silence(self) -> None:
        # urllib3 sends under the connect timeout, too short for a long prompt on a slow line.
        self.sock.settimeout(self._adapter.attempt.read_timeout)

    def _take_over(self) -> bool:
        """Takes the connection that was opened early, if there is one for this server and it is still good."""
        early, self._adapter.preconnect = self._adapter.preconnect, None
        if not early:
            return False
        progress = self._adapter.attempt
        deadline = time.monotonic() + progress.connect_timeout
        with closing(early):
            if not early.matches(self):
                return False
            handle = self._in_own_words(lambda: early.duplicate_fd(progress.connect_timeout))
            progress.connecting(handle, deadline - time.monotonic())
            opened = early.claim(self)
        if opened:
            for option in self.socket_options or ():
                opened.sock.setsockopt(*option)
            self._adapter.contexts.keep(self, getattr(opened.sock, "context", None))
            self.sock, self.is_verified = opened.sock, opened.is_verified
        elif progress.was_cut:
            raise TimeoutError
        else:
            progress.close()
        return opened is not None
