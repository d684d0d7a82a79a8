"""The API's JSON as types: messages, choices, completions; and their reasoning."""

import re
from collections.abc import Callable
from typing import TypedDict, cast

from llamacli.api.json import Json, JsonObject, encode


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
    tool_calls: list[JsonObject]


class Choice(TypedDict, total=False):
    index: int
    message: Message
    finish_reason: str | None
    error: object


class Usage(TypedDict, total=False):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(TypedDict, total=False):
    id: str
    object: str
    choices: list[Choice]
    usage: Usage
    meta: JsonObject


#: An event of a stream, or a whole completion in its place. Servers put anything in it: only the accumulator reads it.
Chunk = JsonObject


#: The parameters of a request: the API's, and whatever --param adds.
RequestBody = dict[str, object]


def unwrap(document: JsonObject) -> JsonObject:
    """Returns the completion in a document, which some gateways put into another one."""
    if not document.get("choices"):
        for key in ("data", "result", "output", "response", "body"):
            inner = document.get(key)
            if isinstance(inner, dict) and inner.get("choices"):
                return {**{name: value for name, value in document.items() if name != key}, **inner}
    return document


def to_parts(content: Json) -> list[JsonObject]:
    """Returns content that is not a text as the list of its parts. Raises TypeError.

    An object that is no part is JSON that the server has parsed.
    """
    if isinstance(content, dict):
        is_part = not content or "type" in content or "text" in content
        content = [content] if is_part else content.get("parts", [encode(content).decode()])
    if not isinstance(content, list):
        raise TypeError
    return [{"type": "text", "text": part} if isinstance(part, str) else part for part in content if part]


def is_message(value: object) -> bool:
    """True if a JSON value is a message that can be saved and sent."""
    return message_problem(value) == ""


def message_problem(value: object) -> str:
    """Returns why a JSON value cannot be used as a message, "" if it can."""
    if not isinstance(value, dict):
        return "is not an object"
    if not isinstance(value.get("role"), str) or not value["role"]:
        return "has no role" if value.get("role") in (None, "") else "has a role that is not a string"
    for key, item in value.items():
        if item is not None and key in _VALID_VALUES and not _VALID_VALUES[key](item):
            return f"has {key} of the wrong type"
    return ""


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


_VALID_VALUES: dict[str, Callable[[object], bool]] = {
    "content": lambda value: isinstance(value, str) or _is_list_of_objects(value),
    "refusal": lambda value: isinstance(value, str),
    "tool_calls": _is_list_of_objects,
    "function_call": lambda value: isinstance(value, dict),
}


def sorted_choices(completion: Completion | None) -> list[Choice]:
    """Returns the choices by index, the content of each as one text."""
    ordered: list[Choice] = []
    for choice in sorted((completion or {}).get("choices") or [], key=choice_index):
        message: Message = choice.get("message") or {}
        content: Json = message.get("content")
        text = joined_text(content) if isinstance(content, list) else content
        ordered.append({**choice, "message": {**message, "content": text}})
    return ordered


def choice_index(choice: Choice) -> int:
    """Returns a choice's index, 0 if it has none."""
    index = choice.get("index")
    return index if isinstance(index, int) else 0


#: The words in the type of a part that is reasoning, and the keys under which it is.
REASONING_TYPE = "reason|think|thought"
REASONING_PART_KEYS = ("thinking", "reasoning", "summary", "text", "content")

#: The keys under which servers send a message's reasoning.
REASONING_KEYS = ("reasoning_content", "reasoning")


def joined_text(parts: list[JsonObject]) -> str:
    """Returns the text of an answer that is an array of parts."""
    return "".join(_text(part) for part in parts if not _is_reasoning(part))


def _text(part: JsonObject) -> str:
    """Returns the text of a part, "" unless its type, if it has one, names text."""
    if not re.search("text|markdown", str(part.get("type") or "text").lower()):
        return ""
    text = part.get("text") or part.get("content") or ""
    return str(text.get("value") or "") if isinstance(text, dict) else text


def _is_reasoning(part: JsonObject) -> bool:
    # Gemini marks its parts by `thought`.
    return part.get("thought") is True or re.search(REASONING_TYPE, str(part.get("type")).lower()) is not None


