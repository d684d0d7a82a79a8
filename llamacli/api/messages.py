"""The API's JSON as types: messages, choices, completions, and what can be read out of them."""

from typing import Any, TypedDict, cast

from llamacli.api.json import parse_json
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


def sorted_choices(completion: Completion | None) -> list[Choice]:
    """Returns the choices in the order of their indices, the content of each as one text."""
    ordered: list[Choice] = []
    for choice in sorted((completion or {}).get("choices") or [], key=choice_index):
        message: Message = choice.get("message") or {}
        content: Any = message.get("content")
        text = joined_text(content) if isinstance(content, list) else content
        ordered.append({**choice, "message": {**message, "content": text}})
    return ordered


def choice_index(choice: Choice) -> int:
    """Returns a choice's index, 0 where it has none."""
    found = choice.get("index")
    return found if isinstance(found, int) else 0


def joined_text(parts: list[dict[str, Any]]) -> str:
    """Returns the text of the API's other form of content, an array of parts, of which the texts count."""
    return "".join(part.get("text") or "" for part in parts)


#: What an assistant's message may carry in a request, of all that one in an answer holds.
REQUEST_MESSAGE_KEYS = ("content", "refusal", "tool_calls", "function_call")


def to_request_message(message: Message) -> Message:
    """Returns an answer's message as it can be sent back: what is null or empty would be refused by some servers."""
    parts: dict[str, Any] = {key: message[key] for key in REQUEST_MESSAGE_KEYS if message.get(key)}  # type: ignore[literal-required]
    return cast("Message", {"role": message.get("role") or "assistant", "content": None, **parts})


#: How gateways and servers say in a choice that there will be no more of it.
FAILED_FINISH_REASONS = ("error", "abort")


def find_problem(completion: Completion, allow_truncated: bool = False) -> LlamaError | None:
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
        if not choice.get("error") and reason not in FAILED_FINISH_REASONS:
            continue
        from llamacli.api.errors import error_message

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
