"""Asks one prompt about every part of a long input: `ask --overflow map`."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import cast

from llamacli.api.json import encode
from llamacli.api.messages import Content, RequestBody
from llamacli.ask.answers import AnswerReader
from llamacli.ask.options import InputOptions, MapOptions, OutputOptions
from llamacli.ask.overflow import MIN_PART_TOKENS, estimate_tokens, split
from llamacli.ask.params import Params
from llamacli.ask.printer import EarlierCalls
from llamacli.ask.prompt import RequestMessage, join_texts, max_input_tokens, question, require_content
from llamacli.batch.input.items import Item, Items, ItemSource
from llamacli.batch.options import LimitOptions
from llamacli.batch.output.progress import Stats
from llamacli.batch.output.rows import Row, Sink
from llamacli.cli.spec import LoadedOptions
from llamacli.errors import ExitStatus, LlamaError, UsageError
from llamacli.http import endpoint
from llamacli.http.options import EndpointOptions, NetworkOptions
from llamacli.http.request import ChatRequest
from llamacli.stdio.input import Environment


class PartMapper:
    """Replaces texts with the answers to their parts until they fit."""

    def __init__(self, context: Sequence[RequestMessage], options: LoadedOptions, env: Environment) -> None:
        """Reads the question. Raises UsageError."""
        self._context, self._options, self._env = context, options, env
        self._params, self._output = options[Params], options[OutputOptions]
        fields = self._params.body([], stream=None, usage=False)
        for field in ("n", "tools"):
            if fields.get(field) not in (None, 1):
                message = f"--overflow map cannot be combined with --{field}"
                raise UsageError(message, "drop one, or use --overflow head, tail or middle")
        #: Returns the endpoint, which is resolved once.
        self.server = cache(lambda: endpoint.resolve(options[EndpointOptions], env))
        self._asked = question(options.operands("prompt"), options[InputOptions], env.input)
        self._was_cut = False
        #: What asking about the parts took, None if the text was short enough.
        self.calls: EarlierCalls | None = None

    def requests(self) -> Iterator[ChatRequest]:
        """Yields the requests for the parts, one if none is too long."""
        contents = self._contents() if self._is_too_long else iter([require_content(self._asked.content())])
        reader = self._reader()
        for content in contents:
            yield ChatRequest(self._body(content, reader))

    def content(self) -> Content:
        """Asks about the parts; returns the last content. Raises LlamaError."""
        while self._is_too_long:
            text = join_texts(self._answers())
            is_shorter = estimate_tokens(text) < self._length
            self._asked = self._asked.with_text(text)
            if not is_shorter:
                # The answers are paid for, and the limit is an estimate: the server may accept them.
                self._env.stderr.note("the answers to the parts are as long as the parts; asking about all of them")
                break
        return self._asked.content()

    def check(self) -> None:
        """Raises LlamaError (cut) if a part's answer was cut."""
        if self._was_cut:
            message = "the answer to a part is cut at the token limit"
            raise LlamaError(ExitStatus.CUT, message, "raise --max-tokens, or pass --allow-truncated")

    @property
    def _length(self) -> int:
        return sum(map(estimate_tokens, self._asked.texts))

    @property
    def _limit(self) -> int:
        return max_input_tokens(self._asked, self._options)

    @property
    def _is_too_long(self) -> bool:
        if self._length <= (limit := self._limit):
            return False
        if limit < MIN_PART_TOKENS and self._options[InputOptions].max_input is None:
            message = "the model's context leaves no room for the parts of a text"
            raise UsageError(message, "lower --max-tokens, or pass --max-input")
        return True

    def _contents(self) -> Iterator[Content]:
        return map(self._asked.content, split(self._asked.texts, self._limit))

    def _reader(self) -> AnswerReader:
        # A note for each part would be too many.
        verbose = self._env.stderr.verbose
        return AnswerReader(self._options, self._output.allow_truncated, lambda text: verbose(f"* {text}"))

    def _body(self, content: Content, reader: AnswerReader) -> RequestBody:
        messages = [*self._context, {"role": "user", "content": content}]
        return reader.build_body(self._params.body(messages, stream=self._params.stream, usage=True))

    def _answers(self) -> list[str]:
        """Asks all parts in parallel, and returns their answers in order."""
        from llamacli.batch.runner import BatchRunner

        reader = self._reader()
        parts, answers = Parts(self._contents()), PartAnswers()
        network = self._options[NetworkOptions].after(self._env.input.seconds_spent)

        def build_body(item: Item) -> RequestBody:
            return self._body(cast("Content", item.value), reader)

        items, stderr = Items([parts], None), self._env.stderr
        runner = BatchRunner(items, build_body, answers, self._limits(), network, self.server, stderr, reader)
        answers.stop = runner.stop
        try:
            runner.run()
        except LlamaError as error:
            if answers.errors:
                raise max(answers.errors, key=lambda error: error.status) from None
            # Answers that were cut are the only failures left.
            if len(answers.texts) < parts.count or not parts.is_read:
                raise error
        self._was_cut = self._was_cut or answers.was_cut
        self._add_calls(runner.stats)
        return [answers.texts[index] for index in sorted(answers.texts)]

    def _add_calls(self, stats: Stats) -> None:
        before = self.calls or EarlierCalls(0, 0, None, stats.started)
        costs = [usd for usd in (before.cost, stats.cost) if usd is not None]
        tokens_in, tokens_out = before.tokens_in + stats.tokens_in, before.tokens_out + stats.tokens_out
        self.calls = EarlierCalls(tokens_in, tokens_out, sum(costs) if costs else None, before.started)

    def _limits(self) -> LimitOptions:
        pool = self._options[MapOptions]
        spent = (self.calls and self.calls.cost) or 0.0
        budget = None if pool.max_cost is None else max(0.0, pool.max_cost - spent)
        return LimitOptions({"jobs": pool.jobs, "rpm": pool.rpm, "max_cost": budget}, pool.origins)


class Parts(ItemSource):
    """The parts of a long input, as the items of a batch."""

    def __init__(self, contents: Iterator[Content]) -> None:
        self._contents = contents
        self.count = 0
        self.is_read = False

    def items(self, start: int) -> Iterator[Item]:
        """Yields an item for each part, its content as the value."""
        for index, content in enumerate(self._contents, start):
            self.count = index + 1
            yield Item(index, f"part {index + 1}", content)
        self.is_read = True


class PartAnswers(Sink):
    """Collects the answers to the parts."""

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}
        self.errors: list[LlamaError] = []
        self.was_cut = False
        self.stop: Callable[[LlamaError], None] = lambda error: None

    def put(self, order: int, item: Item, row: Row) -> Row:
        """Keeps an answer; after an error no more parts are asked."""
        error, content = row["error"], row["content"]
        if error and error["status"] != ExitStatus.CUT:
            status = next(status for status in ExitStatus if status == error["status"])
            failure = LlamaError(status, f"{item.location}: {error['message']}")
            self.errors.append(failure)
            self.stop(failure)
        else:
            self.was_cut = self.was_cut or error is not None
            self.texts[item.index] = content if isinstance(content, str) else encode(content).decode()
        return row
