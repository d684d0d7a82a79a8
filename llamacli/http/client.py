"""Sends requests, and retries them after temporary failures."""

import re
import socket
import ssl
import time
from _thread import allocate_lock
from collections.abc import Callable, Collection
from contextlib import suppress
from io import BytesIO
from types import TracebackType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from llamacli import __version__
from llamacli.api.accumulator import Accumulator
from llamacli.api.errors import MAX_ERROR_BYTES
from llamacli.errors import ExitStatus, LlamaError, Stopped
from llamacli.http.connection.adapter import Adapter
from llamacli.http.connection.attempt import Attempt
from llamacli.http.connection.http11 import ACCEPT_ENCODING
from llamacli.http.connection.lean_requests import FAILURES, describe, is_permanent, requests, root_cause
from llamacli.http.connection.proxy import Proxy
from llamacli.http.endpoint import Endpoint
from llamacli.http.options import NetworkOptions, certificates
from llamacli.http.reply import BLOCK_BYTES, Reply
from llamacli.http.request import CHAT_PATH, ChatRequest, Request, join_url
from llamacli.http.retry import NAME_ERROR_RETRIES, Retryable, RetryPolicy
from llamacli.stdio.escape import one_line
from llamacli.stdio.stderr import Stderr

if TYPE_CHECKING:
    from llamacli.http.connection.preconnect import Preconnect
    from llamacli.http.usage_log import UsageLog


#: The names of headers whose values are never shown.
SECRET_HEADER = "(?i)key|token|auth|secret|cookie|passw|credential"
#: Seconds of silence allowed by default: while streaming, and where the answer comes in one piece.
READ_TIMEOUT_SECONDS = {True: 120.0, False: 600.0}


#: Bytes of an error's body that are read: raw prints them, the message quotes their beginning.
MAX_ERROR_BODY_BYTES = 8 << 20


class Client:
    """Calls one endpoint, again and again over connections where they stay; lets them go when it is left.

    Any number of threads may call at once, each over a connection of its own, of which
    so many are kept.

    It sends by requests' adapter and not by a Session, which would read ~/.netrc and
    put a password from there in place of the key, send cookies back, and follow
    redirects; a tenth of a call's processor time goes with it. Its first request takes
    the connection that was opened `early`, if one was.
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
        #: The certificates to trust, True for requests' own.
        self.verify = (preconnect and preconnect.bundle) or certificates(options) or True
        #: False once the server has refused them.
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
        """Lets the connections go."""
        self.adapter.close()
        if self.adapter.preconnect:
            self.adapter.preconnect.close()

    def on_sent(self, act: Callable[[], None]) -> None:
        """Has something done each time that a request is sent and the server's turn begins."""
        self.adapter.on_sent = act

    def chat(self, request: ChatRequest, policy: RetryPolicy | None = None, no_retry: Collection[int] = ()) -> "Reply":
        """Sends a request and returns the reply, whose body has not been read yet.

        `policy` holds the limits of the question that the request belongs to, if it is
        one of several; `no_retry` the HTTP statuses after which not to retry. Raises
        LlamaError unless the server answers with a 2xx.
        """
        call = self.call(request, policy, no_retry)
        return Reply(call, call.send(), Accumulator(request.choices))

    def json(self, request: Request) -> Any:
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
    ) -> "Call":
        """Returns a call that has not been sent yet; without `request_id` it gets a new id."""
        return Call(self, request, policy or RetryPolicy(self.options), no_retry, request_id)

    def prepare(self, outgoing: Request, url: str, request_id: str) -> requests.PreparedRequest:
        """Returns a request that can be sent: what it shares with others of its kind is prepared once."""
        headers = outgoing.headers(request_id, self.options.header or ())
        shared_key = *outgoing.shared_key, self.endpoint.key
        if shared_key not in self._prepared:
            common = {"User-Agent": f"llamacli/{__version__}", "Accept-Encoding": ACCEPT_ENCODING, "Accept": "*/*"}
            shared = requests.structures.CaseInsensitiveDict(common)
            shared.update(headers)
            if self.endpoint.key:
                shared["Authorization"] = f"Bearer {self.endpoint.key}"
            self._prepared[shared_key] = requests.Request(outgoing.method, url, headers=shared).prepare()
        like = self._prepared[shared_key]
        prepared = requests.PreparedRequest()
        prepared.method, prepared.url = like.method, like.url
        whole: Any = {**like.headers, **headers}
        if outgoing.body:
            whole["Content-Length"] = str(len(outgoing.body))
            # A file is sent in blocks, each with a timeout of its own; bytes would have to be through in one.
            body: Any = BytesIO(outgoing.body)
            prepared.body = body
        # Names of one spelling need no dictionary that ignores it, which takes longer than all the rest.
        prepared.headers = whole
        return prepared

    def renew_key(self, refused: str | None) -> bool:
        """Runs the key command again after a key was refused; returns whether there is another key now."""
        with self._key_lock:
            if self.endpoint.fetch_key and self.endpoint.key == refused:
                self.endpoint.key = self.endpoint.fetch_key()
        return self.endpoint.key != refused

    def route(self, url: str) -> Proxy:
        """Returns the proxy for a URL, looked up once. Raises LlamaError (network) where it is none."""
        if url not in self._routes:
            self._routes[url] = Proxy(url, self.stderr)
        return self._routes[url]


