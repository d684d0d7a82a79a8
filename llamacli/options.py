"""Spreads a table of flags over a command's signature, and fills it from flags and settings."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar, get_args, get_origin

from typer import Argument, Option

from llamacli.environment import Environment
from llamacli.errors import ExitStatus, LlamaError
from llamacli.kinds import Kind, Switch, parse_json


class Flag(NamedTuple):
    """One flag: the field that it annotates gives its long name, `--<field-name>`."""

    kind: Kind
    #: A sentence that begins with a verb; range and default are added to it.
    help: str
    #: The short form with its dash, and further long forms.
    short: str = ""
    also: tuple[str, ...] = ()
    #: May be given more than once.
    many: bool = False
    #: Has a default in the environment: LLAMACLI_<FIELD>, or the variable named here.
    env: bool | str = False
    #: May be set by a working directory's .env, which a stranger may have written.
    stranger: bool = False
    #: A command that shows its use in the man page, where a sentence does not do.
    example: str = ""

    def variable(self, name: str) -> str | None:
        """Returns the environment variable that gives the field `name` its default, if any does."""
        if isinstance(self.env, str):
            return self.env
        return f"LLAMACLI_{name.upper()}" if self.env else None

    def forms(self, name: str) -> list[str]:
        """Returns all that the flag of the field `name` can be called: `--usage`, `--no-usage`, `-u`."""
        return [form for part in self.declarations(name) for form in part.split("/")]

    def opposite(self, name: str) -> str:
        """Returns what the field `name` is set to false by, "" where nothing is needed for that."""
        if not (isinstance(self.kind, Switch) and self.env):
            return ""
        long = long_form(name)
        return long.replace("--no-", "--") if name.startswith("no_") else long.replace("--", "--no-", 1)

    def declarations(self, name: str) -> list[str]:
        """Returns the flag's names as Typer wants them, the long one first."""
        long = "/".join(filter(None, [long_form(name), self.opposite(name)]))
        return [long, *self.also, *filter(None, [self.short])]


def long_form(name: str) -> str:
    """Returns the flag of a field; a field whose name is a word of Python's ends with an underscore."""
    return "--" + name.rstrip("_").replace("_", "-")


class Operand(NamedTuple):
    """A word of the command line that is no flag; one whose type is a list takes all that follow too."""

    kind: Kind

    def metavar(self, hint: object) -> str:
        """Returns how help writes an operand of this type: `NAME`, `[NAME]`, `[NAME]...`."""
        name = f"[{self.kind.metavar}]" if _is_optional(hint) else self.kind.metavar
        return name + ("..." if takes_many(hint) else "")


class Table:
    """A table of flags: each field is annotated with its `Flag` and has its default.

    No dataclass, since making one takes longer than a whole table is used: all
    the methods that it would write are this constructor.
    """

    title: ClassVar[str]
    note: ClassVar[str] = ""
    #: Is filled before the others, since it says how to speak of what goes wrong with them.
    comes_first: ClassVar[bool] = False

    def __init__(
        self, values: Mapping[str, Any], origins: Mapping[str, str], faults: Mapping[str, LlamaError] | None = None
    ) -> None:
        vars(self).update(values)
        #: What is wrong with the values that could not be taken, where a command wants to know rather than to fail.
        self.faults = faults or {}
        #: Where each value that is no default came from: `--model`, `LLAMACLI_MODEL in the environment`.
        self.origins = origins

    def from_flag(self, name: str) -> bool:
        """Tells whether a field was given as a flag."""
        return self.origins.get(name, "").startswith("--")

    def filled(self, env: Environment) -> None:
        """Is called when all values are there."""

    @classmethod
    def flags(cls) -> dict[str, Flag]:
        """Returns the flags by the names of their fields, in the order in which the help shows them."""
        # A table that builds on another one has that one's flags first.
        hints = [hint for base in reversed(cls.__mro__) for hint in inspect.get_annotations(base).items()]
        return {name: hint.__metadata__[0] for name, hint in hints if hasattr(hint, "__metadata__")}


AnyTable = TypeVar("AnyTable", bound=Table)


