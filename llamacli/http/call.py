"""One request: its attempts, and the errors that end them."""

import re
import socket
import ssl
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from llamacli import __version__
from llamacli.api.errors import MAX_ERROR_BYTES, error_in, request_id_in
from llamacli.errors import ExitStatus, LlamaError, Stopped
from llamacli.http.client import Client
from llamacli.http.connection.attempt import Attempt
from llamacli.http.connection.http11 import ACCEPT_ENCODING, BLOCK_BYTES, Response
from llamacli.http.connection.lean_requests import FAILURES, describe, is_permanent, requests, root_cause
from llamacli.http.endpoint import join_url
from llamacli.http.request import CHAT_PATH, ChatRequest, Request, new_request_id
from llamacli.http.retry import (
    NAME_ERROR_RETRIES,
    RETRYABLE_STATUSES,
    STATUS_MEANINGS,
    Retryable,
    RetryPolicy,
    retry_after,
    status_meaning,
    status_text,
)
from llamacli.stdio.text import one_line

if TYPE_CHECKING:
    from llamacli.http.usage_log import LoggedReply

#: Seconds of silence allowed by default: for a stream (True), and for an answer in one piece.
READ_TIMEOUT_SECONDS = {True: 120.0, False: 600.0}
#: Seconds to wait for the body of an error.
ERROR_BODY_SECONDS = 10.0
#: Bytes of an error's body that are read: raw prints them, the message quotes their beginning.
MAX_ERROR_BODY_BYTES = 8 << 20


