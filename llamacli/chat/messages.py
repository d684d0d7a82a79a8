"""The messages of a conversation: as lines, as a request, as a transcript."""

import codecs
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from llamacli.api.json import MAX_DEPTH, JsonObject, encode, parse_json, to_strict
from llamacli.api.messages import Message, is_message
from llamacli.api.tool_calls import tool_calls
from llamacli.errors import UsageError
from llamacli.stdio.output import Output

if TYPE_CHECKING:
    from llamacli.stdio.markdown.live import LiveMarkdown

#: A message as it is saved: the API's own keys, and `meta`, which is never sent.
SavedMessage = JsonObject
#: The key of an entry for a line that is not a message. It is kept in the file but never read.
UNREADABLE = "unreadable"


def to_request(entries: list[SavedMessage]) -> list[Message]:
    """Returns the messages as the API expects them.

    The API refuses tool calls that no tool message answers, so these are sent as text.
    """
    messages = [{key: value for key, value in entry.items() if key != "meta"} for entry in entries]
    for message, following in zip(messages, [*messages[1:], {}], strict=False):
        if message.get("tool_calls") and following.get("role") != "tool":
            message["content"] = message_text(message)
            del message["tool_calls"]
    return cast("list[Message]", messages)


def message_text(entry: SavedMessage) -> str:
    """Returns a message's content, then its tool calls, one per line."""
    content = entry.get("content")
    if isinstance(content, list):
        content = "\n".join("[picture]" if "image_url" in part else str(part.get("text", "")) for part in content)
    calls = [encode(call).decode() for call in tool_calls(cast("Message", entry))]
    return "\n".join(filter(None, [content, entry.get("refusal"), *calls]))


def tool_messages(entries: list[SavedMessage], results: dict[str, str]) -> list[SavedMessage]:
    """Returns the messages that answer the tool calls of the last turn.

    They have the order of the calls. A result belongs to the call with its id, or else
    to the only call of a tool with its name. Raises UsageError unless each call
    has one result.
    """
    calls = tool_calls(cast("Message", entries[-1])) if entries and entries[-1].get("tool_calls") else []
    if not calls:
        raise UsageError("--tool-result: the last answer has no tool calls", "drop it")
    # Names and ids are whatever the server sent.
    names = [str(call["name"]) for call in calls]
    keys = [
        name if name in results and names.count(name) == 1 else str(call["id"])
        for name, call in zip(names, calls, strict=True)
    ]
    ids = ", ".join(str(call.get("id")) for call in calls)
    if unknown := [key for key in results if key not in keys]:
        raise UsageError(f"--tool-result: the last answer has no tool call '{unknown[0]}'", f"its calls are {ids}")
    if missing := [key for key in keys if key not in results]:
        raise UsageError(f"--tool-result: no result for tool call '{missing[0]}'", f"give one for each of {ids}")
    return [
        {"role": "tool", "tool_call_id": str(call.get("id") or ""), "content": results[key]}
        for call, key in zip(calls, keys, strict=True)
    ]


def turn_id(entry: SavedMessage) -> object:
    """Returns an entry's turn, None if another program wrote it."""
    meta = entry.get("meta")
    return meta.get("turn") if isinstance(meta, dict) else None


def without_turn(entries: list[SavedMessage], turn: object) -> list[SavedMessage]:
    """Returns the entries without one turn, all of them for None."""
    return entries if turn is None else [entry for entry in entries if turn_id(entry) != turn]


def with_system(entries: list[SavedMessage], system: SavedMessage | None) -> list[SavedMessage]:
    """Returns the entries with another system message.

    None keeps the current one; a message without content removes it.
    """
    if system is None:
        return list(entries)
    start = next((number for number, entry in enumerate(entries) if UNREADABLE not in entry), 0)
    rest = list(entries)
    if rest and rest[start].get("role") == "system":
        del rest[start]
    return [system, *rest] if system.get("content") else rest