class Call:
    """One request and its retries, under one request id."""

    latest_attempt: Attempt
    #: The latest response that was not a 2xx, and its body.
    error_response: tuple[requests.Response, bytes] | None = None
    #: How often the request was sent.
    attempts = 0
    _has_spinner = _reached_server = _has_renewed_key = False

    def __init__(
        self,
        client: Client,
        request: Request,
        policy: RetryPolicy,
        no_retry: Collection[int] = (),
        request_id: str | None = None,
    ) -> None:
        self.client, self.options, self.stderr = client, client.options, client.stderr
        self.request, self.policy, self.no_retry = request, policy, no_retry
        self.read_timeout = self.options.timeout or READ_TIMEOUT_SECONDS[request.stream]
        self.request_id = request_id or self.options.request_id or str(uuid4())
        self.url = join_url(client.endpoint.base_url, request.path)
        self.started = time.monotonic()
        self.proxy = client.route(self.url)

    def send(self) -> requests.Response:
        """Returns the response, a 2xx, with a spinner turning until it has something to show.

        Raises LlamaError where there is none, after as many tries as the options allow.
        """
        self._has_spinner = True
        self.stderr.waiting(f"waiting for {self.client.endpoint.host}").start()
        try:
            return self._send()
        except BaseException as error:
            self.clear_status()
            self.record(error)
            raise

    def record(self, error: BaseException | None, reply: Reply | None = None) -> None:
        """Appends the call to the usage log, if there is one: `error` ended it."""
        if self.client.usage_log:
            self.client.usage_log.add_call(self, self.client.endpoint.host, error, reply)

    def clear_status(self) -> None:
        """Ends the spinner, where this call has begun one: the bar of a batch is not its to end."""
        if self._has_spinner:
            self.stderr.clear_status()

    def _send(self) -> requests.Response:
        failures = 0
        while True:
            try:
                return self._attempt_adapted()
            except Retryable as failure:
                wait = self.policy.wait_seconds(failure, failures)
                self.stderr.note(self.policy.note(failure, failures, wait))
                failures += 1
                time.sleep(wait)

    def attempt(self) -> requests.Response:
        """Sends the request once. Raises Retryable, or LlamaError if a retry would not help."""
        try:
            return self._attempt_adapted()
        except BaseException as error:
            self.record(error.error if isinstance(error, Retryable) else error)
            raise

    def _attempt_adapted(self) -> requests.Response:
        self._leave_out_stream_options()
        while True:
            key = self.client.endpoint.key
            try:
                return self._attempt()
            except Retryable as failure:
                # The server closed an idle connection, which says nothing about the call.
                if failure.http_status or not self.latest_attempt.is_reused:
                    raise
            except LlamaError as error:
                if not (self._renew_key(error, key) or self._adapt_stream_options()):
                    raise

    def _renew_key(self, error: LlamaError, key: str | None) -> bool:
        """Runs the key command again after a 401, once: it may print keys that expire."""
        if error.http_status != 401 or self._has_renewed_key or not self.client.renew_key(key):
            return False
        self._has_renewed_key = True
        return True

    def _adapt_stream_options(self) -> bool:
        """Stops asking for token counts if the server has just refused that."""
        if not isinstance(self.request, ChatRequest) or "stream_options" not in self.request.parameters:
            return False
        response, body = self.error_response or (None, b"")
        if response is None or response.status_code not in (400, 422) or b"stream_options" not in body:
            return False
        self.client.sends_stream_options = False
        self._leave_out_stream_options()
        return True

    def _leave_out_stream_options(self) -> None:
        if isinstance(self.request, ChatRequest) and not self.client.sends_stream_options:
            self.request = self.request.replace(stream_options=None)

    def _attempt(self) -> requests.Response:
        self.error_response = None
        self.attempts += 1
        left = max(self.policy.time_left, 0.001)
        connect_timeout = min(self.options.connect_timeout, left)
        self.latest_attempt = self.client.adapter.attempt = Attempt(connect_timeout, self.read_timeout, left)
        try:
            request = self.client.prepare(self.request, self.url, self.request_id)
            self._show_request(request)
            response = self.client.adapter.send(
                request,
                stream=True,
                timeout=(connect_timeout, self.read_timeout),
                verify=self.client.verify,
                proxies=self.proxy.proxies,
            )
        except FAILURES as error:
            raise self.connection_error(error) from error
        except Stopped:
            # The server shall see that nobody waits any more, also where the program goes on.
            self.latest_attempt.close()
            raise
        self.latest_attempt.begun = True
        self._show_response(response)
        if 200 <= response.status_code < 300:
            return response
        try:
            raise self._read_error(response)
        finally:
            response.close()
            self.latest_attempt.close()

    def connection_error(self, error: BaseException) -> Exception:
        """Says what became of a request without a (whole) response."""
        progress, limit = self.latest_attempt, self.options.max_time
        progress.close()
        if progress.was_cut and limit and self.policy.time_left <= 0:
            what = f"no complete answer within --max-time {round(limit, 2):g} s"
            return self.error(ExitStatus.BROKEN if progress.begun else ExitStatus.NETWORK, what, "raise it")
        cause = root_cause(error)
        if progress.begun:
            return self.cut_short(cause)
        where = self.client.endpoint.host + (f" through the proxy {self.proxy.host}" if self.proxy.host else "")
        if progress.connected and isinstance(cause, TimeoutError):
            # The call may go on over there, and be billed: it is not sent twice.
            what = f"no answer from {where} within {self.read_timeout:g} s"
            return self.error(ExitStatus.NETWORK, what, "raise --timeout")
        if progress.was_cut:
            cause = TimeoutError(f"not ready within {progress.connect_timeout:g} s")
        verb = "lost the connection to" if progress.connected else "cannot connect to"
        todo = "check --base-url and --ca-bundle" if isinstance(cause, ssl.SSLError) else "check network and --base-url"
        failure = self.error(ExitStatus.NETWORK, f"{verb} {where}: {describe(cause)}", todo)
        if is_permanent(error, cause):
            return failure
        # A name that is not known will not be known in a minute.
        return Retryable(failure, max_retries=NAME_ERROR_RETRIES if isinstance(cause, socket.gaierror) else None)

    def cut_short(self, cause: BaseException) -> LlamaError:
        """Says that the response ended before the answer did."""
        if isinstance(cause, TimeoutError):
            return self.error(
                ExitStatus.BROKEN, f"the answer broke off: silence for {self.read_timeout:g} s", "try again"
            )
        return self.error(ExitStatus.BROKEN, f"the answer broke off: {describe(cause)}", "try again")

    def _read_error(self, response: requests.Response) -> Exception:
        """Returns the error of a response that is not a 2xx, with the server's own words."""
        from llamacli.api.errors import error_in, request_id_in
        from llamacli.http import retry, status

        code, headers = response.status_code, response.headers
        body = self._read_error_body(response)
        self.error_response = response, body
        words = one_line(self.stderr.redacted(error_in(body)), 300)
        if 300 <= code < 400 and (location := headers.get("Location")):
            words = f"a redirect to {one_line(location, 200)}, not followed"
        what = f"{status.reason(code)} from {self.client.endpoint.host}" + (f": {words}" if words else "")
        # The code of an error says more than its words.
        quoted = f"{words} {body[:MAX_ERROR_BYTES].decode('utf-8', 'replace')}" if code == 429 else words
        wait = retry.retry_after(headers, body)
        exit_status, todo = status.meaning(code, quoted, self.url, self._is_chat)
        if exit_status == ExitStatus.CREDITS and code == 429 and wait is not None:
            # Gemini calls its rate limits a quota too, but says when to come back.
            exit_status, todo = status.STATUS_MEANINGS[429]
        if code == 401 and not self.client.endpoint.key:
            todo = self.client.endpoint.key_origin
        server_id = headers.get("x-inference-id") or headers.get("x-request-id") or request_id_in(body)
        failure = self.error(exit_status, what, todo, server_id, code)
        if code not in status.RETRYABLE_STATUSES or code in self.no_retry or exit_status == ExitStatus.CREDITS:
            return failure
        return Retryable(failure, wait, code)

    def _read_error_body(self, response: requests.Response) -> bytes:
        self.latest_attempt.finishing(10)
        body = bytearray()
        with suppress(*FAILURES):
            while len(body) < MAX_ERROR_BODY_BYTES and (block := response.raw.read1(BLOCK_BYTES)):
                body += block
        return bytes(body)

    @property
    def _is_chat(self) -> bool:
        return self.request.path == CHAT_PATH

    def error(
        self, status: ExitStatus, what: str, todo: str, server_id: object = None, http_status: int | None = None
    ) -> LlamaError:
        """Returns an error that names the request, which the provider's logs can be searched for."""
        self._reached_server = self._reached_server or self.latest_attempt.connected
        ids = ""
        if self._reached_server:
            ids = f"request id {server_id or self.request_id}"
            if server_id and server_id != self.request_id and self.stderr.is_verbose:
                ids += f", sent as {self.request_id}"
        return LlamaError(status, what, todo, request_id=ids, http_status=http_status)

    def _show_request(self, request: requests.PreparedRequest) -> None:
        if not self.stderr.is_verbose:
            return
        self.stderr.verbose(f"> {request.method} {request.url}")
        for name, value in request.headers.items():
            self.stderr.verbose(f"> {name}: {value}")

    def _show_response(self, response: requests.Response) -> None:
        if not self.stderr.is_verbose:
            return
        from llamacli.http.status import reason

        self.stderr.verbose(f"< {reason(response.status_code)}")
        for name, value in response.headers.items():
            self.stderr.verbose(f"< {name}: {value}")
        self.stderr.verbose(f"* headers after {time.monotonic() - self.started:.3f} s")
