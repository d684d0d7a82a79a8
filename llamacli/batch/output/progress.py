"""The progress bar of a batch, and the statistics of its summary."""

import re
import time
from collections import Counter
from collections.abc import Callable
from io import StringIO

from llamacli.api.completion import token_counts
from llamacli.batch.output.rows import RESUMABLE_STATUSES, Row
from llamacli.stdio.stderr import Spinner


class Bar(Spinner):
    """A progress bar in place of the spinner.

    `state` returns the share that is done, None if unknown, and the text beside the bar after this
    many seconds.
    """

    def __init__(self, state: Callable[[float], tuple[float | None, str]], is_colored: bool) -> None:
        super().__init__("batch")
        self._state, self._is_colored = state, is_colored

    def line(self, frame: int, seconds: float, columns: int) -> str:
        from rich.console import Console
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        share, text = self._state(seconds)
        bar = ProgressBar(total=1, completed=share or 0, width=20, pulse=share is None)
        grid = Table.grid(padding=(0, 1))
        for _ in range(2):
            grid.add_column(no_wrap=True)
        grid.add_row(bar, text)
        color = "standard" if self._is_colored else None
        console = Console(file=StringIO(), force_terminal=True, width=columns, color_system=color)  # type: ignore[arg-type]
        with console.capture() as captured:
            console.print(grid, end="", markup=False, highlight=False, overflow="crop")
        return captured.get().split("\n")[0]


def clock(seconds: float) -> str:
    """Returns a duration as 42 s, 3:07 or 1:02:09."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


#: Maximum number of different errors that are counted. More would not help the user.
MAX_ERRORS = 1000


class Stats:
    """Counts rows, attempts, tokens and cost. Call it with a lock."""

    def __init__(self) -> None:
        #: By the monotonic clock.
        self.started = time.monotonic()
        #: Failed items that --resume would ask again.
        self.resumable = 0
        self.answered = self.failed = self.reused = self.retries = self.tokens_in = self.tokens_out = 0
        #: USD, None if the server reports no cost.
        self.cost: float | None = None
        #: How often each reason occurred, and the first message with it.
        self._errors: Counter[str] = Counter()
        self._messages: dict[str, str] = {}

    def add_reused(self, row: Row) -> None:
        """Counts a row that an earlier call saved."""
        self.reused += 1
        if error := row["error"]:
            self.failed += 1
            self._add_error(row, str(error.get("message")))

    def add_cost(self, usd: float | None) -> None:
        """Counts what an answer cost."""
        if usd is not None:
            self.cost = (self.cost or 0) + usd

    def add_row(self, row: Row) -> None:
        """Counts a row."""
        if error := row["error"]:
            self.failed += 1
            self.resumable += error["status"] in RESUMABLE_STATUSES
            self._add_error(row, error["message"])
        else:
            self.answered += 1
        self.retries += max(row["attempts"] - 1, 0)
        tokens_in, tokens_out = token_counts(row["usage"])
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out

    def _add_error(self, row: Row, message: str) -> None:
        # Without the ids and the item's own file and line.
        reason = re.sub(r" \[[^][]*\]$", "", message)
        whole, reason = reason, re.sub(r"^\S{1,200} line \d+:? ", "", reason)
        if isinstance(row["input"], str):
            reason = reason.removeprefix(f"{row['input']}: ").removeprefix(f"{row['input']} ")
        if reason in self._errors or len(self._errors) < MAX_ERRORS:
            self._errors[reason] += 1
            self._messages.setdefault(reason, whole)

    @property
    def most_frequent_error(self) -> str:
        """The most frequent reason for a failure, "" if nothing failed."""
        if not self._errors:
            return ""
        reason, count = self._errors.most_common(1)[0]
        return self._messages[reason] if count == 1 else reason

    def summary(self, left: int | None = None) -> str:
        """Returns the summary in one line; `left` counts the items not asked."""
        seconds = time.monotonic() - self.started
        failed = f"{self.failed} failed"
        if reason := self.most_frequent_error:
            failed += f" ({'most often: ' if len(self._errors) > 1 else ''}{reason})"
        parts = [f"{self.answered} answered", failed]
        if left:
            parts.append(f"{left} left")
        if self.reused:
            parts.append(f"{self.reused} kept from before")
        if self.retries:
            parts.append("1 retry" if self.retries == 1 else f"{self.retries} retries")
        parts.append(f"{seconds:.1f} s")
        if self.answered:
            parts.append(f"{self.answered / max(seconds, 0.001):.1f}/s")
        if self.tokens_in or self.tokens_out:
            parts.append(f"{self.tokens_in} tokens in, {self.tokens_out} out")
        if self.cost is not None:
            parts.append(f"${self.cost:.6f}")
        return ", ".join(parts)