def encode_lines(entries: list[SavedMessage]) -> bytes:
    """Returns the entries as lines of JSON in UTF-8."""
    return b"".join(_encode_line(entry) + b"\n" for entry in entries)


def _encode_line(entry: SavedMessage) -> bytes:
    if UNREADABLE in entry:
        return cast("bytes", entry[UNREADABLE])
    # A lone surrogate of JSON's can only be kept as the escape that it was.
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


class Lines:
    """What a session's file contains.

    `entries`: one per line, unreadable ones included. `end`: where the last complete
    turn ends, in bytes; what follows was left by a writer that was killed. `unreadable`:
    the numbers of the lines that are not messages.
    """

    def __init__(self, entries: list[SavedMessage], end: int, unreadable: list[int]) -> None:
        self.entries, self.end, self.unreadable = entries, end, unreadable
        #: The readable messages of complete turns.
        self.messages = complete_turns(entries)


def decode_lines(data: bytes) -> Lines:
    """Reads a session's file.

    A killed writer leaves half a line, or a question without its answer, at the end.
    Both are ignored, and overwritten by the next turn.
    """
    entries: list[tuple[SavedMessage, int]] = []
    unreadable: list[int] = []
    end = 0
    lines = data.splitlines(keepends=True)
    for number, (line, value) in enumerate(zip(lines, _parse_lines(lines), strict=True), 1):
        start, end = end, end + len(line)
        is_deep = line.count(b"[") + line.count(b"{") > MAX_DEPTH and to_strict(value) != value
        if is_message(value) and not is_deep:
            entries.append((cast("SavedMessage", value), start))
        elif not line.strip():
            continue
        elif end == len(data) and not line.endswith(b"\n"):
            end = start
        else:
            unreadable.append(number)
            entries.append(({UNREADABLE: line.rstrip(b"\r\n")}, start))
    while entries and entries[-1][0].get("role") != "assistant" and turn_id(entries[-1][0]) is not None:
        end = entries.pop()[1]
    return Lines([entry for entry, _ in entries], end, unreadable)


def _parse_lines(lines: list[bytes]) -> list[object]:
    """Returns the JSON value of each line, None for a line that has none."""
    with suppress(ValueError):
        # One call for all lines takes a third of the time of a call for each.
        values = parse_json(f"[{b','.join(lines).decode()}]")
        if isinstance(values, list) and len(values) == len(lines):
            return values
    return [_parse_line(line) for line in lines]


def _parse_line(line: bytes) -> object:
    try:
        return parse_json(line.removeprefix(codecs.BOM_UTF8).decode())
    except ValueError:
        return None


def unreadable_lines(path: str | Path, numbers: list[int]) -> str:
    """Returns the warning about lines that are not messages."""
    lines = ", ".join(map(str, numbers[:5])) + (" ..." if len(numbers) > 5 else "")
    return f"{path}: skipped line{'s' if len(numbers) > 1 else ''} {lines}: not a message"


def complete_turns(entries: list[SavedMessage]) -> list[SavedMessage]:
    """Returns the messages without incomplete turns.

    One half of such a turn cannot be read. Messages that another program wrote belong
    to no turn and stay.
    """
    turns = list(map(turn_id, entries))
    roles: dict[str, set[str]] = {}
    for entry, turn in zip(entries, turns, strict=True):
        if turn:
            roles.setdefault(str(turn), set()).add(entry["role"])
    return [
        entry
        for entry, turn in zip(entries, turns, strict=True)
        # A question, or results of tools, and an answer.
        if UNREADABLE not in entry and (not turn or roles[str(turn)] > {"assistant"})
    ]


def print_transcript(
    entries: list[SavedMessage],
    out: Output,
    writer: Callable[[], AbstractContextManager["Output | LiveMarkdown"]] | None = None,
) -> None:
    """Prints each message below its role; `writer` renders the texts."""
    for number, entry in enumerate(entries):
        out.write("\n" if number else "")
        out.write(f"{entry['role']}:\n")
        with writer() if writer else nullcontext(out) as page:
            page.write(message_text(entry))
        out.end()
