"""The Typer program: the table of commands and the parser."""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from llamacli import PROGRAM, __version__
from llamacli.cli.spec import CommandSpec, FlagSpec, ParsedCall, Raw, flag_specs
from llamacli.cli.table import Operand
from llamacli.errors import ExitStatus, LlamaError

if TYPE_CHECKING:
    from typer._click import Context

#: Every command with its one-line help. Each has a module of its name in llamacli.commands.
COMMANDS = {
    "ask": "Ask one question and print the answer.",
    "chat": "Hold a conversation.",
    "raw": "Send a JSON body and print the API's JSON.",
    "batch": "Ask one question for each line or record, in parallel.",
    "models": "List the models that the server offers.",
    "sessions": "List, show or remove saved conversations.",
    "config": "Show the settings, store a key, try the connection.",
    "completion": "Print the completion of a shell: bash, zsh or fish.",
    "man": "Print the man page.",
    "help": "Print help on a command, or on exit-codes, environment, files.",
}
HELP_NAMES = ["-h", "--help"]


def command(name: str) -> CommandSpec:
    """Imports a command and returns its description."""
    module = import_module(f"llamacli.commands.{name}")
    return CommandSpec(
        name,
        COMMANDS[name],
        " ".join(module.DESCRIPTION.split()),
        module.OPTIONS,
        getattr(module, "OPERANDS", ()),
        getattr(module, "EXAMPLES", ()),
        module.run,
        getattr(module, "SURPLUS_HINT", f"see: {PROGRAM} help {name}"),
        getattr(module, "IS_LENIENT", False),
    )


def commands() -> list[CommandSpec]:
    """Returns all commands in the order of the help. Importing them all takes time."""
    return [command(name) for name in COMMANDS]


def parse(arguments: list[str]) -> ParsedCall:
    """Parses the command line. Nothing is read or sent.

    Raises typer.TyperException or LlamaError if it is invalid, typer.Exit after
    printing help, OSError if help could not be printed.
    """
    try:
        return _parse(arguments, arguments)
    except typer.TyperException:
        # The advice for a mistyped flag depends on all the others.
        return _parse(arguments, None)


def _parse(arguments: list[str], words: list[str] | None) -> ParsedCall:
    # Not group(): Typer's main would exit with 1 on a closed pipe and swallow Ctrl-C.
    group = LlamaGroup(name=PROGRAM, invoke_without_command=True, params=[_version_option()], rich_markup_mode=None)
    with group.make_context(PROGRAM, list(arguments), obj=words, help_option_names=HELP_NAMES) as ctx:
        return group.invoke(ctx)


class LlamaCommand(TyperCommand):
    """A command; calling it returns the parsed command line."""

    def __init__(self, spec: CommandSpec, words: Sequence[str] | None) -> None:
        """Builds the flags that `words` may contain: all of them would take a twentieth of an ask."""
        self.spec = spec
        names = None if words is None else _possible_names(words)
        flags = [flag for group in spec.groups for flag in flag_specs(group)]
        options = [_option(flag) for flag in flags if names is None or not names.isdisjoint(flag.names)]
        super().__init__(
            spec.name,
            params=[*map(_argument, spec.operands), *options, _version_option()],
            context_settings={"help_option_names": HELP_NAMES},
            rich_markup_mode=None,
        )

    def get_help(self, ctx: "Context") -> str:
        from llamacli.cli.docs import help

        return help.command_help(self.spec)

    def invoke(self, ctx: "Context") -> ParsedCall:
        operands = {operand.name for operand in self.spec.operands}
        values = {name: value for name, value in ctx.params.items() if value not in (None, ())}
        flags: dict[str, Raw] = {}
        words: dict[str, Sequence[str]] = dict.fromkeys(operands, ())
        for name, value in values.items():
            if name in operands:
                words[name] = [value] if isinstance(value, str) else value
            else:
                flags[name] = list(value) if isinstance(value, tuple) else value
        return ParsedCall(self.spec, flags, words)


class LlamaGroup(TyperGroup):
    """The program: only the command that is called is imported and built."""

    def get_command(self, ctx: "Context", cmd_name: str) -> LlamaCommand | None:
        return LlamaCommand(command(cmd_name), ctx.obj) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: "Context", args: list[str]) -> "tuple[str | None, TyperCommand | None, list[str]]":
        built = self.get_command(ctx, args[0])
        if built is None:
            raise _unknown(args[0])
        return args[0], built, args[1:]

    def invoke(self, ctx: "Context") -> ParsedCall:
        call: ParsedCall | None = super().invoke(ctx)
        if call is None:
            typer.echo(ctx.get_help(), err=True)
            raise typer.Exit(ExitStatus.USAGE)
        return call

    def get_help(self, ctx: "Context") -> str:
        from llamacli.cli.docs.help import program_help

        return program_help(COMMANDS)


def _version_option() -> TyperOption:
    return TyperOption(
        param_decls=["version", "--version"], is_flag=True, is_eager=True, expose_value=False, callback=_print_version
    )


def _print_version(ctx: "Context", option: TyperOption, value: bool | None) -> None:
    if value:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


def _argument(operand: Operand) -> TyperArgument:
    nargs = -1 if operand.multiple else 1
    return TyperArgument(
        param_decls=[operand.name], nargs=nargs, required=operand.required, metavar=operand.type.metavar
    )


def _option(flag: FlagSpec) -> TyperOption:
    # Typer only splits the text: one parser (resolve.load) serves flags and environment alike.
    return TyperOption(
        param_decls=[flag.field, *flag.flag.param_decls(flag.field)],
        is_flag=not flag.takes_value,
        multiple=flag.flag.multiple,
        metavar=flag.flag.type.metavar,
    )


def _possible_names(words: Sequence[str]) -> set[str]:
    """Returns the names of flags that a command line may contain, and more: `-qt.5` is -q, -t, -. and -5."""
    names: set[str] = set()
    for word in words:
        if word.startswith("--"):
            names.add(word.partition("=")[0])
        elif word.startswith("-"):
            names |= {f"-{letter}" for letter in word[1:]}
    return names


def _unknown(name: str) -> LlamaError:
    from difflib import get_close_matches

    close = get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean '{PROGRAM} {close[0]}'?" if close else ""
    if close != ["ask"]:
        hint = " ".join(filter(None, (hint, f"to ask the model: {PROGRAM} ask {name} ...")))
    return LlamaError(ExitStatus.USAGE, f"no command '{name}'", hint)
