"""The API's JSON as types: messages, choices, completions, and what can be read out of them."""

from collections.abc import Callable
from typing import Any, TypedDict, cast

from llamacli.api.json import parse_json
from llamacli.errors import ExitStatus, LlamaError


class ContentPart(TypedDict, total=False):
    """A part of a message in a request: a text or a picture."""

    type: str
    text: str
    image_url: dict[str, str]


#: What a message in a request says.
Content = str | list[ContentPart]


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
    """Returns a message's tool calls as {id, name, arguments}, arguments parsed if they are JSON.

    A call of another type than `function` has its name and input in an object that
    bears the type's name. A call with neither object is left out.
    """
    old = message.get("function_call")
    calls = list(message.get("tool_calls") or ()) + ([{"id": None, "function": old}] if old else [])
    return [parsed for call in calls if (parsed := _tool_call(call))]


def _tool_call(call: dict[str, Any]) -> dict[str, Any] | None:
    function = call.get("function")
    if isinstance(function, dict) and function:
        return {"id": call.get("id"), "name": function.get("name"), "arguments": _arguments(function.get("arguments"))}
    other = call.get(str(call.get("type")))
    if isinstance(other, dict) and other:
        return {"id": call.get("id"), "name": other.get("name"), "arguments": other.get("input")}
    return None


def is_message(value: object) -> bool:
    """True if a JSON value can be used as a message.

    The one rule for what is saved in a session and what is read from it.
    """
    if not isinstance(value, dict) or not isinstance(value.get("role"), str):
        return False
    return all(is_valid(value[key]) for key, is_valid in _VALID_VALUES.items() if value.get(key) is not None)


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


_VALID_VALUES: dict[str, Callable[[object], bool]] = {
    "content": lambda value: isinstance(value, str) or _is_list_of_objects(value),
    "refusal": lambda value: isinstance(value, str),
    "tool_calls": _is_list_of_objects,
    "function_call": lambda value: isinstance(value, dict),
}


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
    """Returns an answer's message as it can be sent back.

    Some servers refuse null and empty values, so they are left out, like any value
    that is_message() does not accept.
    """
    role = message.get("role") or "assistant"
    values: dict[str, Any] = {key: message.get(key) for key in REQUEST_MESSAGE_KEYS}
    parts = {key: value for key, value in values.items() if value and is_message({"role": "assistant", key: value})}
    return cast("Message", {"role": role if isinstance(role, str) else "assistant", "content": None, **parts})


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
        where = ", while the model was still reasoning" if any(map(_has_only_reasoning, messages)) else ""
        what = f"the answer was cut at the token limit{where}"
        return LlamaError(ExitStatus.CUT, what, "raise --max-tokens, or pass --allow-truncated")
    if any(map(_has_only_reasoning, messages)):
        what = "the model sent its reasoning but no answer"
        return LlamaError(ExitStatus.BROKEN, what, "try again, or see it with --reasoning")
    if not all(message.get("content") or tool_calls(message) for message in messages) or not messages:
        return LlamaError(ExitStatus.BROKEN, "the server sent an answer with nothing in it", "try again")
    return None


#: The keys under which servers send a message's reasoning.
REASONING_KEYS = ("reasoning_content", "reasoning")


def _has_only_reasoning(message: Message) -> bool:
    has_answer = message.get("content") or tool_calls(message)
    return not has_answer and any(message.get(key) for key in REASONING_KEYS)
