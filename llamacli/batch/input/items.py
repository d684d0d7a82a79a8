"""The items of a batch, and the templates that they fill."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

from llamacli.api.json import JsonObject
from llamacli.errors import LlamaError, UsageError

#: A doubled brace, a placeholder, or a single brace.
PARTS = r"\{\{|\}\}|\{([^{}]*)\}|[{}]"


class Template:
    """A parsed template. `fields` are the names in it, in order, each once.

    Without any placeholder the item follows the text after a blank line. Raises
    UsageError for a single brace; `origin` is what the text comes from.
    """

    def __init__(self, text: str, origin: str = "the template") -> None:
        #: Texts and placeholders alternate. A placeholder is its name, or "" for the item itself.
        self._texts, self._names = [""], list[str]()
        position = 0
        for match in re.finditer(PARTS, text):
            self._texts[-1] += text[position : match.start()]
            position = match.end()
            if match[0] in ("{{", "}}"):
                self._texts[-1] += match[0][0]
            elif match[1] is None:
                message = f"{origin} has a single {match[0]} at character {match.start() + 1}"
                raise UsageError(message, "for literal braces write {{ and }}")
            else:
                self._names.append(match[1])
                self._texts.append("")
        self._texts[-1] += text[position:]
        if not self._names:
            self._texts, self._names = [self._texts[0] + "\n\n", ""], [""]
        #: True if the item itself is part of the text.
        self.has_item = "" in self._names
        self.fields = tuple(dict.fromkeys(name for name in self._names if name))

    def fill(self, item: str, record: Mapping[str, object]) -> str:
        """Returns the text with an item. Raises KeyError without a field."""
        values = [item if not name else as_text(record[name]) for name in self._names]
        return self._texts[0] + "".join(map(str.__add__, values, self._texts[1:]))


def as_text(value: object) -> str:
    """Returns a string as it is, any other value as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


BOM = b"\xef\xbb\xbf"

#: The advice for bytes that are not UTF-8.
LOSSY_HINT = "--lossy reads such bytes as U+FFFD"


class SourceFile(NamedTuple):
    """A file that is an item, as it was when it was read."""

    path: str
    #: SHA-256 of its content.
    digest: bytes
    has_bom: bool
    ends_with_newline: bool


class Item:
    """One line, record or file. With an `error` it has no text.

    `index` counts the items from 0, over all files; `location` is the file and line at
    which it starts, in words; `value` stands for it in the output: the line, the record,
    or the path. `text` is what `{}` stands for, `record` has the fields; it is None for a
    line. `file` is None unless the item is a file.
    """

    __slots__ = ("error", "file", "index", "location", "record", "text", "value")

    def __init__(
        self,
        index: int,
        location: str,
        value: object,
        text: str = "",
        record: JsonObject | None = None,
        error: LlamaError | None = None,
        file: SourceFile | None = None,
    ) -> None:
        self.index, self.location, self.value = index, location, value
        self.text, self.record, self.error, self.file = text, record, error, file

    @property
    def id(self) -> object:
        """`custom_id` (OpenAI's batch format), else `id`, else None."""
        record = self.record or {}
        return record.get("custom_id", record.get("id"))


class ItemSource(Protocol):
    """Some of a batch's items."""

    #: The total number of bytes or files, None if unknown, and how many have been read.
    size: int | None
    read_size: int

    @property
    def total(self) -> int | None:
        """The number of its items, None if unknown until all are read."""

    def check(self, template: Template | None) -> None:
        """Reads a header. Raises UsageError if a field is missing."""

    def paths(self) -> Sequence[str]:
        """Returns the files that are items."""

    def statuses(self) -> Iterable[os.stat_result | None]:
        """Returns the status of each file, to compare it with the output."""

    def items(self, start: int) -> Iterator[Item]:
        """Yields the items, counted from `start`."""


class Items:
    """All items of a batch, from all its inputs in turn."""

    def __init__(self, sources: Sequence[ItemSource], template: Template | None, limit: int | None = None) -> None:
        self._sources, self._limit = sources, limit
        for source in sources:
            source.check(template)
        #: The number of items read.
        self.count = 0

    def __iter__(self) -> Iterator[Item]:
        for item in islice(self._all(), self._limit):
            self.count = item.index + 1
            yield item

    def _all(self) -> Iterator[Item]:
        count = 0
        for source in self._sources:
            for item in source.items(count):
                count = item.index + 1
                yield item

    @property
    def is_finite(self) -> bool:
        """True if the rest is in regular files, which are read without waiting."""
        return all(source.size is not None for source in self._sources)

    @property
    def share(self) -> float | None:
        """The share of the input that was read, None if unknown."""
        sizes = [source.size for source in self._sources]
        if None in sizes or self._limit is not None:
            return None
        total = sum(size or 0 for size in sizes)
        return min(1.0, sum(source.read_size for source in self._sources) / total) if total else 1.0

    @property
    def total(self) -> int | None:
        """The number of items, None if it is unknown until all are read."""
        total = 0
        for source in self._sources:
            if source.total is None:
                return None
            total += source.total
        return total if self._limit is None else min(total, self._limit)
