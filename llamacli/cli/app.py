"""The Typer program: the table of commands and the parser."""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn, cast

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from llamacli import PROGRAM, __version__
from llamacli.cli.spec import CommandSpec, FlagSpec, HelpOptions, ParsedCall, check_empty
from llamacli.cli.table import Operand, Raw
from llamacli.cli.types import OptionalValue, Switch
from llamacli.errors import ExitStatus, LlamaError, UsageError
from llamacli.stdio.stderr import Stderr

if TYPE_CHECKING:
    from typer._click import Context

#: Every command with its one-line help. Each has a module of its name in llamacli.commands.
COMMANDS = {
    "ask": "Ask one question and print the answer.",
    "chat": "Hold a conversation.",
    "raw": "Send a JSON body and print the API's JSON.",
    "batch": "Ask one question for each line, record or file, in parallel.",
    "models": "List the models that the server offers.",
    "sessions": "List, show or remove saved conversations.",
    "config": "Show or change settings, store a key, try the connection.",
    "usage": "Sum up a usage log by day and model.",
    "completion": "Print or install the completion for bash, zsh or fish.",
    "man": "Print or install the man page.",
    "help": "Print help on a command or a topic.",
}


def command(name: str) -> CommandSpec:
    """Imports a command and returns its description."""
    module = import_module(f"llamacli.commands.{name}")
    return CommandSpec(
        name,
        COMMANDS[name],
        [" ".join(paragraph.split()) for paragraph in module.DESCRIPTION.split("\n\n")],
        module.OPTIONS,
        getattr(module, "OPERANDS", ()),
        getattr(module, "EXAMPLES", ()),
        module.run,
        getattr(module, "SURPLUS_HINT", f"see: {PROGRAM} help {name}"),
        getattr(module, "IS_LENIENT", False),
        getattr(module, "help_rows", list),
        getattr(module, "COMMON_OPTIONS", module.OPTIONS),
        getattr(module, "ACTION_HELP", {}),
    )


def commands() -> list[CommandSpec]:
    """Returns all commands in the order of the help, which takes time."""
    return [command(name) for name in COMMANDS]


def parse(arguments: list[str]) -> ParsedCall:
    """Parses the command line. Nothing is read or sent.

    Raises LlamaError if it is invalid, typer.Exit after printing help.
    """
    try:
        return _parse(arguments, arguments)
    except typer.TyperException:
        # An abbreviation or a typo: only the full set of flags can tell which.
        try:
            return _parse(arguments, None)
        except typer.TyperException as error:
            raise _usage_error(error) from None


def _parse(arguments: list[str], words: list[str] | None) -> ParsedCall:
    # Not group(): Typer's main would exit with 1 on a closed pipe and swallow Ctrl-C.
    group = LlamaGroup(
        name=PROGRAM,
        invoke_without_command=True,
        params=_help_options(_possible_names(words)),
        add_help_option=False,
        rich_markup_mode=None,
    )
    with group.make_context(PROGRAM, list(arguments), obj=words) as ctx:
        return group.invoke(ctx)


class LlamaCommand(TyperCommand):
    """A command; calling it returns the parsed command line."""

    def __init__(self, spec: CommandSpec, words: Sequence[str] | None) -> None:
        """Builds only the flags that `words` may contain, to save time."""
        self.spec = spec
        names = _possible_names(words)
        flags = spec.flags
        if names is not None:
            flags = [flag for flag in flags if not names.isdisjoint(flag.names)] if names else []
        options = [_option(flag) for flag in flags if flag.group is not HelpOptions]
        super().__init__(
            spec.name,
            params=[*map(_argument, spec.operands), *options, *_help_options(names)],
            add_help_option=False,
            rich_markup_mode=None,
        )

    def help_text(self, short: bool) -> str:
        from llamacli.cli.docs import help

        return help.short_help(self.spec) if short else help.command_help(self.spec)

    def parse_args(self, ctx: "Context", args: list[str]) -> list[str]:
        ctx.obj = "--" in args
        if any(word.startswith("-") for word in args):
            _check_dashes(args, self.spec.flags)
            args = _with_empty_values(args, self.spec.flags)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: "Context") -> ParsedCall:
        operands = {operand.name: operand.type for operand in self.spec.operands}
        values = {name: value for name, value in ctx.params.items() if value not in (None, ())}
        flags: dict[str, Raw] = {}
        words: dict[str, Sequence[str]] = dict.fromkeys(operands, ())
        for name, value in values.items():
            if name in operands:
                words[name] = [value] if isinstance(value, str) else value
                for word in words[name]:
                    check_empty(operands[name], word, operands[name].metavar)
            else:
                flags[name] = list(value) if isinstance(value, tuple) else value
        return ParsedCall(self.spec, flags, words, ctx.obj)


class LlamaGroup(TyperGroup):
    """The program: only the command that is called is imported and built."""

    def get_command(self, ctx: "Context", cmd_name: str) -> LlamaCommand | None:
        return LlamaCommand(command(cmd_name), ctx.obj) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: "Context", args: list[str]) -> "tuple[str | None, TyperCommand | None, list[str]]":
        built = self.get_command(ctx, args[0])
        if built is None:
            from llamacli.cli.suggest import unknown_command

            raise unknown_command(args, COMMANDS)
        return args[0], built, args[1:]

    def invoke(self, ctx: "Context") -> ParsedCall:
        call: ParsedCall | None = super().invoke(ctx)
        if call is None:
            Stderr().write(self.help_text(short=True) + "\n")
            raise typer.Exit(ExitStatus.USAGE)
        return call

    def help_text(self, short: bool) -> str:
        from llamacli.cli.docs import help

        return help.program_help(COMMANDS) if short else help.full_program_help(COMMANDS)


