"""The rows of a batch: what one is, and how they are printed in the order of their items."""

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from llamacli.api.messages import Completion, sorted_choices, tool_calls
from llamacli.batch.input.items import Item
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.output import Output, dump
from llamacli.stdio.stderr import Stderr

#: Characters of rows that may wait for an earlier one. More, and nothing more is read until that one is there.
MAX_HELD_BYTES = 4 << 20


#: What JSON allows inside of a string, and Python's splitlines and others take for the end of a line.
LINE_BREAKS = "[\x85\u2028\u2029]"


#: Error statuses of what may go better in the next call: --resume asks for it again.
RESUMABLE_STATUSES = frozenset(
    {
        ExitStatus.USAGE,
        ExitStatus.KEY,
        ExitStatus.CREDITS,
        ExitStatus.RATE,
        ExitStatus.SERVER,
        ExitStatus.NETWORK,
        ExitStatus.BROKEN,
    }
)


#: What each row's line begins with.
START = b'{"index": '


Row = dict[str, Any]


def row(
    item: Item,
    key: str | None,
    completion: Completion | None,
    parts: Mapping[str, Any],
    fault: LlamaError | None,
    told: str,
    seconds: float,
    attempts: int,
) -> Row:
    """Returns the row of an item. `told` is the fault in words, without secrets.

    `parts` go before what the completion says: an answer that was given a form.

    The content of a failed item is what came of a whole response: a cut answer has
    some. Where several answers were asked for, `content` and `finish_reason` are lists.
    """
    choices = sorted_choices(completion)
    contents: list[str | None] = [choice["message"].get("content") for choice in choices]
    reasons = [choice.get("finish_reason") for choice in choices]
    several = len(choices) > 1
    made: Row = {
        "index": item.index,
        "id": item.id,
        "key": key,
        "input": item.value,
        "content": contents if several else contents[0] if contents else None,
        "finish_reason": reasons if several else reasons[0] if reasons else None,
        "usage": (completion or {}).get("usage"),
        "seconds": seconds,
        "attempts": attempts,
        "error": {"status": int(fault.status), "message": told} if fault else None,
    }
    calls = [tool_calls(choice["message"]) for choice in choices]
    if any(calls):
        made["tool_calls"] = calls if several else calls[0]
    made.update(parts)
    return {name: part for name, part in made.items() if name != "tool_calls" or part}


def line(row: Row) -> str:
    """Returns a row as a line of JSON, which is one line too for those who count U+2028 and its like as line breaks."""
    text = dump(row)
    return (text if text.isascii() else re.sub(LINE_BREAKS, lambda match: f"\\u{ord(match[0]):04x}", text)) + "\n"


def plain(row: Row, terminator: str, is_json: bool) -> str:
    """Returns a row's contents and tool calls alone, each answer ended; of a failed one nothing but its end."""
    if row["error"]:
        return terminator
    if is_json:
        return dump(row["content"]) + terminator
    several = isinstance(row["content"], list)
    contents: Sequence[str | None] = row["content"] if several else [row["content"]]
    calls = row.get("tool_calls") or []
    text = ""
    for number, content in enumerate(contents):
        lines = [dump(call) for call in (calls[number] if several and calls else calls)]
        answer = "\n".join([*([content.removesuffix("\n")] if content and lines else [content or ""]), *lines])
        text += answer if answer.endswith("\n") and terminator == "\n" else answer + terminator
    return text


class RowPrinter:
    """Rows on their way to stdout or a pipe: in the order of their items, or as they come."""

    def __init__(self, out: Output, stderr: Stderr, is_ordered: bool, terminator: str | None, is_json: bool) -> None:
        """With a terminator only the contents are printed, as JSON where they are values of it, else rows of JSON."""
        self._is_json = is_json
        self._out, self._stderr, self._is_ordered, self._terminator = out, stderr, is_ordered, terminator
        self._lock = threading.Lock()
        self._next = 0
        self._held: dict[int, str] = {}
        self._size = 0

    @property
    def is_full(self) -> bool:
        return self._size > MAX_HELD_BYTES

    @property
    def shows_keys(self) -> bool:
        return self._terminator is None

    def put(self, order: int, row: Row) -> None:
        """Prints the row of the item that was number `order`, and those that have waited for it."""
        text = line(row) if self._terminator is None else plain(row, self._terminator, self._is_json)
        with self._lock:
            if not self._is_ordered:
                self._write(text)
                return
            self._held[order] = text
            # A row costs something beside its text.
            self._size += len(text) + 200
            ready = []
            while (held := self._held.pop(self._next, None)) is not None:
                ready.append(held)
                self._size -= len(held) + 200
                self._next += 1
            if ready:
                self._write("".join(ready))

    def finish(self, is_complete: bool) -> None:
        """Prints what still waits for rows that will not come."""
        # A worker may be stuck in a write to a reader that does not read.
        if self._lock.acquire(timeout=1):
            try:
                if self._held:
                    self._write("".join(text for _, text in sorted(self._held.items())))
                    self._held.clear()
            finally:
                self._lock.release()
        if is_complete:
            self._out.commit()

    def _write(self, text: str) -> None:
        if not self._out.is_terminal:
            self._print(text)
            return
        # The progress bar is on the same terminal.
        with self._stderr.spinner.lock:
            self._stderr.spinner.hide()
            self._print(text)

    def _print(self, text: str) -> None:
        if self._terminator is None:
            self._out.json_text(text)
        else:
            self._out.write(text)
