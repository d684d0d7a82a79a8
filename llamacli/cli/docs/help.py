"""Help, made from the commands as Typer has built them and from the tables that they share."""

import shutil
import textwrap
from collections.abc import Callable, Mapping, Sequence

from llamacli import PROGRAM
from llamacli.cli.spec import CommandSpec, FlagSpec, flag_specs
from llamacli.cli.table import Options
from llamacli.config.paths import PROJECT_FILES, STORED_FILES, Folder
from llamacli.config.settings import KEY_SOURCES, KEY_VARIABLES
from llamacli.config.variables import KEYS, OTHER_VARIABLES
from llamacli.errors import ExitStatus

ISSUES = "Report problems with the output of -v and --version in the project's issue tracker."


ABOUT = (
    "Asks a chat model from the shell: text in, the answer out, and an exit status to trust. "
    "Standard output is the answer and nothing else; what there is to say about it goes to standard error. "
    "It talks to the AI/ML API, and to every other OpenAI-compatible server."
)


ORDER = (
    "A setting comes from its flag, else from the environment, else from the working directory's .env, else from the "
    "user's .env, else it has its default."
)


EXAMPLES = (
    "llamacli ask why is the sky blue",
    "git diff | llamacli ask 'Write a commit message for:'",
    "llamacli chat -S review 'What does this do?' <main.py",
)


#: Columns that the flags take; a longer one has its help on the next line.
FLAGS = 31


def program_help(commands: Mapping[str, str]) -> str:
    """Returns the program's help: what it is, its commands, how to begin."""
    rows = [_beside(f"  {name}", help, 14) for name, help in commands.items()]
    blocks = [
        f"Usage: {PROGRAM} COMMAND [OPTION]... [OPERAND]...",
        filled(ABOUT.partition(". ")[0] + "."),
        "\n".join(["Commands:", *rows]),
        "\n".join(["Examples:", *(f"  {line}" for line in EXAMPLES)]),
        filled(
            f"-h prints help, also after a command, and --version the version. "
            f"More: {PROGRAM} help exit-codes, help environment, help files. "
            f"The key is read from ${KEY_VARIABLES[0]}. {ISSUES}"
        ),
    ]
    return "\n\n".join(blocks)


def command_help(command: CommandSpec) -> str:
    """Returns a command's help: usage, what it does, its flags by table, examples."""
    width = columns()
    operands = " ".join(operand.metavar for operand in command.operands)
    blocks = [
        filled(f"Usage: {PROGRAM} {command.name} [OPTION]... {operands}".rstrip(), indent="  "),
        filled(command.summary),
        filled(command.description),
    ]
    groups: dict[str, list[str]] = {}
    for entry in command.flags:
        groups.setdefault(entry.group.title, []).append(_row(entry, width))
    notes: dict[str, str] = {}
    for table in filter(lambda table: table.note, command.groups):
        # Of several tables under one title the first one's is about all that follow.
        notes.setdefault(table.title, table.note)
    for title, rows in groups.items():
        note = [filled("  " + notes[title], indent="  ")] if title in notes else []
        blocks.append("\n".join([f"{title}:", *rows, *note]))
    blocks.append("\n".join(["Examples:", *(f"  {line}" for line in command.examples)]))
    blocks.append(filled(ISSUES))
    return "\n\n".join(filter(None, blocks))


def columns() -> int:
    """Returns how wide help is: as the terminal, but neither too wide to be read nor too narrow for a flag."""
    return max(36, min(shutil.get_terminal_size().columns, 100))


def filled(text: str, indent: str = "") -> str:
    """Returns a paragraph that is no wider than help; `indent` stands before all lines but the first."""
    return textwrap.fill(text, columns(), subsequent_indent=indent, break_on_hyphens=False)


def _row(entry: FlagSpec, width: int) -> str:
    # On a narrow terminal the help stands below the flag.
    return _beside(f"  {entry.label}", entry.description, FLAGS if width >= 60 else 8)


def _beside(label: str, text: str, left: int) -> str:
    """Returns a label and its text in two columns; a label that is too long has a line of its own."""
    lines = textwrap.wrap(text, columns() - left, break_on_hyphens=False)
    if len(label) > left - 2:
        return "\n".join([label, *(" " * left + line for line in lines)])
    return "\n".join([f"{label:<{left}}{lines[0]}", *(" " * left + line for line in lines[1:])])


def exit_codes(tables: Sequence[type[Options]]) -> str:
    """Returns the table of exit statuses."""
    return _rows([(str(status.value), status.meaning) for status in ExitStatus])


def environment(tables: Sequence[type[Options]]) -> str:
    """Returns the table of variables: those of the commands' flags, and the others that are read."""
    return _rows(environment_rows(tables))


def environment_rows(tables: Sequence[type[Options]]) -> list[tuple[str, str]]:
    """Returns all variables with what they do."""
    own = {variable: f"{entry.long}: {entry.flag.help}" for variable, entry in variables(tables).items()}
    return list((KEYS | own | OTHER_VARIABLES).items())


def variables(tables: Sequence[type[Options]]) -> dict[str, FlagSpec]:
    """Returns the flags that have a default in the environment, by its name."""
    found = [entry for table in tables for entry in flag_specs(table)]
    return {name: entry for entry in found if (name := entry.flag.variable(entry.field))}


def example_env(tables: Sequence[type[Options]]) -> str:
    """Returns a .env that names every setting, each in a comment of its own."""
    own = variables(tables)
    trusted = {name: entry for name, entry in own.items() if not entry.flag.untrusted}
    plain = {name: entry for name, entry in own.items() if entry.flag.untrusted}
    parts = [
        "# Settings of llamacli: take the # from a line to set it, here or in ~/.config/llamacli/.env.",
        "# Made by `make completions` from the program's own tables; what is changed here is lost.",
        "",
        "# The key; the first that is set counts.",
        *(f"#{name}=" for name in KEY_VARIABLES),
        "",
        *(line for name, entry in plain.items() for line in _setting(name, entry)),
        "# What follows counts in ~/.config/llamacli/.env and in the environment, not in a working directory's .env,",
        "# which may be a stranger's.",
        "",
        *(line for name in KEY_SOURCES for line in (f"# {KEYS[name]}", f"#{name}=", "")),
        *(line for name, entry in trusted.items() for line in _setting(name, entry)),
        "# Read from the environment alone, not from a .env:",
        *(f"# {name}: {text}" for name, text in OTHER_VARIABLES.items()),
    ]
    return "\n".join(parts) + "\n"


def _setting(name: str, entry: FlagSpec) -> list[str]:
    default = getattr(entry.group, entry.field, None)
    value = "" if default is None else str(int(default) if isinstance(default, bool) else default)
    return [f"# {entry.long}: {entry.description}", f"#{name}={value}", ""]


def files(tables: Sequence[type[Options]]) -> str:
    """Returns the table of files."""
    return _rows(file_rows(lambda folder: str(folder.path())))


def file_rows(where: Callable[[Folder], str]) -> list[tuple[str, str]]:
    """Returns all files with what they are; `where` says how to write a folder."""
    return [(f"{where(place.folder)}/{place.pattern}", place.text) for place in STORED_FILES] + PROJECT_FILES


#: What `help` knows beside the commands.
TOPICS: dict[str, Callable[[Sequence[type[Options]]], str]] = {
    "exit-codes": exit_codes,
    "environment": environment,
    "files": files,
}


def _rows(rows: list[tuple[str, str]]) -> str:
    left = min(max(len(name) for name, _ in rows), 34, columns() // 2) + 2
    return "\n".join(_beside(name, text, left) for name, text in rows)
