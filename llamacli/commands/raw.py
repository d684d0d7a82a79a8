"""`llamacli raw`: a JSON body in, the API's JSON out."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from llamacli.api.json import encode, json_fault, parse_json
from llamacli.cli.spec import LoadedOptions
from llamacli.cli.table import DisplayOptions, Flag, Operand, Options, OutputFile, StdinOptions
from llamacli.cli.types import AtFile, KeyValue, Pattern, Switch
from llamacli.errors import ExitStatus, LlamaError, UsageError
from llamacli.http import endpoint
from llamacli.http.options import EndpointOptions, NetworkOptions, PreviewOptions
from llamacli.http.request import CHAT_PATH, Request, print_previews
from llamacli.stdio.input import Environment, display_path
from llamacli.stdio.output import Output, open_output

if TYPE_CHECKING:
    from llamacli.http.connection.http11 import Response
    from llamacli.http.reply import Reply


DESCRIPTION = """
BODY is JSON, @FILE, or - for stdin. Stdin is also read if neither BODY nor -F is given,
except for GET (the default with --endpoint alone). The body must be valid JSON, and is sent
byte for byte; with -F, it is re-encoded.

The response body is printed byte for byte. From a stream, the data of each event is printed
as a line, without the final [DONE]. Any 2xx response exits 0.
"""
OPERANDS = (Operand("body", AtFile("BODY")),)
EXAMPLES = (
    "llamacli raw -F temperature=0 @body.json",
    "llamacli ask --dry-run --json 'Hello' | llamacli raw | jq -r '.choices[0].message.content'",
    "llamacli raw --endpoint /models | jq -r '.data[].id'",
)
#: The methods that completion offers; a server may accept others.
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Field(KeyValue):
    """KEY=VALUE, where VALUE is a JSON literal or number, or else a string."""

    undecoded = True
    completes = "field"
    json = re.compile(r"true|false|null|-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)

    def value(self, text: str) -> object:
        # @FILE is read later, and stdin once.
        return text


class RawOptions(Options):
    """What is sent, and which part of the response is shown."""

    title = "Request"

    field: Flag[dict[str, str] | None] = Flag(
        None,
        Field(),
        "Set a key of the body: JSON, @FILE or text.",
        "-F",
        common=True,
        multiple=True,
        example="llamacli raw -F max_tokens=10 -F temperature=0 @body.json",
    )
    endpoint: Flag[str | None] = Flag(
        None,
        Pattern("PATH", r"/[A-Za-z0-9._~:/?@!$&'()*+,;=%-]*", "a path that begins with /, percent-encoded"),
        "Path under the base URL, or //PATH from the root.",
        common=True,
        example="llamacli raw --endpoint //v2/billing",
    )
    method: Flag[str | None] = Flag(
        None,
        Pattern("METHOD", r"[A-Z]{1,20}", "a method in capital letters", values=METHODS),
        "HTTP method (default POST; GET without a body).",
        "-X",
        common=True,
    )
    include: Flag[bool] = Flag(False, Switch(), "Print status line and headers first.", "-i", common=True)
    sse: Flag[bool] = Flag(False, Switch(), "Print a stream as received, not the data of its events.")


OPTIONS = (StdinOptions, RawOptions, OutputFile, PreviewOptions, DisplayOptions, EndpointOptions, NetworkOptions)


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Sends a body and prints the response."""
    raw, preview, path = options[RawOptions], options[PreviewOptions], options[OutputFile].output
    data, streaming = _body(options.operand("body"), raw, env)
    method = raw.method or ("GET" if raw.endpoint and not data else "POST")
    request = Request(method, raw.endpoint or CHAT_PATH, data, streaming)
    if preview.is_used:
        print_previews([request], options, path, env)
        return ExitStatus.OK
    where = endpoint.resolve(options[EndpointOptions], env)

    from llamacli.http.client import open_client

    with (
        open_output(path, env) as out,
        open_client(where, options[NetworkOptions].after(env.input.seconds_spent), env.stderr) as client,
    ):
        from llamacli.http.call import Call
        from llamacli.http.reply import Reply

        call = Call(client, request)
        try:
            response = call.send()
        except LlamaError:
            if call.error_response:
                _print(out, raw.include, *call.error_response)
            raise
        _print(out, raw.include, response, b"")
        with Reply(call, response) as reply:
            _copy_body(reply, out, raw.sse, is_answer=request.path.partition("?")[0].endswith("/completions"))
        out.end()
        out.commit()
    return ExitStatus.OK


def _body(body: str | None, raw: RawOptions, env: Environment) -> tuple[bytes | None, bool]:
    """Returns the bytes to send or None, and whether they ask for a stream."""
    if body is None and not raw.field:
        if raw.method == "GET" or (raw.endpoint and not raw.method):
            return None, False
        if not env.input.stdin_is_piped():
            if raw.endpoint:
                return None, False
            raise UsageError("nothing to send", "give a BODY, -F, or JSON on stdin")
        body = "-"
    data = None if body is None else _read_body(body, env)
    if not raw.field:
        if data and data.strip():
            return data, _asks_for_stream(_parse(data))
        if raw.endpoint:
            return None, False
        raise UsageError("nothing to send: the BODY is empty", "give JSON")
    whole = {} if data is None else _parse_object(data)
    for name, value in raw.field.items():
        key = env.input.argument(name, "--field")
        whole[key] = _value(value, key, env)
    return encode(whole), _asks_for_stream(whole)


