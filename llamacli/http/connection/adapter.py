"""requests' adapter over connections that keep an Attempt's deadlines."""

import http.client
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cache, cached_property, partial
from http.client import HTTPResponse
from io import BytesIO
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.poolmanager import PoolManager

from llamacli.http.connection import tcp
from llamacli.http.connection.attempt import Attempt
from llamacli.http.connection.http11 import Response, StrictResponse
from llamacli.http.connection.lean_requests import requests

if TYPE_CHECKING:
    from llamacli.http.connection.preconnect import Preconnect
    from llamacli.http.connection.tls import ContextCache


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
        self._pools, self._urls = {}, {}
        self._thread = threading.local()
        super().__init__(pool_maxsize=connections)

    @cached_property
    def contexts(self) -> "ContextCache":
        """The TLS contexts that the connections share."""
        from llamacli.http.connection.tls import ContextCache

        return ContextCache()

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

    def request(
        self,
        like: requests.PreparedRequest,
        headers: Any,
        body: bytes | None,
        verify: bool | str,
        proxies: dict[str, str],
    ) -> Response:
        """Sends a request and returns the response; its body is still to be read.

        Method and URL are those of a similar request. `headers` are a plain dictionary: a case-insensitive one would
        take longer than everything else here.
        """
        request = requests.PreparedRequest()
        request.method, request.url, request.headers = like.method, like.url, headers
        # A file is sent in blocks, each with its own timeout; bytes would have one timeout for all.
        request.body = BytesIO(body) if body else None  # type: ignore[assignment]
        timeout = self.attempt.connect_timeout, self.attempt.read_timeout
        try:
            response: Any = self.send(request, stream=True, timeout=timeout, verify=verify, proxies=proxies)
        except requests.exceptions.ReadTimeout:
            if not self.keeps_deadlines:
                # urllib3's own connections do not say so, but the request may have been sent: never repeat it.
                self.attempt.connected = True
            raise
        return Response(response)

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

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> Any:
        """Returns the response as the connection made it: requests' own has cookies and a history."""
        return resp

    def close(self) -> None:
        """Closes all connections.

        urllib3 closes them when its pools end, but these connections keep the pools
        alive.
        """
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()
        super().close()

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
            pool.ConnectionCls = partial(_with_deadlines(connection_class), adapter=self, pool=pool)
        return pool


@cache
def _with_deadlines(kind: type[HTTPConnection]) -> Any:
    """Returns a class of connections with deadlines, made only once."""
    return type("DeadlineConnection", (DeadlineConnection, kind), {})


class DeadlineConnection(HTTPConnection):
    """A connection that keeps the deadlines of the adapter's Attempt."""

    #: The headers of a request whose body is still to come; b"" before the headers, None outside of a request.
    _head: bytes | None = None

    def __init__(self, *args: Any, adapter: Adapter, pool: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._adapter, self._pool = adapter, pool
        adapter.keeps_deadlines = True

    def _begin(self) -> None:
        self._adapter.attempt.begun = True

    def _release(self, is_reusable: bool) -> None:
        """Gives the connection back to urllib3's pool."""
        if not is_reusable:
            self.close()
        if put_back := getattr(self._pool, "_put_conn", None):
            put_back(self)

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
        # http.client reads what a proxy answers to CONNECT.
        self.response_class = HTTPResponse
        if not self._use_preconnect():
            if isinstance(self, HTTPSConnection):
                self._adapter.contexts.apply(self)
            super().connect()
        self._adapter.attempt.opened(self.sock)
        self._adapter.attempt.ready()

    def request(self, *args: Any, **kwargs: Any) -> None:
        attempt = self._adapter.attempt
        if self.sock is None:
            self.connect()
        elif not attempt.connected:
            attempt.reusing(self.sock)
        # urllib3 sends under the connect timeout, too short for a long prompt on a slow line.
        self.timeout = attempt.read_timeout
        self._head = b""
        super().request(*args, **kwargs)

    def send(self, data: Any) -> None:
        """Sends the headers along with the beginning of the body."""
        head, self._head = self._head, None
        if head == b"" and isinstance(data, bytes):
            self._head = data
        else:
            super().send(head + data if head else data)

    def getresponse(self) -> Any:
        """Returns a StrictResponse, without urllib3's own around it."""
        if self._head:
            self.send(b"")
        if not hasattr(http.client.HTTPConnection, "response_class"):
            return super().getresponse()
        strict: Any = partial(StrictResponse, on_begun=self._begin, on_released=self._release)
        self.response_class = strict
        return http.client.HTTPConnection.getresponse(self)

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
