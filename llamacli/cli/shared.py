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
            "Write to FILE, replaced only once complete.",
            "-o",
            common=True,
            example="llamacli ask -o summary.md 'Summarize:' <notes.txt",
        ),
    ] = None


class DisplayOptions(Options):
    """What is shown on stderr."""

    title = "Display"
    note = "Environment variables: LLAMACLI_QUIET, LLAMACLI_VERBOSE and so on."

    quiet: Annotated[
        bool, Flag(Switch(), "Show only errors, no notes or warnings.", "-q", env=True, in_prompt_file=True)
    ] = False
    verbose: Annotated[
        bool,
        Flag(Switch(), "Show headers (without the key), IDs and timings.", "-v", env=True, in_prompt_file=True),
    ] = False
    no_color: Annotated[
        bool,
        Flag(
            Switch(),
            "Disable color, as NO_COLOR and TERM=dumb do.",
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
