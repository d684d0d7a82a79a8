"""Commands, flags and operands as plain data, for help, man page and completions."""

from typing import Annotated, Any, NamedTuple, get_args

from llamacli.cli.table import Flag, Operand, Options, describe, takes_many
from llamacli.cli.types import ParamType, Switch


class HelpOptions(Options):
    """What every command has beside its own flags; Typer does its work."""

    title = "Help"

    help: Annotated[bool, Flag(Switch(), "Print help.", "-h")] = False


class VersionOptions(Options):
    """What the program has beside its commands."""

    title = "Help"

    version: Annotated[bool, Flag(Switch(), "Print the version.")] = False


class FlagSpec(NamedTuple):
    """A flag with the name of its field and the table that it is from."""

    group: type[Options]
    field: str
    flag: Flag

    @property
    def names(self) -> tuple[str, ...]:
        """All names of the flag, the short one first: `-u`, `--usage`, `--no-usage`."""
        return tuple(sorted(self.flag.names(self.field), key=lambda name: name.startswith("--")))

    @property
    def long(self) -> str:
        """The flag's own name: `--usage`."""
        return self.flag.names(self.field)[0]

    @property
    def label(self) -> str:
        """The names and the value as help shows them: `-u, --[no-]usage`, `    --top-p NUMBER`."""
        longs = [part for part in self.flag.param_decls(self.field) if part.startswith("--")]
        longs = [_with_negated(*part.split("/")) if "/" in part else part for part in longs]
        short = f"{self.flag.short}, " if self.flag.short else "    "
        return f"{short}{', '.join(longs)} {self.flag.type.metavar}".rstrip()

    @property
    def takes_value(self) -> bool:
        return not isinstance(self.flag.type, Switch)

    @property
    def descriptions(self) -> dict[str, tuple[str, ...]]:
        """What a shell says of the flag's names: those that mean what the help says, and the one that undoes it."""
        opposite = self.flag.negated(self.field)
        own = {self.flag.help: tuple(form for form in self.names if form != opposite)}
        return own | ({f"Do the opposite of {self.long}.": (opposite,)} if opposite else {})

    @property
    def description(self) -> str:
        """The help's sentence with range and default."""
        return describe(self.group, self.field, self.flag)


def _with_negated(long: str, opposite: str) -> str:
    return long.replace("--", "--[no-]", 1) if opposite.startswith("--no-") else long


class OperandSpec(NamedTuple):
    """An operand: what it is called in the usage, what it may be, and whether it takes all words that follow."""

    metavar: str
    kind: ParamType
    multiple: bool


class CommandSpec(NamedTuple):
    """A command: its help's first line and the rest, its flags, operands and examples."""

    name: str
    summary: str
    text: str
    groups: tuple[type[Options], ...]
    operands: tuple[OperandSpec, ...]
    examples: tuple[str, ...]

    @property
    def flags(self) -> list[FlagSpec]:
        """The flags in the order in which help shows them."""
        return [entry for table in (*self.groups, HelpOptions) for entry in flag_specs(table)]


def flag_specs(table: type[Options]) -> list[FlagSpec]:
    """Returns the flags of a table."""
    return [FlagSpec(table, field, flag) for field, flag in table.flags().items()]


def read_command(name: str, built: Any) -> CommandSpec:
    """Returns what there is to know of a command that Typer has built."""
    summary, _, text = built.help.partition("\n\n")
    examples = tuple(built.epilog.splitlines())
    operands = tuple(_place(annotation) for annotation in built.operands)
    return CommandSpec(name, " ".join(summary.split()), " ".join(text.split()), built.tables, operands, examples)


def _place(annotation: Any) -> OperandSpec:
    hint, *rest = get_args(annotation)
    own = next((item for item in rest if isinstance(item, Operand)), None)
    if own is None:
        raise TypeError(f"{annotation} has no Operand: Annotated[{hint}, Operand(Kind('NAME'))]")
    return OperandSpec(own.metavar(hint), own.type, takes_many(hint))


#: What the program takes in place of a command.
PROGRAM_FLAGS = [*flag_specs(HelpOptions), *flag_specs(VersionOptions)]
