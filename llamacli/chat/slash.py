"""THE table of the commands that a chat at the terminal knows, each beginning with a slash."""

import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from llamacli.api.json import encode
from llamacli.ask import prompt
from llamacli.ask.options import FormatOptions, OutputOptions, UsageOptions
from llamacli.ask.params import Params
from llamacli.chat.dialogue import Dialogue
from llamacli.chat.messages import SavedMessage, print_transcript, text, turn_of
from llamacli.chat.options import SessionOptions
from llamacli.chat.session import Session, checked_name
from llamacli.cli.resolve import parse_value
from llamacli.cli.shared import DisplayOptions
from llamacli.cli.table import Flag, Options, long_name
from llamacli.cli.types import AtFile, Switch
from llamacli.config.paths import MODELS
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.options import NetworkOptions
from llamacli.stdio.escape import one_line
from llamacli.stdio.table import print_table

#: Opens and closes a message of several lines.
FENCE = '"""'


class LeaveChat(Exception):
    """The user wants to leave."""


class SlashCommand(NamedTuple):
    """One command. `operand` is what may follow it in the help, "" if nothing may."""

    operand: str
    help: str
    run: Callable[[Dialogue, str], None]
    #: Returns what the operand may be completed to.
    candidates: Callable[[str], list[str]] = lambda typed: []
    aliases: tuple[str, ...] = ()


def _help(talk: Dialogue, operand: str) -> None:
    rows = [
        (f"{', '.join((name, *command.aliases))} {command.operand}".rstrip(), command.help)
        for name, command in COMMANDS.items()
    ]
    print_table([*rows, (FENCE, "Start or end a message of several lines.")], talk.screen)


def _exit(talk: Dialogue, operand: str) -> None:
    raise LeaveChat


def _reset(talk: Dialogue, operand: str) -> None:
    chat = talk.conversation
    old, entries = chat.session, chat.session.messages()
    if chat.system is None and entries and entries[0]["role"] == "system":
        chat.system = text(entries[0])
    chat.session = Session(None, is_saved=not chat.options.no_save, warn=talk.env.stderr.note)
    talk.forget()
    where = f"; the old one is saved as {old.name}" if old.is_saved and old.name and entries else ""
    talk.env.stderr.note(f"a new conversation{where}")


def _undo(talk: Dialogue, operand: str) -> None:
    last = _last_turn(talk)
    talk.conversation.session.save([], without=turn_of(last[0]))
    talk.unanswered, talk.replaced_turn = text(last[0]), None
    words = one_line(talk.unanswered, 40)
    talk.env.stderr.note(f"took '{words}' and its answer back; /edit changes it, /retry asks it again")


def _retry(talk: Dialogue, operand: str) -> None:
    if talk.unanswered:
        return talk.ask(talk.unanswered, talk.replaced_turn)
    last = _last_turn(talk)
    # The old answer stands until there is a new one.
    return talk.ask(text(last[0]), without=turn_of(last[0]))


def _last_turn(talk: Dialogue) -> list[SavedMessage]:
    last = talk.conversation.last_turn()
    if not last:
        raise LlamaError(ExitStatus.USAGE, "there is no turn yet")
    if turn_of(last[0]) is None:
        raise LlamaError(ExitStatus.USAGE, "the last turn was not written by llamacli", "it stays as it is")
    return last


def _edit(talk: Dialogue, operand: str) -> None:
    talk.edit(operand)


def _system(talk: Dialogue, operand: str) -> None:
    talk.conversation.system = str(parse_value(Flag(AtFile(), ""), operand, "/system", talk.env))
    talk.env.stderr.note("the next turn has " + ("this system message" if operand else "no system message"))


def _model(talk: Dialogue, operand: str) -> None:
    if operand:
        talk.reconfigure(talk.options.replace(talk.options[Params].replace("model", operand, "--model")))
    talk.env.stderr.note(f"the model is {talk.conversation.runner.params.model}")


def _set(talk: Dialogue, operand: str) -> None:
    import shlex

    try:
        flag, *texts = shlex.split(operand) or [""]
    except ValueError as error:
        raise LlamaError(ExitStatus.USAGE, f"/set: {error}", "close the quote") from None
    if not flag:
        rows = [(name[2:], getattr(table, field)) for table in _groups(talk) for name, field in _settable(type(table))]
        return print_table([(name, _told(there)) for name, there in rows if there is not None], talk.screen)
    wanted = "--" + flag.lstrip("-").replace("_", "-")
    for table in _groups(talk):
        for name, field in _settable(type(table)):
            if wanted == "--no-" + name[2:] and not texts and isinstance(table.flags()[field].type, Switch):
                texts = ["false"]
            elif wanted != name and flag != table.flags()[field].short:
                continue
            return _put(talk, table, field, texts)
    raise _not_set(talk, flag, wanted)


def _not_set(talk: Dialogue, flag: str, wanted: str) -> LlamaError:
    """Says why a flag cannot be set: it counts at the beginning only, has a command of its own, or is none."""
    from llamacli.cli.app import command

    settable = {name for table in _groups(talk) for name, _ in _settable(type(table))}
    if not any({wanted, flag} & set(entry.names) for entry in command("chat").flags if entry.long not in settable):
        return LlamaError(ExitStatus.USAGE, f"/set: no flag '{flag}'", "Tab lists them, and so does 'llamacli chat -h'")
    own = f"/{wanted[2:]}"
    todo = f"there is {own}" if own in COMMANDS else "give it to llamacli chat"
    return LlamaError(ExitStatus.USAGE, f"/set: '{flag}' cannot be set in a conversation", todo)


def _groups(talk: Dialogue) -> list[Options]:
    return [talk.options[group] for group in SETTABLE]


