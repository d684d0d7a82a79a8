"""Flags that several commands share."""

from typing import Annotated

from llamacli.cli.table import Flag, Options
from llamacli.cli.types import PathType, Seconds, Switch


class OutputFile(Options):
    """Where the answer is printed."""

    title = "Output"

    output: Annotated[
        str | None,
        Flag(
            PathType(),
            "Write the answer to this file, which is replaced when it is complete.",
            "-o",
            example="llamacli ask -o summary.md 'Summarise:' <notes.txt",
        ),
    ] = None


class DisplayOptions(Options):
    """How llamacli speaks on stderr."""

    title = "Display"
    note = "Each has a default in the environment: LLAMACLI_QUIET and so on."

    quiet: Annotated[
        bool, Flag(Switch(), "Show no notes and warnings, only errors.", "-q", env=True, in_prompt_file=True)
    ] = False
    verbose: Annotated[
        bool,
        Flag(
            Switch(), "Show headers, ids and timings on stderr, the key redacted.", "-v", env=True, in_prompt_file=True
        ),
    ] = False
    no_color: Annotated[
        bool,
        Flag(
            Switch(),
            "Use no colour (nor with NO_COLOR or TERM=dumb); --color undoes it.",
            env=True,
            in_prompt_file=True,
        ),
    ] = False


class StdinOptions(Options):
    """How stdin is read."""

    title = "Input"

    stdin_timeout: Annotated[
        float | None, Flag(Seconds(0.001, 1_000_000), "Give up if stdin sends nothing for this long.")
    ] = None


class DecodingOptions(StdinOptions):
    """How stdin is read, and how bytes become text."""

    lossy: Annotated[bool, Flag(Switch(), "Read bytes that are not UTF-8 as U+FFFD.")] = False
