"""Sends requests, and retries them after temporary failures."""

import re
from _thread import allocate_lock
from collections.abc import Callable, Collection
from io import BytesIO
from types import TracebackType
from typing import TYPE_CHECKING, Any

from llamacli import __version__
from llamacli.api.accumulator import Accumulator
from llamacli.api.json import Json
from llamacli.http.call import Call
from llamacli.http.connection.adapter import Adapter
from llamacli.http.connection.http11 import ACCEPT_ENCODING
from llamacli.http.connection.lean_requests import requests
from llamacli.http.connection.tcp import Proxy
from llamacli.http.endpoint import Endpoint
from llamacli.http.options import NetworkOptions, certificates
from llamacli.http.reply import Reply
from llamacli.http.request import ChatRequest, Request
from llamacli.http.retry import RetryPolicy
from llamacli.stdio.stderr import Stderr

if TYPE_CHECKING:
    from llamacli.http.connection.preconnect import Preconnect
    from llamacli.http.usage_log import UsageLog


#: The names of headers whose values are never shown.
SECRET_HEADER = "(?i)key|token|auth|secret|cookie|passw|credential"


class Client:
    """Sends requests to one endpoint, over connections that it reuses.

    Several threads may call at once, each over its own connection; `connections` of
    them are kept. The first request takes the `preconnect` connection, if there is one.

    It uses requests' adapter without a Session, which would replace the key with a password from ~/.netrc, send
    cookies back and follow redirects, and would take a
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
        self._prepared: dict[tuple[object, ...], requests.PreparedRequest] = {}

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes all connections."""
        self.adapter.close()
        if self.adapter.preconnect:
            self.adapter.preconnect.close()

    def on_sent(self, act: Callable[[], None]) -> None:
        """Registers a callback to run after each request is sent."""
        self.adapter.on_sent = act

    def chat(self, request: ChatRequest, policy: RetryPolicy | None = None, no_retry: Collection[int] = ()) -> Reply:
        """Sends a request and returns the reply, its body still unread.

        `policy` holds the limits of the question that the request belongs to, if it is
        one of several; `no_retry` the HTTP statuses after which not to retry. Raises
        LlamaError unless the server answers with a 2xx.
        """
        call = self.call(request, policy, no_retry)
        return Reply(call, call.send(), Accumulator(request.choices))

    def json(self, request: Request) -> Json:
        """Sends a request and returns the JSON document that answers it."""
        call = self.call(request)
        with Reply(call, call.send(), Accumulator()) as reply:
            return reply.document(reply.blocks())

    def call(
        self,
        request: Request,
        policy: RetryPolicy | None = None,
        no_retry: Collection[int] = (),
        request_id: str | None = None,
    ) -> Call:
        """Returns a call that has not been sent yet.

        Without `request_id` it gets a new id.
        """
        return Call(self, request, policy or RetryPolicy(self.options), no_retry, request_id)

    def prepare(self, request: Request, url: str, request_id: str) -> requests.PreparedRequest:
        """Returns a request that is ready to send.

        What it shares with others is prepared once.
        """
        headers = request.headers(request_id, self.options.header or ())
        shared_key = *request.shared_key, self.endpoint.key
        if shared_key not in self._prepared:
            common = {"User-Agent": f"llamacli/{__version__}", "Accept-Encoding": ACCEPT_ENCODING, "Accept": "*/*"}
            shared = requests.structures.CaseInsensitiveDict(common)
            shared.update(headers)
            if self.endpoint.key:
                shared["Authorization"] = f"Bearer {self.endpoint.key}"
            self._prepared[shared_key] = requests.Request(request.method, url, headers=shared).prepare()
        like = self._prepared[shared_key]
        prepared = requests.PreparedRequest()
        prepared.method, prepared.url = like.method, like.url
        whole: Any = {**like.headers, **headers}
        if request.body:
            whole["Content-Length"] = str(len(request.body))
            # A file is sent in blocks, each with its own timeout; bytes would have one timeout for all.
            body: Any = BytesIO(request.body)
            prepared.body = body
        # A plain dictionary: a case-insensitive one would take longer than everything else here.
        prepared.headers = whole
        return prepared

    def renew_key(self, refused: str | None) -> bool:
        """Runs the key command again after a key was refused.

        Returns True if there is a new one.
        """
        with self._key_lock:
            if self.endpoint.fetch_key and self.endpoint.key == refused:
                self.endpoint.key = self.endpoint.fetch_key()
        return self.endpoint.key != refused

    def route(self, url: str) -> Proxy:
        """Returns the proxy for a URL, looked up once.

        Raises LlamaError (network) if its URL is invalid.
        """
        if url not in self._routes:
            self._routes[url] = Proxy(url, self.stderr)
        return self._routes[url]
