"""The slash commands of an interactive chat."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from llamacli import PROGRAM
from llamacli.api.json import encode
from llamacli.ask import prompt
from llamacli.ask.options import FormatOptions, OutputOptions, UsageOptions
from llamacli.ask.params import Params
from llamacli.ask.printer import markdown_writer
from llamacli.chat.conversation import Dialogue
from llamacli.chat.messages import SavedMessage, message_text, print_transcript, turn_id
from llamacli.chat.options import SessionOptions
from llamacli.chat.session import Session, checked_name
from llamacli.cli.spec import parse_value
from llamacli.cli.table import DisplayOptions, Flag, Options, long_name
from llamacli.cli.types import AtFile, Switch
from llamacli.config import MODELS
from llamacli.errors import LlamaError, UsageError
from llamacli.http.options import NetworkOptions
from llamacli.stdio.files import read_regular
from llamacli.stdio.text import one_line

#: Opens and closes a message of several lines.
FENCE = '"""'


class LeaveChat(Exception):
    """The user wants to leave."""


class SlashCommand(NamedTuple):
    """A command; `operand` is shown in the help, "" for none."""

    operand: str
    help: str
    run: Callable[[Dialogue, str], None]
    #: Returns the completions of the operand.
    candidates: Callable[[str], list[str]] = lambda typed: []
    aliases: tuple[str, ...] = ()


def _help(dialogue: Dialogue, operand: str) -> None:
    dialogue.screen.table([*help_rows(), (FENCE, "Start or end a message of several lines.")])


def help_rows() -> list[tuple[str, str]]:
    """Returns each command with its aliases, and what it does."""
    return [
        (f"{', '.join((name, *command.aliases))} {command.operand}".rstrip(), command.help)
        for name, command in COMMANDS.items()
    ]


def _exit(dialogue: Dialogue, operand: str) -> None:
    raise LeaveChat


def _reset(dialogue: Dialogue, operand: str) -> None:
    conversation = dialogue.conversation
    old, entries = conversation.session, conversation.session.messages()
    if conversation.system is None and entries and entries[0]["role"] == "system":
        conversation.system = message_text(entries[0])
    note = dialogue.env.stderr.note
    conversation.session = Session(None, is_saved=conversation.options.save is not False, warn=note)
    dialogue.forget()
    is_kept = old.is_saved and old.name and entries
    note("started a new conversation" + (f"; the old one is saved as {old.name}" if is_kept else ""))


def _undo(dialogue: Dialogue, operand: str) -> None:
    last = _last_turn(dialogue)
    dialogue.conversation.session.save([], without=turn_id(last[0]))
    dialogue.unanswered, dialogue.replaced_turn = dialogue.attach_parts(last[0].get("content")), None
    words, attached = one_line(message_text(last[0]), 40), "; its files stay attached" if dialogue.attached else ""
    dialogue.env.stderr.note(f"removed '{words}' and its answer; /edit to change it, /retry to ask it again{attached}")


def _retry(dialogue: Dialogue, operand: str) -> None:
    if dialogue.unanswered:
        return dialogue.ask(dialogue.unanswered, dialogue.replaced_turn)
    last = _last_turn(dialogue)
    # The old answer stays until the new one is complete.
    return dialogue.ask(dialogue.attach_parts(last[0].get("content")), without=turn_id(last[0]))


def _last_turn(dialogue: Dialogue) -> list[SavedMessage]:
    last = dialogue.conversation.last_turn()
    if not last:
        raise UsageError("nothing has been asked yet")
    if turn_id(last[0]) is None:
        raise UsageError("the last turn was written by another program", "edit the file")
    return last


def _edit(dialogue: Dialogue, operand: str) -> None:
    dialogue.edit(operand)


def _system(dialogue: Dialogue, operand: str) -> None:
    dialogue.conversation.system = str(parse_value(Flag(None, AtFile(), ""), operand, "/system", dialogue.env))
    dialogue.env.stderr.note("system message " + ("set" if operand else "removed") + " from the next turn on")


def _model(dialogue: Dialogue, operand: str) -> None:
    if operand:
        dialogue.reconfigure(dialogue.options.replace(dialogue.options[Params].replace("model", operand, "--model")))
    dialogue.env.stderr.note(f"the model is {dialogue.conversation.runner.params.model}")