def _read_body(body: str, env: Environment) -> bytes:
    if body in ("-", "@-"):
        data, origin = env.input.stdin_bytes("BODY"), "stdin"
    elif body.startswith("@"):
        origin = env.input.path_of(body, "BODY")
        data = env.input.file_bytes(origin, "BODY")
    elif body.lstrip()[:1] not in ("{", "[") and os.path.isfile(body):
        raise UsageError(f"BODY: '{display_path(body)}' is a file", f"write @{body} to read it")
    else:
        data, origin = os.fsencode(body), "BODY"
    env.input.decode(iter([data]), origin)
    return data


def _parse(data: bytes) -> object:
    """Returns the JSON, numbers as text. Raises UsageError."""
    try:
        # Numbers are sent as written, whatever a double or Python's limit on digits allows.
        return json.loads(data.decode(), parse_float=str, parse_int=str, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise UsageError(f"BODY {json_fault(error)}", "nothing was sent") from None
    except RecursionError:
        raise UsageError("BODY is nested too deeply to be checked") from None
    except ValueError as error:
        raise UsageError(f"BODY is not JSON: {error}", "nothing was sent") from None


def _asks_for_stream(document: object) -> bool:
    # A stream has a shorter read timeout.
    return isinstance(document, dict) and document.get("stream") is True


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON value")


def _parse_object(data: bytes) -> dict[str, object]:
    _parse(data)
    try:
        whole = parse_json(data.decode())
    except ValueError as error:
        raise UsageError(f"BODY {error}", "send it unchanged, without -F") from None
    if not isinstance(whole, dict):
        raise UsageError("BODY is not a JSON object, so -F cannot set a key in it")
    return whole


def _value(text: str, key: str, env: Environment) -> object:
    if Field.json.fullmatch(text):
        try:
            return parse_json(text)
        except ValueError as error:
            raise UsageError(f"--field {key}: '{text[:20]}' {error}") from None
    return env.input.at_file(text, f"--field {key}")


def _print(out: Output, include: bool, response: Response, body: bytes) -> None:
    if include:
        version = {10: "1.0", 11: "1.1", 20: "2"}.get(response.version, "1.1")
        lines = [f"HTTP/{version} {response.status} {response.reason or ''}".rstrip()]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        out.write("\n".join([*lines, "", ""]))
    out.verbatim(body)
    if body:
        out.end()


def _copy_body(reply: Reply, out: Output, as_received: bool, is_answer: bool) -> None:
    """Prints a body.

    A stream is printed `as_received`, or else the data of each event as a line. A
    model's answer may be a stream under any Content-Type. Raises LlamaError (broken) if
    the body is visibly truncated: by HTTP's framing, by JSON that does not end, or by a
    stream that ends before its answer.
    """
    start, blocks = reply.sniff()
    kind = reply.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    is_json = start[:1] in (b"{", b"[") and kind.endswith(("/json", "+json", "/event-stream"))
    if reply.is_stream(start) and (is_answer or kind == "text/event-stream"):
        _copy_events(reply, blocks, out, as_received)
    elif is_json:
        # Of all bodies without events, only JSON shows where it ends.
        _copy_document(reply, blocks, out, is_answer)
    else:
        for block in blocks:
            out.verbatim(block)
        if not start and reply.response.is_close_delimited:
            raise reply.error("the connection was closed before the body")


def _copy_document(reply: Reply, blocks: Iterator[bytes], out: Output, is_answer: bool) -> None:
    from llamacli.http.reply import MAX_BODY_BYTES

    pieces: list[bytes] = []
    size, end = 0, b""
    for block in blocks:
        out.verbatim(block)
        size += len(block)
        end = (end + block)[-64:].rstrip()
        # Of a longer document only the last byte is checked, so that memory stays bounded.
        if size <= MAX_BODY_BYTES:
            pieces.append(block)
    document = b"".join(pieces)
    is_whole = _is_json(document) if size <= MAX_BODY_BYTES else end[-1:] in b"}]"
    if not is_whole:
        raise reply.malformed()
    if is_answer and reply.is_logged and size <= MAX_BODY_BYTES:
        # For the usage log, which names the model and the tokens of each answer.
        with suppress(ValueError, RecursionError):
            reply.accumulator.add(json.loads(document))


def _copy_events(reply: Reply, blocks: Iterator[bytes], out: Output, as_received: bool) -> None:
    def printed(blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            out.verbatim(block)
            yield block

    for events in reply.events(printed(blocks) if as_received else blocks, needs_answer=False):
        for event in events:
            if not as_received and event.data:
                out.json_text(event.data + "\n")
            # Events are printed whatever they contain; the accumulator decides only whether the stream is whole.
            with suppress(ValueError, RecursionError):
                reply.accumulator.add(json.loads(event.data))


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data.decode("utf-8-sig", "replace"), parse_int=str, parse_float=str, strict=False)
    except RecursionError:
        # Nested too deeply to be checked, which is not an error.
        return True
    except ValueError:
        return False
    return True
