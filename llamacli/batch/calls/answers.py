"""The form of a batch's answers: asks for it, checks it, and says what stands in the row."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

from llamacli.api.messages import Completion, answers
from llamacli.api.usage import usage
from llamacli.ask.options import FitOptions
from llamacli.batch.input.items import Item
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.stderr import Stderr

if TYPE_CHECKING:
    from llamacli.batch.calls.worker import Exchange


class Shaped(NamedTuple):
    """What came for one item. `parts` are the keys of its row that the form decides on."""

    completion: Completion
    fault: LlamaError | None
    parts: dict[str, Any]


class Shape:
    """The form that all answers of a batch are to have, or none. Used by all workers at once."""

    def __init__(self, fit: FitOptions, allow_truncated: bool, stderr: Stderr) -> None:
        """Raises LlamaError (usage) where two forms are asked for."""
        self._fitting = fit.fitting()
        self.extracts, self._allow_truncated, self._stderr = fit.extract, allow_truncated, stderr

    @property
    def is_json(self) -> bool:
        """Tells whether an answer is a JSON value, else a text."""
        return self._fitting is not None and self._fitting.form.is_json

    def body(self, body: dict[str, Any]) -> dict[str, Any]:
        """Returns a body that asks for the form. Raises LlamaError (usage) where it leaves no room for that."""
        return self._fitting.body(body) if self._fitting else body

    def body_of(self, item: Item, body: dict[str, Any]) -> dict[str, Any]:
        """Returns what asks an item for the form. Raises LlamaError (usage) where the record's own body has no room."""
        try:
            return self.body(body)
        except LlamaError as fault:
            # What flags and settings say was checked before any item was read.
            todo = "take that out of the record's body"
            raise LlamaError(fault.status, f"{item.place}: {fault.what}", todo) from None

    def ask(self, body: dict[str, Any], exchange: "Exchange") -> Shaped:
        """Asks for one item until the answer fits. Raises what `Exchange.send` raises."""
        if self._fitting:
            return self._fitted(body, exchange)
        completion = exchange.send(body)
        fault = exchange.verdict(completion, self._allow_truncated)
        if self.extracts and (fault is None or fault.status == ExitStatus.CUT):
            return self._extracted(completion, fault, exchange)
        return Shaped(completion, fault, {})

    def _fitted(self, body: dict[str, Any], exchange: "Exchange") -> Shaped:
        assert self._fitting
        completions: list[Completion] = []

        def send(body: dict[str, Any], final: Collection[int]) -> Completion:
            completions.append(exchange.send(body, final))
            return completions[-1]

        # What a person is told of one answer would be many notes here.
        found = self._fitting.ask(body, send, lambda told: self._stderr.verbose(f"* {told}"), self._allow_truncated)
        fault = exchange.named(found.fault) if found.fault else None
        parts = {"content": found.value, "usage": usage(completions) or None, "tool_calls": None}
        return Shaped(completions[-1], fault, parts)

    def _extracted(self, completion: Completion, fault: LlamaError | None, exchange: "Exchange") -> Shaped:
        from llamacli.ask.structured.extract import first_blocks

        contents = [choice["message"].get("content") or "" for choice in answers(completion)]
        try:
            blocks = first_blocks(contents, is_complete=fault is None)
        except LlamaError as misfit:
            return Shaped(completion, exchange.named(misfit), {"content": None})
        return Shaped(completion, fault, {"content": blocks if len(blocks) > 1 else blocks[0]})