def _help_options(names: set[str] | None) -> list[TyperOption]:
    """Returns the options that print something and exit, of `names` only."""
    printers = {"--version": _print_version, "-h": _print_short_help, "--help": _print_help}
    return [
        TyperOption(param_decls=[name], is_flag=True, is_eager=True, expose_value=False, callback=printer)
        for name, printer in printers.items()
        if names is None or name in names
    ]


def _print_version(ctx: "Context", option: TyperOption, value: bool | None) -> None:
    if value:
        _print(f"{PROGRAM} {__version__}")


def _print_short_help(ctx: "Context", option: TyperOption, value: bool | None) -> None:
    if value:
        _print(_helped(ctx).help_text(short=True))


def _print_help(ctx: "Context", option: TyperOption, value: bool | None) -> None:
    if value:
        _print(_helped(ctx).help_text(short=False))


def _helped(ctx: "Context") -> "LlamaCommand | LlamaGroup":
    """Returns what to print the help of: in `llamacli -h ask`, that is ask."""
    target = cast("LlamaCommand | LlamaGroup", ctx.command)
    name = next((word for word in ctx.obj or () if word in COMMANDS), None) if isinstance(target, LlamaGroup) else None
    return LlamaCommand(command(name), ()) if name else target


def _print(text: str) -> NoReturn:
    from llamacli.stdio.output import Output

    with Output(None) as out:
        out.write(text)
    raise typer.Exit


def _argument(operand: Operand) -> TyperArgument:
    nargs = -1 if operand.multiple else 1
    return TyperArgument(
        param_decls=[operand.name], nargs=nargs, required=operand.required, metavar=operand.type.metavar
    )


def _option(flag: FlagSpec) -> TyperOption:
    # Typer only splits the text: one parser (spec.load_options) serves flags and environment alike.
    return TyperOption(
        param_decls=[flag.field, *flag.flag.param_decls(flag.field)],
        is_flag=isinstance(flag.flag.type, Switch),
        multiple=flag.flag.multiple,
        metavar=flag.flag.type.metavar,
    )


def _with_empty_values(words: list[str], flags: Sequence[FlagSpec]) -> list[str]:
    """Returns the words, with `=` after a flag whose optional value is missing."""
    names = {name for flag in flags if isinstance(flag.flag.type, OptionalValue) for name in flag.names}
    end = words.index("--") if "--" in words else len(words)
    return [f"{word}=" if word in names else word for word in words[:end]] + words[end:]


def _check_dashes(words: list[str], flags: Sequence[FlagSpec]) -> None:
    """Raises LlamaError for two words that would be misread.

    One is -max-tokens, as `-m ax-tokens`. The other is a flag in place of a value, as after
    `--model $UNSET`.
    """
    takes_value = {"--": False} | {name: flag.takes_value for flag in flags for name in flag.names}
    previous = ""
    for word in words:
        if word.startswith("-"):
            long = "-" + word.partition("=")[0]
            is_value = takes_value.get(previous, False)
            # -0 is a number too.
            if is_value and word in takes_value and word != "-0":
                from llamacli.cli.suggest import missing_value

                raise missing_value(previous, word)
            if word == "--":
                return
            if not is_value and len(word) > 3 and long in takes_value:
                from llamacli.cli.suggest import single_dash

                raise single_dash(word.partition("=")[0])
        previous = word


def _possible_names(words: Sequence[str] | None) -> set[str] | None:
    """Returns the flags that words may contain: `-qt.5` has -q, -t and -5.

    None means any flag.
    """
    if words is None:
        return None
    names: set[str] = set()
    for word in words:
        if word.startswith("--"):
            names.add(word.partition("=")[0])
        elif word.startswith("-"):
            names |= {f"-{letter}" for letter in word[1:]}
    return names


def _usage_error(error: typer.TyperException) -> LlamaError:
    """Returns one of Typer's errors in our words."""
    from llamacli.cli import suggest

    text = error.format_message().rstrip(".")
    name, ctx = getattr(error, "option_name", ""), cast("Context | None", getattr(error, "ctx", None))
    command = ctx.command if ctx else None
    if text.startswith("No such option"):
        if isinstance(command, LlamaCommand):
            return suggest.unknown_option(name, command.spec, commands())
        return UsageError(f"option {name} before the command", f"put options after it: {PROGRAM} COMMAND {name}")
    if isinstance(command, LlamaCommand):
        if "unexpected extra argument" in text:
            # The words are not repeated: they may be a key.
            return UsageError(f"too many arguments for {command.spec.name}", command.spec.surplus_hint)
        if text.startswith("Missing argument"):
            name = next(operand.type.metavar for operand in command.spec.operands if operand.required)
            return UsageError(f"{command.spec.name} needs {name}", f"see: {PROGRAM} {command.spec.name} -h")
    if "requires an argument" in text:
        return UsageError(f"{name} needs a value")
    if text.endswith("does not take a value"):
        opposite = f"--no-{name[2:]}"
        has_opposite = any(opposite in flag.names for known in commands() for flag in known.flags)
        return UsageError(f"{name} takes no value", f"to turn it off: {opposite}" if has_opposite else "")
    return UsageError(text[:1].lower() + text[1:])