def _set(dialogue: Dialogue, operand: str) -> None:
    import shlex

    try:
        words = shlex.split(operand)
    except ValueError as error:
        raise UsageError(f"/set: {error}", "close the quote") from None
    if not words:
        return _print_settings(dialogue)
    name, equals, value = words[0].partition("=")
    texts = [value, *words[1:]] if equals else words[1:]
    group, field, is_negated = _find_flag(dialogue, name)
    flag, name = group.flags()[field], long_name(field)
    if isinstance(flag.type, Switch) and not texts:
        texts = ["false" if is_negated else "true"]
    elif is_negated:
        raise UsageError(f"/set: '{words[0]}' takes no value", f"try /set {name[2:]} {texts[0]}")
    if texts and texts != [""]:
        raw = texts if flag.multiple else " ".join(texts)
        group = group.replace(field, parse_value(flag, raw, f"/set {name[2:]}", dialogue.env), name)
    else:
        group = group.reset(field)
    dialogue.reconfigure(dialogue.options.replace(group))
    dialogue.env.stderr.note(f"{name[2:]} is {_as_json(getattr(group, field))}")
    return None


def _print_settings(dialogue: Dialogue) -> None:
    groups = [dialogue.options[group] for group in SETTABLE]
    rows = [(name[2:], getattr(group, field)) for group in groups for name, field in _settable(type(group))]
    dialogue.screen.table([(name, _as_json(value)) for name, value in rows if value is not None])


def _find_flag(dialogue: Dialogue, name: str) -> tuple[Options, str, bool]:
    """Returns the group and field of a flag, and whether its name negates it.

    `name` is a long or short name, or a unique prefix of a long one. Raises UsageError.
    """
    option = name if len(name) == 2 and name.startswith("-") else "--" + name.lstrip("-").replace("_", "-")
    forms: dict[str, tuple[type[Options], str, bool]] = {}
    for group in SETTABLE:
        for long, field in _settable(group):
            flag = group.flags()[field]
            for form in flag.names(field):
                forms[form] = (group, field, form == flag.negated(field))
            if isinstance(flag.type, Switch):
                forms.setdefault(f"--no-{long[2:]}", (group, field, True))
    matches = [option] if option in forms else [form for form in forms if form.startswith(option) and len(option) > 2]
    if len({forms[form][:2] for form in matches}) == 1:
        group, field, is_negated = forms[matches[0]]
        return dialogue.options[group], field, is_negated
    if matches:
        from llamacli.cli.suggest import listed

        raise UsageError(f"/set: '{name}' could be {listed([form[2:] for form in matches])}")
    raise _not_settable(name, option)


def _not_settable(name: str, option: str) -> LlamaError:
    """Returns the error for a flag that /set cannot change."""
    from llamacli.cli.app import command

    if any(option in flag.names for flag in command("chat").flags):
        slash = f"/{option[2:]}"
        hint = f"use {slash}" if slash in COMMANDS else "start llamacli chat with it"
        return UsageError(f"/set: '{name}' cannot be changed in a chat", hint)
    return UsageError(f"/set: unknown flag '{name}'", "press Tab for the list")


def _settable(group: type[Options]) -> Iterator[tuple[str, str]]:
    """Yields name and field of each flag that can change between turns."""
    for field in group.flags():
        if field not in ("session", "continue_", "interactive", "save", "keep", "tool_result"):
            yield long_name(field), field


def _as_json(value: object) -> str:
    """Returns the value of a flag as JSON."""
    # A schema is shown as its document; importing its class to check would take time.
    value = getattr(value, "document", value)
    return "not set" if value is None else encode(value).decode()


def _file(dialogue: Dialogue, operand: str) -> None:
    if not operand:
        raise UsageError("/file needs a PATH")
    path = _unquoted(operand)
    dialogue.attached.append(prompt.attachment(os.path.expanduser(path), dialogue.env.input))
    dialogue.env.stderr.note(f"{path} will be sent with the next message")


def _unquoted(path: str) -> str:
    """Returns a path without quotes, unchanged if it exists as typed."""
    import shlex

    if not os.path.lexists(os.path.expanduser(path)):
        with suppress(ValueError):
            words = shlex.split(path)
            return words[0] if len(words) == 1 else path
    return path


def _save(dialogue: Dialogue, operand: str) -> None:
    if not operand:
        raise UsageError("/save needs a NAME")
    dialogue.conversation.session.save_as(checked_name(operand, "/save"))
    dialogue.env.stderr.note(f"saved as {operand}")


