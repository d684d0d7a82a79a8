"""Assembles the completion from the chunks of a stream."""

import json
from copy import deepcopy

from llamacli.api.completion import has_ended, is_worse, reason_elsewhere, to_api_form
from llamacli.api.errors import is_failure
from llamacli.api.json import Json, JsonObject
from llamacli.api.messages import (
    REASONING_KEYS,
    Choice,
    Chunk,
    Completion,
    choice_index,
    joined_reasoning,
    joined_text,
    to_parts,
    unwrap,
)
from llamacli.api.tool_calls import (
    add_to_call,
    find_call,
    finish_calls,
    has_api_form,
    merge,
    other_parts,
    to_tool_calls,
)

#: Keys of a message that do not grow by appending, whatever their value.
NON_TEXT_KEYS = frozenset({"role", "tool_calls", "function_call"})
#: More calls are an error or an attack. Each one makes it slower to find the call that a delta continues.
MAX_TOOL_CALLS = 1000
#: Keys of a message whose value is text, whatever its type.
TEXT_KEYS = frozenset({"content", *REASONING_KEYS})


#: The keys of a chunk that is only more text, and of its choice.
TEXT_CHUNK_KEYS = frozenset(
    {"id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier"}
)
TEXT_CHOICE_KEYS = frozenset({"index", "delta", "finish_reason"})


class Increment:
    """Chunks that arrived together.

    `content` and `reasoning` are what they add to the choice that came first.
    """

    def __init__(self, chunks: list[Chunk], content: str, reasoning: str) -> None:
        self.chunks, self.content, self.reasoning = chunks, content, reasoning