class Call:
    """One request and its retries, under one request id."""

    latest_attempt: Attempt
    #: The latest response that was not a 2xx, and its body.
    error_response: tuple[Response, bytes] | None = None
    #: The number of times the request was sent.
    attempts = 0
    _has_spinner = _reached_server = _has_renewed_key = False

    def __init__(
        self,
        client: Client,
        request: Request,
        policy: RetryPolicy | None = None,
        no_retry: Collection[int] = (),
        request_id: str | None = None,
    ) -> None:
        """`policy` has the limits of all calls for one question, if there are several.

        After an HTTP status in `no_retry` the call ends. Without `request_id` it gets a new id.
        """
        self.client, self.options, self.stderr = client, client.options, client.stderr
        self.request, self.policy, self.no_retry = request, policy or RetryPolicy(self.options), no_retry
        self.read_timeout = self.options.timeout or READ_TIMEOUT_SECONDS[request.stream]
        self.request_id = request_id or self.options.request_id or new_request_id()
        self.url = join_url(client.endpoint.base_url, request.path)
        self.started = time.monotonic()
        self.proxy = client.route(self.url)

    def send(self) -> Response:
        """Returns a 2xx response; a spinner runs until something is shown.

        Raises LlamaError if there is none, after as many retries as the options allow.
        """
        self._has_spinner = True
        self.stderr.waiting(f"waiting for {self.client.endpoint.host}").start()
        try:
            return self._send()
        except BaseException as error:
            self.clear_status()
            self.record(error)
            raise

    def record(self, error: BaseException | None, reply: "LoggedReply | None" = None) -> None:
        """Logs the call in the usage log; `error` is what ended it."""
        if self.client.usage_log:
            self.client.usage_log.add_call(self, self.client.endpoint.host, error, reply)

    def clear_status(self) -> None:
        """Stops the spinner that this call started, not a batch's bar."""
        if self._has_spinner:
            self.stderr.clear_status()

    def _send(self) -> Response:
        failures = 0
        while True:
            try:
                return self._attempt_adapted()
            except Retryable as failure:
                wait = self.policy.wait_seconds(failure, failures)
                self.stderr.note(self.policy.note(failure, failures, wait))
                failures += 1
                time.sleep(wait)

    def attempt(self) -> Response:
        """Sends the request once. Raises Retryable, or LlamaError."""
        try:
            return self._attempt_adapted()
        except BaseException as error:
            self.record(error.error if isinstance(error, Retryable) else error)
            raise

    def _attempt_adapted(self) -> Response:
        self._leave_out_stream_options()
        while True:
            key = self.client.endpoint.key
            try:
                return self._attempt()
            except Retryable as failure:
                # The server closed an idle connection, which says nothing about the call.
                is_idle_close = not failure.http_status and self.latest_attempt.is_reused
                if not (is_idle_close or self._adapt_stream_options()):
                    raise
            except LlamaError as error:
                if not (self._renew_key(error, key) or self._adapt_stream_options()):
                    raise

    def _renew_key(self, error: LlamaError, key: str | None) -> bool:
        """Runs the key command again after a 401, once: keys may expire."""
        if error.http_status != 401 or self._has_renewed_key or not self.client.renew_key(key):
            return False
        self._has_renewed_key = True
        return True

    def _adapt_stream_options(self) -> bool:
        """Stops requesting token counts if the server just refused them."""
        if not isinstance(self.request, ChatRequest) or "stream_options" not in self.request.parameters:
            return False
        response, body = self.error_response or (None, b"")
        if response is None or response.status in (401, 402, 429) or response.status > 501:
            return False
        if not re.search(rb"stream.?options|include.?usage", body, re.IGNORECASE):
            return False
        self.client.sends_stream_options = False
        self._leave_out_stream_options()
        return True

    def _leave_out_stream_options(self) -> None:
        if isinstance(self.request, ChatRequest) and not self.client.sends_stream_options:
            self.request = self.request.replace(stream_options=None)

    def _attempt(self) -> Response:
        self.error_response = None
        self.attempts += 1
        left = max(self.policy.time_left, 0.001)
        connect_timeout = min(self.options.connect_timeout, left)
        self.latest_attempt = self.client.adapter.attempt = Attempt(connect_timeout, self.read_timeout, left)
        try:
            like, headers = self._prepare()
            self._show_request(like, headers)
            response = self.client.adapter.request(
                like, headers, self.request.body, self.client.verify, self.proxy.proxies
            )
        except FAILURES as error:
            raise self.connection_error(error) from error
        except Stopped:
            # Lets the server stop, even if the program continues.
            self.latest_attempt.close()
            raise
        self.latest_attempt.begun = True
        self._show_response(response)
        if 200 <= response.status < 300:
            return response
        try:
            raise self._read_error(response)
        finally:
            response.close()
            self.latest_attempt.close()

    def _prepare(self) -> tuple[requests.PreparedRequest, dict[str, str]]:
        """Returns what the request shares with similar ones, and its headers."""
        client, body = self.client, self.request.body
        headers = self.request.headers(self.request_id, self.options.header or ())
        shared_key = *self.request.shared_key, client.endpoint.key
        if shared_key not in client.prepared:
            common = {"User-Agent": f"llamacli/{__version__}", "Accept-Encoding": ACCEPT_ENCODING, "Accept": "*/*"}
            shared = requests.structures.CaseInsensitiveDict(common)
            shared.update(headers)
            if client.endpoint.key:
                shared["Authorization"] = f"Bearer {client.endpoint.key}"
            like = requests.Request(self.request.method, self.url, headers=shared).prepare()
            client.prepared[shared_key] = like, dict(like.headers)
        like, shared_headers = client.prepared[shared_key]
        length = {"Content-Length": str(len(body))} if body else {}
        return like, {**shared_headers, **headers, **length}

    def connection_error(self, error: BaseException) -> Exception:
        """Returns the error for a missing or incomplete response."""
        attempt, limit = self.latest_attempt, self.options.max_time
        attempt.close()
        if attempt.was_cut and limit and self.policy.time_left <= 0:
            message = f"no complete answer within --max-time {limit:g} s"
            return self.error(ExitStatus.BROKEN if attempt.begun else ExitStatus.NETWORK, message, "raise it")
        cause = root_cause(error)
        if attempt.begun:
            reason = f"no data for {self.read_timeout:g} s" if isinstance(cause, TimeoutError) else describe(cause)
            return self.error(ExitStatus.BROKEN, f"the answer stopped: {reason}", "try again")
        where = self.client.endpoint.host + (f" through the proxy {self.proxy.host}" if self.proxy.host else "")
        if attempt.connected and isinstance(cause, TimeoutError):
            # The call may still be running, and be billed: it is never sent twice.
            message = f"no answer from {where} within {self.read_timeout:g} s"
            return self.error(ExitStatus.NETWORK, message, "raise --timeout")
        # If the machine is busy, Python's own limit of a handshake may take effect before the attempt's.
        if attempt.was_cut or (isinstance(cause, TimeoutError) and "handshake" in str(cause)):
            cause = TimeoutError(f"no connection within {attempt.connect_timeout:g} s")
        verb = "lost the connection to" if attempt.connected else "cannot connect to"
        hint = "check --base-url and --ca-bundle" if isinstance(cause, ssl.SSLError) else "check network and --base-url"
        failure = self.error(ExitStatus.NETWORK, f"{verb} {where}: {describe(cause)}", hint)
        if is_permanent(error, cause):
            return failure
        # A name that does not resolve now will not resolve in a minute.
        return Retryable(failure, max_retries=NAME_ERROR_RETRIES if isinstance(cause, socket.gaierror) else None)

    def _read_error(self, response: Response) -> Exception:
        """Returns the error for a response that is not a 2xx."""
        code, headers = response.status, response.headers
        body = self._read_error_body(response)
        self.error_response = response, body
        words = one_line(self.stderr.redacted(error_in(body)), 300)
        if 300 <= code < 400 and (location := headers.get("Location")):
            words = f"a redirect to {one_line(location, 200)}, not followed"
        status = status_text(code)
        # Many servers only repeat the status: Too Many Requests.
        is_news = words.casefold() not in status.casefold()
        message = f"{status} from {self.client.endpoint.host}" + (f": {words}" if is_news else "")
        # The code of an error says more than its words.
        quoted = f"{words} {body[:MAX_ERROR_BYTES].decode('utf-8', 'replace')}" if code == 429 else words
        wait = retry_after(headers, body)
        is_chat = self.request.path == CHAT_PATH
        exit_status, hint = status_meaning(code, quoted, self.url, is_chat, self.request.has_pictures)
        if exit_status == ExitStatus.CREDITS and code == 429 and wait is not None:
            # Gemini calls its rate limits a quota too, but says when to come back.
            exit_status, hint = STATUS_MEANINGS[429]
        if code == 401:
            origin = self.client.endpoint.key_origin
            hint = f"check the key from {origin}" if self.client.endpoint.key else origin
        server_id = headers.get("x-inference-id") or headers.get("x-request-id") or request_id_in(body)
        failure = self.error(exit_status, message, hint, server_id, code)
        if code not in RETRYABLE_STATUSES or code in self.no_retry or exit_status == ExitStatus.CREDITS:
            return failure
        return Retryable(failure, wait, code)

    def _read_error_body(self, response: Response) -> bytes:
        self.latest_attempt.finishing(ERROR_BODY_SECONDS)
        body = bytearray()
        with suppress(*FAILURES):
            while (left := MAX_ERROR_BODY_BYTES - len(body)) and (block := response.read1(BLOCK_BYTES)):
                body += block[:left]
        return bytes(body)

    def error(
        self, status: ExitStatus, message: str, hint: str, server_id: object = None, http_status: int | None = None
    ) -> LlamaError:
        """Returns an error with the ids to search for in a server's logs."""
        self._reached_server = self._reached_server or self.latest_attempt.connected
        ids = ""
        if self._reached_server:
            ids = f"request id {server_id or self.request_id}"
            if server_id and server_id != self.request_id and self.stderr.is_verbose:
                ids += f", sent as {self.request_id}"
        return LlamaError(status, message, hint, request_id=ids, http_status=http_status)

    def _show_request(self, like: requests.PreparedRequest, headers: Mapping[str, str]) -> None:
        if not self.stderr.is_verbose:
            return
        self.stderr.verbose(f"> {like.method} {like.url}")
        for name, value in headers.items():
            self.stderr.verbose(f"> {name}: {value}")

    def _show_response(self, response: Response) -> None:
        if not self.stderr.is_verbose:
            return
        self.stderr.verbose(f"< {status_text(response.status)}")
        for name, value in response.headers.items():
            self.stderr.verbose(f"< {name}: {value}")
        self.stderr.verbose(f"* headers after {time.monotonic() - self.started:.3f} s")
