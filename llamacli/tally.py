"""What a batch has come to so far, in numbers."""

import time

from llamacli.rows import PASSING, Row
from llamacli.wire import tokens


class Tally:
    """Counts rows, tries, tokens and cost. Call it with a lock."""

    def __init__(self) -> None:
        #: By the monotonic clock.
        self.started = time.monotonic()
        #: Those of the failed that --resume would ask for again.
        self.passing = 0
        self.answered = self.failed = self.kept_count = self.retries = self._tokens_in = self._tokens_out = 0
        #: USD, None where the server has told none.
        self.cost: float | None = None

    def kept(self, has_failed: bool) -> None:
        """Counts a row that was there from an earlier call."""
        self.kept_count += 1
        self.failed += has_failed

    def paid(self, usd: float | None) -> None:
        """Counts what an answer cost."""
        if usd is not None:
            self.cost = (self.cost or 0) + usd

    def made(self, row: Row) -> None:
        """Counts a row."""
        self.failed += row["error"] is not None
        self.passing += row["error"] is not None and row["error"]["status"] in PASSING
        self.answered += row["error"] is None
        self.retries += max(row["attempts"] - 1, 0)
        taken, made = tokens(row["usage"])
        self._tokens_in += taken
        self._tokens_out += made

    def summary(self) -> str:
        """Returns it all in one line."""
        seconds = time.monotonic() - self.started
        parts = [f"{self.answered} answered", f"{self.failed} failed"]
        if self.kept_count:
            parts.append(f"{self.kept_count} kept from before")
        if self.retries:
            parts.append(f"{self.retries} further tries")
        parts.append(f"{seconds:.1f} s")
        if self.answered:
            parts.append(f"{self.answered / max(seconds, 0.001):.1f}/s")
        if self._tokens_in or self._tokens_out:
            parts.append(f"{self._tokens_in} tokens in, {self._tokens_out} out")
        if self.cost is not None:
            parts.append(f"${self.cost:.6f}")
        return ", ".join(parts)
