"""What a batch has come to so far, in numbers."""

import time
from collections.abc import Callable
from io import StringIO
from typing import NamedTuple

from llamacli.api.usage import token_counts
from llamacli.batch.output.rows import RESUMABLE_STATUSES, Row
from llamacli.stdio.stderr import Spinner


class ProgressState(NamedTuple):
    """How far a batch has got. `share` of its input is done, from 0 to 1; None where nobody can know, as for `left`."""

    share: float | None
    done: int
    failed: int
    retried: int
    #: USD, None where the server does not tell.
    cost: float | None
    #: Seconds.
    left: float | None


class Bar(Spinner):
    """A spinner that is a progress bar."""

    def __init__(self, state: Callable[[], ProgressState], is_colored: bool) -> None:
        super().__init__("batch")
        self._state, self._is_colored = state, is_colored

    def line(self, frame: int, seconds: float, columns: int) -> str:
        from rich.console import Console
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        state = self._state()
        bar = ProgressBar(total=1, completed=state.share or 0, width=20, pulse=state.share is None)
        grid = Table.grid(padding=(0, 1))
        for _ in range(2):
            grid.add_column(no_wrap=True)
        grid.add_row(bar, words(state, seconds))
        color = "standard" if self._is_colored else None
        console = Console(file=StringIO(), force_terminal=True, width=columns, color_system=color)  # type: ignore[arg-type]
        with console.capture() as captured:
            console.print(grid, end="", markup=False, highlight=False, overflow="crop")
        return captured.get().split("\n")[0]


def words(state: ProgressState, seconds: float) -> str:
    """Says it in words: done, failed, retried, rate, cost, time left."""
    parts = [f"{state.done} done"]
    if state.failed:
        parts.append(f"{state.failed} failed")
    if state.retried:
        parts.append(f"{state.retried} retries")
    if state.done:
        parts.append(f"{state.done / seconds:.1f}/s")
    if state.cost is not None:
        parts.append(f"${state.cost:.4f}")
    if state.left is not None:
        parts.append(f"{clock(state.left)} left")
    return ", ".join(parts)


def clock(seconds: float) -> str:
    """Returns a duration as 42 s, 3:07 or 1:02:09."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


class Stats:
    """Counts rows, tries, tokens and cost. Call it with a lock."""

    def __init__(self) -> None:
        #: By the monotonic clock.
        self.started = time.monotonic()
        #: Those of the failed that --resume would ask for again.
        self.passing = 0
        self.answered = self.failed = self.kept_count = self.retries = self._tokens_in = self._tokens_out = 0
        #: USD, None where the server has told none.
        self.cost: float | None = None

    def add_reused(self, has_failed: bool) -> None:
        """Counts a row that was there from an earlier call."""
        self.kept_count += 1
        self.failed += has_failed

    def add_cost(self, usd: float | None) -> None:
        """Counts what an answer cost."""
        if usd is not None:
            self.cost = (self.cost or 0) + usd

    def add_row(self, row: Row) -> None:
        """Counts a row."""
        self.failed += row["error"] is not None
        self.passing += row["error"] is not None and row["error"]["status"] in RESUMABLE_STATUSES
        self.answered += row["error"] is None
        self.retries += max(row["attempts"] - 1, 0)
        taken, made = token_counts(row["usage"])
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
