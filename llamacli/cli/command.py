"""Turns a command that takes tables into a function whose signature Typer can read."""

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, get_args

from typer import Argument, Option

from llamacli.cli.resolve import load
from llamacli.cli.table import Flag, Options, _is_optional
from llamacli.cli.types import Switch
from llamacli.errors import ExitStatus
from llamacli.stdio.environment import Environment

CommandFunction = Callable[..., ExitStatus]


Run = Callable[[Environment], ExitStatus]


def typer_function(
    command: CommandFunction, lenient: bool = False, words: Sequence[str] | None = None
) -> Callable[..., Run]:
    """Makes a command that takes tables into one whose signature Typer can read.

    Each parameter annotated with a Table becomes that table's flags, one annotated
    with Environment disappears, the others stay as they are. Called with what was
    parsed, the result does nothing yet: it returns a function that runs the command
    in an Environment, so that parsing is over before anything is read or sent. A
    lenient one gets its tables with their faults where others would fail.

    Where the `words` of a command line are given, the signature has those flags alone
    that they may mean: with all of them Typer takes a twentieth of a call.
    """
    signature = inspect.signature(command)
    tables = {p.name: p.annotation for p in signature.parameters.values() if _is_options(p.annotation)}
    operands = [p for p in signature.parameters.values() if hasattr(p.annotation, "__metadata__")]

    def parsed(**given: Any) -> Run:
        def run(env: Environment) -> ExitStatus:
            env.is_lenient, env.input.flags = lenient, names
            in_order = sorted(tables.items(), key=lambda item: not item[1].load_first)
            filled = {name: load(table, given, env) for name, table in in_order}
            return command(**{p.name: given[p.name] for p in operands}, **filled, env=env)

        return run

    flags = [(table, name, flag) for table in tables.values() for name, flag in table.flags().items()]
    names = frozenset(name for _, name, _ in flags)
    if words is not None:
        forms = _possible_names(words)
        flags = [(table, name, flag) for table, name, flag in flags if not forms.isdisjoint(flag.names(name))]
    flat = [_typer_operand(p) for p in operands] + [_typer_parameter(*each) for each in flags]
    parsed.__signature__ = signature.replace(parameters=flat, return_annotation=Run)  # type: ignore[attr-defined]
    parsed.__annotations__ = {p.name: p.annotation for p in flat}
    parsed.__doc__ = command.__doc__
    parsed.tables = tuple(tables.values())  # type: ignore[attr-defined]
    parsed.operands = tuple(p.annotation for p in operands)  # type: ignore[attr-defined]
    return parsed


def _possible_names(words: Sequence[str]) -> set[str]:
    """Returns the forms of flags that the words of a command line may hold, and more: `-qt.5` is -q, -t, -. and -5."""
    forms: set[str] = set()
    for word in words:
        if word.startswith("--"):
            forms.add(word.partition("=")[0])
        elif word.startswith("-"):
            forms |= {f"-{letter}" for letter in word[1:]}
    return forms


def _typer_operand(operand: inspect.Parameter) -> inspect.Parameter:
    hint, own = get_args(operand.annotation)
    default = None if _is_optional(hint) else inspect.Parameter.empty
    argument = Argument(metavar=own.metavar(hint), show_default=False)
    return inspect.Parameter(
        operand.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[hint, argument]
    )


def _is_options(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Options)


def _typer_parameter(table: type[Options], name: str, flag: Flag) -> inspect.Parameter:
    # Typer is given text to split, not types: one parser (`fill`) serves flags and environment alike.
    text: Any = bool if isinstance(flag.type, Switch) else list[str] if flag.multiple else str
    option = Option(*flag.param_decls(name), help=flag.help, metavar=flag.type.metavar, rich_help_panel=table.title)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[text | None, option]
    )
