"""Turns an item of a batch into the body of its request."""

import json

from llamacli.api.json import JsonObject
from llamacli.api.messages import RequestBody, message_problem
from llamacli.ask.answers import AnswerReader
from llamacli.ask.options import ContextOptions
from llamacli.ask.params import Params
from llamacli.ask.prompt import RequestMessage, attachments, context_messages, join_parts
from llamacli.batch.input.items import Item, Template
from llamacli.errors import LlamaError, UsageError
from llamacli.http.request import CHAT_PATH
from llamacli.stdio.input import InputReader

#: Keys of a body that say how the answer is sent, not what it is.
STREAM_KEYS = ("stream", "stream_options")

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

    asked = {name: value for name, value in body.items() if name not in STREAM_KEYS}
    if reader.extracts:
        asked["--extract"] = True
    if reader.keeps_thinking:
        asked["--keep-thinking"] = True
    text = json.dumps(asked, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _item_error(item: Item, problem: str, hint: str = "") -> LlamaError:
    return UsageError(f"{item.location} {problem}", hint)
