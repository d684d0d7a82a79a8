"""Tables of flags: one field is one flag, one environment default, one line of help."""

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar, get_args, get_origin

from llamacli.cli.types import ParamType, Switch
from llamacli.errors import LlamaError
from llamacli.stdio.environment import Environment


class Flag(NamedTuple):
    """One flag: the field that it annotates gives its long name, `--<field-name>`."""

    type: ParamType
    #: A sentence that begins with a verb; range and default are added to it.
    help: str
    #: The short form with its dash, and further long forms.
    short: str = ""
    aliases: tuple[str, ...] = ()
    #: May be given more than once.
    multiple: bool = False
    #: Has a default in the environment: LLAMACLI_<FIELD>, or the variable named here.
    env: bool | str = False
    #: May be set by a working directory's .env, which a stranger may have written.
    untrusted: bool = False
    #: A command that shows its use in the man page, where a sentence does not do.
    example: str = ""

    def variable(self, name: str) -> str | None:
        """Returns the environment variable that gives the field `name` its default, if any does."""
        if isinstance(self.env, str):
            return self.env
        return f"LLAMACLI_{name.upper()}" if self.env else None

    def names(self, name: str) -> list[str]:
        """Returns all that the flag of the field `name` can be called: `--usage`, `--no-usage`, `-u`."""
        return [form for part in self.param_decls(name) for form in part.split("/")]

    def negated(self, name: str) -> str:
        """Returns what the field `name` is set to false by, "" where nothing is needed for that."""
        if not (isinstance(self.type, Switch) and self.env):
            return ""
        long = long_name(name)
        return long.replace("--no-", "--") if name.startswith("no_") else long.replace("--", "--no-", 1)

    def param_decls(self, name: str) -> list[str]:
        """Returns the flag's names as Typer wants them, the long one first."""
        long = "/".join(filter(None, [long_name(name), self.negated(name)]))
        return [long, *self.aliases, *filter(None, [self.short])]


def long_name(name: str) -> str:
    """Returns the flag of a field; a field whose name is a word of Python's ends with an underscore."""
    return "--" + name.rstrip("_").replace("_", "-")


class Operand(NamedTuple):
    """A word of the command line that is no flag; one whose type is a list takes all that follow too."""

    type: ParamType

    def metavar(self, hint: object) -> str:
        """Returns how help writes an operand of this type: `NAME`, `[NAME]`, `[NAME]...`."""
        name = f"[{self.type.metavar}]" if _is_optional(hint) else self.type.metavar
        return name + ("..." if takes_many(hint) else "")


class Options:
    """A table of flags: each field is annotated with its `Flag` and has its default.

    No dataclass, since making one takes longer than a whole table is used: all
    the methods that it would write are this constructor.
    """

    title: ClassVar[str]
    note: ClassVar[str] = ""
    #: Is filled before the others, since it says how to speak of what goes wrong with them.
    load_first: ClassVar[bool] = False

    def __init__(
        self, values: Mapping[str, Any], origins: Mapping[str, str], errors: Mapping[str, LlamaError] | None = None
    ) -> None:
        vars(self).update(values)
        #: What is wrong with the values that could not be taken, where a command wants to know rather than to fail.
        self.errors = errors or {}
        #: Where each value that is no default came from: `--model`, `LLAMACLI_MODEL in the environment`.
        self.origins = origins

    def from_flag(self, name: str) -> bool:
        """Tells whether a field was given as a flag."""
        return self.origins.get(name, "").startswith("--")

    def on_loaded(self, env: Environment) -> None:
        """Is called when all values are there."""

    @classmethod
    def flags(cls) -> dict[str, Flag]:
        """Returns the flags by the names of their fields, in the order in which the help shows them."""
        # A table that builds on another one has that one's flags first.
        hints = [hint for base in reversed(cls.__mro__) for hint in inspect.get_annotations(base).items()]
        return {name: hint.__metadata__[0] for name, hint in hints if hasattr(hint, "__metadata__")}


AnyOptions = TypeVar("AnyOptions", bound=Options)


def takes_many(hint: object) -> bool:
    """Tells whether an operand of this type takes all words that follow."""
    return any(get_origin(part) is list for part in (hint, *get_args(hint)))


def _is_optional(hint: object) -> bool:
    # A type that allows None says that the operand may be left out.
    return type(None) in get_args(hint)


def describe(table: type[Options], name: str, flag: Flag) -> str:
    """Returns a flag's help with its range and its default."""
    default = getattr(table, name, None)
    notes = [flag.type.constraint, "repeatable" if flag.multiple else ""]
    if default is not None and not isinstance(default, (bool, list, dict, tuple)):
        notes.append(f"default {default}")
    extra = ", ".join(filter(None, notes))
    return flag.help + (f" [{extra}]" if extra else "")
