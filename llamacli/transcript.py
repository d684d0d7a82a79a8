"""A conversation as a person reads it."""

from typing import Any

from llamacli.output import Output
from llamacli.session import Entry
from llamacli.wire import encode, tool_calls


def transcript(entries: list[Entry], out: Output) -> None:
    """Prints each message under its role, with an empty line between two."""
    for number, entry in enumerate(entries):
        out.write("\n" if number else "")
        out.write(f"{entry['role']}:\n{text(entry)}")
        out.end()


def text(entry: Entry) -> str:
    """Returns what a message says: its content, and its tool calls, a line each."""
    content: Any = entry.get("content")
    if isinstance(content, list):
        content = "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    calls = [encode(call).decode() for call in tool_calls(entry)]  # type: ignore[arg-type]
    return "\n".join(filter(None, [str(content or ""), str(entry.get("refusal") or ""), *calls]))