def _show(dialogue: Dialogue, operand: str) -> None:
    renders = dialogue.options[UsageOptions].applies_to(dialogue.screen)
    writer = partial(markdown_writer, dialogue.screen, dialogue.env.stderr) if renders else None
    print_transcript(dialogue.conversation.session.messages(), dialogue.screen, writer)


def _usage(dialogue: Dialogue, operand: str) -> None:
    dialogue.screen.write(f"{dialogue.conversation.total}\n")


def _models(typed: str) -> list[str]:
    """Returns the models of the last listing."""
    return read_regular(MODELS.path()).decode("utf-8", "replace").splitlines()


def _flags(typed: str) -> list[str]:
    name, blank, _ = typed.partition(" ")
    flags = {long[2:]: group.flags()[field] for group in SETTABLE for long, field in _settable(group)}
    if not blank:
        return [f"{long} " for long in flags]
    is_switch = name in flags and isinstance(flags[name].type, Switch)
    return [f"{name} {choice}" for choice in ("true", "false")] if is_switch else []


def _paths(typed: str) -> list[str]:
    """Returns what completes a path, which may have blanks, ~ or a quote."""
    quote = typed[:1] if typed[:1] in ("'", '"') else ""
    folder, slash, _ = typed[len(quote) :].rpartition("/")
    folder += slash
    with os.scandir(os.path.expanduser(folder) or ".") as entries:
        return sorted(f"{quote}{folder}{entry.name}{'/' if entry.is_dir() else quote}" for entry in entries)


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
    "/set": SlashCommand("[FLAG[=VALUE]]", "Show flags, or change or reset one.", _set, _flags),
    "/file": SlashCommand("PATH", "Attach a file to the next message.", _file, _paths),
    "/save": SlashCommand("NAME", "Save the conversation under this name.", _save),
    "/show": SlashCommand("", "Print the conversation.", _show),
    "/usage": SlashCommand("", "Print the tokens and cost of this chat.", _usage),
}
#: What people type alone on a line, and the command that they mean.
WORDS = {"?": "/help", "help": "/help", ":h": "/help", ":help": "/help", "help()": "/help"}
WORDS |= dict.fromkeys(("exit", "quit", "exit()", "quit()", ":q", ":q!", ":wq", ":x", "\\q"), "/exit")
#: Words that may mean a command or be a message, so that they are neither.
UNCLEAR_WORDS = ("q", "bye", "logout")
#: Commands of other chats, and what does the same here.
SYNONYMS = {
    "/bye": "/exit",
    "/history": "/show",
    "/print": "/show",
    "/tokens": "/usage",
    "/cost": "/usage",
    "/again": "/retry",
    "/regenerate": "/retry",
    "/attach": "/file",
    "/add": "/file",
    "/role": "/system",
    "/prompt": "/system",
    "/load": f"{PROGRAM} chat -S NAME",
    "/sessions": f"{PROGRAM} sessions",
}


def find_command(name: str) -> SlashCommand:
    """Returns a command by name, alias or prefix. Raises LlamaError."""
    names = {form: command for long, command in COMMANDS.items() for form in (long, *command.aliases)}
    matches = [names[name]] if name in names else [command for form, command in names.items() if form.startswith(name)]
    if len({id(command) for command in matches}) == 1 and name != "/":
        return matches[0]
    from llamacli.cli.suggest import closest, listed

    hint = "/help lists the commands; to send it as a message, put a space first"
    if matches:
        forms = [form for form in names if form.startswith(name)]
        raise UsageError(f"'{name}' could be {listed(forms)}", hint)
    flags = [
        long for group in SETTABLE for long, _ in _settable(group) if len(name) > 2 and long.startswith(f"--{name[1:]}")
    ]
    instead = SYNONYMS.get(name) or (f"/set {flags[0][2:]}" if flags else closest(name, names))
    if instead:
        hint = f"did you mean '{instead}'? To send it as a message, put a space first"
    raise UsageError(f"unknown command '{name}'", hint)


#: The groups whose flags /set changes.
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
    """Returns the lines that complete a slash command. Raises OSError."""
    name, blank, typed = line.partition(" ")
    if not blank:
        return [f"{command} " for command in COMMANDS if command.startswith(name or "/")] if line else []
    candidates = COMMANDS[name].candidates(typed) if name in COMMANDS else []
    return [f"{name} {candidate}" for candidate in candidates if candidate.startswith(typed)]
