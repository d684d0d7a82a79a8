"""The help of commands, the topics, and the tables of variables and files."""

import os
import shutil
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from llamacli import PROGRAM
from llamacli.cli.spec import CommandSpec, FlagSpec, HelpOptions, all_groups, flag_specs
from llamacli.cli.table import Options
from llamacli.config import FOLDERS, KEY_SOURCES, KEY_VARIABLES, PROJECT_FILES, STORED_FILES, Folder
from llamacli.errors import ExitStatus

ISSUES = "To report a problem, open an issue with the output of -v and --version."
ABOUT = (
    "Asks a chat model from the shell: text in, the answer out, and an exit status that scripts can trust. "
    "Standard output carries the answer and nothing else; notes and errors go to standard error. "
    "It talks to the AI/ML API and to any other OpenAI-compatible server."
)
EXAMPLES = (
    "llamacli ask why is the sky blue",
    "git diff | llamacli ask 'Write a commit message for:'",
    "llamacli chat -S review 'What does this do?' <main.py",
)
#: Columns of the flags; the help of a longer one begins on the next line.
FLAG_COLUMNS = 31
#: Examples in the short help.
SHORT_EXAMPLES = 3
TOPIC_FOLDER = Path(__file__).parent / "topics"
#: All topics: each is a text file whose first line is the title.
TOPICS = tuple(sorted(name.removesuffix(".txt") for name in os.listdir(TOPIC_FOLDER)))

Rows = list[tuple[str, str]]


def _within(folder: Folder) -> str:
    *first, last = (f"{PROGRAM}/{place.name}" for place in STORED_FILES if place.folder is folder)
    return f"{', '.join(first)} and {last}" if first else last


#: The variables that hold a key, or say where it is.
KEYS = {
    KEY_VARIABLES[0]: "The API key.",
    **dict.fromkeys(KEY_VARIABLES[1:], f"The API key if {KEY_VARIABLES[0]} is not set."),
    "LLAMACLI_KEY_FILE": "Read the key from this file.",
    "LLAMACLI_KEY_COMMAND": "Read the key from the output of this command; run again after a 401.",
}
#: Variables that are not llamacli settings, and are read only from the environment.
OTHER_VARIABLES = {
    "LLAMACLI_DEBUG": "Show the traceback of an internal error.",
    "REQUESTS_CA_BUNDLE": "CA certificates to trust; also CURL_CA_BUNDLE and SSL_CERT_FILE.",
    "HTTPS_PROXY": "Proxy for all hosts except this machine; also HTTP_PROXY, ALL_PROXY, NO_PROXY.",
    "NO_COLOR": "Use no color; TERM=dumb has the same effect.",
    "VISUAL": "Editor for --edit; else EDITOR, else vi.",
    **{folder.variable: f"Base folder of {_within(folder)} (default ~/{folder.default})." for folder in FOLDERS},
}


def program_help(commands: Mapping[str, str]) -> str:
    """Returns the short help of the program: its commands and how to begin."""
    rows = [_two_columns(f"  {name}", help, 14) for name, help in commands.items()]
    blocks = [
        f"Usage: {PROGRAM} COMMAND [OPTION]... [OPERAND]...",
        "\n".join(["Commands:", *rows]),
        "\n".join(["Examples:", *(f"  {line}" for line in EXAMPLES)]),
        wrapped(f"First, store your API key: {PROGRAM} config set-key. More: {PROGRAM} COMMAND -h, {PROGRAM} --help."),
    ]
    return "\n\n".join(blocks)


def full_program_help(commands: Mapping[str, str]) -> str:
    """Returns the full help of the program, with the topics."""
    blocks = [
        program_help(commands).rpartition("\n\n")[0],
        wrapped(ABOUT),
        "\n".join(["Topics:", *(_two_columns(f"  {name}", f"{topic_title(name)}.", 16) for name in TOPICS)]),
        wrapped(
            f"{PROGRAM} COMMAND -h prints the short help of a command, and --help the full help. {PROGRAM} help TOPIC "
            f"explains a topic. Store your key with {PROGRAM} config set-key, or set {KEY_VARIABLES[0]}. {ISSUES}"
        ),
    ]
    return "\n\n".join(blocks)


def short_help(command: CommandSpec) -> str:
    """Returns the help that fits on a screen of 24 lines and 80 columns."""
    common = list(filter(command.is_common, command.flags)) or flag_specs(HelpOptions)
    blocks = [
        "\n".join([_usage(command), wrapped(command.summary)]),
        *_actions(command),
        "\n".join(["Options:", *(_row(flag, flag.flag.help) for flag in common)]),
        "\n".join(["Examples:", *(f"  {line}" for line in command.examples[:SHORT_EXAMPLES])]),
        f"All options: {PROGRAM} {command.name} --help",
    ]
    return "\n\n".join(blocks)


def command_help(command: CommandSpec, topic: str = "") -> str:
    """Returns the full help of a command, with the topic of its name."""
    blocks = [_usage(command), wrapped(command.summary), *_actions(command), *map(wrapped, command.description)]
    groups: dict[str, list[str]] = {}
    for flag in command.flags:
        groups.setdefault("Common options" if command.is_common(flag) else flag.group.title, []).append(
            _row(flag, flag.description)
        )
    if "Common options" in groups:
        groups = {"Common options": groups.pop("Common options"), **groups}
    notes: dict[str, str] = {}
    for group in filter(lambda group: group.note, command.groups):
        # If several groups share a title, the note of the first one covers them all.
        notes.setdefault(group.title, group.note)
    for title, rows in groups.items():
        note = [wrapped("  " + notes[title], indent="  ")] if title in notes else []
        blocks.append("\n".join([f"{title}:", *rows, *note]))
    blocks.append("\n".join(["Examples:", *(f"  {line}" for line in command.examples)]))
    more = f" More: {PROGRAM} help {command.name}." if command.name in TOPICS and not topic else ""
    return "\n\n".join(filter(None, [*blocks, topic, wrapped(ISSUES + more)]))


