"""The API's JSON in the API's own words: messages, chunks, completions, and the errors of several dialects."""

import json
import re
from typing import Any, TypedDict

from llamacli.errors import ExitStatus, LlamaError


class Message(TypedDict, total=False):
    role: str
    content: str | None
    refusal: str | None
    tool_calls: list[dict[str, Any]]


class Choice(TypedDict, total=False):
    index: int
    message: Message
    finish_reason: str | None


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


class Assembly:
    """Puts the chunks of a stream together to the completion that the server would have sent in one piece.

    A whole completion counts as a stream of one chunk, so that a server may answer
    either way. Raises LlamaError (broken) where a chunk is not of the API's shape.
    """

    def __init__(self, expected: int = 1) -> None:
        self.expected = expected
        self._top: Chunk = {}
        self._choices: dict[int, _Choice] = {}
        self._finished: set[int] = set()
        self._document: Chunk | None = None

    def add(self, chunk: Chunk) -> None:
        try:
            self._add(chunk)
        except (AttributeError, TypeError, ValueError):
            raise LlamaError(ExitStatus.BROKEN, "the server sent a chunk that is not of the API's shape") from None

    def _add(self, chunk: Chunk) -> None:
        for part in chunk.get("choices") or ():
            if "message" in part:
                self._document = chunk
            index = part.get("index") or 0
            choice = self._choices.get(index)
            if choice is None:
                choice = self._choices[index] = _Choice()
            choice.add(part)
            if part.get("finish_reason"):
                self._finished.add(index)
        for key, value in chunk.items():
            # Late chunks say `usage: null` and `id: ""`; what was known stays.
            if key != "choices" and (value or key not in self._top):
                self._top[key] = value

    def take(self, key: str = "content") -> str:
        """Returns what has come of the first choice's text since the last call."""
        choice = self._choices.get(0)
        return choice.take(key) if choice else ""

    @property
    def has_text(self) -> bool:
        """Whether any text has come, be it reasoning."""
        return any(any(pieces) for choice in self._choices.values() for pieces in choice.texts.values())

    @property
    def is_whole(self) -> bool:
        """Whether every choice has its finish_reason."""
        return len(self._finished) >= max(self.expected, len(self._choices))

    def completion(self) -> Completion:
        """Returns the completion so far, with every field that the server sent."""
        if self._document is not None:
            return self._document  # type: ignore[return-value]
        choices = [choice.whole(index) for index, choice in sorted(self._choices.items())]
        whole = {**self._top, "choices": choices}
        if whole.get("object", "").endswith(".chunk"):
            whole["object"] = "chat.completion"
        return whole  # type: ignore[return-value]


class _Choice:
    """One choice as it grows. Texts are kept in pieces, since joining at each chunk would be quadratic."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self.taken: dict[str, int] = {}
        self.message: dict[str, Any] = {}
        self.rest: dict[str, Any] = {}

    def add(self, part: dict[str, Any]) -> None:
        for key, value in part.items():
            if key in ("delta", "message"):
                self._add_delta(value or {})
            elif key == "logprobs" and isinstance(self.rest.get(key), dict) and value:
                _extend(self.rest[key], value)
            elif value is not None or key not in self.rest:
                self.rest[key] = value

    def _add_delta(self, delta: dict[str, Any]) -> None:
        for key, value in delta.items():
            if isinstance(value, str) and key != "role":
                pieces = self.texts.get(key)
                if pieces is None:
                    pieces = self.texts[key] = []
                    self.message[key] = None
                pieces.append(value)
            elif key == "content" and isinstance(value, list):
                self._add_delta({key: "".join(piece.get("text") or "" for piece in value)})
            elif key == "tool_calls":
                self._add_tool_calls(value)
            elif key == "function_call" and value:
                _extend(self.message.setdefault(key, {}), value)
            elif value is not None or key not in self.message:
                self.message[key] = value

    def _add_tool_calls(self, parts: list[dict[str, Any]] | None) -> None:
        if parts is None:
            self.message.setdefault("tool_calls", None)
            return
        calls = self.message.get("tool_calls")
        if not isinstance(calls, list):
            calls = self.message["tool_calls"] = []
        for part in parts:
            call = _same_call(calls, part)
            if call is None:
                calls.append(part)
            else:
                _extend(call, part)

    def take(self, key: str) -> str:
        pieces = self.texts.get(key)
        if not pieces:
            return ""
        start, self.taken[key] = self.taken.get(key, 0), len(pieces)
        return "".join(pieces[start:])

    def whole(self, index: int) -> Choice:
        message = {"role": "assistant", **self.message}
        message |= {key: "".join(pieces) for key, pieces in self.texts.items()}
        return {"index": index, **self.rest, "message": message}  # type: ignore[typeddict-item]


def _same_call(calls: list[dict[str, Any]], part: dict[str, Any]) -> dict[str, Any] | None:
    """Finds the tool call that a delta goes on with: by index, by id where a server sends no index, else the last."""
    key = "index" if "index" in part else "id"
    known = [call for call in calls if call.get(key) == part[key]] if key in part else calls[-1:]
    # Some servers give every call the index 0 and a new id.
    fresh = not known or part.get("id") not in (None, "", known[-1].get("id"))
    return None if fresh else known[-1]


def _extend(whole: dict[str, Any], part: dict[str, Any]) -> None:
    """Adds a delta to what came before: arguments and lists grow, objects merge, the rest is replaced."""
    for key, value in part.items():
        known = whole.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            _extend(known, value)
        elif isinstance(known, list) and isinstance(value, list):
            known.extend(value)
        elif isinstance(known, str) and isinstance(value, str) and key == "arguments":
            whole[key] = known + value
        elif value is not None or key not in whole:
            whole[key] = value


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
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text


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
    if "length" in reasons:
        if allow_truncated:
            return None
        return LlamaError(
            ExitStatus.CUT, "the answer is cut at the token limit", "raise --max-tokens, or pass --allow-truncated"
        )
    if not all(message.get("content") or tool_calls(message) for message in messages) or not messages:
        return LlamaError(ExitStatus.BROKEN, "the server sent an answer with nothing in it", "try again")
    return None


def cost(completion: Completion, headers: dict[str, str]) -> float | None:
    """Returns USD spent: from the last chunk's meta.usage, or a whole answer's header; None where neither tells."""
    spent = ((completion.get("meta") or {}).get("usage") or {}).get("usd_spent")
    try:
        return float(spent if spent is not None else headers["x-aimlapi-usd-spent"])
    except (KeyError, TypeError, ValueError):
        return None


def error_message(document: object) -> str:
    """Finds the server's own words in an error document, "" where it has none.

    Knows AIMLAPI's {message, ...}, OpenAI's {error: {message}}, {error: "text"},
    FastAPI's {detail: "text" or [{loc, msg}]}, problem+json (RFC 9457) and lists of
    validation faults beside any of them.
    """
    if isinstance(document, str):
        return document
    if isinstance(document, list):
        return ", ".join(filter(None, map(error_message, document[:5])))
    if not isinstance(document, dict):
        return ""
    words = ("message", "error", "detail", "title", "msg")
    parts = [error_message(document[key]) for key in words if document.get(key)]
    location = document.get("loc") or document.get("path")
    # AIMLAPI's `path` is the URL's, a text; a validation fault's names the field.
    if isinstance(location, list):
        parts.append("in " + ".".join(map(str, location)))
    for key in ("validation", "errors", "issues"):
        if document.get(key):
            parts.append(error_message(document[key]))
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
