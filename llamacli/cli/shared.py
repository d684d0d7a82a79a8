"""Flags that several commands share."""

from typing import Annotated

from llamacli.cli.table import Flag, Options
from llamacli.cli.types import PathType, Switch


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

    quiet: Annotated[bool, Flag(Switch(), "Show no notes and warnings, only errors.", "-q", env=True)] = False
    verbose: Annotated[
        bool, Flag(Switch(), "Show headers, ids and timings on stderr, the key redacted.", "-v", env=True)
    ] = False
    no_color: Annotated[
        bool, Flag(Switch(), "Use no colour (nor with NO_COLOR or TERM=dumb); --color undoes it.", env=True)
    ] = False


class DecodingOptions(Options):
    """How bytes become text."""

    title = "Input"

    lossy: Annotated[bool, Flag(Switch(), "Read bytes that are not UTF-8 as U+FFFD.")] = False
