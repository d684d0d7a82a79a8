"""Turns a request into an answer: asks, checks the reply, extracts."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from llamacli.api.completion import find_problem, reported_cost, total_usage
from llamacli.api.json import Json
from llamacli.api.messages import Completion, Message, RequestBody, Usage, sorted_choices, without_thinking
from llamacli.ask.options import CacheOptions, FallbackOptions, FormatOptions
from llamacli.cli.spec import LoadedOptions
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.options import EndpointOptions, NetworkOptions
from llamacli.http.request import ChatRequest

if TYPE_CHECKING:
    from llamacli.api.accumulator import Accumulator, Increment
    from llamacli.ask.cache import AnswerCache

    class AnyReply(Protocol):
        """A reply from a server or the cache, read once by iterating."""

        #: Monotonic times: of the request, of the first and of the latest text, and of the latest chunk.
        started: float
        first_text: float
        last_text: float
        last_chunk: float

        @property
        def accumulator(self) -> "Accumulator": ...

        @property
        def time_left(self) -> float: ...

        @property
        def headers(self) -> Mapping[str, str]: ...

        def __iter__(self) -> Iterator["Increment"]: ...

        def with_request_id(self, error: LlamaError) -> LlamaError: ...

    #: Sends a request and reads the reply. HTTP statuses in the second argument must not be retried.
    Send = Callable[[ChatRequest, Collection[int]], AnyReply]


class Answer:
    """The result of a question.

    `request` is what was sent, the model that answered included; `replies` are all
    replies to the question, the answer in the latest one; `completion` is the latest
    completion, without reasoning in its contents. `error` is None for a complete
    answer. With an error of status CUT there is still something worth keeping.
    """

    #: A model other than the first one answered.
    is_fallback = False
    #: The answer was stored by an earlier call.
    is_cached = False

    def __init__(
        self,
        request: ChatRequest,
        replies: Sequence["AnyReply"],
        completion: Completion,
        error: LlamaError | None,
        values: list[Json] | None = None,
        text: str | None = None,
        status: ExitStatus = ExitStatus.OK,
    ) -> None:
        self.request, self.replies, self.completion = request, replies, completion
        self.error, self.status = error, status
        #: The answer after a format or --extract: text or JSON values, one for each choice.
        self.values = values
        #: The same as text, to be saved in a conversation.
        self.text = text

    @property
    def model(self) -> str:
        """The model that was asked."""
        return str(self.request.parameters.get("model"))

    @property
    def message(self) -> Message:
        """The assistant's message."""
        if self.text is not None:
            return {"role": "assistant", "content": self.text}
        choices = self.completion.get("choices") or []
        return (choices[0].get("message") or {}) if choices else {}

    @property
    def usage(self) -> Usage:
        """The token counts that the server reported for all replies."""
        return total_usage([reply.accumulator.completion() for reply in self.replies])

    @property
    def cost(self) -> float | None:
        """USD spent on all replies, None if the server reports none."""
        if self.is_cached:
            return 0.0
        costs = [reported_cost(reply.accumulator.completion(), reply.headers) for reply in self.replies]
        reported = [cost for cost in costs if cost is not None]
        return sum(reported) if reported else None


