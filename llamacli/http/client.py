"""What the calls to one endpoint share: connections, proxies, the key."""

import re
from _thread import allocate_lock
from types import TracebackType
from typing import TYPE_CHECKING

from llamacli.http.connection.adapter import Adapter
from llamacli.http.connection.lean_requests import requests
from llamacli.http.connection.tcp import Proxy
from llamacli.http.endpoint import Endpoint
from llamacli.http.options import NetworkOptions, certificates
from llamacli.stdio.stderr import Stderr

if TYPE_CHECKING:
    from llamacli.http.connection.preconnect import Preconnect
    from llamacli.http.usage_log import UsageLog


#: The names of headers whose values are never shown.
SECRET_HEADER = "(?i)key|token|auth|secret|cookie|passw|credential"


class Client:
    """An endpoint and the connections to it, which calls reuse.

    Several threads may call at once, each over its own connection; `connections` of
    them are kept. The first request takes the `preconnect` connection, if there is one.

    It uses requests' adapter without a Session, which would replace the key with a
    password from ~/.netrc, send cookies back and follow redirects, and would take a
    tenth of a call's processor time.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        options: NetworkOptions,
        stderr: Stderr,
        preconnect: "Preconnect | None" = None,
        connections: int = 1,
    ) -> None:
        self.endpoint, self.options, self.stderr = endpoint, options, stderr
        self.adapter = Adapter(connections)
        self.adapter.preconnect = preconnect
        self.usage_log: UsageLog | None = None
        if options.usage_log:
            from llamacli.http.usage_log import usage_log

            self.usage_log = usage_log(options, stderr.note)
        #: The certificates to trust, True for those of requests.
        self.verify: str | bool = (preconnect and preconnect.bundle) or certificates(options) or True
        #: False once the server has refused them; shared by all threads.
        self.sends_stream_options = True
        self._routes: dict[str, Proxy] = {}
        self._key_lock = allocate_lock()
        for name, value in options.header or ():
            if re.search(SECRET_HEADER, name) and len(value) >= 8:
                stderr.redact(value)
        #: What similar requests share.
        self.prepared: dict[tuple[object, ...], requests.PreparedRequest] = {}

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes all connections."""
        self.adapter.close()
        if self.adapter.preconnect:
            self.adapter.preconnect.close()

    def renew_key(self, refused: str | None) -> bool:
        """Runs the key command after a key was refused; True for a new key."""
        with self._key_lock:
            if self.endpoint.fetch_key and self.endpoint.key == refused:
                self.endpoint.key = self.endpoint.fetch_key()
        return self.endpoint.key != refused

    def route(self, url: str) -> Proxy:
        """Returns the proxy for a URL. Raises LlamaError if it is invalid."""
        if url not in self._routes:
            self._routes[url] = Proxy(url, self.stderr)
        return self._routes[url]
