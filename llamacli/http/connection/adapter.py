"""requests' adapter over connections that keep an Attempt's deadlines."""

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.poolmanager import PoolManager

from llamacli.http.connection import tcp
from llamacli.http.connection.attempt import Attempt
from llamacli.http.connection.http11 import Body, open_response
from llamacli.http.connection.lean_requests import requests
from llamacli.http.connection.tls import ContextCache

if TYPE_CHECKING:
    from llamacli.http.connection.preconnect import Preconnect


class Adapter(requests.adapters.HTTPAdapter):
    """requests' adapter with deadlines. Set `attempt` before each call."""

    #: A connection that is already being opened, for the first request.
    preconnect: "Preconnect | None" = None
    #: False if this urllib3 takes no connections of ours: see the package's docstring.
    keeps_deadlines = False
    #: requests' look-ups, by the properties that similar requests share.
    _pools: dict[tuple[object, ...], Any]
    _urls: dict[tuple[object, ...], str]

    def __init__(self, connections: int) -> None:
        self.contexts = ContextCache()
        self._pools, self._urls = {}, {}
        self._thread = threading.local()
        super().__init__(pool_maxsize=connections)

    @property
    def attempt(self) -> Attempt:
        """The attempt of this thread's call."""
        attempt: Attempt = self._thread.attempt
        return attempt

    @attempt.setter
    def attempt(self, attempt: Attempt) -> None:
        self._thread.attempt = attempt

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._use_deadline_connections(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        self._use_deadline_connections(manager)
        return manager

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        proxies: Mapping[str, str] | None = None,
        cert: Any = None,
    ) -> Any:
        """Returns urllib3's pool, looked up once for similar requests."""
        key = request.url, verify, *(proxies or {}).items(), cert
        if key not in self._pools:
            self._pools[key] = super().get_connection_with_tls_context(request, verify, proxies, cert)
        return self._pools[key]

    def request_url(self, request: requests.PreparedRequest, proxies: Mapping[str, str] | None) -> str:
        """Returns the URL as the server or proxy expects it, built once."""
        key = request.url, *(proxies or {}).items()
        if key not in self._urls:
            self._urls[key] = super().request_url(request, proxies)
        return self._urls[key]

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        try:
            return super().send(*args, **kwargs)
        except requests.exceptions.ReadTimeout:
            if not self.keeps_deadlines:
                # urllib3's own connections do not say so, but the request may have been sent: never repeat it.
                self.attempt.connected = True
            raise

    def close(self) -> None:
        """Closes all connections.

        urllib3 closes them when its pools end, but these connections keep the pools
        alive.
        """
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()
        super().close()

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Returns a response, without cookies, whose `raw` is a Body."""
        response = requests.Response()
        response.status_code, response.headers, response.raw = resp.status, resp.headers, Body(resp)
        return response

    def _use_deadline_connections(self, manager: PoolManager) -> None:
        pools = getattr(manager, "pool_classes_by_scheme", {})
        deadline_pools: dict[str, Any] = {
            scheme: kind if isinstance(kind, partial) else partial(self._pool, kind) for scheme, kind in pools.items()
        }
        manager.pool_classes_by_scheme = deadline_pools

    def _pool(self, kind: Any, *args: Any, **kwargs: Any) -> Any:
        """Makes a pool of urllib3's, whose connections know this adapter."""
        pool = kind(*args, **kwargs)
        if connection_class := getattr(kind, "ConnectionCls", None):
            pool.ConnectionCls = partial(_with_deadlines(connection_class), adapter=self)
        return pool


@cache
def _with_deadlines(kind: type[HTTPConnection]) -> Any:
    """Returns a class of connections with deadlines, made only once."""
    return type("DeadlineConnection", (DeadlineConnection, kind), {})


class DeadlineConnection(HTTPConnection):
    """A connection that keeps the deadlines of the adapter's Attempt."""

    #: The headers of a request whose body is still to come; b"" before the headers, None outside of a request.
    _head: bytes | None = None

    def __init__(self, *args: Any, adapter: Adapter, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._adapter = adapter
        adapter.keeps_deadlines = True
        self.response_class = partial(open_response, on_begun=self._begin)  # type: ignore[assignment]

    def _begin(self) -> None:
        self._adapter.attempt.begun = True

    def _new_conn(self) -> socket.socket:
        attempt = self._adapter.attempt
        deadline = time.monotonic() + attempt.connect_timeout
        connect_by_urllib3 = super()._new_conn
        is_direct = getattr(connect_by_urllib3, "__func__", None) is HTTPConnection._new_conn
        # urllib3's connections through SOCKS have their own way to connect.
        sock = self._connect(attempt.connect_timeout) if is_direct else connect_by_urllib3()
        if isinstance(self, HTTPSConnection):
            # The attempt limits the handshakes with a proxy and of TLS, the timeout each of their reads.
            sock.settimeout(attempt.connect_timeout)
            attempt.connecting(sock, deadline - time.monotonic())
        return sock

    def _connect(self, seconds: float) -> socket.socket:
        # Unlike `host`, it keeps a final dot, which stops the system from trying its search domains.
        host = getattr(self, "_dns_host", self.host)
        port = self.port or self.default_port
        return self._translating(lambda: tcp.connect(host, port, seconds, self.socket_options))

    def _translating(self, connect: Callable[[], socket.socket]) -> socket.socket:
        """Connects, and replaces system exceptions with urllib3's."""
        try:
            return connect()
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, str(error)) from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error

    def connect(self) -> None:
        if not self._use_preconnect():
            self._adapter.contexts.apply(self)
            super().connect()
        self._adapter.attempt.opened(self.sock)
        self._adapter.attempt.ready()
        self._use_read_timeout()

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            if not self._adapter.attempt.connected:
                self._adapter.attempt.reusing(self.sock)
            self._use_read_timeout()
        else:
            # Now, while urllib3 sends: connected later, a request without a body would wait under the wrong timeout.
            self.connect()
        super().putrequest(*args, **kwargs)
        self._head = b""

    def send(self, data: Any) -> None:
        """Sends the headers along with the beginning of the body."""
        head, self._head = self._head, None
        if head == b"" and isinstance(data, bytes):
            self._head = data
        else:
            super().send(head + data if head else data)

    def getresponse(self) -> Any:
        if self._head:
            self.send(b"")
        return super().getresponse()

    def _use_read_timeout(self) -> None:
        # urllib3 sends under the connect timeout, too short for a long prompt on a slow line.
        self.sock.settimeout(self._adapter.attempt.read_timeout)

    def _use_preconnect(self) -> bool:
        """Takes over the early connection if it leads here and works."""
        preconnect, self._adapter.preconnect = self._adapter.preconnect, None
        if not preconnect:
            return False
        attempt = self._adapter.attempt
        deadline = time.monotonic() + attempt.connect_timeout
        with closing(preconnect):
            if not preconnect.matches(self):
                return False
            duplicate = self._translating(lambda: preconnect.duplicate_fd(attempt.connect_timeout))
            attempt.connecting(duplicate, deadline - time.monotonic())
            opened = preconnect.claim(self)
        if opened:
            for option in self.socket_options or ():
                opened.sock.setsockopt(*option)
            self._adapter.contexts.keep(self, getattr(opened.sock, "context", None))
            self.sock, self.is_verified = opened.sock, opened.is_verified
        elif attempt.was_cut:
            raise TimeoutError
        else:
            attempt.close()
        return opened is not None
