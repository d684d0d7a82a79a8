"""requests' adapter over connections that keep an Attempt's deadlines."""

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ReadTimeoutError
from urllib3.poolmanager import PoolManager
from urllib3.util import Timeout

from llamacli.http.connection import tcp
from llamacli.http.connection.attempt import Attempt
from llamacli.http.connection.http11 import BLOCK_BYTES, Response, StrictResponse
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
    #: urllib3's pools, and URLs, by the properties that similar requests share.
    _routes: dict[tuple[object, ...], tuple[Any, str]]

    def __init__(self, connections: int) -> None:
        self.contexts = ContextCache()
        self._routes = {}
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

    def request(
        self,
        like: requests.PreparedRequest,
        headers: Mapping[str, str],
        body: bytes | None,
        verify: bool | str,
        proxies: Mapping[str, str],
    ) -> Response:
        """Sends a request and returns the response; its body is still to be read.

        Method and URL are those of a similar request. Calling urllib3 without requests' own send() takes a tenth less
        processor time, and needs no request object.
        """
        pool, target = self._route(like, verify, proxies)
        try:
            raw = pool.urlopen(
                like.method,
                target,
                body,
                headers,
                retries=self.max_retries,
                redirect=False,
                assert_same_host=False,
                timeout=Timeout(connect=self.attempt.connect_timeout, read=self.attempt.read_timeout),
                preload_content=False,
                decode_content=False,
            )
        except ReadTimeoutError:
            if not self.keeps_deadlines:
                # urllib3's own connections do not say so, but the request may have been sent: never repeat it.
                self.attempt.connected = True
            raise
        return Response(raw)

    def _route(self, like: requests.PreparedRequest, verify: bool | str, proxies: Mapping[str, str]) -> tuple[Any, str]:
        """Returns urllib3's pool, and the URL as the server or proxy expects it; looked up once."""
        key = like.url, verify, *proxies.items()
        if key not in self._routes:
            pool = self.get_connection_with_tls_context(like, verify, dict(proxies))
            self.cert_verify(pool, like.url, verify, None)  # type: ignore[no-untyped-call]
            self._routes[key] = pool, self.request_url(like, proxies)
        return self._routes[key]

    def close(self) -> None:
        """Closes all connections.

        urllib3 closes them when its pools end, but these connections keep the pools
        alive.
        """
        for pool, _ in self._routes.values():
            pool.close()
        self._routes.clear()
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

    #: The method of the latest request.
    _sent_method = ""

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
        if not self._use_preconnect():
            self._adapter.contexts.apply(self)
            super().connect()
        self._adapter.attempt.opened(self.sock)
        self._adapter.attempt.ready()

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any) -> None:
        """Sends a request with exactly these headers, which name the host and the body's length.

        The body is bytes, or None. urllib3 and http.client would check each header again, and add some; requests has
        checked these once, for all requests that share them.
        """
        attempt = self._adapter.attempt
        if self.sock is None:
            self.connect()
        elif not attempt.connected:
            attempt.reusing(self.sock)
        self.sock.settimeout(attempt.read_timeout)
        self._sent_method = method
        lines = [f"{method} {url} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        body = memoryview(body or b"")
        self.sock.sendall(b"".join(["\r\n".join(lines).encode("iso-8859-1"), body[:BLOCK_BYTES]]))
        for start in range(BLOCK_BYTES, len(body), BLOCK_BYTES):
            # In blocks, each with its own timeout: a long prompt may take its time on a slow line.
            self.sock.sendall(body[start : start + BLOCK_BYTES])

    def getresponse(self) -> Any:
        """Returns a StrictResponse, in place of urllib3's around http.client's."""
        response = StrictResponse(self.sock, self._sent_method, self._begin, self._release)
        response.begin()
        return response

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
