"""The flags of a batch."""

from typing import Annotated

from llamacli.ask.options import PoolOptions, jobs_flag
from llamacli.cli.table import Flag, Options
from llamacli.cli.types import Choice, Integer, OptionalValue, ParamType, PathType, Switch


class Shard(ParamType):
    metavar = "I/N"

    def parse(self, text: str) -> tuple[int, int]:
        number, slash, shards = text.partition("/")
        if not (slash and number.isdecimal() and shards.isdecimal() and 1 <= int(number) <= int(shards)):
            raise ValueError("is not I/N with I from 1 to N")
        return int(number), int(shards)


class LimitOptions(PoolOptions):
    """The limits of a batch, and its shard."""

    jobs: Annotated[int, jobs_flag(common=True)] = 8
    fail_fast: Annotated[bool, Flag(Switch(), "Start no more calls after the first failure.")] = False
    shard: Annotated[tuple[int, int] | None, Flag(Shard(), "Take every N-th item, beginning with the I-th.")] = None


class RowOptions(Options):
    """Which output is printed, where, and in which order."""

    title = "Output"

    output: Annotated[
        str | None, Flag(PathType(), "Append each row to FILE; sort it at the end.", "-o", common=True)
    ] = None
    resume: Annotated[bool, Flag(Switch(), "Ask only for rows missing or worth retrying.", common=True)] = False
    retry_failed: Annotated[bool, Flag(Switch(), "Like --resume, but ask again for everything that failed.")] = False
    plain: Annotated[bool, Flag(Switch(), "Print answers only; failures are empty lines.", common=True)] = False
    null: Annotated[bool, Flag(Switch(), "End each answer with a NUL byte instead of a newline.", "-0")] = False
    unordered: Annotated[bool, Flag(Switch(), "Print rows as they arrive, not in input order.")] = False
    allow_truncated: Annotated[bool, Flag(Switch(), "Accept answers that were cut at the token limit.")] = False


#: The formats of an input, and the ends of file names that imply them.
INPUT_FORMATS = {"lines": "", "jsonl": ".jsonl", "csv": ".csv", "tsv": ".tsv", "files": ""}


class ItemOptions(Options):
    """What the items are."""

    title = "Input"

    input: Annotated[str | None, Flag(Choice(*INPUT_FORMATS), "Input format (default: by name, else lines).")] = None
    limit: Annotated[int | None, Flag(Integer(1), "Take only the first N items.")] = None


class Suffix(OptionalValue):
    metavar = "SUFFIX"

    def parse(self, text: str) -> str:
        if "/" in text:
            raise ValueError("must not contain a /")
        return text


class EditOptions(Options):
    """What happens to the answers for files."""

    title = "Files (with --input files)"

    write: Annotated[
        str | None, Flag(PathType("PATTERN"), "Write each answer to a file, as in '{dir}/{stem}.de.md'.")
    ] = None
    in_place: Annotated[str | None, Flag(Suffix(), "Replace each file with its answer; keep NAME+SUFFIX.")] = None
    diff: Annotated[bool, Flag(Switch(), "Print the changes as unified diffs; write nothing.")] = False

    @property
    def is_used(self) -> bool:
        return self.diff or self.write is not None or self.in_place is not None
