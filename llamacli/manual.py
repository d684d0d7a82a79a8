"""Help, made from the commands as Typer has built them and from the tables that they share."""

import shutil
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llamacli import PROGRAM
from llamacli.endpoint import KEY_VARIABLES
from llamacli.errors import ExitStatus
from llamacli.options import Table
from llamacli.settings import cache_folder, config_folder, state_folder

ISSUES = "Report problems with the output of -v and --version in the project's issue tracker."
#: Columns that the flags take; a longer one has its help on the next line.
FLAGS = 30


def program_help(commands: Mapping[str, str]) -> str:
    """Returns the program's help: what it is, its commands, how to begin."""
    rows = "\n".join(f"  {name:<12}{help}" for name, help in commands.items())
    return f"""Usage: {PROGRAM} COMMAND [OPTION]... [OPERAND]...

Asks a chat model from the shell: text in, the answer out, and an exit status to trust.

Commands:
{rows}

Options:
  -h, --help  Print help, also after a command.
  --version   Print the version.

Examples:
  {PROGRAM} ask why is the sky blue
  git diff | {PROGRAM} ask 'Write a commit message for:'

The key is read from $AIMLAPI_API_KEY.
More: {PROGRAM} help exit-codes, help environment, help files.
{ISSUES}"""


def command_help(command: Any, ctx: Any) -> str:
    """Returns a command's help: usage, what it does, its flags by table, examples."""
    width = max(50, min(shutil.get_terminal_size().columns, 100))
    operands = [param.make_metavar(ctx) for param in command.params if param.param_type_name == "argument"]
    summary, _, rest = (command.help or "").partition("\n\n")
    blocks = [
        textwrap.fill(f"Usage: {ctx.command_path} [OPTION]... {' '.join(operands)}".rstrip(), width),
        textwrap.fill(summary, width),
        textwrap.fill(" ".join(rest.split()), width),
    ]
    groups: dict[str, list[str]] = {}
    for param in command.get_params(ctx):
        if param.param_type_name == "option":
            groups.setdefault(param.rich_help_panel or "Help", []).append(_row(param, width))
    notes = {table.title: table.note for table in command.tables if table.note}
    for title, rows in groups.items():
        note = (
            [textwrap.fill(notes[title], width, initial_indent="  ", subsequent_indent="  ")]
            if notes.get(title)
            else []
        )
        blocks.append("\n".join([f"{title}:", *rows, *note]))
    blocks.append("\n".join(["Examples:", *(f"  {line}" for line in (command.epilog or "").splitlines())]))
    blocks.append(textwrap.fill(ISSUES, width))
    return "\n\n".join(filter(None, blocks))


def _row(param: Any, width: int) -> str:
    short = [name for name in param.opts if not name.startswith("--")]
    long = [name for name in param.opts if name.startswith("--")]
    if any(other.startswith("--no-") for other in param.secondary_opts):
        long[0] = long[0].replace("--", "--[no-]", 1)
    names = (", ".join(short) + ", " if short else "    ") + ", ".join(long)
    left = f"  {names} {param.metavar or ''}".rstrip()
    help = textwrap.wrap(param.help or "", width - FLAGS, break_on_hyphens=False)
    if len(left) > FLAGS - 2:
        return "\n".join([left, *(" " * FLAGS + line for line in help)])
    return "\n".join([f"{left:<{FLAGS}}{help[0]}", *(" " * FLAGS + line for line in help[1:])])


def exit_codes(tables: Sequence[type[Table]]) -> str:
    """Returns the table of exit statuses."""
    return _rows([(str(status.value), status.meaning) for status in ExitStatus])


def environment(tables: Sequence[type[Table]]) -> str:
    """Returns the table of variables: those of the commands' flags, and the others that are read."""
    own = {}
    for table in tables:
        for name, flag in table.flags().items():
            if variable := flag.variable(name):
                own[variable] = f"{flag.declarations(name)[0].split('/')[0]}: {flag.help}"
    keys = dict.fromkeys(KEY_VARIABLES, "The key; the first that is set counts.")
    return _rows(list((keys | OTHER_VARIABLES | own).items()))


def files(tables: Sequence[type[Table]]) -> str:
    """Returns the table of files."""
    return _rows(
        [
            (f"{config_folder()}/.env", "The user's settings and key; mode 0600."),
            (f"{config_folder()}/roles/NAME.md", "A system message, for --role NAME."),
            (".env", "Settings of the working directory, as far as they are trusted; see the README."),
            (f"{state_folder()}/sessions/NAME.jsonl", "A conversation, a message a line; mode 0600."),
            (f"{state_folder()}/history", "What was typed in chats; mode 0600."),
            (f"{cache_folder()}/models", "The ids that `models` has listed, for completions."),
            ("FILE.part", "What came of a broken answer to -o FILE."),
            ("FILE.old", "Rows of `batch -o FILE --resume` that answer no item of the input any more."),
        ]
    )


#: What `help` knows beside the commands.
TOPICS: dict[str, Callable[[Sequence[type[Table]]], str]] = {
    "exit-codes": exit_codes,
    "environment": environment,
    "files": files,
}
OTHER_VARIABLES = {
    "LLAMACLI_KEY_FILE": "Read the key from this file.",
    "LLAMACLI_KEY_COMMAND": "Run this command; what it prints is the key.",
    "LLAMACLI_DEBUG": "Show the traceback of a fault in llamacli itself.",
    "REQUESTS_CA_BUNDLE": "Trust these certificates, where no flag says otherwise; also CURL_CA_BUNDLE.",
    "HTTPS_PROXY": "Go through this proxy, but for loopback; also HTTP_PROXY, ALL_PROXY, NO_PROXY.",
    "NO_COLOR": "Use no colour; nor with TERM=dumb.",
    "VISUAL": "The editor of --edit, else EDITOR, else vi.",
    "XDG_CONFIG_HOME": "The folder of llamacli/.env and llamacli/roles, by default ~/.config.",
    "XDG_STATE_HOME": "The folder of llamacli/sessions and llamacli/history, by default ~/.local/state.",
    "XDG_CACHE_HOME": "The folder of llamacli/models, by default ~/.cache.",
}


def _rows(rows: list[tuple[str, str]]) -> str:
    columns = max(50, min(shutil.get_terminal_size().columns, 100))
    left = min(max(len(name) for name, _ in rows), 34) + 2
    lines = []
    for name, text in rows:
        first, *more = textwrap.wrap(text, columns - left, break_on_hyphens=False)
        lines += [f"{name:<{left}}{first}"] if len(name) < left else [name, " " * left + first]
        lines += [" " * left + line for line in more]
    return "\n".join(lines)