class AnswerReader:
    """Asks for answers in a format. Several threads may use it at once."""

    def __init__(self, options: LoadedOptions, allow_truncated: bool, note: Callable[[str], None]) -> None:
        """Raises UsageError if the options ask for two formats.

        `note` reports each further request.
        """
        self.cache = _open_cache(options)
        format = options[FormatOptions]
        self.validation = format.validation_loop()
        self.extracts, self.keeps_thinking = format.extract, format.keep_thinking
        self._allow_truncated, self._note = allow_truncated, note
        self._network = options[NetworkOptions]
        self._fallback_models = options[FallbackOptions].fallback_model or []
        #: Models that need not be asked again.
        self._unavailable_models: set[str] = set()

    @property
    def has_format(self) -> bool:
        """True if a format or --extract makes the answer from the content."""
        return self.validation is not None or self.extracts

    @property
    def is_json(self) -> bool:
        """True if an answer is a JSON value rather than text."""
        return self.validation is not None and self.validation.format.is_json

    def build_body(self, body: RequestBody) -> RequestBody:
        """Returns a body for the format. Raises UsageError."""
        return self.validation.build_body(body) if self.validation else body

    def read(self, request: ChatRequest, send: "Send", is_whole: bool = True) -> Answer:
        """Asks until the answer fits, and returns it.

        `is_whole`: nothing is printed before the reply is complete. Raises the
        LlamaError that `send` raises, with --fallback-model that of the last model.
        """
        replies: list[AnyReply] = []
        first = request
        for model in self._fallback_models:
            if str(request.parameters.get("model")) not in self._unavailable_models:
                try:
                    answer = self._read_or_reuse(request, send, is_whole, replies)
                    answer.is_fallback = request is not first
                    return answer
                except LlamaError as error:
                    if not _is_unavailable(error):
                        raise
                    if error.http_status == 404:
                        self.skip_model(request)
                    self._note(f"{error.message}; asking {model} instead")
            request = request.replace(model=model)
        answer = self._read_or_reuse(request, send, is_whole, replies)
        answer.is_fallback = request is not first
        return answer

    def skip_model(self, request: ChatRequest) -> None:
        """Skips a request's model from now on and asks the next one."""
        self._unavailable_models.add(str(request.parameters.get("model")))

    def find_cached(self, request: ChatRequest, is_whole: bool = True) -> Answer | None:
        """Returns the stored answer to a request, None if it has to be asked.

        An answer that is not complete under the options of this call counts as missing. Raises LlamaError (network)
        with --offline if there is none.
        """
        if not self.cache:
            return None
        if reply := self.cache.find(request):
            answer = self._read(request, lambda request, no_retry: reply, is_whole, [], retries=0)
            if self._is_complete(answer):
                if self._network.usage_log:
                    from llamacli.http.usage_log import usage_log

                    usage_log(self._network, self._note).add_cached(request, answer.completion)
                answer.is_cached = True
                return answer
        self.cache.require()
        return None

    def _read_or_reuse(self, request: ChatRequest, send: "Send", is_whole: bool, replies: list["AnyReply"]) -> Answer:
        if cached := self.find_cached(request, is_whole):
            return cached
        answer = self._read(request, send, is_whole, replies)
        if self.cache and self._is_complete(answer):
            try:
                self.cache.store(request, answer.replies[-1].accumulator.completion())
            except OSError as error:
                where = f"{error.filename}: " if error.filename else ""
                self._note(f"the answer could not be stored: {where}{error.strerror}")
        return answer

    def _is_complete(self, answer: Answer) -> bool:
        """True if an answer may be stored; --allow-truncated has no effect."""
        choices = answer.completion.get("choices") or []
        has_all = len(choices) >= answer.request.choices
        return answer.error is None and has_all and find_problem(answer.completion) is None

    def has_fallback(self, request: ChatRequest) -> bool:
        """True if another model is asked after the one of a request."""
        return bool(self._fallback_models) and request.parameters.get("model") != self._fallback_models[-1]

    def _read(
        self, request: ChatRequest, send: "Send", is_whole: bool, replies: list["AnyReply"], retries: int | None = None
    ) -> Answer:
        def ask(request: ChatRequest, no_retry: Collection[int] = ()) -> Completion:
            replies.append(send(request, no_retry))
            if self.validation:
                self.validation.format.limit_time(replies[-1].time_left)
            return self._completion(replies[-1], is_whole)

        if self.validation:
            result = self.validation.run(request, ask, self._note, self._allow_truncated, retries)
            error = result.error and replies[-1].with_request_id(result.error)
            values = None if result.content is None else [result.value]
            completion = self._completion(replies[-1], is_whole)
            return Answer(request, replies, completion, error, values, result.content, result.status)
        completion = ask(request)
        error = find_problem(completion, self._allow_truncated)
        values = None
        if self.extracts and (error is None or error.status == ExitStatus.CUT):
            from llamacli.ask.structured.extract import first_blocks

            contents = [choice["message"].get("content") or "" for choice in sorted_choices(completion)]
            try:
                values = list(first_blocks(contents, is_complete=error is None))
            except LlamaError as mismatch:
                error = mismatch
        return Answer(request, replies, completion, error and replies[-1].with_request_id(error), values)

    def _completion(self, reply: "AnyReply", is_whole: bool) -> Completion:
        completion = reply.accumulator.completion()
        return completion if self.keeps_thinking else without_thinking(completion, is_whole)[0]


def _is_unavailable(error: LlamaError) -> bool:
    """True for an error that another model may not have: 404, 429 or 5xx.

    A used-up quota affects every model.
    """
    if error.http_status is None or error.status == ExitStatus.CREDITS:
        return False
    return error.http_status in (404, 429) or error.http_status >= 500


def _open_cache(options: LoadedOptions) -> "AnswerCache | None":
    """Returns the cache, None without one. Raises UsageError."""
    for group in options:
        if isinstance(group, CacheOptions) and group.is_used:
            from llamacli.ask.cache import AnswerCache

            return AnswerCache(group, options[EndpointOptions].base_url)
    return None
