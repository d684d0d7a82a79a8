"""The man page, made from the tables in roff's man(7) macros."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from llamacli import PROGRAM, RELEASED, __version__
from llamacli.cli.docs import help
from llamacli.cli.spec import PROGRAM_FLAGS, CommandSpec, FlagSpec, flag_specs
from llamacli.cli.table import Options
from llamacli.errors import ExitStatus

#: What roff would take for something else, or print as another character.
ESCAPES = str.maketrans(
    {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq", "\xa0": "\\ "}
)


def page(commands: Sequence[CommandSpec]) -> str:
    """Returns the source of the man page for these commands."""
    shared = _shared(commands)
    lines = [
        ".\\\" Made by `make completions` from the program's own tables; what is changed here is lost.",
        f'.TH {PROGRAM.upper()} 1 "{RELEASED}" "{PROGRAM} {__version__}"',
        ".SH NAME",
        rf"{PROGRAM} \- ask a chat model from the shell",
        ".SH SYNOPSIS",
        *_synopsis(commands),
        ".SH DESCRIPTION",
        *_text(help.ABOUT),
        ".SH COMMANDS",
        *(line for command in commands for line in _command(command, shared)),
        ".SH OPTIONS",
        *_text("Options may stand before, between or after operands; -- ends them."),
        *(line for entry in PROGRAM_FLAGS for line in _option(entry)),
        *_shared_options(shared),
        ".SH EXIT STATUS",
        *_rows((str(status.value), status.meaning) for status in ExitStatus),
        ".SH ENVIRONMENT",
        *_text(help.ORDER),
        *_rows(help.environment_rows([table for command in commands for table in command.groups])),
        ".SH FILES",
        *_rows(help.file_rows(lambda folder: f"~/{folder.default}/{PROGRAM}")),
        ".SH EXAMPLES",
        *_examples([example for command in commands for example in command.examples]),
        ".SH BUGS",
        *_text(help.ISSUES),
        ".SH SEE ALSO",
        ".BR curl (1),",
        ".BR jq (1)",
    ]
    return "\n".join(lines) + "\n"


def _shared(commands: Sequence[CommandSpec]) -> dict[type[Options], list[str]]:
    """Returns the tables that several commands have, with their names: those are described once."""
    users: dict[type[Options], list[str]] = {}
    for command in commands:
        for table in command.groups:
            users.setdefault(table, []).append(command.name)
    return {table: names for table, names in users.items() if len(names) > 1}


def _synopsis(commands: Sequence[CommandSpec]) -> Iterator[str]:
    yield ".nf"
    for command in commands:
        yield _usage(command)
    yield ".fi"


def _usage(command: CommandSpec) -> str:
    operands = "".join(f" \\fI{_escaped(operand.metavar)}\\fR" for operand in command.operands)
    return f"\\fB{PROGRAM} {_escaped(command.name)}\\fR [\\fIOPTION\\fR]...{operands}"


def _command(command: CommandSpec, shared: dict[type[Options], list[str]]) -> Iterator[str]:
    yield f".SS {PROGRAM} {_escaped(command.name)}"
    yield from _text(command.summary)
    if command.description:
        yield ".PP"
        yield from _text(command.description)
    for table in command.groups:
        if table not in shared:
            yield from (line for entry in flag_specs(table) for line in _option(entry))
    titles = dict.fromkeys(table.title for table in command.groups if table in shared)
    if titles:
        yield ".PP"
        yield from _text(f"Further options, described below: {', '.join(titles)}.")


def _shared_options(shared: dict[type[Options], list[str]]) -> Iterator[str]:
    titles = dict.fromkeys(table.title for table in shared)
    for title in titles:
        yield f".SS {_escaped(title)}"
        for place, table in enumerate(table for table in shared if table.title == title):
            # A paragraph begins by itself after a heading.
            yield from [".PP"] if place else []
            yield from _text(f"With {', '.join(shared[table])}:")
            for entry in flag_specs(table):
                yield from _option(entry)
            if table.note:
                yield ".PP"
                yield from _text(table.note)


def _option(entry: FlagSpec) -> Iterator[str]:
    value = entry.flag.type.metavar
    names = ", ".join(f"\\fB{_escaped(form)}\\fR" for form in entry.names)
    yield ".TP"
    yield names + (f" \\fI{_escaped(value)}\\fR" if value else "")
    yield from _text(entry.description)
    if entry.flag.example:
        yield ".IP"
        yield ".EX"
        yield _line(entry.flag.example)
        yield ".EE"


def _rows(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, text in rows:
        yield ".TP"
        yield f"\\fB{_escaped(name)}\\fR"
        yield from _text(text)


def _examples(examples: Iterable[str]) -> Iterator[str]:
    for place, example in enumerate(examples):
        yield from [".PP"] if place else []
        yield ".EX"
        yield _line(example)
        yield ".EE"


def _text(text: str) -> list[str]:
    """Returns a paragraph, a sentence beginning a line, as roff wants it."""
    sentences = text.replace(". ", ".\n").split("\n")
    lines = [line for sentence in sentences for line in textwrap.wrap(sentence, 66, break_on_hyphens=False)]
    return [_line(line) for line in lines]


def _line(text: str) -> str:
    # A dot or a quote at the beginning would be a request to roff.
    return ("\\&" if text.startswith((".", "'")) else "") + _escaped(text)


def _escaped(text: str) -> str:
    return text.translate(ESCAPES)
