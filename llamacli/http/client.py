"""Sends a request, tries again where that may help, and reads the answer as it comes."""

import ssl
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from io import BytesIO
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from llamacli import __version__
from llamacli.api.accumulator import Assembly
from llamacli.api.json import encode
from llamacli.errors import ExitStatus, LlamaError, Stopped
from llamacli.http.connection.adapter import Adapter
from llamacli.http.connection.attempt import Progress
from llamacli.http.connection.failures import FAILURES, _is_certain, describe, root_cause
from llamacli.http.connection.lean_requests import requests
from llamacli.http.connection.proxy import Proxy
from llamacli.http.endpoint import Endpoint
from llamacli.http.options import NetworkOptions, certificates
from llamacli.http.reply import BLOCK, MAX_BODY, Reply
from llamacli.http.request import CHAT, Outgoing, join
from llamacli.stdio.escape import one_line
from llamacli.stdio.stderr import Stderr

if TYPE_CHECKING:
    from llamacli.http.connection.preconnect import Early


#: Seconds of silence allowed by default: while streaming, and where the answer comes in one piece.
SILENCE = {True: 120.0, False: 600.0}


class Retryable(Exception):
    """A failure after which the same request may be sent again.

    `after`: seconds that the server asks to wait. `code`: the HTTP status, 0 where there was no response.
    """

    def __init__(self, error: LlamaError, after: float | None = None, code: int = 0) -> None:
        super().__init__(str(error))
        self.error, self.after, self.code = error, after, code


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
        early: "Early | None" = None,
        connections: int = 1,
    ) -> None:
        self.endpoint, self.options, self.stderr = endpoint, options, stderr
        self.adapter = Adapter(connections)
        self.adapter.early = early
        #: The certificates to trust, True for requests' own.
        self.verify = (early and early.bundle) or certificates(options) or True
        self._routes: dict[str, Proxy] = {}
        self._prepared: dict[tuple[object, ...], requests.PreparedRequest] = {}

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Lets the connections go."""
        self.adapter.close()
        if self.adapter.early:
            self.adapter.early.close()

    def when_sent(self, act: Callable[[], None]) -> None:
        """Has something done each time that a request is sent and the server's turn begins."""
        self.adapter.when_sent = act

    def chat(self, body: dict[str, Any], final: Collection[int] = ()) -> "Reply":
        """Posts a body to /chat/completions and returns the reply, whose answer is still to be read.

        `final` holds HTTP statuses after which it is not tried again. Raises LlamaError
        with the status of whatever kept the server from a 2xx.
        """
        call = self.call(Outgoing("POST", CHAT, encode(body)), streaming=body.get("stream") is True, final=final)
        answers = body.get("n")
        return Reply(call, call.send(), Assembly(answers if isinstance(answers, int) else 1))

    def json(self, outgoing: Outgoing) -> Any:
        """Sends a request and returns the JSON document that answers it."""
        call = self.call(outgoing, streaming=False)
        with Reply(call, call.send(), Assembly()) as reply:
            return reply.document(reply.blocks())

    def call(
        self, outgoing: Outgoing, streaming: bool, final: Collection[int] = (), request_id: str | None = None
    ) -> "Call":
        """Returns a call that is still to be sent, under a new id where none is given."""
        return Call(self, outgoing, self.options.timeout or SILENCE[streaming], final, request_id)

    def prepared(self, outgoing: Outgoing, url: str, request_id: str) -> requests.PreparedRequest:
        """Returns a request that can be sent: what it shares with others of its kind is prepared once."""
        headers = outgoing.headers(request_id)
        if outgoing.kind not in self._prepared:
            shared = requests.utils.default_headers()
            shared["User-Agent"] = f"llamacli/{__version__}"
            # Which goes without saying since HTTP/1.1.
            del shared["Connection"]
            shared.update(headers)
            if self.endpoint.key:
                shared["Authorization"] = f"Bearer {self.endpoint.key}"
            self._prepared[outgoing.kind] = requests.Request(outgoing.method, url, headers=shared).prepare()
        like = self._prepared[outgoing.kind]
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

    def route(self, url: str) -> Proxy:
        """Returns the proxy for a URL, looked up once. Raises LlamaError (network) where it is none."""
        if url not in self._routes:
            self._routes[url] = Proxy(url, self.stderr)
        return self._routes[url]


