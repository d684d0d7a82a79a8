"""The API's JSON in the API's own words: messages, chunks, completions, and the errors of several dialects."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypedDict, cast

from llamacli.errors import ExitStatus, LlamaError
from llamacli.kinds import parse_json


class Message(TypedDict, total=False):
    role: str
    content: str | None
    refusal: str | None
    tool_calls: list[dict[str, Any]]


class Choice(TypedDict, total=False):
    index: int
    message: Message
    finish_reason: str | None
    error: Any


class Usage(TypedDict, total=False):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(TypedDict, total=False):
    id: str
    object: str
    choices: list[Choice]
    usage: Usage
    meta: dict[str, Any]


#: An event of a stream, or a whole completion that came in its place.
Chunk = dict[str, Any]


def encode(body: object) -> bytes:
    """Returns the JSON text that is sent."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # JSON's \ud800 in an option: only an escape can carry it on.
        return json.dumps(body, separators=(",", ":")).encode()


def tool_calls(message: Message) -> list[dict[str, Any]]:
    """Returns a message's tool calls as {id, name, arguments}, arguments parsed where they are JSON."""
    old = message.get("function_call")
    calls = list(message.get("tool_calls") or ()) + ([{"id": None, "function": old}] if old else [])
    return [
        {"id": call.get("id"), "name": function.get("name"), "arguments": _arguments(function.get("arguments"))}
        for call in calls
        if (function := call.get("function") or {})
    ]


def _arguments(text: object) -> object:
    try:
        return parse_json(text) if isinstance(text, str) else text
    except ValueError:
        return text


def answers(completion: Completion | None) -> list[Choice]:
    """Returns the choices in the order of their indices, the content of each as one text."""
    ordered: list[Choice] = []
    for choice in sorted((completion or {}).get("choices") or [], key=index):
        message: Message = choice.get("message") or {}
        content: Any = message.get("content")
        text = joined(content) if isinstance(content, list) else content
        ordered.append({**choice, "message": {**message, "content": text}})
    return ordered


def index(choice: Choice) -> int:
    """Returns a choice's index, 0 where it has none."""
    found = choice.get("index")
    return found if isinstance(found, int) else 0


def joined(parts: list[dict[str, Any]]) -> str:
    """Returns the text of the API's other form of content, an array of parts, of which the texts count."""
    return "".join(part.get("text") or "" for part in parts)


#: What an assistant's message may carry in a request, of all that one in an answer holds.
KEPT = ("content", "refusal", "tool_calls", "function_call")


def kept(message: Message) -> Message:
    """Returns an answer's message as it can be sent back: what is null or empty would be refused by some servers."""
    parts: dict[str, Any] = {key: message[key] for key in KEPT if message.get(key)}  # type: ignore[literal-required]
    return cast("Message", {"role": message.get("role") or "assistant", "content": None, **parts})


#: How gateways and servers say in a choice that there will be no more of it.
GIVEN_UP = ("error", "abort")


def verdict(completion: Completion, allow_truncated: bool = False) -> LlamaError | None:
    """Says what keeps a whole completion from being a complete answer, None where nothing does.

    Withheld goes before cut, and an answer with nothing in it is broken.
    """
    choices = completion.get("choices") or []
    messages: list[Message] = [choice.get("message") or {} for choice in choices]
    reasons = [choice.get("finish_reason") for choice in choices]
    refusal = next((text for message in messages if (text := message.get("refusal"))), None)
    if refusal:
        return LlamaError(ExitStatus.WITHHELD, f"the model refused: {refusal}", "ask in another way")
    if "content_filter" in reasons:
        return LlamaError(ExitStatus.WITHHELD, "the answer was withheld by a content filter", "ask in another way")
    for choice in choices:
        reason = choice.get("finish_reason")
        if not choice.get("error") and reason not in GIVEN_UP:
            continue
        words = error_message(choice.get("error")) or f"its finish_reason is {reason}"
        return LlamaError(ExitStatus.SERVER, f"the server failed: {words}", "try again later")
    if "length" in reasons:
        if allow_truncated:
            return None
        return LlamaError(
            ExitStatus.CUT, "the answer is cut at the token limit", "raise --max-tokens, or pass --allow-truncated"
        )
    if not all(message.get("content") or tool_calls(message) for message in messages) or not messages:
        return LlamaError(ExitStatus.BROKEN, "the server sent an answer with nothing in it", "try again")
    return None


