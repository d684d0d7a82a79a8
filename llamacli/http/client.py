"""What the calls to one server share, and a connection that is opened early."""

import os
import re
import sys
from _thread import allocate_lock
from contextlib import suppress
from typing import TYPE_CHECKING

from llamacli.config import KEY_SOURCES, KEY_VARIABLES
from llamacli.config import load as load_settings
from llamacli.errors import LlamaError
from llamacli.http.endpoint import Endpoint, is_loopback
from llamacli.http.options import DEFAULT_BASE_URL, BaseUrlType, NetworkOptions, certificates
from llamacli.stdio.stderr import Stderr

if TYPE_CHECKING:
    from llamacli.http.connection.lean_requests import requests
    from llamacli.http.connection.preconnect import Preconnect
    from llamacli.http.connection.tcp import Proxy
    from llamacli.http.usage_log import UsageLog

#: The names of headers whose values are never shown.
SECRET_HEADER = "(?i)key|token|auth|secret|cookie|passw|credential"
#: With a shorter connect timeout there is no early connection: importing would use up part of it.
PRECONNECT_MIN_SECONDS = 1
#: Flags of ask that change neither whether a call is made nor where it goes. Any other flag prevents connecting early.
HARMLESS_FLAGS = {
    *("-m", "-t", "-s", "-f", "-o", "-x", "-u", "-q", "-I", "--", "--model", "--temperature", "--max-tokens"),
    *("--system", "--file", "--output", "--extract", "--usage", "--quiet", "--choice", "--yes-no", "--schema"),
    *("--json", "--stream", "--no-stream", "--no-stdin"),
}
#: Settings that change whether or where a call is made.
DECISIVE_SETTINGS = (
    *("LLAMACLI_CONNECT_TIMEOUT", "LLAMACLI_MAX_TIME", "LLAMACLI_CA_BUNDLE"),
    *("LLAMACLI_CACHE", "LLAMACLI_OFFLINE"),
)

#: The connection that connect_early has begun, for the first client.
_early: dict[str, "Preconnect | None"] = {"connection": None}


class Client:
    """An endpoint and the connections to it, which calls reuse.

    Several threads may call at once, each over its own connection; `connections` of
    them are kept. The first request takes the `preconnect` connection, if there is one.

    It uses requests' adapter without a Session. A Session would replace the key with a
    password from ~/.netrc, send cookies back and follow redirects. It would also take a
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
        # The slowest import of all: requests.
        from llamacli.http.connection.adapter import Adapter

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
        #: What similar requests share: method and URL, and their headers.
        self.prepared: dict[tuple[object, ...], tuple[requests.PreparedRequest, dict[str, str]]] = {}

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
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

    def route(self, url: str) -> "Proxy":
        """Returns the proxy for a URL. Raises LlamaError if it is invalid."""
        from llamacli.http.connection.tcp import Proxy

        if url not in self._routes:
            self._routes[url] = Proxy(url, self.stderr)
        return self._routes[url]


def connect_early(words: list[str]) -> None:
    """Connects for `ask` before its command line is parsed.

    It does so only if it is clear which server the call will use. Only over TLS, which
    takes two round trips more than sending the request alone. Nothing is sent; if the
    command line turns out to be wrong, the connection is closed.
    """
    if not HARMLESS_FLAGS.issuperset(word for word in words if word.startswith("-")):
        return
    if not os.environ.get("AIMLAPI_BASE_URL", DEFAULT_BASE_URL).startswith("https:"):
        return
    settings = load_settings(lambda note: None)
    url = settings.find("AIMLAPI_BASE_URL", untrusted=True) or (DEFAULT_BASE_URL, settings.sources[0])
    names = [name for source in settings.sources for name in source.values if source.values[name]]
    is_clear = (
        not any(name in DECISIVE_SETTINGS for name in names)
        and any(name in (*KEY_VARIABLES, *KEY_SOURCES) for name in names)
        and not url[1].untrusted
    )
    if not is_clear:
        return
    from llamacli.http.connection.preconnect import Preconnect
    from llamacli.http.connection.tcp import has_any_proxy

    if has_any_proxy():
        return
    # Errors are reported later. A closed standard descriptor must not become the connection.
    with suppress(ValueError, OSError, RuntimeError, LlamaError):
        for descriptor in (0, 1, 2):
            os.fstat(descriptor)
        if url[0].startswith("https://"):
            # The thread must not wait for Python's lock at each step while this one imports.
            sys.setswitchinterval(0.0005)
            options = NetworkOptions({}, {}, {}, "ask")
            bundle = certificates(options)
            early = _early["connection"] = Preconnect(str(BaseUrlType().parse(url[0])), options.connect_timeout)
            early.secure(bundle)


def open_client(where: Endpoint, options: NetworkOptions, stderr: Stderr) -> Client:
    """Returns a client for a request. Raises UsageError."""
    bundle = certificates(options)
    if options.usage_log:
        from llamacli.http.usage_log import usage_log

        # An error about the log is reported before connecting.
        usage_log(options, stderr.note)
    early, _early["connection"] = _early["connection"], None
    if early and not early.leads_to(where.base_url):
        early.close()
        early = None
    # Without TLS a connection takes less time than importing what could open it early.
    if not early and where.base_url.startswith("https:") and options.connect_timeout >= PRECONNECT_MIN_SECONDS:
        from llamacli.http.connection.preconnect import Preconnect
        from llamacli.http.connection.tcp import has_any_proxy

        if is_loopback(where.base_url) or not has_any_proxy():
            early = Preconnect(where.base_url, options.connect_timeout)
    if early:
        early.secure(bundle)
    return Client(where, options, stderr, early)