class Call:
    """One request and its further tries, under one id and one clock."""

    #: Of the latest try.
    progress: Progress
    #: The latest response that was no 2xx, and its body.
    refusal: tuple[requests.Response, bytes] | None = None
    #: How often it was sent.
    tries = 0
    _has_spinner = False

    def __init__(
        self,
        client: Client,
        outgoing: Outgoing,
        silence: float,
        final: Collection[int] = (),
        request_id: str | None = None,
    ) -> None:
        self.client, self.options, self.stderr = client, client.options, client.stderr
        self.outgoing, self.silence, self.final = outgoing, silence, final
        self.request_id = request_id or self.options.request_id or str(uuid4())
        self.url = join(client.endpoint.base_url, outgoing.path)
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
        except BaseException:
            self.settle()
            raise

    def settle(self) -> None:
        """Ends the spinner, where this call has begun one: the bar of a batch is not its to end."""
        if self._has_spinner:
            self.stderr.settle()

    def _send(self) -> requests.Response:
        for attempt in count():
            try:
                return self.attempt()
            except Retryable as failure:
                from llamacli.http import retry

                wait = failure.after if failure.after is not None else retry.backoff(attempt)
                end = min(self.options.retry_max_time, self.options.max_time or float("inf"))
                if attempt >= self.options.retry:
                    raise failure.error from None
                if self.elapsed + wait > end:
                    if failure.after:
                        # Whichever it was: --retry-max-time or --max-time.
                        failure.error.todo = (
                            f"the server asks to wait {failure.after:.0f} s, more than the limits allow"
                        )
                    raise failure.error from None
                self.stderr.note(f"{failure.error.what}; retry {attempt + 1} of {self.options.retry} in {wait:.1f} s")
                time.sleep(wait)
        raise AssertionError("count() never ends")

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def attempt(self) -> requests.Response:
        """Sends the request once. Raises Retryable, or LlamaError where another try would not help."""
        try:
            return self._attempt()
        except Retryable as failure:
            # The server has let go of an idle connection, which tells nothing about the call.
            if failure.code or not self.progress.is_reused:
                raise
        return self._attempt()

    def _attempt(self) -> requests.Response:
        self.refusal = None
        self.tries += 1
        left = max(self.options.max_time - self.elapsed, 0.001) if self.options.max_time else float("inf")
        connect_timeout = min(self.options.connect_timeout, left)
        self.progress = self.client.adapter.progress = Progress(connect_timeout, self.silence, left)
        try:
            request = self.client.prepared(self.outgoing, self.url, self.request_id)
            self._show_request(request)
            response = self.client.adapter.send(
                request,
                stream=True,
                timeout=(connect_timeout, self.silence),
                verify=self.client.verify,
                proxies=self.proxy.proxies,
            )
        except FAILURES as error:
            raise self.lost(error) from error
        except Stopped:
            # The server shall see that nobody waits any more, also where the program goes on.
            self.progress.close()
            raise
        self.progress.begun = True
        self._show_response(response)
        if 200 <= response.status_code < 300:
            return response
        try:
            raise self._refused(response)
        finally:
            response.close()
            self.progress.close()

    def lost(self, error: BaseException) -> Exception:
        """Says what became of a request without a (whole) response."""
        progress, limit = self.progress, self.options.max_time
        progress.close()
        if progress.was_cut and limit and self.elapsed >= limit:
            what = f"no complete answer within --max-time {limit:g} s"
            return self.fault(ExitStatus.BROKEN if progress.begun else ExitStatus.NETWORK, what, "raise it")
        cause = root_cause(error)
        if progress.begun:
            return self.broken(cause)
        where = self.client.endpoint.host + (f" through the proxy {self.proxy.host}" if self.proxy.host else "")
        if progress.connected and isinstance(cause, TimeoutError):
            # The call may go on over there, and be billed: it is not sent twice.
            what = f"no answer from {where} within {self.silence:g} s"
            return self.fault(ExitStatus.NETWORK, what, "raise --timeout")
        if progress.was_cut:
            cause = TimeoutError(f"not ready within {progress.connect_timeout:g} s")
        verb = "lost the connection to" if progress.connected else "cannot connect to"
        todo = "check --base-url and --ca-bundle" if isinstance(cause, ssl.SSLError) else "check network and --base-url"
        failure = self.fault(ExitStatus.NETWORK, f"{verb} {where}: {describe(cause)}", todo)
        return failure if _is_certain(error, cause) else Retryable(failure)

    def broken(self, cause: BaseException) -> LlamaError:
        """Says that the response ended before the answer did."""
        if isinstance(cause, TimeoutError):
            return self.fault(ExitStatus.BROKEN, f"the answer broke off: silence for {self.silence:g} s", "try again")
        return self.fault(ExitStatus.BROKEN, f"the answer broke off: {describe(cause)}", "try again")

    def _refused(self, response: requests.Response) -> Exception:
        """Says why there was no 2xx, in the server's own words where it has some."""
        from llamacli.http import retry

        code = response.status_code
        self.progress.finishing(10)
        from llamacli.api.errors import error_in, request_id_in

        blocks: list[bytes] = []
        with suppress(*FAILURES):
            while len(blocks) < MAX_BODY // BLOCK and (block := response.raw.read1(BLOCK, decode_content=True)):
                blocks.append(block)
        body = b"".join(blocks)
        self.refusal = response, body
        words = one_line(self.stderr.hidden(error_in(body)), 300)
        if 300 <= code < 400 and (location := response.headers.get("Location")):
            words = f"a redirect to {location}, not followed"
        what = f"{retry.reason(code)} from {self.client.endpoint.host}" + (f": {words}" if words else "")
        server_id = (
            response.headers.get("x-inference-id") or response.headers.get("x-request-id") or request_id_in(body)
        )
        status, todo = retry.meaning(code)
        if code == 404 and self.outgoing.path == CHAT:
            todo = f"check --model, and {todo.removeprefix('check ')}"
        if code == 401 and not self.client.endpoint.key:
            todo = self.client.endpoint.key_origin
        failure = self.fault(status, what, todo, server_id)
        failure.http_status = code
        if code not in retry.RETRIED or code in self.final:
            return failure
        return Retryable(failure, retry.retry_after(response.headers.get("Retry-After")), code)

    def fault(self, status: ExitStatus, what: str, todo: str, server_id: object = None) -> LlamaError:
        """Makes an error that names the request, so that the provider's logs can be searched for it."""
        theirs = f", the server's {server_id}" if server_id else ""
        return LlamaError(status, f"{what} (request id {self.request_id}{theirs})", todo)

    def _show_request(self, request: requests.PreparedRequest) -> None:
        if not self.stderr.is_verbose:
            return
        self.stderr.verbose(f"> {request.method} {request.url}")
        for name, value in request.headers.items():
            self.stderr.verbose(f"> {name}: {value}")

    def _show_response(self, response: requests.Response) -> None:
        if not self.stderr.is_verbose:
            return
        from llamacli.http import retry

        self.stderr.verbose(f"< {retry.reason(response.status_code)}")
        for name, value in response.headers.items():
            self.stderr.verbose(f"< {name}: {value}")
        self.stderr.verbose(f"* headers after {self.elapsed:.3f} s")