def _settable(table: type[Options]) -> Iterator[tuple[str, str]]:
    """Yields the long name and the field of each flag that can be set between two turns."""
    for field in table.flags():
        if field not in ("session", "continue_", "interactive", "no_save"):
            yield long_name(field), field


def _put(talk: Dialogue, table: Options, field: str, texts: list[str]) -> None:
    """Gives a field the value that the texts mean, or its default where there are none."""
    flag, name = table.flags()[field], long_name(field)
    if not texts and isinstance(flag.type, Switch):
        texts = ["true"]
    if texts:
        raw = texts if flag.multiple else " ".join(texts)
        table = table.replace(field, parse_value(flag, raw, f"/set {name[2:]}", talk.env), name)
    else:
        table = table.reset(field)
    talk.reconfigure(talk.options.replace(table))
    there = getattr(table, field)
    talk.env.stderr.note(f"{name[2:]} is {_told(there)}")


def _told(there: Any) -> str:
    """Returns a flag's value as JSON."""
    # A schema is shown as the document that it is; its class is not worth its import.
    there = getattr(there, "document", there)
    return "not set" if there is None else encode(there).decode()


def _file(talk: Dialogue, operand: str) -> None:
    if not operand:
        raise LlamaError(ExitStatus.USAGE, "/file wants the PATH of a file")
    talk.attached.append(prompt.attachment(os.path.expanduser(operand), talk.env.input))
    talk.env.stderr.note(f"{operand} goes with the next message")


def _save(talk: Dialogue, operand: str) -> None:
    talk.conversation.session.save_as(checked_name(operand, "/save"))
    talk.env.stderr.note(f"saved as {operand}")


def _show(talk: Dialogue, operand: str) -> None:
    print_transcript(talk.conversation.session.messages(), talk.screen)


def _usage(talk: Dialogue, operand: str) -> None:
    talk.screen.write(f"{talk.conversation.total}\n")


def _models(typed: str) -> list[str]:
    """Returns the models that were listed last."""
    with open(MODELS.path(), encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


def _flags(typed: str) -> list[str]:
    flag, blank, _ = typed.partition(" ")
    found = {name[2:]: table.flags()[field] for table in SETTABLE for name, field in _settable(table)}
    if not blank:
        return [f"{name} " for name in found]
    return [f"{flag} {choice}" for choice in ("true", "false")] if isinstance(found[flag].type, Switch) else []


def _paths(typed: str) -> list[str]:
    """Returns the files and folders that a path, which may hold blanks and begin with ~, can go on with."""
    folder, _, _ = typed.rpartition("/")
    folder += "/" if "/" in typed else ""
    with os.scandir(os.path.expanduser(folder) or ".") as found:
        return sorted(f"{folder}{entry.name}{'/' if entry.is_dir() else ''}" for entry in found)


COMMANDS = {
    "/help": SlashCommand("", "List these commands.", _help, aliases=("/?",)),
    "/exit": SlashCommand("", "Leave, like Ctrl-D.", _exit, aliases=("/quit", "/q")),
    "/reset": SlashCommand(
        "", "Start a new conversation; the old one stays saved.", _reset, aliases=("/new", "/clear")
    ),
    "/undo": SlashCommand("", "Remove the last turn.", _undo),
    "/retry": SlashCommand("", "Ask the last message again and replace its answer.", _retry),
    "/edit": SlashCommand("[TEXT]", "Write a message in $VISUAL or $EDITOR.", _edit),
    "/system": SlashCommand("[TEXT]", "Set the system message: TEXT, @FILE or none.", _system),
    "/model": SlashCommand("[NAME]", "Show or change the model.", _model, _models),
    "/set": SlashCommand("[FLAG [VALUE]]", "Show or set flags; without VALUE, reset one.", _set, _flags),
    "/file": SlashCommand("PATH", "Attach a file to the next message.", _file, _paths),
    "/save": SlashCommand("NAME", "Save the conversation under this name.", _save),
    "/show": SlashCommand("", "Print the conversation.", _show),
    "/usage": SlashCommand("", "Print the tokens and cost of this chat.", _usage),
}
#: What people type alone on a line, and the command that they mean.
WORDS = {"exit": "/exit", "quit": "/exit", "?": "/help"}


def find_command(name: str) -> SlashCommand:
    """Returns the command of this name, alias or unique prefix. Raises LlamaError (usage)."""
    names = {form: command for long, command in COMMANDS.items() for form in (long, *command.aliases)}
    matches = [names[name]] if name in names else [command for form, command in names.items() if form.startswith(name)]
    if len({id(command) for command in matches}) == 1 and name != "/":
        return matches[0]
    hint = "to send a message that starts with /, put a space first; /help lists the commands"
    if matches:
        forms = ", ".join(form for form in names if form.startswith(name))
        raise LlamaError(ExitStatus.USAGE, f"'{name}' could be {forms}", hint)
    raise LlamaError(ExitStatus.USAGE, f"unknown command '{name}'", hint)


#: The tables whose flags /set takes.
SETTABLE: tuple[type[Options], ...] = (
    FormatOptions,
    Params,
    SessionOptions,
    OutputOptions,
    UsageOptions,
    DisplayOptions,
    NetworkOptions,
)


def completions(line: str) -> list[str]:
    """Returns the lines that one which begins with a slash may be completed to. Raises OSError."""
    name, blank, typed = line.partition(" ")
    if not blank:
        return [f"{command} " for command in COMMANDS if command.startswith(name or "/")] if line else []
    candidates = COMMANDS[name].candidates(typed) if name in COMMANDS else []
    return [f"{name} {candidate}" for candidate in candidates if candidate.startswith(typed)]
