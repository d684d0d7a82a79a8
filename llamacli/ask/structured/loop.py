"""The validation loop: asks by a forced function call, checks, asks again."""

from collections.abc import Callable, Collection
from typing import NamedTuple

from llamacli.api.completion import find_problem
from llamacli.api.json import encode
from llamacli.api.messages import Completion, Message, RequestBody
from llamacli.api.tool_calls import tool_calls
from llamacli.ask.structured.formats import FUNCTION, AnswerFormat, FormatMismatch
from llamacli.errors import ExitStatus, LlamaError, UsageError
from llamacli.http.request import ChatRequest

#: HTTP statuses with which a server refuses tools.
TOOLS_REFUSED_STATUSES = frozenset({400, 404, 422, 500})
#: Keys of a body that a forced function call needs for itself.
RESERVED_KEYS = ("tools", "tool_choice")


class Validated(NamedTuple):
    """The result of a validation loop.

    `value` is the answer (for --schema a JSON value) and `content` the same as text;
    both are None without a valid answer. `status` is OK, or NO for --yes-no. `error`
    says what is wrong: withheld, broken, a mismatch, or cut, which leaves a value.
    """

    value: object
    content: str | None
    status: ExitStatus
    error: LlamaError | None


#: Sends a request and returns the completion. HTTP statuses in the second argument must not be retried.
Ask = Callable[[ChatRequest, Collection[int]], Completion]


class ValidationLoop:
    """Asks for answers of one format. Several threads may use it at once."""

    def __init__(self, format: AnswerFormat, retries: int) -> None:
        self.format, self.retries = format, retries
        #: True once the server has refused tools and answered without them.
        self._tools_refused = False

    def build_body(self, body: RequestBody) -> RequestBody:
        """Returns a body with a forced call. Raises UsageError."""
        for key in RESERVED_KEYS:
            if body.get(key) is not None:
                raise UsageError(f"{self.format.flag} cannot be combined with {key}", f"drop {_ways_to_set(key)}")
        if body.get("n") not in (None, 1):
            raise UsageError(f"{self.format.flag} needs a single answer, not {body['n']}", f"drop {_ways_to_set('n')}")
        choice = {"type": "function", "function": {"name": FUNCTION}}
        return {**body, "tools": [{"type": "function", "function": self.format.function}], "tool_choice": choice}

    def run(
        self,
        request: ChatRequest,
        ask: Ask,
        note: Callable[[str], None] = lambda text: None,
        allow_truncated: bool = False,
        retries: int | None = None,
    ) -> Validated:
        """Asks, checks, and asks again with the reason.

        The body of the request comes from `build_body`. `note` is called before each
        further request; there are at most `retries` of them, if given. Raises the
        LlamaError that `ask` raises.
        """
        in_words = self._tools_refused
        for left in range(self.retries if retries is None else retries, -1, -1):
            completion, in_words = self._ask(request, in_words, ask, note)
            problem = find_problem(completion, allow_truncated)
            choices = completion.get("choices") or []
            message: Message = (choices[0].get("message") or {}) if choices else {}
            if problem and (problem.status in (ExitStatus.WITHHELD, ExitStatus.SERVER) or not choices):
                return Validated(None, None, problem.status, problem)
            is_cut = problem is not None and problem.status == ExitStatus.CUT
            try:
                value = self.format.read(message)
            except FormatMismatch as mismatch:
                reason = f"{mismatch}, and it was cut at the token limit" if is_cut else str(mismatch)
            except LlamaError as error:
                # The fault is the schema's: another answer would not help.
                return Validated(None, None, error.status, error)
            else:
                error_or_none = problem if is_cut else None
                return Validated(value, self.format.content(value), self.format.status(value), error_or_none)
            if left:
                note(f"the answer does not fit {self.format.flag}: {reason}; asking again")
                messages = request.parameters["messages"]
                request = request.replace(messages=[*messages, *_complaint(message, reason)])
        hint = "raise --max-tokens" if is_cut else "rephrase the prompt, or raise --fit-retries"
        mismatch_error = LlamaError(ExitStatus.MISMATCH, f"the answer does not fit {self.format.flag}: {reason}", hint)
        return Validated(None, None, mismatch_error.status, mismatch_error)

    def _ask(
        self, request: ChatRequest, in_words: bool, ask: Ask, note: Callable[[str], None]
    ) -> tuple[Completion, bool]:
        """Sends a request, and once more in words if tools are refused.

        Returns the completion, and True if it was asked for in words.
        """
        refusal: int | None = None
        if not in_words:
            try:
                # A temporary 500 is retried in words.
                return ask(request, TOOLS_REFUSED_STATUSES), False
            except LlamaError as error:
                refusal = error.http_status
                if refusal not in TOOLS_REFUSED_STATUSES:
                    raise
                note(f"{error.message}; asking without tools")
        completion = ask(self._in_words(request), ())
        # A 500 may have been temporary.
        self._tools_refused = self._tools_refused or refusal in TOOLS_REFUSED_STATUSES - {500}
        return completion, True

    def _in_words(self, request: ChatRequest) -> ChatRequest:
        """Returns a request that asks for the format in words, not tools."""
        *before, last = request.parameters["messages"]
        content = last.get("content")
        if last.get("role") != "user":
            added = [last, {"role": "user", "content": self.format.instruction}]
        elif isinstance(content, list):
            added = [{**last, "content": [*content, {"type": "text", "text": self.format.instruction}]}]
        else:
            added = [{**last, "content": f"{content}\n\n{self.format.instruction}"}]
        removed: dict[str, None] = dict.fromkeys((*RESERVED_KEYS, "parallel_tool_calls"))
        return request.replace(messages=[*before, *added], **removed)


def _complaint(message: Message, reason: str) -> list[Message]:
    """Returns the messages that ask again, with the answer as text."""
    content = message.get("content")
    calls = [encode(call["arguments"]).decode() for call in tool_calls(message)]
    answer = "\n".join(calls) or (content if isinstance(content, str) else "") or "..."
    return [
        {"role": "assistant", "content": answer},
        {"role": "user", "content": f"That answer does not fit: {reason}. Answer again."},
    ]


def _ways_to_set(key: str) -> str:
    return f"--{key.replace('_', '-')}, LLAMACLI_{key.upper()} or -p {key}"
