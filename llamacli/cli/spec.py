"""Commands and flags as data, and the options of one call as loaded.

A value is taken from its flag, then the environment, then .env files, then the default.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import cast

from llamacli.cli.table import (
    AnyOptions,
    DisplayOptions,
    FileValue,
    Flag,
    Operand,
    Options,
    Raw,
    Setting,
    StdinOptions,
    long_name,
)
from llamacli.cli.types import OptionalValue, ParamType, Switch
from llamacli.errors import ExitStatus, LlamaError, UsageError
from llamacli.stdio.input import Environment


class HelpOptions(Options):
    """The flags of every command that Typer handles."""

    title = "Help"

    help: Flag[bool] = Flag(False, Switch(), "Print all options; -h prints the most common.", "-h")
    version: Flag[bool] = Flag(False, Switch(), "Print the version.")


class FlagSpec:
    """A flag with its field and its group."""

    def __init__(self, group: type[Options], field: str, flag: Flag[object]) -> None:
        self.group = group
        self.field = field
        self.flag = flag

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names, the short one first: `-u`, `--usage`, `--no-usage`."""
        names = self.flag.names(self.field)
        return (names[-1], *names[:-1]) if self.flag.short else tuple(names)

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
        shown = isinstance(self.flag.default, (int, float, str)) and not isinstance(self.flag.default, bool)
        default = f"default {self.flag.default}" if shown else ""
        notes = filter(None, [self.flag.type.constraint, "repeatable" if self.flag.multiple else "", default])
        extra = ", ".join(notes)
        return self.flag.help + (f" [{extra}]" if extra else "")


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
        run: Callable[[LoadedOptions, Environment], ExitStatus],
        surplus_hint: str,
        is_lenient: bool,
        help_rows: Callable[[], list[tuple[str, str]]],
        common_groups: tuple[type[Options], ...],
        actions: Mapping[str, str],
    ) -> None:
        self.name = name
        self.summary = summary
        #: The paragraphs of the full help.
        self.description = description
        self.groups = groups
        #: The flags in the order of the help.
        self.flags = [flag for group in (*groups, HelpOptions) for flag in flag_specs(group)]
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
        #: The help of each action with its operands, if the first operand is an action.
        self.actions = actions

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

    def replace(self, group: Options) -> LoadedOptions:
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


def load_options(call: ParsedCall, env: Environment, settings: Mapping[str, Setting] | None = None) -> LoadedOptions:
    """Loads every group of the command's flags.

    `settings` holds values that rank between flag and environment, each with its
    origin: those of a prompt file. Raises UsageError naming the flag or
    variable with a wrong value.
    """
    env.input.flags = frozenset(field for group in call.command.groups for field in group.flags())
    loaded: dict[type[Options], Options] = {}
    for group in sorted(call.command.groups, key=_loading_order):
        loaded[group] = load_group(group, call, env, settings)
        apply_options(loaded[group], env)
    return LoadedOptions(call, {group: loaded[group] for group in call.command.groups})


def _loading_order(group: type[Options]) -> bool:
    """Sorts first the groups that affect how the others are loaded."""
    return not (issubclass(group, (DisplayOptions, StdinOptions)) or hasattr(group, "max_time"))


def apply_options(group: Options, env: Environment) -> None:
    """Applies the options for reading and reporting."""
    if isinstance(group, DisplayOptions):
        env.stderr.configure(quiet=group.quiet, verbose=group.verbose, color=not group.no_color)
    elif isinstance(group, StdinOptions):
        env.input.stdin_timeout, env.input.lossy = group.stdin_timeout, getattr(group, "lossy", False)
    elif hasattr(group, "max_time"):
        env.input.max_time = group.max_time


def load_group(
    group: type[Options], call: ParsedCall, env: Environment, settings: Mapping[str, Setting] | None = None
) -> Options:
    """Loads one group; see `load_options`."""
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    errors: dict[str, LlamaError] = {}
    for name, flag in group.flags().items():
        source = _find(name, flag, call, env, settings or {})
        if source is None:
            continue
        raw, origins[name] = source
        try:
            values[name] = parse_value(flag, raw, origins[name], env)
        except LlamaError as error:
            if not call.command.is_lenient:
                raise
            errors[name] = error
    return group(values, origins, errors, call.command.name)


def _find(
    name: str, flag: Flag[object], call: ParsedCall, env: Environment, settings: Mapping[str, Setting]
) -> Setting | None:
    """Returns the text of a flag and its origin, None if nothing sets it."""
    if name in call.flags:
        return call.flags[name], long_name(name)
    if name in settings:
        return settings[name]
    variable = flag.variable(name)
    if variable and (setting := env.settings.find(variable, flag.untrusted)):
        text, source = setting
        if source.untrusted and flag.costly:
            env.stderr.announce(f"{source} sets {long_name(name)} to {text}")
        return split_values(text) if flag.multiple else text, f"{variable} in {source}"
    return None


def parse_value(flag: Flag[object], raw: Raw, origin: str, env: Environment) -> object:
    """Returns the value of a flag. Raises UsageError."""
    if isinstance(raw, list):
        return flag.type.join([_parse(flag.type, text, origin, env) for text in raw])
    return raw if isinstance(raw, (bool, FileValue)) else _parse(flag.type, raw, origin, env)


def split_values(text: str) -> list[str]:
    """Returns the strings of a JSON array, or the text as the only value."""
    # Help needs no JSON.
    from llamacli.api.json import parse_json

    try:
        value = parse_json(text)
    except ValueError:
        return [text]
    return value if isinstance(value, list) and all(isinstance(item, str) for item in value) else [text]


def check_empty(kind: ParamType, text: str, origin: str) -> None:
    """Raises UsageError for an empty or blank name of a file, a model, a session."""
    if kind.completes and not text.strip():
        raise UsageError(f"{origin}: the value is empty", "is a variable unset?")


def _parse(kind: ParamType, text: str, origin: str, env: Environment) -> object:
    typed = text
    check_empty(kind, text, origin)
    if kind.at_file:
        text = env.input.at_file(text, origin)
    elif not kind.undecoded:
        text = env.input.argument(text, origin)
    try:
        return kind.parse(text)
    except ValueError as error:
        # The name of a file, not its content, and a URL without its password: both may be secret.
        label = re.sub(r"//.*@", "//...@", typed)
        label = label if len(label) <= 60 else label[:57] + "..."
        problem = f"{error}" if kind.is_secret else f"'{label}' {error}"
        raise UsageError(f"{origin}: {problem}") from None