def joined_reasoning(value: object, depth: int = 4) -> str:
    """Returns the text of the reasoning parts, whatever its key."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and depth:
        return "".join(joined_reasoning(part, depth - 1) for part in value)
    if not isinstance(value, dict) or not depth:
        return ""
    if depth == 3 and not _is_reasoning(value):
        return ""
    return next((joined_reasoning(value[key], depth - 1) for key in REASONING_PART_KEYS if value.get(key)), "")


#: The keys of an answer's message that a request may contain.
REQUEST_MESSAGE_KEYS = ("content", "refusal", "tool_calls", "function_call")


def to_request_message(message: Message) -> Message:
    """Returns an answer's message as it can be sent back.

    Some servers refuse null and empty values, so they are left out, like any value
    that is_message() does not accept.
    """
    values: JsonObject = {key: message.get(key) for key in REQUEST_MESSAGE_KEYS}
    parts = {key: value for key, value in values.items() if value and is_message({"role": "assistant", key: value})}
    # Whatever role the server gave it.
    return cast("Message", {"role": "assistant", "content": None, **parts})


START_TAGS = ("<think>", "<thinking>")
END_TAG = "</(think|thinking)>"


class ThinkingSplitter:
    """Splits a text that arrives in pieces into reasoning and answer.

    A text that begins, after white space, with <think> or <thinking> is reasoning up
    to the matching end tag. Tags anywhere else are part of the answer. Holds back only
    what may still turn out to be a tag.
    """

    def __init__(self, keeps_reasoning: bool = False) -> None:
        """With `keeps_reasoning` all of the text is the answer."""
        self._pending = ""
        #: The tag that ends the reasoning, "" unless the text began with a start tag.
        self._end_tag = ""
        self._is_reasoning = False
        self._is_decided = keeps_reasoning
        #: White space between the reasoning and the answer is dropped.
        self._skips_space = False
        self.has_answer = False

    @property
    def has_reasoning(self) -> bool:
        """True if the text began with a start tag."""
        return bool(self._end_tag)

    def feed(self, text: str) -> tuple[str, str]:
        """Returns what a piece adds to the reasoning and the answer."""
        reasoning, answer = self._feed(text)
        self.has_answer = self.has_answer or bool(answer)
        return reasoning, answer

    def finish(self, text: str = "") -> tuple[str, str]:
        """Returns what the last piece adds, and what was held back."""
        reasoning, answer = self.feed(text)
        rest, self._pending = self._pending, ""
        if self._is_reasoning:
            return reasoning + rest, answer
        self.has_answer = self.has_answer or bool(rest)
        return reasoning, answer + rest

    def _feed(self, text: str) -> tuple[str, str]:
        if self._is_decided and not self._is_reasoning:
            return "", self._answer(text)
        text, self._pending = self._pending + text, ""
        if not self._is_decided:
            start = text.lstrip()
            tag = next((tag for tag in START_TAGS if start.startswith(tag)), None)
            if tag:
                self._end_tag = "</" + tag[1:]
                self._is_decided = self._is_reasoning = True
                text = start[len(tag) :]
            elif any(tag.startswith(start) for tag in START_TAGS):
                self._pending = text
                return "", ""
            else:
                self._is_decided = True
                return "", text
        reasoning, end, answer = text.partition(self._end_tag)
        if end:
            self._is_reasoning, self._skips_space = False, True
            return reasoning, self._answer(answer)
        size = _overlap(text, self._end_tag)
        self._pending = text[len(text) - size :]
        return text[: len(text) - size], ""

    def _answer(self, text: str) -> str:
        if self._skips_space:
            text = text.lstrip()
            self._skips_space = not text
        return text


def split_thinking(text: str, is_whole: bool) -> tuple[str, str]:
    """Returns the reasoning and the answer in a text.

    `is_whole`: nothing of the text has been printed yet, so an end tag without a start
    tag also ends reasoning. Chat templates often supply the start tag themselves.
    """
    splitter = ThinkingSplitter()
    reasoning, answer = splitter.finish(text)
    if is_whole and not splitter.has_reasoning and (end := re.search(END_TAG, answer)):
        before = answer[: end.start()]
        if f"<{end[1]}>" not in before:
            return before, answer[end.end() :].lstrip()
    return reasoning, answer


def without_thinking(completion: Completion, is_whole: bool) -> tuple[Completion, str]:
    """Returns a completion without reasoning, and that reasoning.

    Each message has its own reasoning in `reasoning_content` instead.
    """
    thoughts: list[str] = []
    choices: list[Choice] = []
    for choice in completion.get("choices") or []:
        message: Json = choice.get("message") or {}
        content = message.get("content")
        text = joined_text(content) if isinstance(content, list) else content
        if isinstance(text, str) and "think" in text:
            reasoning, answer = split_thinking(text, is_whole)
            if answer != text:
                thoughts.append(reasoning)
                whole = joined_reasoning(message.get("reasoning_content")) + reasoning
                message = {**message, "content": answer, "reasoning_content": whole}
                choice = {**choice, "message": message}
        choices.append(choice)
    return ({**completion, "choices": choices}, "".join(thoughts)) if thoughts else (completion, "")


def _overlap(text: str, tag: str) -> int:
    """Returns how many characters at the end of a text may begin a tag."""
    return next((size for size in range(len(tag) - 1, 0, -1) if text.endswith(tag[:size])), 0)