class Accumulator:
    """An answer as it grows.

    A whole completion counts as a stream of one chunk, with `message` for `delta`,
    because servers answer either way. `expected` is the number of choices requested.
    """

    def __init__(self, expected: int = 1) -> None:
        self.expected = expected
        self._top_level: Chunk = {}
        self._choices: dict[int, _PartialChoice] = {}
        self._first_choice: _PartialChoice | None = None
        self._first_key = 0
        self._finished_keys: set[int] = set()
        #: The error that the server reports in a choice.
        self.error: object = None
        #: The whole completion, if it came as one.
        self._document: Chunk | None = None
        self._has_document = False
        #: The keys of the document's choices.
        self._document_keys: list[int] = []
        self._completion: Completion | None = None

    def add(self, chunk: Chunk) -> None:
        """Adds a chunk. Raises ValueError if it does not have the API's shape."""
        self._completion = None
        try:
            if not self._add_text(chunk):
                self._add_fields(self._add_choices(chunk))
        except (AttributeError, TypeError, RecursionError):
            # What came before is still printed, without the rest of a document.
            self._document = None
            raise ValueError("unexpected shape") from None

    def increment(self, chunks: list[Chunk]) -> Increment:
        """Returns the text since the last call, with the chunks that it came in."""
        first = self._first_choice
        return Increment(chunks, first.new_text("content") if first else "", first.new_reasoning() if first else "")

    def _add_text(self, chunk: Chunk) -> bool:
        """Adds the text of a chunk with nothing else for the choice that came first.

        Nearly all chunks are like that; their ids and so on are those of the first and
        the last one. Adds nothing and returns False if this may be another one.
        """
        choice, parts = self._first_choice, chunk.get("choices")
        if not choice or chunk.get("usage") or not TEXT_CHUNK_KEYS.issuperset(chunk):
            return False
        if parts.__class__ is not list or len(parts) != 1 or parts[0].__class__ is not dict:
            return False
        part: JsonObject = parts[0]
        delta, pieces = part.get("delta"), choice.texts.get("content")
        if pieces is None or delta.__class__ is not dict or len(delta) != 1 or part.get("index") != self._first_key:
            return False
        text = delta.get("content")
        if text.__class__ is not str or part.get("finish_reason") or not TEXT_CHOICE_KEYS.issuperset(part):
            return False
        pieces.append(text)
        choice.growth += text != ""
        return True

    def _add_choices(self, chunk: Chunk) -> Chunk:
        """Adds the choices of any chunk, and returns it without a wrapper."""
        sent = chunk.get("choices")
        if not sent:
            chunk = unwrap(chunk)
            sent = chunk.get("choices") or []
        if not sent and len(self._choices) == 1 and (reason := reason_elsewhere(chunk)):
            sent = [{"index": self._first_key, "delta": {}, "finish_reason": reason}]
        if isinstance(sent, dict) and ("message" in sent or "delta" in sent):
            sent = [sent]
        parts = [to_api_form(part, chunk, len(sent) == 1) for part in sent if part]
        keys = None
        for place, part in enumerate(parts):
            if keys is None and "delta" not in part:
                keys = self._use_document(chunk, parts)
                if parts != sent or sent is not chunk["choices"]:
                    self._document = None
            key = keys[place] if keys else _index(part)
            choice = self._choices.get(key)
            if choice is None:
                choice = self._choices[key] = _PartialChoice()
                if not self._first_choice:
                    self._first_choice, self._first_key = choice, key
            # A reason counts even if the rest has a wrong shape.
            if has_ended(part.get("finish_reason")):
                self._finished_keys.add(key)
            choice.add(part)
            if choice.error:
                self.error = self.error or choice.error
        return chunk

    def _add_fields(self, chunk: Chunk) -> None:
        fields = self._top_level
        for name, value in chunk.items():
            # Late chunks have `usage: null` and `id: ""`, which do not replace real values.
            if (value or name not in fields) and name != "choices":
                known = fields.get(name) if name == "usage" else None
                if known.__class__ is dict and value.__class__ is dict:
                    # The counts may come in several chunks, and late ones may be 0.
                    value = {**known, **{key: count for key, count in value.items() if count or key not in known}}
                fields[name] = value
                if value.__class__ is dict and name[:2] == "x_" and is_failure(value.get("error")):
                    self.error = value["error"]

    def _use_document(self, chunk: Chunk, parts: list[JsonObject]) -> list[int] | None:
        """Makes a completion the answer and returns its choices' keys.

        Returns None if the document is not a whole completion. If several arrive, each
        adds to the one before: a stream of messages in place of deltas.
        """
        if not any("delta" not in part and part.get("message") for part in parts):
            return None
        self._document = None if self._has_document or not all(map(has_api_form, parts)) else chunk
        self._has_document = True
        keys = [_index(part) for part in parts]
        # Each is a separate choice, with or without an index.
        self._document_keys = keys if len(set(keys)) == len(keys) else list(range(len(keys)))
        self._choices = {key: choice for key, choice in self._choices.items() if key in self._document_keys}
        self._first_key, self._first_choice = next(iter(self._choices.items()), (0, None))
        return self._document_keys

    def choices(self, is_printed: bool) -> list[tuple[Choice, str]]:
        """Returns each choice with its text not printed yet, by index.

        If the increments were printed (`is_printed`), the choice that came first leads, and none of its text is left.
        """
        keys = self._document_keys if self._document else sorted(self._choices)
        pairs = [(self._choices[key], choice) for key, choice in zip(keys, self.completion()["choices"], strict=True)]
        printed = self._first_choice if is_printed else None
        pairs.sort(key=lambda pair: (pair[0] is not printed, choice_index(pair[1])))
        return [(choice, "" if partial is printed else partial.text("content")) for partial, choice in pairs]

    @property
    def has_choices(self) -> bool:
        """True if any choice has begun."""
        return bool(self._choices)

    @property
    def growth(self) -> int:
        """How many pieces of text, reasoning and calls have come."""
        return sum(choice.growth for choice in self._choices.values())

    @property
    def is_whole(self) -> bool:
        """True if every choice has its finish_reason."""
        return len(self._finished_keys) >= max(self.expected, len(self._choices))

    @property
    def is_cut(self) -> bool:
        """True if an answer in deltas lacks its finish_reason."""
        return self.has_choices and not self._has_document and not self.is_whole

    def completion(self) -> Completion:
        """Returns the completion so far, with every field received."""
        if self._completion is None:
            self._completion = self._build()
        return self._completion

    def _build(self) -> Completion:
        if self._document is not None:
            return self._document  # type: ignore[return-value]
        choices = [choice.build(index) for index, choice in sorted(self._choices.items())]
        whole = {**self._top_level, "choices": choices}
        if whole.get("object") == "chat.completion.chunk":
            whole["object"] = "chat.completion"
        return whole  # type: ignore[return-value]


