"""A conversation as a person reads it."""

import json
from pathlib import Path
from typing import Any, cast

from llamacli.api.json import encode
from llamacli.api.messages import Message, tool_calls
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.output import Output

#: A message as a line holds it: the API's own keys, and `meta`, which is never sent.
SavedMessage = dict[str, Any]


def to_request(entries: list[SavedMessage]) -> list[Message]:
    """Returns the messages as the API wants them.

    It refuses calls of tools that no tool's message answers: they are sent as what
    they read like.
    """
    messages = [{key: value for key, value in entry.items() if key != "meta"} for entry in entries]
    for message, following in zip(messages, [*messages[1:], {}], strict=True):
        if message.get("tool_calls") and following.get("role") != "tool":
            message["content"] = text(message)
            del message["tool_calls"]
    return cast("list[Message]", messages)


def text(entry: SavedMessage) -> str:
    """Returns what a message says: its content, and its tool calls, a line each."""
    content = entry.get("content")
    if isinstance(content, list):
        content = "\n".join(str(part.get("text", "")) for part in content)
    calls = [encode(call).decode() for call in tool_calls(cast("Message", entry))]
    return "\n".join(filter(None, [content, entry.get("refusal"), *calls]))


def turn_of(entry: SavedMessage) -> object:
    """Returns the id of the turn that an entry was written with, None where another program wrote it."""
    meta = entry.get("meta")
    return meta.get("turn") if isinstance(meta, dict) else None


def without_turn(entries: list[SavedMessage], turn: object) -> list[SavedMessage]:
    """Returns the entries without those of the turn of this id, all of them where it is None."""
    return entries if turn is None else [entry for entry in entries if turn_of(entry) != turn]


def with_system(entries: list[SavedMessage], system: SavedMessage | None) -> list[SavedMessage]:
    """Returns the entries with this system message, as they are where it is None; one without content is none."""
    if system is None:
        return list(entries)
    rest = entries[1:] if entries and entries[0].get("role") == "system" else list(entries)
    return [system, *rest] if system.get("content") else rest


def encode_lines(entries: list[SavedMessage]) -> bytes:
    """Returns the lines of the entries: JSON in UTF-8."""
    text = "".join(json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n" for entry in entries)
    # A lone surrogate of JSON's can only be kept as the escape that it was.
    return text.encode("utf-8", "backslashreplace")


def decode_lines(data: bytes, path: Path) -> tuple[list[SavedMessage], int]:
    """Returns the entries of the complete turns and the offset where these end.

    A writer that was killed leaves a torn line, or a user's message without its
    answer, at the end: neither counts. Raises LlamaError (usage) for any other line
    that is no message.
    """
    entries: list[tuple[SavedMessage, int]] = []
    end = 0
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        start, end = end, end + len(line)
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            entry = None
        if _is_saved_message(entry):
            entries.append((entry, start))
        elif end == len(data) and not line.endswith(b"\n"):
            end = start
            break
        else:
            raise LlamaError(ExitStatus.USAGE, f"{path}: line {number} is no message", "mend it, or remove the session")
    while entries and entries[-1][0].get("role") == "user" and turn_of(entries[-1][0]) is not None:
        end = entries.pop()[1]
    return [entry for entry, _ in entries], end


def _is_saved_message(entry: Any) -> bool:
    """Tells whether a line's value has the form of the API's messages, as far as it is looked into here."""
    if not isinstance(entry, dict) or not isinstance(entry.get("role"), str):
        return False
    content, calls = entry.get("content"), entry.get("tool_calls") or []
    if not isinstance(calls, list):
        return False
    parts = content if isinstance(content, list) else []
    # A call without its function would not be one.
    functions = [call.get("function") if isinstance(call, dict) else None for call in calls]
    return (
        isinstance(content, (str, list, type(None)))
        and isinstance(entry.get("refusal"), (str, type(None)))
        and all(isinstance(each, dict) for each in [*parts, *functions])
    )


def print_transcript(entries: list[SavedMessage], out: Output) -> None:
    """Prints each message under its role, with an empty line between two."""
    for number, entry in enumerate(entries):
        out.write("\n" if number else "")
        out.write(f"{entry['role']}:\n{text(entry)}")
        out.end()