#: How servers say that a request is longer than the model's context.
TOO_LONG = (
    r"context.{0,9}(length|window|size)|too (long|large)|reduce the length|tokens?.{0,40}(exceed|maximum|must be <=)"
    r"|(exceed|maximum).{0,40}tokens?"
)


def tells_too_long(words: str) -> bool:
    """Tells whether a server's refusal says that the messages are too long for the model."""
    return bool(re.search(TOO_LONG, words, re.IGNORECASE | re.DOTALL))


def usage(completions: Sequence[Completion]) -> dict[str, Any]:
    """Returns what the server told of tokens; of several completions the sums, {} where it told nothing."""
    told: list[Any] = [each for completion in completions if isinstance(each := completion.get("usage"), dict)]
    if len(told) < 2:
        return told[0] if told else {}
    keys = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {key: sum(each[key] for each in told if isinstance(each.get(key), int)) for key in keys}


def tokens(told: object) -> tuple[int, int]:
    """Returns the tokens in and out that a `usage` tells, 0 where it tells none."""
    counts = told if isinstance(told, dict) else {}
    found = [counts.get(key) for key in ("prompt_tokens", "completion_tokens")]
    taken, made = (count if isinstance(count, int) else 0 for count in found)
    return taken, made


def cost(completion: Completion, headers: Mapping[str, str]) -> float | None:
    """Returns USD spent: from the last chunk's meta.usage, or a whole answer's header; None where neither tells."""
    told: list[Any] = []
    with suppress(KeyError, TypeError):
        told.append(completion["meta"]["usage"]["usd_spent"])
    told.append(headers.get("x-aimlapi-usd-spent"))
    return next((usd for usd in map(_usd, told) if usd is not None), None)


def _usd(told: Any) -> float | None:
    """Returns a cost, None where it is none: NaN or a negative one would undo what has been counted."""
    try:
        usd = float(told)
    except (TypeError, ValueError, OverflowError):
        return None
    return usd if 0 <= usd < math.inf else None


def error_message(document: object, depth: int = 9) -> str:
    """Finds the server's own words in an error document, no deeper than so, "" where it has none.

    Knows AIMLAPI's {message, ...}, OpenAI's {error: {message}}, {error: "text"},
    FastAPI's {detail: "text" or [{loc, msg}]}, problem+json (RFC 9457) and lists of
    validation faults beside any of them.
    """
    if isinstance(document, str):
        return document
    if isinstance(document, list) and depth:
        return ", ".join(filter(None, (error_message(part, depth - 1) for part in document[:5])))
    if not isinstance(document, dict) or not depth:
        return ""
    words = ("message", "error", "detail", "title", "msg")
    parts = [error_message(document[key], depth - 1) for key in words if document.get(key)]
    location = document.get("loc") or document.get("path")
    # AIMLAPI's `path` is the URL's, a text; a validation fault's names the field.
    if isinstance(location, list):
        parts.append("in " + ".".join(map(str, location)))
    for key in ("validation", "errors", "issues"):
        if document.get(key):
            parts.append(error_message(document[key], depth - 1))
    for key in ("expected", "received"):
        if isinstance(document.get(key), str):
            parts.append(f"{key} {document[key]}")
    return ", ".join(dict.fromkeys(filter(None, parts)))


def error_in(body: bytes) -> str:
    """Finds the server's own words in the body of an HTTP error: JSON, HTML, text or nothing."""
    text = body.decode("utf-8", "replace").strip()
    try:
        return error_message(json.loads(text))
    except (ValueError, RecursionError):
        pass
    if text.startswith("<"):
        title = re.search(r"<(title|h1)[^>]*>(.*?)</\1", text, re.IGNORECASE | re.DOTALL)
        return f"an HTML page, '{title[2].strip()}'" if title else "an HTML page"
    return text


def request_id(document: object) -> str | None:
    """Returns the id under which AIMLAPI's error document names the request."""
    found = document.get("requestId") if isinstance(document, dict) else None
    return found if isinstance(found, str) else None


def request_id_in(body: bytes) -> str | None:
    """Returns the request id in the body of an HTTP error."""
    try:
        return request_id(json.loads(body))
    except (ValueError, RecursionError):
        return None