def columns() -> int:
    """Returns the width of help: the terminal's, within bounds."""
    return max(36, min(shutil.get_terminal_size().columns, 100))


def wrapped(text: str, indent: str = "") -> str:
    """Returns a wrapped paragraph; `indent` precedes later lines."""
    return textwrap.fill(text, columns(), subsequent_indent=indent, break_on_hyphens=False)


def _usage(command: CommandSpec) -> str:
    operands = " ".join(operand.metavar for operand in command.operands)
    return wrapped(f"Usage: {PROGRAM} {command.name} [OPTION]... {operands}".rstrip(), indent="  ")


def _actions(command: CommandSpec) -> list[str]:
    rows = [_two_columns(f"  {usage}", text, 24) for usage, text in command.actions.items()]
    return ["\n".join(["Actions:", *rows])] if rows else []


def _row(flag: FlagSpec, text: str) -> str:
    # On a narrow terminal the help stands below the flag.
    return _two_columns(f"  {flag.label}", text, FLAG_COLUMNS if columns() >= 60 else 8)


def _two_columns(label: str, text: str, left: int) -> str:
    """Returns a label and its text, below it if the label is long."""
    lines = textwrap.wrap(text, columns() - left, break_on_hyphens=False)
    if len(label) > left - 2:
        return "\n".join([label, *(" " * left + line for line in lines)])
    return "\n".join([f"{label:<{left}}{lines[0]}", *(" " * left + line for line in lines[1:])])


def topic_title(name: str) -> str:
    """Returns the first line of a topic."""
    return _topic_text(name).partition("\n")[0]


def topic_paragraphs(name: str) -> list[str]:
    """Returns a topic's paragraphs; those indented by four stay as is."""
    return [paragraph for paragraph in _topic_text(name).strip("\n").split("\n\n")[1:] if paragraph]


def topic_rows(name: str, commands: Sequence[CommandSpec], where: Callable[[Folder], str]) -> Rows:
    """Returns the table at the end of a topic."""
    if name == "exit-codes":
        return [(str(status.value), status.meaning) for status in ExitStatus]
    if name == "environment":
        flags = variables(all_groups(commands))
        return list(
            (KEYS | {name: f"{flag.long}: {flag.flag.help}" for name, flag in flags.items()} | OTHER_VARIABLES).items()
        )
    if name == "files":
        return [(f"{where(file.folder)}/{file.pattern}", file.text) for file in STORED_FILES] + PROJECT_FILES
    return [row for command in commands if command.name == name for row in command.help_rows()]


def topic(name: str, commands: Sequence[CommandSpec]) -> str:
    """Returns a topic as text."""
    paragraphs = [text if text.startswith("    ") else wrapped(text) for text in topic_paragraphs(name)]
    rows = topic_rows(name, commands, lambda folder: str(folder.path()))
    return "\n\n".join([f"{topic_title(name)}", *paragraphs, *([_aligned(rows)] if rows else [])])


def _topic_text(name: str) -> str:
    return (TOPIC_FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def _aligned(rows: Rows) -> str:
    left = min(max(len(name) for name, _ in rows), 34, columns() // 2) + 2
    return "\n".join(_two_columns(name, text, left) for name, text in rows)


def variables(groups: Sequence[type[Options]]) -> dict[str, FlagSpec]:
    """Returns the flags with an environment variable, by its name."""
    flags = [flag for group in groups for flag in flag_specs(group)]
    return {name: flag for flag in flags if (name := flag.flag.variable(flag.field))}


def example_env(groups: Sequence[type[Options]]) -> str:
    """Returns the text of a .env with every setting in a comment."""
    flags = variables(groups)
    trusted = {name: flag for name, flag in flags.items() if not flag.flag.untrusted}
    plain = {name: flag for name, flag in flags.items() if flag.flag.untrusted}
    parts = [
        "# Settings of llamacli. Copy the lines that you need to ~/.config/llamacli/.env, and remove the #.",
        "# Generated by `make completions`; changes to this file are lost.",
        "",
        "# The API key; the first one that is set is used.",
        *(f"#{name}=" for name in KEY_VARIABLES),
        "",
        *(line for name, flag in plain.items() for line in _setting(name, flag)),
        "# The settings above are also read from the .env of the working directory. The following are not, because",
        "# that file may belong to somebody else.",
        "",
        *(line for name in KEY_SOURCES for line in (f"# {KEYS[name]}", f"#{name}=", "")),
        *(line for name, flag in trusted.items() for line in _setting(name, flag)),
        "# Read from the environment only:",
        *(f"# {name}: {text}" for name, text in OTHER_VARIABLES.items()),
    ]
    return "\n".join(parts) + "\n"


def _setting(name: str, flag: FlagSpec) -> list[str]:
    default = getattr(flag.group, flag.field, None)
    value = "" if default is None else str(int(default) if isinstance(default, bool) else default)
    values = f" [{flag.flag.type.metavar}]" if flag.flag.type.values else ""
    return [f"# {flag.long}: {flag.description}{values}", f"#{name}={value}", ""]
