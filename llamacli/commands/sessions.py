"""`llamacli sessions`: the conversations that are saved."""

import os
import time
from typing import Annotated

from llamacli.chat import session
from llamacli.chat.messages import print_transcript, text, to_request
from llamacli.chat.session import Session, checked_name
from llamacli.cli.shared import DisplayOptions
from llamacli.cli.spec import LoadedOptions
from llamacli.cli.table import Flag, Operand, Options
from llamacli.cli.types import ParamType, Switch
from llamacli.config.paths import SESSIONS
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio import table
from llamacli.stdio.environment import Environment
from llamacli.stdio.output import Output

DESCRIPTION = """
`list` (the default) prints name, turns, age and first words of each, the most recently
used one first. In a pipe the columns are separated by tabs and the age is in seconds.
`show` prints one conversation, `rm` removes the ones that are named.
"""
EXAMPLES = (
    "llamacli sessions",
    "llamacli sessions show review",
    "llamacli sessions show review --json | jq '{messages: .}' | llamacli raw -F model=gpt-4o-mini -",
)
ACTIONS = ("list", "show", "rm")
OPERANDS = (
    Operand("action", ParamType(values=ACTIONS)),
    Operand("names", ParamType("NAME", completes="session"), multiple=True),
)
COLUMNS = ("SESSION", "TURNS", "AGE", "FIRST WORDS")
#: Characters of the first message in the list.
FIRST = 60
#: Seconds in a unit of age, from the longest on.
UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


class SessionsOptions(Options):
    """How a conversation is shown."""

    title = "Output"

    json: Annotated[bool, Flag(Switch(), "Print the messages of `show` as a JSON array, as `raw` takes them.")] = False


OPTIONS = (SessionsOptions, DisplayOptions)


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Does what the first operand says."""
    action = env.input.argument(options.operand("action") or "list", "the action")
    if action not in ACTIONS:
        raise LlamaError(ExitStatus.USAGE, f"no action '{action}'", f"there is {', '.join(ACTIONS)}")
    names = [checked_name(env.input.argument(name, "NAME"), "NAME") for name in options.operands("names")]
    if (action == "list") == bool(names) or (action == "show" and len(names) > 1):
        wanted = {"list": "takes no NAME", "show": "wants the NAME of one session", "rm": "wants the NAME of a session"}
        raise LlamaError(ExitStatus.USAGE, f"'sessions {action}' {wanted[action]}", "'llamacli sessions' lists them")
    if options[SessionsOptions].json and action != "show":
        raise LlamaError(ExitStatus.USAGE, f"--json is for 'sessions show', not {action}")
    for name in names:
        if not os.path.lexists(SESSIONS.path(name)):
            raise _missing(name)
    with Output(None, before=env.stderr.clear_status) as out:
        if action == "list":
            table.print_table(
                [_row(name, out.is_terminal, env) for name in session.names()], out, COLUMNS, right=(1, 2)
            )
        elif action == "show":
            entries = Session(names[0], warn=env.stderr.note).messages()
            if options[SessionsOptions].json:
                out.document(to_request(entries))
            else:
                print_transcript(entries, out)
        else:
            _remove(names)
    return ExitStatus.OK


def _row(name: str, for_a_person: bool, env: Environment) -> list[object]:
    try:
        asked = [entry for entry in Session(name, warn=env.stderr.note).messages() if entry["role"] == "user"]
        age = int(max(0, time.time() - os.stat(SESSIONS.path(name)).st_mtime))
    except (LlamaError, OSError) as error:
        env.stderr.note(str(error))
        return [name, "?", "?", ""]
    words = " ".join(text(asked[0]).split()) if asked else ""
    return [name, len(asked), _age(age) if for_a_person else age, words[:FIRST]]


def _age(seconds: int) -> str:
    """Returns an age in its longest unit: 3 d, 5 h, 12 min."""
    return next((f"{seconds // length} {unit}" for unit, length in UNITS if seconds >= length), "now")


def _remove(names: list[str]) -> None:
    for name in dict.fromkeys(names):
        try:
            os.unlink(SESSIONS.path(name))
        except OSError as error:
            raise LlamaError(ExitStatus.OUTPUT, f"cannot remove {SESSIONS.path(name)}: {error.strerror}") from None


def _missing(name: str) -> LlamaError:
    from difflib import get_close_matches

    close = get_close_matches(name, session.names(), n=1)
    hint = f"did you mean '{close[0]}'?" if close else "'llamacli sessions' lists those that there are"
    return LlamaError(ExitStatus.USAGE, f"no session '{name}'", hint)
