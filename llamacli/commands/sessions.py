"""`llamacli sessions`: the saved conversations."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from llamacli.ask.options import MarkdownOptions
from llamacli.ask.printer import markdown_writer
from llamacli.chat import listing
from llamacli.chat.messages import SavedMessage, message_text, print_transcript, to_request
from llamacli.chat.session import Session, checked_name
from llamacli.cli.spec import LoadedOptions
from llamacli.cli.table import DisplayOptions, Flag, Operand, Options
from llamacli.cli.types import Age, ParamType, Switch
from llamacli.config import SESSIONS
from llamacli.errors import ExitStatus, LlamaError, UsageError
from llamacli.stdio.files import remove
from llamacli.stdio.input import Environment
from llamacli.stdio.output import Output

if TYPE_CHECKING:
    from llamacli.stdio.markdown.live import LiveMarkdown

DESCRIPTION = """
Sessions are listed by their last use, the latest first. In a pipe the columns of the list
are separated by tabs, and the age is in seconds. grep ignores case.
"""
ACTION_HELP = {
    "list": "Print names, turns, ages and first words (the default).",
    "show NAME": "Print a session.",
    "last [NAME]": "Print the last answer, by default of this terminal.",
    "grep TEXT [NAME]...": "Print the matching lines as NAME:TURN:LINE.",
    "rm NAME...": "Remove sessions, or those that --older-than selects.",
}
EXAMPLES = (
    "llamacli sessions",
    "llamacli sessions last | wl-copy",
    "llamacli sessions grep 'regular expression'",
    "llamacli sessions rm --older-than 30d",
    "llamacli sessions show review --json | jq '{messages: .}' | llamacli raw -F model=gpt-4o-mini -",
)
COLUMNS = ("SESSION", "TURNS", "AGE", "FIRST WORDS")
#: Seconds in each unit of age, the longest unit first.
UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


class SessionsOptions(Options):
    """What is printed or removed."""

    title = "Output"

    json: Flag[bool] = Flag(False, Switch(), "With show: print the messages as JSON, for raw.", common=True)
    older_than: Flag[float | None] = Flag(
        None, Age(), "With rm: remove sessions unused for this long.", example="llamacli sessions rm --older-than 30d"
    )


OPTIONS = (SessionsOptions, MarkdownOptions, DisplayOptions)


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Runs the action that the first operand names."""
    name = env.input.argument(options.operand("action") or "list", "the action")
    action = ACTIONS.get(name)
    if action is None:
        from llamacli.cli.suggest import unknown_action

        is_session = name in listing.names()
        hint = f"did you mean 'sessions show {name}'?" if is_session else unknown_action(name, tuple(ACTIONS))
        raise UsageError(f"unknown action '{name}'", hint)
    words = [env.input.argument(word, "NAME") for word in options.operands("names")]
    options_of = {"json": "show", "older_than": "rm"}
    for field in options[SessionsOptions].origins:
        if options_of[field] != name:
            flag = "--" + field.replace("_", "-")
            raise UsageError(f"{flag} cannot be used with 'sessions {name}'", "drop it")
    is_enough = action.least <= len(words) or options[SessionsOptions].older_than is not None
    if not is_enough or (action.most is not None and len(words) > action.most):
        raise UsageError(f"usage: llamacli sessions {name} {action.usage}".rstrip())
    names = words[1:] if name == "grep" else words
    for missing in [word for word in names if not os.path.lexists(SESSIONS.path(checked_name(word, "NAME")))]:
        raise _missing(missing)
    with Output(None, before=env.stderr.clear_status) as out:
        action.run(words, options, out, env)
    return ExitStatus.OK


def _list(words: list[str], options: LoadedOptions, out: Output, env: Environment) -> None:
    now = time.time()
    rows: list[Sequence[object]] = []
    for name, written, turns, first_words in listing.rows(env.stderr.note):
        age = max(0, int(now - written))
        rows.append((name, turns, _in_words(age) if out.is_terminal else age, first_words))
    out.table(rows, COLUMNS, right=(1, 2))


def _show(words: list[str], options: LoadedOptions, out: Output, env: Environment) -> None:
    messages = _messages(words[0], env)
    if options[SessionsOptions].json:
        out.document(to_request(messages))
    else:
        print_transcript(messages, out, _writer(options, out, env))


def _last(words: list[str], options: LoadedOptions, out: Output, env: Environment) -> None:
    name = words[0] if words else listing.latest_name() or next(iter(listing.names()), None)
    if name is None:
        raise UsageError("no sessions have been saved", "ask something first")
    answers = [message for message in _messages(name, env) if message["role"] == "assistant"]
    if not answers:
        raise UsageError(f"session '{name}' has no answer")
    writer = _writer(options, out, env)
    with writer() if writer else nullcontext(out) as page:
        page.write(message_text(answers[-1]))
    out.end()


def _grep(words: list[str], options: LoadedOptions, out: Output, env: Environment) -> None:
    term, names = words[0].casefold(), words[1:]
    for name in names or listing.names():
        try:
            messages = _messages(name, env)
        except LlamaError as error:
            if names:
                raise
            # A session that cannot be read does not hide the others.
            env.stderr.note(str(error))
            continue
        turn = 0
        for message in messages:
            turn += message["role"] == "user"
            for line in message_text(message).splitlines():
                if term in line.casefold():
                    out.write(f"{name}:{turn}:{line}\n")


def _rm(words: list[str], options: LoadedOptions, out: Output, env: Environment) -> None:
    names, times = words, listing.write_times()
    if (older_than := options[SessionsOptions].older_than) is not None:
        latest = time.time() - older_than
        names = [name for name in words or times if times.get(name, latest) < latest]
        env.stderr.note(f"removing {len(names)} session{'' if len(names) == 1 else 's'}")
    listing.remove_index()
    for name in dict.fromkeys(names):
        try:
            remove(SESSIONS.path(name))
        except OSError as error:
            raise LlamaError(ExitStatus.OUTPUT, f"cannot remove {SESSIONS.path(name)}: {error.strerror}") from None


class Action(NamedTuple):
    """An action: its function, its operands in words, and how many it takes."""

    run: Callable[[list[str], LoadedOptions, Output, Environment], None]
    usage: str
    least: int
    most: int | None


ACTIONS = {
    "list": Action(_list, "", 0, 0),
    "show": Action(_show, "NAME", 1, 1),
    "last": Action(_last, "[NAME]", 0, 1),
    "grep": Action(_grep, "TEXT [NAME]...", 1, None),
    "rm": Action(_rm, "NAME... | --older-than AGE", 1, None),
}
OPERANDS = (
    Operand("action", ParamType(values=tuple(ACTIONS))),
    Operand("names", ParamType("NAME", completes="session"), multiple=True),
)


def _writer(options: LoadedOptions, out: Output, env: Environment) -> Callable[[], LiveMarkdown] | None:
    return partial(markdown_writer, out, env.stderr) if options[MarkdownOptions].applies_to(out) else None


def _messages(name: str, env: Environment) -> list[SavedMessage]:
    return Session(name, warn=env.stderr.note).messages()


def _in_words(seconds: int) -> str:
    """Returns an age in its longest unit: 3 d, 5 h, 12 min."""
    return next((f"{seconds // length} {unit}" for unit, length in UNITS if seconds >= length), "now")


def _missing(name: str) -> LlamaError:
    from llamacli.cli.suggest import did_you_mean

    hint = did_you_mean(name, listing.names(), "run 'llamacli sessions' for the list")
    return UsageError(f"there is no session '{name}'", hint)
