"""Runs commands in turn, so that a machine that speeds up or slows down does so for all of them."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

LAUNCH = str(Path(__file__).with_name("launch.py"))


class Cost(NamedTuple):
    """What one run took: wall-clock seconds, seconds of processor time, peak memory in MB."""

    wall: float
    cpu: float
    peak: float


@dataclass
class Command:
    """A command, with its standard input and environment."""

    words: list[str]
    stdin: str = "/dev/null"
    env: Mapping[str, str] = field(default_factory=dict)
    #: Runs in one of this many rounds: slow commands need fewer.
    every: int = 1

    def run(self, env: Mapping[str, str]) -> Cost:
        done = subprocess.run(
            [sys.executable, "-I", "-S", LAUNCH, self.stdin, *self.words],
            env={**env, **self.env},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(self.words)[:200]}\nended with {done.returncode}: {done.stderr.strip()}")
        return Cost(*map(float, done.stdout.split()))


class Costs:
    """The cost of each command in each round; None in the rounds that it skipped."""

    def __init__(self, rounds: list[dict[str, Cost]]) -> None:
        self.rounds = rounds

    def median(self, name: str, kind: str) -> float | None:
        """Returns the median of one kind of cost; None where the command never ran."""
        found = [getattr(costs[name], kind) for costs in self.rounds if name in costs]
        return statistics.median(found) if found else None

    def ratio(self, one: str, other: str, kind: str) -> float | None:
        """Returns the median of the ratios of the rounds."""
        both = [costs for costs in self.rounds if one in costs and other in costs]
        ratios = [getattr(costs[one], kind) / getattr(costs[other], kind) for costs in both]
        return statistics.median(ratios) if ratios else None


def interleaved(commands: Mapping[str, Command], rounds: int, env: Mapping[str, str]) -> Costs:
    """Runs each command once for the caches, then all of them in turn, round by round."""
    for command in commands.values():
        command.run(env)
    return Costs(
        [
            {name: command.run(env) for name, command in commands.items() if number % command.every == 0}
            for number in range(rounds)
        ]
    )
