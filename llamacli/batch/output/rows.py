"""The rows of a batch, and the printer that keeps them in order."""

import re
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from llamacli.api.json import MAX_DEPTH, Json, to_strict
from llamacli.api.messages import Completion, sorted_choices
from llamacli.api.tool_calls import tool_calls
from llamacli.batch.input.items import Item
from llamacli.errors import ExitStatus
from llamacli.stdio.output import Output, dump
from llamacli.stdio.stderr import Stderr

if TYPE_CHECKING:
    from llamacli.api.messages import Usage
    from llamacli.batch.calls.worker import Worker

#: Characters of output that may wait for an earlier item. With more than that, reading pauses.
MAX_WAITING_CHARACTERS = 4 << 20
#: Characters that JSON allows in a string, but that Python's splitlines takes for the end of a line.
LINE_BREAKS = "[\x85\u2028\u2029]"
#: Error statuses of items that may succeed in the next call: --resume asks for them again.
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
#: The beginning of each row's line.
START = b'{"index": '


class RowError(TypedDict):
    """Why an item failed: an exit status and one line of text."""

    status: int
    message: str


class Row(TypedDict, total=False):
    """One item's line of JSON, with its keys in this order.

    `content` and `finish_reason` are lists if several answers were requested. `edit`
    identifies the edited file, if the item is one; see `FileEditor`.
    """

    index: int
    id: object
    key: str | None
    input: object
    content: Json
    finish_reason: object
    model: str | None
    usage: "Usage | None"
    usd: float | None
    seconds: float
    attempts: int
    request_id: str | None
    error: RowError | None
    tool_calls: Json
    edit: str


class Sink:
    """Where rows go."""

    @property
    def is_full(self) -> bool:
        """True if too much output waits for an earlier item."""
        return False

    @property
    def needs_keys(self) -> bool:
        """True if rows are saved or printed with the digests of their requests."""
        return False

    @property
    def orphans(self) -> tuple[int, str]:
        """Count of saved rows that match no item, and their new file."""
        return 0, ""

    @property
    def can_resume(self) -> bool:
        """True if a later batch can resume from the rows."""
        return False

    def check(self, item: Item) -> None:
        """Raises LlamaError if the answer to an item could not be written."""

    def reuse(self, order: int, item: Item, key: str, is_ours: bool) -> Row | None:
        """Returns the row that an earlier call saved, or None."""
        return None

    def put(self, order: int, item: Item, row: Row) -> Row:
        """Takes a row, returns it as saved. Raises LlamaError (output)."""
        raise NotImplementedError

    def finish(self, is_complete: bool, item_count: int | None) -> None:
        """Commits the output.

        `item_count` is the number of items in the whole input, None if unknown.
        """


def build_row(
    item: Item,
    key: str | None,
    completion: Completion | None,
    replacements: Row,
    error: RowError | None,
    calls: "Worker",
) -> Row:
    """Returns the row of an item.

    `replacements` take precedence over the completion: a validated answer, for
    example. A failed item has content if its response was complete: an answer that
    was cut at the token limit has some.
    """
    choices = sorted_choices(completion)
    contents: list[str | None] = [choice["message"].get("content") for choice in choices]
    reasons = [choice.get("finish_reason") for choice in choices]
    is_list = len(choices) > 1
    model = (completion or {}).get("model")
    row: Row = {
        "index": item.index,
        "id": item.id,
        "key": key,
        "input": item.value,
        "content": contents if is_list else contents[0] if contents else None,
        "finish_reason": reasons if is_list else reasons[0] if reasons else None,
        "model": model if isinstance(model, str) else None,
        "usage": (completion or {}).get("usage"),
        "usd": calls.usd,
        "seconds": calls.seconds,
        "attempts": calls.attempts,
        "request_id": calls.request_id,
        "error": error,
    }
    lists = [tool_calls(choice["message"]) for choice in choices]
    if any(lists):
        row["tool_calls"] = lists if is_list else lists[0]
    row.update(replacements)
    if not row.get("tool_calls"):
        row.pop("tool_calls", None)
    return row


