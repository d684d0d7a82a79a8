"""Asks for answers of a given form by a forced function call, checks them, and asks again where they do not fit."""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from llamacli.api.json import encode
from llamacli.api.messages import Completion, Message, find_problem, tool_calls
from llamacli.ask.structured.formats import FUNCTION, AnswerFormat, FormatMismatch
from llamacli.errors import ExitStatus, LlamaError

#: HTTP statuses with which a server refuses tools.
TOOLS_REFUSED_STATUSES = frozenset({400, 404, 422, 500})


#: What a forced function call leaves no room for.
RESERVED_KEYS = ("tools", "tool_choice")


class Validated(NamedTuple):
    """How asking ended.

    `value` is the answer (for --schema a JSON value) and `content` the same as text;
    both are None where nothing fitted. `status` is OK, or NO for --yes-no. `fault`
    says what is wrong: withheld, broken, a misfit, or cut, which leaves a value.
    """

    value: Any
    content: str | None
    status: ExitStatus
    error: LlamaError | None


#: Sends a body and returns the completion; shall not try again after the HTTP statuses in the second argument.
Send = Callable[[dict[str, Any], Collection[int]], Completion]


class ValidationLoop:
    """Asks for answers of one form. May be used by several threads at once."""

    def __init__(self, format: AnswerFormat, retries: int) -> None:
        self.format, self.retries = format, retries
        #: The server refuses tools: known once it has answered without them.
        self._tools_refused = False

    def build_body(self, body: dict[str, Any]) -> dict[str, Any]:
        """Returns a body with the forced call added. Raises LlamaError (usage) where it leaves no room for one."""
        for key in RESERVED_KEYS:
            if body.get(key) is not None:
                what = f"{self.format.flag} asks by a function of its own and takes no {key}"
                raise LlamaError(ExitStatus.USAGE, what, f"drop {_ways_to_set(key)}")
        if body.get("n") not in (None, 1):
            what = f"{self.format.flag} takes one answer, and {body['n']} are asked for"
            raise LlamaError(ExitStatus.USAGE, what, f"drop {_ways_to_set('n')}")
        choice = {"type": "function", "function": {"name": FUNCTION}}
        return {**body, "tools": [{"type": "function", "function": self.format.function}], "tool_choice": choice}

    def run(
        self,
        body: dict[str, Any],
        send: Send,
        note: Callable[[str], None] = lambda text: None,
        allow_truncated: bool = False,
    ) -> Validated:
        """Asks, checks, and asks again with the reason.

        `body` is one that `body` has made. `note` is told of each further request.
        Raises the LlamaError that `send` raises.
        """
        in_words = self._tools_refused
        for left in range(self.retries, -1, -1):
            completion, in_words = self._send(body, in_words, send, note)
            found = find_problem(completion, allow_truncated)
            choices = completion.get("choices") or []
            message: Message = (choices[0].get("message") or {}) if choices else {}
            if found and (found.status in (ExitStatus.WITHHELD, ExitStatus.SERVER) or not choices):
                return Validated(None, None, found.status, found)
            is_cut = found is not None and found.status == ExitStatus.CUT
            try:
                value = self.format.read(message)
            except FormatMismatch as misfit:
                reason = f"{misfit}, and it was cut at the token limit" if is_cut else str(misfit)
            else:
                return Validated(
                    value, self.format.content(value), self.format.status(value), found if is_cut else None
                )
            if left:
                note(f"the answer does not fit {self.format.flag}: {reason}; asking again")
                body = {**body, "messages": [*body["messages"], *_complaint(message, reason)]}
        todo = "raise --max-tokens" if is_cut else "ask in another way, or raise --fit-retries"
        fault = LlamaError(ExitStatus.MISMATCH, f"the answer does not fit {self.format.flag}: {reason}", todo)
        return Validated(None, None, fault.status, fault)

    def _send(
        self, body: dict[str, Any], in_words: bool, send: Send, note: Callable[[str], None]
    ) -> tuple[Completion, bool]:
        """Sends a body, and once more in words alone where the server refuses tools; tells whether it did."""
        refusal: int | None = None
        if not in_words:
            try:
                # A 500 that would pass is tried again in words.
                return send(body, TOOLS_REFUSED_STATUSES), False
            except LlamaError as error:
                refusal = error.http_status
                if refusal not in TOOLS_REFUSED_STATUSES:
                    raise
                note(f"{error.message}; asking in words alone")
        completion = send(self._in_words(body), ())
        # A 500 may have been the server's bad moment.
        self._tools_refused = self._tools_refused or refusal in TOOLS_REFUSED_STATUSES - {500}
        return completion, True

    def _in_words(self, body: dict[str, Any]) -> dict[str, Any]:
        """Returns a body without the forced call, that asks for the form at the end of the last message."""
        plain = {key: value for key, value in body.items() if key not in (*RESERVED_KEYS, "parallel_tool_calls")}
        *before, last = body["messages"]
        content = last.get("content")
        if last.get("role") != "user":
            added = [last, {"role": "user", "content": self.format.instruction}]
        elif isinstance(content, list):
            added = [{**last, "content": [*content, {"type": "text", "text": self.format.instruction}]}]
        else:
            added = [{**last, "content": f"{content}\n\n{self.format.instruction}"}]
        return {**plain, "messages": [*before, *added]}


def _complaint(message: Message, reason: str) -> list[Message]:
    """Returns what is added to ask again: the answer as text, since servers differ in how they want calls back."""
    content = message.get("content")
    calls = [encode(call["arguments"]).decode() for call in tool_calls(message)]
    said = "\n".join(calls) or (content if isinstance(content, str) else "") or "..."
    return [
        {"role": "assistant", "content": said},
        {"role": "user", "content": f"That answer does not fit: {reason}. Answer again."},
    ]


def _ways_to_set(key: str) -> str:
    return f"--{key.replace('_', '-')}, LLAMACLI_{key.upper()} or -p {key}"
