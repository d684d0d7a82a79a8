"""Real shells with the completion: what each offers for a line, and what Tab does."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from llamacli.cli.docs import generate
from tests.support.terminal import Terminal
from tests.support.world import World

#: Stands for the shell's own completion of files, which bash does outside of any function.
FILES = "(files)"
#: Programs that must not be started leave their names here.
MARK = "started"

BASH = """
PS1='$ '
bind 'set bell-style none'
source {script}
llamacli() {{ printf '%s\\0' "$@" >"$OUT"; }}
asked() {{
    local start=$EPOCHREALTIME
    _llamacli "$@"
    local end=$EPOCHREALTIME
    {{
        printf '%s\\n' "$COMP_LINE" "us $((${{end/[.,]/}} - ${{start/[.,]/}}))" "${{COMPREPLY[@]}}"
        [[ $(compopt) != *'-o default'* ]] || echo '{files}'
        echo .
    }} >>"$LOG"
    COMPREPLY=()
    compopt +o default
}}
"""
ZSH = """
PS1='$ '
fpath=({folder} $fpath)
autoload -Uz compinit && compinit -D -u
zmodload zsh/datetime
unsetopt list_beep
llamacli() {{ printf '%s\\0' "$@" >$OUT; }}
compadd() {{
    local -a found
    if [[ $collecting == 1 && " $* " != *" -"[OAD]" "* ]]; then
        [[ ! $COLLECT ]] || builtin compadd -O found "$@"
        (($#found)) && print -rl -- $IPREFIX${{^found}} >>$LOG
    fi
    builtin compadd "$@"
}}
zle -C asked list-choices _main_complete
every() {{
    local line start
    local -i spent
    collecting=1
    while IFS= read -r line; do
        print -r -- $line >>$LOG
        start=$EPOCHREALTIME BUFFER=$line CURSOR=$#line
        zle asked
        spent=$(((EPOCHREALTIME - start) * 1000000))
        print -r -- "us $spent" >>$LOG
        print -r -- . >>$LOG
    done <$LINES_FILE
    collecting=0 BUFFER=
    print -r -- END >>$LOG
}}
zle -N every
bindkey '^G' every
"""
FISH = """
function fish_prompt; echo '$ '; end
function fish_greeting; end
source {script}
function llamacli; printf '%s\\0' $argv >$OUT; end
"""
FISH_EVERY = """
source {script}
while read -l line
    echo $line
    set -l found (complete -C $line)
    printf '%s\\n' $found
    echo .
end <$LINES_FILE
"""


class Shell:
    """A shell with the completion loaded, in the world's working directory."""

    def __init__(self, name: str, world: World, script: str) -> None:
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not installed")
        self.name, self.world, self.path = name, world, path
        self.folder = world.home.parent / name
        self.folder.mkdir()
        self.script = self.folder / generate.FILES[name]
        self.script.write_text(script)
        self.log, self.out, self.lines = (self.folder / part for part in ("log", "out", "lines"))
        self.times: list[float] = []
        self._guard()

    def _guard(self) -> None:
        """Makes a PATH that contains only programs that must not be started."""
        bin = self.folder / "bin"
        bin.mkdir()
        for program in ("python", "python3", "llamacli", "cat", "ls", "sed", "grep"):
            (bin / program).write_text(f"#!/bin/sh\necho {program} >>{self.folder}/{MARK}\n")
            (bin / program).chmod(0o755)
        self.env = {
            "PATH": str(bin),
            "LOG": str(self.log),
            "OUT": str(self.out),
            "LINES_FILE": str(self.lines),
            "LC_ALL": "C.UTF-8",
            "HISTFILE": "/dev/null",  # Empty if zsh is timed instead of read.
            "COLLECT": "1",
        }

    @property
    def started(self) -> str:
        """The programs that were started although none should be."""
        mark = self.folder / MARK
        return mark.read_text() if mark.exists() else ""

    def offers(self, *lines: str) -> dict[str, set[str]]:
        """Returns for each line what the shell offers at its end; `times` are the milliseconds that each took.

        fish does not report them, and zsh only without collecting what it offers, which takes as long again.
        """
        self.log.write_text("")
        self.lines.write_text("".join(f"{line}\n" for line in lines))
        output = {"bash": self._bash, "zsh": self._zsh, "fish": self._fish}[self.name](lines)
        found: dict[str, set[str]] = {}
        # bash reports only the command at the cursor, so lines are matched by their order.
        for line, block in zip(lines, output.split("\n.\n"), strict=False):
            rest = block.split("\n")[1:]
            self.times += [int(row[3:]) / 1000 for row in rest if row.startswith("us ")]
            found[line] = {row.split("\t")[0] for row in rest if row and not row.startswith("us ")}
        assert output.count("\n.\n") == len(lines)
        assert not self.started
        return found

    def spent(self, line: str, runs: int) -> tuple[float, float]:
        """Returns the median and maximum time of a completion, in milliseconds."""
        self.times = []
        if self.name != "fish":
            self.offers(*[line] * (runs + 1))
            times = self.times[1:]
        else:
            # fish does not report times, so the time that one more Tab adds to a run is used.
            starts = []
            for count in (1, 1 + runs):
                start = time.perf_counter()
                self.offers(*[line] * count)
                starts.append((time.perf_counter() - start) * 1000)
            times = [(starts[1] - starts[0]) / runs]
        return statistics.median(times), max(times)

    def _bash(self, lines: tuple[str, ...]) -> str:
        with self._terminal() as terminal:
            terminal.type("complete -o default -F asked llamacli\n")
            for count, line in enumerate(lines, 1):
                terminal.type(f"{line}\t")
                self._wait(terminal, partial(self._has, count))
                terminal.type("\x15")
            return self.log.read_text()

    def _zsh(self, lines: tuple[str, ...]) -> str:
        with self._terminal() as terminal:
            terminal.type("\x07")
            self._wait(terminal, lambda: self._text(self.log).endswith("END\n"), seconds=60)
            return self.log.read_text()

    def _fish(self, lines: tuple[str, ...]) -> str:
        script = self.folder / "every.fish"
        script.write_text(FISH_EVERY.format(script=self.script))
        environ = {**self.world.env, **self.env}
        done = subprocess.run(
            [self.path, "--no-config", str(script)],
            env=environ,
            cwd=self.world.cwd,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout

    def types(self, line: str) -> list[str]:
        """Types a line and a Tab, runs it, and returns the arguments that llamacli got."""
        self.out.unlink(missing_ok=True)
        with self._terminal() as terminal:
            terminal.type(f"{line}\t\n")
            self._wait(terminal, lambda: self._text(self.out).endswith("\0"))
        assert not self.started
        return self._text(self.out).split("\0")[:-1]

    def _terminal(self) -> Terminal:
        start = {"bash": BASH, "zsh": ZSH, "fish": FISH}[self.name]
        setup = self.folder / "setup"
        setup.write_text(start.format(script=self.script, folder=self.folder, files=FILES))
        arguments = {
            "bash": ["--norc", "--noprofile", "-i"],
            "zsh": ["-f", "-i"],
            "fish": ["--no-config", "-i"],
        }[self.name]
        # A split name would not be noticed on a terminal of normal width.
        terminal = Terminal(self.world, self.path, *arguments, **self.env)
        terminal.type(f" source {setup}; printf '%s%s\\n' rea dy\n")
        terminal.until("ready")
        return terminal

    def _text(self, path: Path) -> str:
        return path.read_text() if path.exists() else ""

    def _has(self, count: int) -> bool:
        return self._text(self.log).count("\n.\n") == count

    def _wait(self, terminal: Terminal, done: Callable[[], bool], seconds: float = 15) -> None:
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, terminal.shown[-2000:]
            terminal.read(0.005)


def files_in(folder: Path) -> set[str]:
    return {name for name in os.listdir(folder) if not name.startswith(".")}
