"""The line that shows how far a batch has got, drawn by rich where a person looks."""

from collections.abc import Callable
from io import StringIO
from typing import NamedTuple

from llamacli.terminal import Spinner


class State(NamedTuple):
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

    def __init__(self, state: Callable[[], State], is_colored: bool) -> None:
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


def words(state: State, seconds: float) -> str:
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
