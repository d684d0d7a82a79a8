"""What the completion scripts of all shells share."""

from llamacli.cli.spec import CommandSpec, FlagSpec
from llamacli.cli.types import ParamType
from llamacli.config.paths import MODELS, PROMPTS, ROLES, SESSIONS, Folder
from llamacli.stdio.shell import quote

HEAD = "Made by `make completions` from the program's own tables; what is changed here is lost."


#: Where the names are that each `Kind.completes` stands for; "file" and "field" are the shell's own matter.
LISTINGS = {"model": MODELS, "role": ROLES, "prompt": PROMPTS, "session": SESSIONS}


def completion_kind(kind: ParamType) -> str:
    """Returns in a word what a shell offers beside the fixed words: "@" for a file after @, "text" for nothing."""
    return "@" if kind.at_file else kind.completes or "text"


def value(entry: FlagSpec) -> str:
    """Returns what a flag's value is: its sort and the fixed words; "" for a flag that takes none."""
    kind = entry.flag.type
    return " ".join([completion_kind(kind), *kind.values]) if entry.takes_value else ""


def flag_names(command: CommandSpec) -> list[str]:
    """Returns the names of all flags of a command."""
    return [form for entry in command.flags for form in entry.names]


def quoted(text: str) -> str:
    """Quotes a word for a POSIX shell or zsh, where it needs it."""
    plain = text and all(character.isalnum() or character in "-_./@" for character in text)
    return text if plain else quote(text)


def folder_expression(folder: Folder) -> str:
    """Returns the default folder in a shell's double quotes."""
    return f"$HOME/{folder.default}"
