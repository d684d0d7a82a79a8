"""The flags of a batch."""

from typing import Annotated

from llamacli.cli.table import Flag, Options
from llamacli.cli.types import Choice, Integer, Number, ParamType, PathType, Switch


class Shard(ParamType):
    metavar = "I/N"

    def parse(self, text: str) -> tuple[int, int]:
        number, slash, shards = text.partition("/")
        if not (slash and number.isdecimal() and shards.isdecimal() and 1 <= int(number) <= int(shards)):
            raise ValueError("is not I/N with I from 1 to N")
        return int(number), int(shards)


class LimitOptions(Options):
    """How fast, how much, and how long."""

    title = "Pace"

    jobs: Annotated[int, Flag(Integer(1, 1000), "Have this many calls in flight at most.", "-j")] = 8
    rpm: Annotated[float | None, Flag(Number(0.001, 1_000_000), "Start at most this many calls a minute.")] = None
    max_cost: Annotated[
        float | None, Flag(Number(0, 1_000_000, metavar="USD"), "Start nothing more once this much is spent.")
    ] = None
    fail_fast: Annotated[bool, Flag(Switch(), "Start nothing more after the first failure.")] = False
    shard: Annotated[
        tuple[int, int] | None, Flag(Shard(), "Take every N-th item from the I-th on: this machine's share.")
    ] = None


class RowOptions(Options):
    """What of the answers is printed, where, and in which order."""

    title = "Output"

    output: Annotated[
        str | None, Flag(PathType(), "Write each row to this file as it comes, and put it in order at the end.", "-o")
    ] = None
    resume: Annotated[bool, Flag(Switch(), "Keep what is done in that file, and ask only for the rest.")] = False
    retry_failed: Annotated[bool, Flag(Switch(), "Resume, and ask again for everything that failed.")] = False
    plain: Annotated[bool, Flag(Switch(), "Print only the contents, an empty one for a failed item.")] = False
    null: Annotated[bool, Flag(Switch(), "End each content with a NUL byte in place of the newline.", "-0")] = False
    unordered: Annotated[bool, Flag(Switch(), "Print rows as they come, not in the order of the input.")] = False
    allow_truncated: Annotated[
        bool, Flag(Switch(), "Count an answer that the token limit cut as whole, one that --resume finds too.")
    ] = False


#: The forms of an input, and the file names that tell them.
INPUT_FORMATS = {"lines": "", "jsonl": ".jsonl", "csv": ".csv", "tsv": ".tsv"}


class ItemOptions(Options):
    """What the items are."""

    title = "Input"

    input: Annotated[str | None, Flag(Choice(*INPUT_FORMATS), "Read this form (default: by file name, or lines).")] = (
        None
    )
