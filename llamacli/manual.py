"""Help, made from the command as Typer has built it."""

import shutil
import textwrap
from collections.abc import Mapping
from typing import Any

from llamacli import PROGRAM

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

The key is read from $AIMLAPI_API_KEY. {ISSUES}"""


def command_help(command: Any, ctx: Any) -> str:
    """Returns a command's help: usage, what it does, its flags by table, examples."""
    width = max(50, min(shutil.get_terminal_size().columns, 100))
    operands = [param.make_metavar(ctx) for param in command.params if param.param_type_name == "argument"]
    summary, _, rest = (command.help or "").partition("\n\n")
    blocks = [
        f"Usage: {ctx.command_path} [OPTION]... {' '.join(operands)}".rstrip(),
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
