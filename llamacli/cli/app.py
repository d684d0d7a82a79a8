"""The Typer program: the commands, built lazily, and the parser."""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from llamacli import PROGRAM, __version__
from llamacli.cli.command import Run, typer_function
from llamacli.errors import ExitStatus, LlamaError

if TYPE_CHECKING:
    from llamacli.cli import spec

#: Every command with its one-line help. Each lives in a module of its name in llamacli.commands.
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


class LlamaCommand(TyperCommand):
    """A command whose help is grouped like the tables of its flags."""

    def get_help(self, ctx: Any) -> str:
        from llamacli.cli import spec
        from llamacli.cli.docs import help

        return help.command_help(spec.read_command(self.name or "", self))


class LlamaGroup(TyperGroup):
    """The commands, of which only the one that is called is imported and built."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return build(cmd_name, ctx.obj) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in COMMANDS:
            raise _unknown(args[0])
        return super().resolve_command(ctx, args)

    def get_help(self, ctx: Any) -> str:
        from llamacli.cli.docs.help import program_help

        return program_help(COMMANDS)


def build(name: str, words: Sequence[str] | None = None) -> Any:
    """Returns the command of this name as Typer has built it; of its flags those alone that the words may mean."""
    module = import_module(f"llamacli.commands.{name}")
    app = typer.Typer(**TYPER_OPTIONS)
    function = typer_function(getattr(module, name), getattr(module, "IS_LENIENT", False), words)
    app.command(name, cls=LlamaCommand, context_settings=CONTEXT_SETTINGS)(function)
    command: Any = get_command(app)
    command.tables = function.tables  # type: ignore[attr-defined]
    command.operands = function.operands  # type: ignore[attr-defined]
    command.epilog = "\n".join(module.EXAMPLES)
    command.surplus = getattr(module, "SURPLUS", f"see: {PROGRAM} help {name}")
    return command


def parse(arguments: list[str]) -> Run:
    """Reads the command line and returns what is to be run, without having read or sent anything.

    Raises typer.TyperException or LlamaError where it makes no sense, typer.Exit
    after help, OSError where help could not be written.
    """
    try:
        return _parse(arguments, arguments)
    except typer.TyperException:
        # What is said of a mistyped flag depends on all the others.
        return _parse(arguments, None)


def _parse(arguments: list[str], words: list[str] | None) -> Run:
    # Not app(): Typer's own main would end with 1 on a closed pipe and swallow Ctrl-C.
    group = get_command(_app())
    with group.make_context(PROGRAM, list(arguments), obj=words) as ctx:
        run: Run = group.invoke(ctx)
        return run


#: Without these rich would be imported, and errors would be drawn in boxes.
TYPER_OPTIONS: dict[str, Any] = {"rich_markup_mode": None, "add_completion": False, "pretty_exceptions_enable": False}


CONTEXT_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


def _app() -> typer.Typer:
    app = typer.Typer(cls=LlamaGroup, context_settings=CONTEXT_SETTINGS, **TYPER_OPTIONS)
    app.callback(invoke_without_command=True)(_program)
    return app


def _program(
    ctx: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    """Ask a chat model from the shell."""
    if version:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help(), err=True)
        raise typer.Exit(ExitStatus.USAGE)


def _unknown(name: str) -> LlamaError:
    from difflib import get_close_matches

    close = get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean '{PROGRAM} {close[0]}'?" if close else ""
    if close != ["ask"]:
        hint = " ".join(filter(None, (hint, f"to ask the model: {PROGRAM} ask {name} ...")))
    return LlamaError(ExitStatus.USAGE, f"no command '{name}'", hint)


def command(name: str) -> "spec.CommandSpec":
    """Returns what there is to know of a command."""
    from llamacli.cli.spec import read_command

    return read_command(name, build(name))


def commands() -> "list[spec.CommandSpec]":
    """Returns all commands in the order in which help shows them. Each is imported and built, which takes time."""
    return [command(name) for name in COMMANDS]
