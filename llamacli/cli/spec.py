"""Commands and flags as plain data, for parser, help, man and completions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, cast

from llamacli.cli.table import AnyOptions, Flag, Operand, Options, Raw, describe
from llamacli.cli.types import OptionalValue, Switch
from llamacli.errors import ExitStatus
from llamacli.stdio.input import Environment


class HelpOptions(Options):
    """The flags of every command that Typer handles."""

    title = "Help"

    help: Annotated[bool, Flag(Switch(), "Print all options; -h prints the most common.", "-h")] = False
    version: Annotated[bool, Flag(Switch(), "Print the version.")] = False


class FlagSpec:
    """A flag with its field and its group."""

    def __init__(self, group: type[Options], field: str, flag: Flag) -> None:
        self.group = group
        self.field = field
        self.flag = flag

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the short one first: `-u`, `--usage`, `--no-usage`."""
        return tuple(sorted(self.flag.names(self.field), key=lambda name: name.startswith("--")))

    @property
    def long(self) -> str:
        """The main name: `--usage`."""
        return self.flag.names(self.field)[0]

    @property
    def label(self) -> str:
        """The names and the value as help shows them.

        Examples: `-u, --[no-]usage` and `    --top-p NUMBER`.
        """
        longs = [part for part in self.flag.param_decls(self.field) if part.startswith("--")]
        longs = [_with_negated(*part.split("/")) if "/" in part else part for part in longs]
        short = f"{self.flag.short}, " if self.flag.short else "    "
        if isinstance(self.flag.type, OptionalValue):
            return f"{short}{', '.join(longs)}[={self.flag.type.metavar}]"
        return f"{short}{', '.join(longs)} {self.flag.type.metavar}".rstrip()

    @property
    def takes_value(self) -> bool:
        """True if the next word is the value of the flag."""
        return not isinstance(self.flag.type, Switch | OptionalValue)

    @property
    def descriptions(self) -> dict[str, tuple[str, ...]]:
        """The help that a shell shows for the names, and for the negation."""
        opposite = self.flag.negated(self.field)
        positive = {self.flag.help: tuple(name for name in self.names if name != opposite)}
        return positive | ({f"Do the opposite of {self.long}.": (opposite,)} if opposite else {})

    @property
    def description(self) -> str:
        """The help with range and default."""
        return describe(self.group, self.field, self.flag)


def _with_negated(long: str, opposite: str) -> str:
    return long.replace("--", "--[no-]", 1) if opposite.startswith("--no-") else long


class CommandSpec:
    """A command: its help, flags, operands, examples and run function."""

    def __init__(
        self,
        name: str,
        summary: str,
        description: list[str],
        groups: tuple[type[Options], ...],
        operands: tuple[Operand, ...],
        examples: tuple[str, ...],
        run: "Callable[[LoadedOptions, Environment], ExitStatus]",
        surplus_hint: str,
        is_lenient: bool,
        help_rows: Callable[[], list[tuple[str, str]]],
        common_groups: tuple[type[Options], ...],
    ) -> None:
        self.name = name
        self.summary = summary
        #: The paragraphs of the full help.
        self.description = description
        self.groups = groups
        self.operands = operands
        self.examples = examples
        self.run = run
        #: The advice for a command line with too many operands.
        self.surplus_hint = surplus_hint
        #: Invalid settings are passed to the command instead of ending it.
        self.is_lenient = is_lenient
        #: Returns the rows of a table for the help topic of the command's name.
        self.help_rows = help_rows
        #: The groups whose common flags are common in this command.
        self.common_groups = common_groups

    @property
    def flags(self) -> list[FlagSpec]:
        """The flags in the order of the help."""
        return [flag for group in (*self.groups, HelpOptions) for flag in flag_specs(group)]

    def is_common(self, flag: FlagSpec) -> bool:
        """True if the short help shows a flag."""
        return flag.flag.common and flag.group in self.common_groups


class ParsedCall:
    """A command line after parsing: nothing has been read or sent yet.

    `flags` are those that were used, by field; `operands` the words of each, by its name.
    """

    def __init__(
        self,
        command: CommandSpec,
        flags: Mapping[str, Raw],
        operands: Mapping[str, Sequence[str]],
        has_separator: bool = False,
    ) -> None:
        self.command, self.flags, self.operands = command, flags, operands
        #: The command line contains `--`, so every word after it is meant as an operand.
        self.has_separator = has_separator


class LoadedOptions:
    """The options and operands of a call: `options[Params]` is a group."""

    def __init__(self, call: ParsedCall, groups: Mapping[type[Options], Options]) -> None:
        self.call, self._groups = call, groups

    def __getitem__(self, group: type[AnyOptions]) -> AnyOptions:
        return cast("AnyOptions", self._groups[group])

    def __iter__(self) -> Iterator[Options]:
        return iter(self._groups.values())

    def operand(self, name: str) -> str | None:
        """Returns the only word of an operand, None if it is missing."""
        return next(iter(self.call.operands[name]), None)

    def operands(self, name: str) -> list[str]:
        """Returns the words of an operand that may be repeated."""
        return list(self.call.operands[name])

    def replace(self, group: Options) -> "LoadedOptions":
        """Returns a copy in which a group replaces the one of its class."""
        return LoadedOptions(self.call, {**self._groups, type(group): group})


def flag_specs(group: type[Options]) -> list[FlagSpec]:
    """Returns the flags of a group."""
    return [FlagSpec(group, field, flag) for field, flag in group.flags().items()]


def all_groups(commands: Sequence[CommandSpec]) -> list[type[Options]]:
    """Returns the groups of all commands, each once."""
    return list(dict.fromkeys(group for command in commands for group in command.groups))


#: The flags of the program without a command.
PROGRAM_FLAGS = flag_specs(HelpOptions)
