"""The form of a batch's answers: asks for it, checks it, and says what stands in the row."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

from llamacli.api.messages import Completion, find_problem, sorted_choices
from llamacli.api.reasoning import without_thinking
from llamacli.api.usage import total_usage
from llamacli.ask.options import FormatOptions
from llamacli.batch.input.items import Item
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.stderr import Stderr

if TYPE_CHECKING:
    from llamacli.batch.calls.worker import Worker


class ItemAnswer(NamedTuple):
    """What came for one item. `parts` are the keys of its row that the form decides on."""

    completion: Completion
    error: LlamaError | None
    row_fields: dict[str, Any]


class AnswerReader:
    """The form that all answers of a batch are to have, or none. Used by all workers at once."""

    def __init__(self, format_options: FormatOptions, allow_truncated: bool, stderr: Stderr) -> None:
        """Raises LlamaError (usage) where two forms are asked for."""
        self._validation = format_options.validation_loop()
        self._keeps_thinking = format_options.keep_thinking
        self.extracts, self._allow_truncated, self._stderr = format_options.extract, allow_truncated, stderr

    @property
    def is_json(self) -> bool:
        """Tells whether an answer is a JSON value, else a text."""
        return self._validation is not None and self._validation.format.is_json

    def build_body(self, body: dict[str, Any]) -> dict[str, Any]:
        """Returns a body that asks for the form. Raises LlamaError (usage) where it leaves no room for that."""
        return self._validation.build_body(body) if self._validation else body

    def build_item_body(self, item: Item, body: dict[str, Any]) -> dict[str, Any]:
        """Returns what asks an item for the form. Raises LlamaError (usage) where the record's own body has no room."""
        try:
            return self.build_body(body)
        except LlamaError as fault:
            # What flags and settings say was checked before any item was read.
            todo = "take that out of the record's body"
            raise LlamaError(fault.status, f"{item.location}: {fault.message}", todo) from None

    def run(self, body: dict[str, Any], exchange: "Worker") -> ItemAnswer:
        """Asks for one item until the answer fits. Raises what `Exchange.send` raises."""
        if self._validation:
            return self._run_validated(body, exchange)
        completion = self._without_thinking(exchange.send(body))
        fault = find_problem(completion, self._allow_truncated)
        fault = fault and exchange.with_request_id(fault)
        if self.extracts and (fault is None or fault.status == ExitStatus.CUT):
            return self._extract(completion, fault, exchange)
        return ItemAnswer(completion, fault, {})

    def _without_thinking(self, completion: Completion) -> Completion:
        return completion if self._keeps_thinking else without_thinking(completion, is_whole=True)[0]

    def _run_validated(self, body: dict[str, Any], exchange: "Worker") -> ItemAnswer:
        assert self._validation
        completions: list[Completion] = []

        def send(body: dict[str, Any], final: Collection[int]) -> Completion:
            completions.append(self._without_thinking(exchange.send(body, final)))
            return completions[-1]

        # What a person is told of one answer would be many notes here.
        found = self._validation.run(body, send, lambda told: self._stderr.verbose(f"* {told}"), self._allow_truncated)
        fault = exchange.with_request_id(found.error) if found.error else None
        parts = {"content": found.value, "usage": total_usage(completions) or None, "tool_calls": None}
        return ItemAnswer(completions[-1], fault, parts)

    def _extract(self, completion: Completion, fault: LlamaError | None, exchange: "Worker") -> ItemAnswer:
        from llamacli.ask.structured.extract import first_blocks

        contents = [choice["message"].get("content") or "" for choice in sorted_choices(completion)]
        try:
            blocks = first_blocks(contents, is_complete=fault is None)
        except LlamaError as misfit:
            return ItemAnswer(completion, exchange.with_request_id(misfit), {"content": None})
        return ItemAnswer(completion, fault, {"content": blocks if len(blocks) > 1 else blocks[0]})