class _PartialChoice:
    """One choice as it grows.

    Texts are lists of pieces: joining them for each chunk would be quadratic.
    """

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self._read_counts: dict[str, int] = {}
        self._message: JsonObject = {}
        self._fields: JsonObject = {}
        self.growth = 0
        self.error: object = None

    def add(self, part: JsonObject) -> None:
        fields = self._fields
        for key, value in part.items():
            if key == "delta":
                self._add_delta(value or {})
            elif key == "message":
                # Some servers send the delta, and the whole message so far as well.
                if "delta" not in part or not (part["delta"] or self.growth):
                    message = _checked(value or {}, dict)
                    self._add_delta({name: self._suffix_of(name, text) for name, text in message.items()})
            elif not value:
                fields.setdefault(key, value)
            elif key == "logprobs":
                if isinstance(fields.get(key), dict):
                    merge(fields[key], value)
                else:
                    fields[key] = deepcopy(value)
            elif key != "finish_reason" or not is_worse(fields.get(key), value):
                self.error = value if key == "error" else self.error
                fields[key] = value

    def _suffix_of(self, name: str, value: object) -> object:
        """Returns what a whole message adds to the text before it."""
        return value.removeprefix(self.text(name)) if isinstance(value, str) else value

    def _add_delta(self, delta: JsonObject) -> None:
        for key, value in delta.items():
            if isinstance(value, (bool, int, float)) and key in TEXT_KEYS:
                # Cloudflare sends a token that reads like a number as one.
                value = json.dumps(value)
            if isinstance(value, str) and key not in NON_TEXT_KEYS:
                pieces = self.texts.get(key)
                if pieces is None:
                    pieces = self.texts[key] = []
                    self._message[key] = None
                pieces.append(value)
                self.growth += value != ""
            elif key == "content" and value is not None:
                parts = to_parts(value)
                texts = {key: joined_text(parts), "reasoning_content": joined_reasoning(parts), **other_parts(parts)}
                self._add_delta({name: text for name, text in texts.items() if text or name == key})
            elif key == "tool_calls":
                self._add_tool_calls(value and to_tool_calls(value))
            elif key == "function_call" and value:
                call = {"function": self._message.get(key)}
                add_to_call(call, {"function": value})
                self._message[key] = call["function"]
            elif value or key not in self._message:
                self._message[key] = value
        self.error = delta.get("error") or self.error

    def _add_tool_calls(self, parts: list[JsonObject] | None) -> None:
        if parts is None:
            self._message.setdefault("tool_calls", None)
            return
        calls = self._message.get("tool_calls")
        if not isinstance(calls, list):
            calls = self._message["tool_calls"] = []
        for part in parts:
            self.growth += 1
            if call := find_call(calls, part):
                add_to_call(call, part)
            elif part.get("id") or any((part.get("function") or {}).values()) or "custom" in part:
                if len(calls) == MAX_TOOL_CALLS:
                    raise TypeError
                # A copy, since it grows while the chunk is still to be printed.
                calls.append(deepcopy(part))

    def text(self, key: str) -> str:
        return "".join(self.texts.get(key, ()))

    def new_reasoning(self) -> str:
        """Returns the new reasoning.

        Some servers send the same text under both of its names.
        """
        return self.new_text("reasoning_content" if any(self.texts.get("reasoning_content", ())) else "reasoning")

    def new_text(self, key: str) -> str:
        """Returns what has been added since the last call."""
        pieces = self.texts.get(key)
        if not pieces:
            return ""
        start, self._read_counts[key] = self._read_counts.get(key, 0), len(pieces)
        return "".join(pieces[start:])

    def build(self, index: int) -> Choice:
        message = {"role": "assistant", **self._message}
        message |= {key: "".join(pieces) for key, pieces in self.texts.items()}
        finish_calls(message)
        return {"index": index, **self._fields, "message": message}  # type: ignore[typeddict-item]


def _checked(value: Json, kind: type) -> Json:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _index(part: JsonObject) -> int:
    """Returns the index of a choice, 0 if it has none. Raises TypeError."""
    index = part.get("index")
    if not index:
        return 0
    if isinstance(index, str) and index.isdecimal() and len(index) < 10:
        return int(index)
    return int(_checked(index, int))