def json_line(row: Row) -> str:
    """Returns a row as one line, even where U+2028 ends a line."""
    text = dump(row)
    if text.count("[") + text.count("{") > MAX_DEPTH:
        # A row that is nested more deeply could be written but not read back.
        text = dump(to_strict(row))
    return (text if text.isascii() else re.sub(LINE_BREAKS, lambda match: f"\\u{ord(match[0]):04x}", text)) + "\n"


def plain_text(row: Row, terminator: str, is_json: bool) -> str:
    """Returns a row's answers and tool calls; if it failed, the terminator."""
    if row["error"]:
        return terminator
    if is_json:
        return dump(row["content"]) + terminator
    is_list = isinstance(row["content"], list)
    contents: Sequence[str | None] = row["content"] if is_list else [row["content"]]
    calls = row.get("tool_calls") or []
    text = ""
    for number, content in enumerate(contents):
        lines = [dump(call) for call in (calls[number] if is_list and calls else calls)]
        answer = "\n".join([*([content.removesuffix("\n")] if content and lines else [content or ""]), *lines])
        text += answer if answer.endswith("\n") and terminator == "\n" else answer + terminator
    return text


class OrderedPrinter:
    """Prints the texts of items in the order of the input, or as they arrive."""

    def __init__(self, out: Output, stderr: Stderr, is_ordered: bool, is_json: bool = False) -> None:
        self._out, self._stderr, self._is_ordered, self._is_json = out, stderr, is_ordered, is_json
        self._lock = threading.Lock()
        self._next = 0
        self._waiting: dict[int, str] = {}
        self._size = 0

    @property
    def is_full(self) -> bool:
        return self._size > MAX_WAITING_CHARACTERS

    def put(self, order: int, text: str) -> None:
        """Prints the text of an item, then those that waited for it."""
        with self._lock:
            if not self._is_ordered:
                self._write(text)
                return
            self._waiting[order] = text
            # An entry takes memory besides its text.
            self._size += len(text) + 200
            ready = []
            while (waiting := self._waiting.pop(self._next, None)) is not None:
                ready.append(waiting)
                self._size -= len(waiting) + 200
                self._next += 1
            if ready:
                self._write("".join(ready))

    def finish(self, is_complete: bool, padding: str = "", item_count: int = 0) -> None:
        """Prints what waits, with `padding` for items that were not asked."""
        # A worker may be blocked in a write to a reader that does not read.
        if self._lock.acquire(timeout=1):
            try:
                if self._is_ordered and padding:
                    for order in range(self._next, max(item_count, max(self._waiting, default=-1) + 1)):
                        self._write(self._waiting.pop(order, padding))
                elif self._waiting:
                    self._write("".join(text for _, text in sorted(self._waiting.items())))
                self._waiting.clear()
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
        if self._is_json:
            self._out.json_text(text)
        else:
            self._out.write(text)


class RowPrinter(Sink):
    """Prints rows to stdout or a pipe, as JSON or as plain answers."""

    def __init__(self, out: Output, stderr: Stderr, is_ordered: bool, terminator: str | None, is_json: bool) -> None:
        """With a terminator only answers are printed, not JSON rows."""
        self._is_json, self._terminator = is_json, terminator
        self._printer = OrderedPrinter(out, stderr, is_ordered, terminator is None)

    @property
    def is_full(self) -> bool:
        return self._printer.is_full

    @property
    def needs_keys(self) -> bool:
        return self._terminator is None

    def put(self, order: int, item: Item, row: Row) -> Row:
        text = json_line(row) if self._terminator is None else plain_text(row, self._terminator, self._is_json)
        self._printer.put(order, text)
        return row

    def finish(self, is_complete: bool, item_count: int | None) -> None:
        self._printer.finish(is_complete, self._terminator or "", item_count or 0)
