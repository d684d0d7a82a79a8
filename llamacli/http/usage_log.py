"""--usage-log: one JSON line for each request.

It says what the request cost and how it ended; it contains no prompt, answer or key.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Protocol

from llamacli.api.completion import find_problem, reported_cost, token_count, usage_in
from llamacli.api.messages import Completion
from llamacli.errors import ExitStatus, LlamaError, Stopped, UsageError
from llamacli.http.options import NetworkOptions
from llamacli.http.request import ChatRequest, Request
from llamacli.stdio.files import append_line, open_log

if TYPE_CHECKING:
    from llamacli.api.accumulator import Accumulator
    from llamacli.http.connection.http11 import Response

#: Maximum length of names that others chose, so that a line is written at once.
MAX_NAME_CHARS = 200
#: A longer body of `raw` is not searched for the name of its model.
MAX_BODY_BYTES = 1 << 20


class LoggedCall(Protocol):
    """What the log needs to know of a call."""

    request: Request
    request_id: str
    error_response: "tuple[Response, bytes] | None"
    started: float
    attempts: int


class LoggedReply(Protocol):
    """What the log needs to know of the reply to a call."""

    accumulator: "Accumulator"
    response: "Response"
    started: float
    first_text: float


class UsageLog:
    """An open log. Raises LlamaError: usage for `-`, output if the file cannot be opened."""

    def __init__(self, path: str, command: str, note: Callable[[str], None]) -> None:
        self._path, self._command, self._note = path, command, note
        if path == "-":
            raise UsageError("stdout carries the answer, not the usage log", "use /dev/stderr, or ./- for a file")
        try:
            self._fd = open_log(path)
        except OSError as error:
            raise LlamaError(ExitStatus.OUTPUT, f"cannot open the usage log {path}: {error.strerror}") from None

    def add_call(self, call: LoggedCall, host: str, error: BaseException | None, reply: "LoggedReply | None") -> None:
        """Appends the line of a call that has ended."""
        completion: Completion = reply.accumulator.completion() if reply else {}
        response = reply.response if reply else (call.error_response or (None,))[0]
        if error is None and isinstance(call.request, ChatRequest):
            error = find_problem(completion)
        headers = response.headers if response is not None else {}
        first = reply.first_text - reply.started if reply and reply.first_text > reply.started else None
        self._append(
            _parameters(call.request),
            completion,
            headers,
            status=_status(error),
            http_status=response.status if response is not None else None,
            host=host,
            request_id=call.request_id,
            seconds=round(time.monotonic() - call.started, 3),
            first_token_seconds=None if first is None else round(first, 3),
            attempts=call.attempts,
        )

    def add_cached(self, request: ChatRequest, completion: Completion) -> None:
        """Appends the line of an answer that was stored by an earlier call."""
        self._append(request.parameters, completion, {}, usd=0.0, cached=True)

    def _append(
        self, parameters: Mapping[str, object], completion: Completion, headers: Mapping[str, str], **fields: object
    ) -> None:
        """Appends a record; what neither the server reported nor `fields` say is None."""
        choices = completion.get("choices") or [{}]
        counts = usage_in(completion) or {}
        record: dict[str, object] = {
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "command": self._command,
            "status": 0,
            "http_status": None,
            "model": _name(parameters.get("model")),
            "response_model": _name(completion.get("model")),
            "host": "",
            "request_id": None,
            "server_id": _name(headers.get("x-inference-id") or headers.get("x-request-id") or completion.get("id")),
            "finish_reason": _name(choices[0].get("finish_reason")),
            "prompt_tokens": token_count(counts, "prompt_tokens"),
            "completion_tokens": token_count(counts, "completion_tokens"),
            "usd": reported_cost(completion, headers),
            "seconds": 0.0,
            "first_token_seconds": None,
            "attempts": 0,
            "cached": False,
            **fields,
        }
        try:
            append_line(self._fd, json.dumps(record, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        except OSError as error:
            self._note(f"cannot write the usage log {self._path}: {error.strerror}")


_open: dict[tuple[str, str], UsageLog] = {}


def usage_log(options: NetworkOptions, note: Callable[[str], None]) -> UsageLog:
    """Returns the log that the options name, opened once. Raises LlamaError (output)."""
    path = str(options.usage_log)
    key = os.path.abspath(path), options.command
    if key not in _open:
        _open[key] = UsageLog(path, options.command, note)
    return _open[key]


def _parameters(request: Request) -> Mapping[str, object]:
    if isinstance(request, ChatRequest):
        return request.parameters
    try:
        body = json.loads(request.body or b"") if len(request.body or b"") <= MAX_BODY_BYTES else None
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _name(value: object) -> str | None:
    return value[:MAX_NAME_CHARS] if isinstance(value, str) and value else None


def _status(error: BaseException | None) -> int:
    if error is None:
        return ExitStatus.OK
    if isinstance(error, LlamaError):
        return error.status
    if isinstance(error, Stopped):
        return 128 + error.number
    return ExitStatus.PIPE if isinstance(error, BrokenPipeError) else ExitStatus.INTERNAL