def fill(table: type[AnyTable], given: dict[str, Any], env: Environment) -> AnyTable:
    """Returns the table's values: flag before environment before files before default.

    `given` holds what the command line gave, None where it gave nothing.
    Raises LlamaError (usage) naming the flag or variable whose value is wrong.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    faults: dict[str, LlamaError] = {}
    for name, flag in table.flags().items():
        raw, origin = given.get(name), long_form(name)
        variable = flag.variable(name)
        if raw is None and variable and (found := env.settings.find(variable, flag.stranger)):
            text, source = found
            raw, origin = _split(text) if flag.many else text, f"{variable} in {source}"
        if raw is None:
            continue
        origins[name] = origin
        try:
            values[name] = value(flag, raw, origin, env)
        except LlamaError as error:
            if not env.is_lenient:
                raise
            faults[name] = error
    made = table(values, origins, faults)
    made.filled(env)
    return made


def value(flag: Flag, raw: Any, origin: str, env: Environment) -> Any:
    """Returns what a flag's text means, a list of texts where it is repeated. Raises LlamaError (usage)."""
    if isinstance(raw, list):
        return flag.kind.join([_parse(flag.kind, text, origin, env) for text in raw])
    return raw if isinstance(raw, bool) else _parse(flag.kind, raw, origin, env)


def _split(text: str) -> list[str]:
    """Reads the environment default of a repeated flag: a JSON array of strings, or one string."""
    try:
        value = parse_json(text)
    except ValueError:
        return [text]
    return value if isinstance(value, list) and all(isinstance(item, str) for item in value) else [text]


def _parse(kind: Kind, text: str, origin: str, env: Environment) -> object:
    # Of a file an error shows the name, of a URL no password: what they hold may be a secret.
    shown = re.sub(r"//.*@", "//...@", text)
    if kind.at_file:
        text = env.inputs.at_file(text, origin)
    elif not kind.undecoded:
        text = env.inputs.argument(text, origin)
    try:
        return kind.parse(text)
    except ValueError as error:
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        raise LlamaError(ExitStatus.USAGE, f"{origin}: '{shown}' {error}") from None


Command = Callable[..., ExitStatus]
Run = Callable[[Environment], ExitStatus]


def spread(command: Command, lenient: bool = False, words: Sequence[str] | None = None) -> Callable[..., Run]:
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
    tables = {p.name: p.annotation for p in signature.parameters.values() if _is_table(p.annotation)}
    operands = [p for p in signature.parameters.values() if hasattr(p.annotation, "__metadata__")]

    def parsed(**given: Any) -> Run:
        def run(env: Environment) -> ExitStatus:
            env.is_lenient, env.inputs.flags = lenient, names
            in_order = sorted(tables.items(), key=lambda item: not item[1].comes_first)
            filled = {name: fill(table, given, env) for name, table in in_order}
            return command(**{p.name: given[p.name] for p in operands}, **filled, env=env)

        return run

    flags = [(table, name, flag) for table in tables.values() for name, flag in table.flags().items()]
    names = frozenset(name for _, name, _ in flags)
    if words is not None:
        forms = _forms(words)
        flags = [(table, name, flag) for table, name, flag in flags if not forms.isdisjoint(flag.forms(name))]
    flat = [_typer_operand(p) for p in operands] + [_typer_parameter(*each) for each in flags]
    parsed.__signature__ = signature.replace(parameters=flat, return_annotation=Run)  # type: ignore[attr-defined]
    parsed.__annotations__ = {p.name: p.annotation for p in flat}
    parsed.__doc__ = command.__doc__
    parsed.tables = tuple(tables.values())  # type: ignore[attr-defined]
    parsed.operands = tuple(p.annotation for p in operands)  # type: ignore[attr-defined]
    return parsed


def _forms(words: Sequence[str]) -> set[str]:
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


def takes_many(hint: object) -> bool:
    """Tells whether an operand of this type takes all words that follow."""
    return any(get_origin(part) is list for part in (hint, *get_args(hint)))


def _is_optional(hint: object) -> bool:
    # A type that allows None says that the operand may be left out.
    return type(None) in get_args(hint)


def _is_table(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Table)


def _typer_parameter(table: type[Table], name: str, flag: Flag) -> inspect.Parameter:
    # Typer is given text to split, not types: one parser (`fill`) serves flags and environment alike.
    text: Any = bool if isinstance(flag.kind, Switch) else list[str] if flag.many else str
    option = Option(*flag.declarations(name), help=flag.help, metavar=flag.kind.metavar, rich_help_panel=table.title)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[text | None, option]
    )


def described(table: type[Table], name: str, flag: Flag) -> str:
    """Returns a flag's help with its range and its default."""
    default = getattr(table, name, None)
    notes = [flag.kind.hint, "repeatable" if flag.many else ""]
    if default is not None and not isinstance(default, (bool, list, dict, tuple)):
        notes.append(f"default {default}")
    extra = ", ".join(filter(None, notes))
    return flag.help + (f" [{extra}]" if extra else "")
