"""Groups of flags: one field is one flag with its variable and help.

The groups at the end are those of several commands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from llamacli.cli.types import ParamType, PathType, Seconds, Switch
from llamacli.errors import LlamaError

if TYPE_CHECKING:
    from typing_extensions import Self


class FileValue:
    """A value from the file that a flag names, read before the flags."""

    path: str


#: The text of a flag, several if it is repeated, True or False for a switch, or the content of a file.
Raw = str | list[str] | bool | FileValue

#: A value from another place, which its origin names.
Setting = tuple[Raw, str]


T_co = TypeVar("T_co", covariant=True)


class Flag(Generic[T_co]):
    """One flag, named after the field that it defines: `--<field-name>`."""

    def __init__(
        self,
        default: T_co,
        type: ParamType,
        help: str,
        short: str = "",
        aliases: tuple[str, ...] = (),
        multiple: bool = False,
        env: bool | str = False,
        untrusted: bool = False,
        costly: bool = False,
        in_prompt_file: bool = False,
        example: str = "",
        common: bool = False,
    ) -> None:
        self.default = default
        self.type = type
        #: At most 60 characters, ending with a period; the range and the default are added to it.
        self.help = help
        #: The short name with its dash, and further long names.
        self.short = short
        self.aliases = aliases
        #: May be repeated.
        self.multiple = multiple
        #: Has a default in the environment: LLAMACLI_<FIELD>, or the variable named here.
        self.env = env
        #: May also be set by a project's .env, which somebody else may have written.
        self.untrusted = untrusted
        #: Multiplies the cost of a call, so a value from a project's .env is announced.
        self.costly = costly
        #: May be set in the front matter of a prompt file.
        self.in_prompt_file = in_prompt_file
        #: A command that shows its use in the man page, if a sentence is not enough.
        self.example = example
        #: Is shown in the short help.
        self.common = common

    def __get__(self, options: Options | None, group: type[Options]) -> T_co:
        """Returns the default, which is used if a group was loaded without a value."""
        return self.default

    def variable(self, name: str) -> str | None:
        """Returns the variable with the default of field `name`, or None."""
        if isinstance(self.env, str):
            return self.env
        return f"LLAMACLI_{name.upper()}" if self.env else None

    def names(self, name: str) -> list[str]:
        """Returns a flag's names: `--usage`, `--no-usage`, `-u`."""
        return [form for part in self.param_decls(name) for form in part.split("/")]

    def negated(self, name: str) -> str:
        """Returns the flag that sets field `name` to false, "" for none."""
        if not (isinstance(self.type, Switch) and self.env):
            return ""
        long = long_name(name)
        return long.replace("--no-", "--") if name.startswith("no_") else long.replace("--", "--no-", 1)

    def param_decls(self, name: str) -> list[str]:
        """Returns the names as Typer takes them, the long one first."""
        long = "/".join(filter(None, [long_name(name), self.negated(name)]))
        return [long, *self.aliases, *filter(None, [self.short])]


def long_name(name: str) -> str:
    """Returns a field's long name; `continue_` avoids a keyword."""
    return "--" + name.rstrip("_").replace("_", "-")


class Operand:
    """One operand of a command: `name` is its name in the command."""

    def __init__(self, name: str, type: ParamType, multiple: bool = False, required: bool = False) -> None:
        self.name = name
        self.type = type
        #: Takes every word that follows.
        self.multiple = multiple
        self.required = required

    @property
    def metavar(self) -> str:
        """The operand in the usage line: `NAME`, `[NAME]...`."""
        name = self.type.metavar if self.required else f"[{self.type.metavar}]"
        return name + ("..." if self.multiple else "")


class Options:
    """A group of flags: each field has its `Flag` and its default.

    The values are set once, by the constructor. It is not a dataclass, because creating one takes longer than all
    uses of the class.
    """

    title: ClassVar[str]
    note: ClassVar[str] = ""
    #: The cached result of `flags`.
    _flags: ClassVar[dict[str, Flag[object]]]

    def __init__(
        self,
        values: Mapping[str, object],
        origins: Mapping[str, str],
        errors: Mapping[str, LlamaError] | None = None,
        command: str = "",
    ) -> None:
        vars(self).update(values)
        #: The command that the options were loaded for.
        self.command = command
        #: The errors of invalid values, by field, if the command asked for them.
        self.errors = errors or {}
        #: The source of each value that is not a default: `--model`, `LLAMACLI_MODEL in the environment`.
        self.origins = origins

    def from_flag(self, name: str) -> bool:
        """Returns True if a field was set by its flag."""
        return self.origins.get(name, "").startswith("--")

    def replace(self, name: str, value: object, origin: str) -> Self:
        """Returns a copy with another value in one field."""
        return type(self)({**self._values(), name: value}, {**self.origins, name: origin}, self.errors, self.command)

    def reset(self, name: str) -> Self:
        """Returns a copy with the default in one field."""
        values = {field: value for field, value in self._values().items() if field != name}
        origins = {field: text for field, text in self.origins.items() if field != name}
        return type(self)(values, origins, self.errors, self.command)

    def _values(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name not in ("errors", "origins", "command")}

    @classmethod
    def flags(cls) -> dict[str, Flag[object]]:
        """Returns the flags by field name, in the order of the help."""
        if "_flags" not in vars(cls):
            # Inherited flags come first.
            fields = [field for base in reversed(cls.__mro__) for field in vars(base).items()]
            cls._flags = {name: value for name, value in fields if isinstance(value, Flag)}
        return cls._flags


AnyOptions = TypeVar("AnyOptions", bound=Options)


class OutputFile(Options):
    """Where the answer is printed."""

    title = "Output"

    output: Flag[str | None] = Flag(
        None,
        PathType(),
        "Write to FILE once the output is complete.",
        "-o",
        common=True,
        example="llamacli ask -o summary.md 'Summarize:' <notes.txt",
    )


class DisplayOptions(Options):
    """What is shown on stderr."""

    title = "Display"
    note = "Environment variables: LLAMACLI_QUIET, LLAMACLI_VERBOSE and so on."

    quiet: Flag[bool] = Flag(
        False, Switch(), "Show only errors, no notes or warnings.", "-q", env=True, in_prompt_file=True
    )
    verbose: Flag[bool] = Flag(
        False, Switch(), "Show headers (without the key), IDs and timings.", "-v", env=True, in_prompt_file=True
    )
    no_color: Flag[bool] = Flag(
        False, Switch(), "Disable color, as NO_COLOR and TERM=dumb do.", env=True, in_prompt_file=True
    )


class StdinOptions(Options):
    """How stdin is read."""

    title = "Input"

    stdin_timeout: Flag[float | None] = Flag(
        None, Seconds(0.001, 1_000_000), "Give up if stdin sends nothing for this long."
    )


class DecodingOptions(StdinOptions):
    """How stdin is read, and how bytes become text."""

    lossy: Flag[bool] = Flag(False, Switch(), "Read bytes that are not UTF-8 as U+FFFD.")
