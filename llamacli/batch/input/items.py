"""The items of a batch, the templates that they fill, and the requests made of them."""

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from llamacli.api.json import JsonObject
from llamacli.api.messages import RequestBody, message_problem
from llamacli.ask.answers import AnswerReader
from llamacli.ask.options import ContextOptions
from llamacli.ask.params import Params
from llamacli.ask.prompt import RequestMessage, attachments, context_messages, join_parts
from llamacli.errors import LlamaError, UsageError
from llamacli.http.request import CHAT_PATH, STREAM_KEYS
from llamacli.stdio.input import InputReader

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
        values = [record[name] if name else item for name in self._names]
        texts = [value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in values]
        return self._texts[0] + "".join(map(str.__add__, texts, self._texts[1:]))


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


class ItemSource:
    """Some of a batch's items."""

    #: The total number of bytes or files, None if unknown, and how many have been read.
    size: int | None = None
    read_size = 0

    @property
    def total(self) -> int | None:
        """The number of its items, None if unknown until all are read."""
        return None

    def check(self, template: Template | None) -> None:
        """Reads a header. Raises UsageError if a field is missing."""

    def paths(self) -> Sequence[str]:
        """Returns the files that are items."""
        return ()

    def statuses(self) -> Iterable[os.stat_result]:
        """Returns the status of each file, to compare it with the output."""
        return ()

    def items(self, start: int) -> Iterator[Item]:
        """Yields the items, counted from `start`."""
        raise NotImplementedError


class Items:
    """All items of a batch, from all its inputs in turn."""

    def __init__(self, sources: Sequence[ItemSource], template: Template | None, limit: int | None = None) -> None:
        self._sources, self._limit = sources, limit
        for source in sources:
            source.check(template)
        #: The number of items read.
        self.count = 0

    def __iter__(self) -> Iterator[Item]:
        for item in islice(self._all(), self._limit and min(self._limit, sys.maxsize)):
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


#: Stands for the text of a file: an object replacement character.
FILE_TEXT = "\ufffc"


class RequestBuilder:
    """Builds the bodies of items. Raises UsageError."""

    def __init__(
        self,
        template: Template | None,
        context: ContextOptions,
        params: Params,
        inputs: InputReader,
        reader: AnswerReader,
    ) -> None:
        self._template, self._reader = template, reader
        self._context = context_messages(context, inputs)
        self._files = attachments(context, inputs)
        # Only a whole response reports usage and cost on every server, and it takes the least time to read.
        self._base = params.body([], stream=params.stream, usage=True)
        self._added = params.param or {}
        flags = {name for name in self._base if params.from_flag(name)}
        if params.from_flag("param"):
            flags |= set(self._added)
        self._from_flags = {name: value for name, value in self._base.items() if name in flags}

    def build_body(self, item: Item) -> RequestBody:
        """Returns the body that asks an item. Raises UsageError."""
        body = self._build_body(item)
        try:
            return self._reader.build_body(body)
        except LlamaError as error:
            # Flags and settings were checked before any item was read.
            hint = "remove that from the record's body"
            raise LlamaError(error.status, f"{item.location}: {error.message}", hint) from None

    def edit_digest(self, item: Item) -> str:
        """Returns the digest of a file's request, whatever its text."""
        other = Item(item.index, item.location, item.value, FILE_TEXT, item.record)
        return request_digest(self.build_body(other), self._reader)

    def _build_body(self, item: Item) -> RequestBody:
        """Returns the body without the format. Raises UsageError."""
        if item.error:
            raise item.error
        record = item.record
        if self._template:
            return self._with_messages(self._prompt_messages(self._fill_template(self._template, item)))
        if record is None:
            return self._with_messages(self._prompt_messages(item.text))
        if "prompt" in record:
            if not isinstance(record["prompt"], str):
                raise _item_error(item, "has a prompt that is not a string")
            return self._with_messages(self._prompt_messages(record["prompt"]))
        if "messages" in record:
            return self._with_messages(self._messages(item, record["messages"]))
        if "body" in record:
            return self._record_body(item, record)
        raise _item_error(item, "has no prompt, messages or body field", "give a template that names its fields")

    def _fill_template(self, template: Template, item: Item) -> str:
        try:
            return template.fill(item.text, item.record or {})
        except KeyError as error:
            problem = f"has no field '{error.args[0]}'" if item.record is not None else "is not an object with fields"
            raise _item_error(item, problem) from None

    def _prompt_messages(self, prompt: str) -> list[RequestMessage]:
        content = join_parts([prompt, *self._files])
        if not content:
            raise UsageError("nothing to ask", "the prompt is empty")
        return [*self._context, {"role": "user", "content": content}]

    def _messages(self, item: Item, messages: object) -> list[RequestMessage]:
        """Returns a record's messages, with system message and files."""
        if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
            raise _item_error(item, "has messages that are not an array of objects")
        for number, message in enumerate(messages, 1):
            if problem := message_problem(message):
                raise _item_error(item, f"has an invalid message: number {number} {problem}")
        if self._files:
            *earlier, last = messages
            if not isinstance(last.get("content"), str):
                raise _item_error(item, "ends with a message without text, which --file needs")
            messages = [*earlier, {**last, "content": join_parts([last["content"], *self._files])}]
        return [*self._context, *messages]

    def _record_body(self, item: Item, record: JsonObject) -> RequestBody:
        """Returns a record's body, with the parameters of the call added.

        Flags take precedence over the record, and the record over the environment.
        """
        body = record["body"]
        if not isinstance(body, dict):
            raise _item_error(item, "has a body that is not an object")
        url = record.get("url", CHAT_PATH)
        if not isinstance(url, str) or not url.endswith(CHAT_PATH):
            raise _item_error(item, f"asks for {url}, but batch supports only {CHAT_PATH}")
        body = {name: value for name, value in body.items() if name not in STREAM_KEYS}
        return {**self._base, **body, "messages": self._messages(item, body.get("messages")), **self._from_flags}

    def _with_messages(self, messages: list[RequestMessage]) -> RequestBody:
        return {**self._base, "messages": messages, **self._added}


def request_digest(body: RequestBody, reader: AnswerReader) -> str:
    """Returns the key of a request's row.

    The key is the same whether or not the answer is streamed. It includes --extract and
    --keep-thinking, which are not part of the body but change the row.
    """
    import hashlib

    fields = {name: value for name, value in body.items() if name not in STREAM_KEYS}
    if reader.extracts:
        fields["--extract"] = True
    if reader.keeps_thinking:
        fields["--keep-thinking"] = True
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _item_error(item: Item, problem: str, hint: str = "") -> LlamaError:
    return UsageError(f"{item.location} {problem}", hint)
