"""The table that the bench prints: a line for each figure, with its target."""

from __future__ import annotations

from dataclasses import dataclass

#: The programs, in the order of the columns. Most targets compare with the script.
PROGRAMS = ("llamacli", "script", "curl", "llm")


@dataclass
class Target:
    """A limit for one figure."""

    figure: float | None
    limit: float
    #: The figure must be at least the limit, not at most.
    least: bool = False

    @property
    def is_missed(self) -> bool:
        if self.figure is None:
            return False
        return self.figure < self.limit if self.least else self.figure > self.limit

    def __str__(self) -> str:
        if self.figure is None:
            return "n/a"
        mark = "  MISSED" if self.is_missed else ""
        return f"{self.figure:.2f} ({'>=' if self.least else '<='} {self.limit:g}){mark}"


class Table:
    """Prints each line once it is measured, and counts the missed targets."""

    def __init__(self) -> None:
        self.missed = 0
        heads = "".join(f"{name:>10}" for name in PROGRAMS)
        print(f"{'':<38}{heads}  {'vs. script':<18}vs. llm")

    def line(self, name: str, figures: dict[str, float | None], *targets: Target) -> None:
        """Prints one figure per program, and up to two ratios with their limits."""
        cells = "".join(f"{_shown(figures.get(program)):>10}" for program in PROGRAMS)
        self.missed += sum(target.is_missed for target in targets)
        print(f"{name:<38}{cells}  " + "  ".join(f"{target!s:<16}" for target in targets), flush=True)

    def note(self, text: str) -> None:
        print(text, flush=True)


def _shown(figure: float | None) -> str:
    if figure is None:
        return "n/a"
    return f"{figure:.0f}" if figure >= 20 else f"{figure:.1f}"
