"""The flags of a batch."""

from __future__ import annotations

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

    jobs: Flag[int] = jobs_flag(8, common=True)
    fail_fast: Flag[bool] = Flag(False, Switch(), "Start no more calls after the first failure.")
    shard: Flag[tuple[int, int] | None] = Flag(None, Shard(), "Take every N-th item, beginning with the I-th.")


class RowOptions(Options):
    """Which output is printed, where, and in which order."""

    title = "Output"

    output: Flag[str | None] = Flag(None, PathType(), "Append each row to FILE; sort it at the end.", "-o", common=True)
    resume: Flag[bool] = Flag(False, Switch(), "Ask only for rows missing or worth retrying.", common=True)
    retry_failed: Flag[bool] = Flag(False, Switch(), "Like --resume, but ask again for everything that failed.")
    plain: Flag[bool] = Flag(False, Switch(), "Print answers only; failures are empty lines.", common=True)
    null: Flag[bool] = Flag(False, Switch(), "End each answer with a NUL byte instead of a newline.", "-0")
    unordered: Flag[bool] = Flag(False, Switch(), "Print rows as they arrive, not in input order.")
    allow_truncated: Flag[bool] = Flag(False, Switch(), "Accept answers that were cut at the token limit.")


#: The formats of an input, and the ends of file names that imply them.
INPUT_FORMATS = {"lines": "", "jsonl": ".jsonl", "csv": ".csv", "tsv": ".tsv", "files": ""}


class ItemOptions(Options):
    """What the items are."""

    title = "Input"

    input: Flag[str | None] = Flag(None, Choice(*INPUT_FORMATS), "Input format (default: by name, else lines).")
    limit: Flag[int | None] = Flag(None, Integer(1), "Take only the first N items.")


class Suffix(OptionalValue):
    metavar = "SUFFIX"

    def parse(self, text: str) -> str:
        if "/" in text:
            raise ValueError("must not contain a /")
        return text


class EditOptions(Options):
    """What happens to the answers for files."""

    title = "Files (with --input files)"

    write: Flag[str | None] = Flag(
        None, PathType("PATTERN"), "Write each answer to a file, as in '{dir}/{stem}.de.md'."
    )
    in_place: Flag[str | None] = Flag(None, Suffix(), "Replace each file with its answer; keep NAME+SUFFIX.")
    diff: Flag[bool] = Flag(False, Switch(), "Print the changes as unified diffs; write nothing.")

    @property
    def is_used(self) -> bool:
        return self.diff or self.write is not None or self.in_place is not None
