"""Flags that several commands share."""

from typing import Annotated

from llamacli.cli.table import Flag, Table
from llamacli.cli.types import Path, Switch
from llamacli.stdio.environment import Environment


class OutputFile(Table):
    """Where the answer is printed."""

    title = "Output"

    output: Annotated[
        str | None,
        Flag(
            Path(),
            "Write the answer to this file, which is replaced when it is complete.",
            "-o",
            example="llamacli ask -o summary.md 'Summarise:' <notes.txt",
        ),
    ] = None


class DisplayOptions(Table):
    """How llamacli speaks on stderr."""

    title = "Display"
    comes_first = True
    note = "Each has a default in the environment: LLAMACLI_QUIET and so on."

    quiet: Annotated[bool, Flag(Switch(), "Show no notes and warnings, only errors.", "-q", env=True)] = False
    verbose: Annotated[
        bool, Flag(Switch(), "Show headers, ids and timings on stderr, the key redacted.", "-v", env=True)
    ] = False
    no_color: Annotated[
        bool, Flag(Switch(), "Use no colour (nor with NO_COLOR or TERM=dumb); --color undoes it.", env=True)
    ] = False

    def filled(self, env: Environment) -> None:
        env.stderr.adopt(quiet=self.quiet, verbose=self.verbose, color=not self.no_color)


class DecodingOptions(Table):
    """How bytes become text."""

    title = "Input"
    comes_first = True

    lossy: Annotated[bool, Flag(Switch(), "Read bytes that are not UTF-8 as U+FFFD.")] = False

    def filled(self, env: Environment) -> None:
        env.inputs.lossy = self.lossy
