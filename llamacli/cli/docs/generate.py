"""Generated files: the completion scripts, and all that the repository keeps.

For the repository: `python -m llamacli.cli.docs.generate FOLDER`.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from llamacli import PROGRAM
from llamacli.cli import app
from llamacli.cli.docs import help, man
from llamacli.cli.spec import PROGRAM_FLAGS, CommandSpec, FlagSpec
from llamacli.cli.table import Operand
from llamacli.cli.types import ParamType
from llamacli.config import MODELS, PROMPTS, ROLES, SESSIONS, StoredFile
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.files import write_atomically
from llamacli.stdio.text import shell_quoted

#: The names of the completion scripts in the repository.
FILES = {"bash": f"{PROGRAM}.bash", "zsh": f"_{PROGRAM}", "fish": f"{PROGRAM}.fish"}
SHELLS = tuple(FILES)
SCRIPT_FOLDER = Path(__file__).parent / "shells"
#: The files with the names for each `ParamType.completes`; the shell completes "file" and "field" itself.
LISTINGS = {"model": MODELS, "role": ROLES, "prompt": PROMPTS, "session": SESSIONS}


def files() -> dict[str, str]:
    """Returns each file's content by its path in the repository."""
    commands = app.commands()
    scripts = {f"completions/{name}": script(shell, commands) for shell, name in FILES.items()}
    return {
        **scripts,
        f"completions/{PROGRAM}.1": man.page(commands),
        ".env.example": help.example_env([table for command in commands for table in command.groups]),
    }


def install(path: Path, content: bytes) -> None:
    """Writes a file and its folders. Raises LlamaError (output)."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content, 0o644, follow=True)
    except OSError as error:
        raise LlamaError(ExitStatus.OUTPUT, f"cannot write {path}: {error.strerror}") from None


def script(shell: str, commands: Sequence[CommandSpec]) -> str:
    """Returns the completion script for a shell."""
    blocks = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](commands)
    return fill(f"completion.{shell}", {name: "\n".join(lines) for name, lines in blocks.items()})


def fill(name: str, values: Mapping[str, str]) -> str:
    """Returns a file of SCRIPT_FOLDER with values in place of @NAME@."""
    text = (SCRIPT_FOLDER / name).read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def _kind(kind: ParamType) -> str:
    """Returns what a shell offers: "@" is a file after @, "text" nothing."""
    return "@" if kind.at_file else kind.completes or "text"


def _value(kind: ParamType) -> str:
    return " ".join([_kind(kind), *kind.values])


def _operands(commands: Sequence[CommandSpec]) -> Iterator[tuple[str, ParamType]]:
    """Yields `command:place` (* if repeated) and type of each operand."""
    for command in commands:
        for number, operand in enumerate(command.operands, 1):
            yield f"{command.name}:{'*' if operand.multiple else number}", operand.type


def _quoted(text: str) -> str:
    plain = text and all(character.isalnum() or character in "-_./@" for character in text)
    return text if plain else shell_quoted(text)


def _bash(commands: Sequence[CommandSpec]) -> dict[str, Iterable[str]]:
    flags = {"''": PROGRAM_FLAGS, **{command.name: command.flags for command in commands}}
    return {
        "FLAGS": (line for name, entries in flags.items() for line in _bash_flags(name, entries)),
        "FLAG_NAMES": (
            f"    {name}) all={_quoted(' '.join(form for entry in entries for form in entry.names))} ;;"
            for name, entries in flags.items()
        ),
        "OPERANDS": (f"    {place}) _llamacli_value '' {_value(kind)} ;;" for place, kind in _operands(commands)),
        "LISTINGS": _bash_listings(),
        "COMMANDS": [" ".join(command.name for command in commands)],
    }


def _bash_flags(command: str, entries: Sequence[FlagSpec]) -> Iterator[str]:
    yield f"    {command})"
    yield "        case $1 in"
    for entry in entries:
        sets = [f"forms={_quoted(' '.join(entry.names))}"]
        sets += [f"value={_quoted(_value(entry.flag.type))}"] if entry.takes_value else []
        sets += ["again=1"] if entry.flag.multiple else []
        yield f"        {' | '.join(entry.names)}) {' '.join(sets)} ;;"
    yield "        esac"
    yield "        ;;"


def _bash_listings() -> Iterator[str]:
    for name, listing in LISTINGS.items():
        path = f'"$folder/llamacli/{listing.name}"'
        yield from _listing_folder(name, listing)
        if listing.suffix:
            yield f'        _llamacli_names "$2" {path} {listing.suffix}'
        else:
            yield f"        [[ -r {path[1:-1]} && -f {path[1:-1]} ]] || return"
            yield "        while IFS= read -r line || [[ $line ]]; do"
            yield '            _llamacli_add "$2" "$line"'
            yield f"        done <{path}"
        yield "        ;;"


def _listing_folder(name: str, listing: StoredFile) -> Iterator[str]:
    """Yields how a case of bash or zsh begins: with the folder of a listing."""
    yield f"    {name})"
    yield f"        folder=${{{listing.folder.variable}-}}"
    # ${HOME-} works with `set -u` too.
    yield f'        [[ $folder == /* ]] || folder="${{HOME-}}/{listing.folder.default}"'


def _zsh(commands: Sequence[CommandSpec]) -> dict[str, Iterable[str]]:
    return {
        "COMMANDS": (f"        {_quoted(f'{command.name}:{_colons(command.summary)}')}" for command in commands),
        "FLAGS": (f"        {spec} \\" for entry in PROGRAM_FLAGS for spec in _zsh_specs(entry)),
        "OPERANDS": (line for command in commands for line in _zsh_operands(command)),
        "LISTINGS": _zsh_listings(),
    }


def _zsh_operands(command: CommandSpec) -> Iterator[str]:
    specs = [spec for entry in command.flags for spec in _zsh_specs(entry)]
    specs += [_zsh_operand(operand, number) for number, operand in enumerate(command.operands, 1)]
    yield f"    {command.name})"
    yield "        _arguments -s -S \\"
    yield " \\\n".join(f"            {spec}" for spec in specs)
    yield "        ;;"


def _zsh_specs(entry: FlagSpec) -> Iterator[str]:
    """Yields a specification for each name; it excludes the others."""
    before = "*" if entry.flag.multiple else f"({' '.join(entry.names)})" if len(entry.names) > 1 else ""
    for text, form in ((text, form) for text, forms in entry.descriptions.items() for form in forms):
        takes = ("=" if form.startswith("--") else "+") if entry.takes_value else ""
        value = f":{_colons(entry.flag.type.metavar)}:{_zsh_action(entry.flag.type)}" if takes else ""
        brackets = text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
        yield _quoted(f"{before}{form}{takes}[{brackets}]{value}")


def _zsh_operand(operand: Operand, number: int) -> str:
    name, action = operand.type.metavar, _zsh_action(operand.type)
    place = "*" if operand.multiple else number
    return _quoted(f"{place}:{_colons(name)}:{f' _llamacli_text {name}' if action == ' ' else action}")


def _zsh_action(kind: ParamType) -> str:
    """Returns the action for a value. A blank keeps zsh from adding words."""
    words = " ".join(kind.values)
    values = _kind(kind)
    if values == "text":
        return f"({words})" if words else " "
    if values == "@":
        return f" _llamacli_at {words}".rstrip()
    return {"file": "_files", "field": " _llamacli_field"}.get(values, f" _llamacli_names {values}")


def _colons(text: str) -> str:
    return text.replace("\\", "\\\\").replace(":", "\\:")


def _zsh_listings() -> Iterator[str]:
    for name, listing in LISTINGS.items():
        path = f"$folder/llamacli/{listing.name}"
        yield from _listing_folder(name, listing)
        if listing.suffix:
            yield f"        names=({path}/$start*{listing.suffix}(NoN:t:r))"
        else:
            yield f'        [[ -r {path} && -f {path} ]] && names=(${{(f)"$(<{path})"}})'
        yield "        ;;"


def _fish(commands: Sequence[CommandSpec]) -> dict[str, Iterable[str]]:
    flags = {"''": PROGRAM_FLAGS, **{command.name: command.flags for command in commands}}
    return {
        "FLAGS": (line for name, entries in flags.items() for line in _fish_flags(name, entries)),
        "OFFERS": (line for name, entries in flags.items() for line in _fish_offers(name, entries)),
        "COMMANDS": (f"    printf '%s\\t%s\\n' {command.name} {_fish_quoted(command.summary)}" for command in commands),
        "OPERANDS": (
            f"        case '{place}'\n            printf '%s\\n' {_value(kind)}" for place, kind in _operands(commands)
        ),
        "LISTINGS": _fish_listings(),
    }


def _fish_quoted(text: str) -> str:
    # A backslash means something in single quotes too.
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fish_flags(command: str, entries: Sequence[FlagSpec]) -> Iterator[str]:
    yield f"        case {command}"
    yield "            switch $argv[1]"
    for entry in entries:
        forms = " ".join(entry.names)
        yield f"                case {forms}"
        yield f"                    set forms {forms}"
        if entry.takes_value:
            yield f"                    set value {_value(entry.flag.type)}"
    yield "            end"


def _fish_offers(command: str, entries: Sequence[FlagSpec]) -> Iterator[str]:
    yield f"        case {command}"
    for entry in entries:
        again = "1" if entry.flag.multiple else "''"
        for text, forms in entry.descriptions.items():
            yield f"            __llamacli_offer {again} {_fish_quoted(text)} {' '.join(forms)}"


def _fish_listings() -> Iterator[str]:
    for name, listing in LISTINGS.items():
        path = f"$folder/llamacli/{listing.name}"
        yield f"        case {name}"
        yield f"            set -l folder ${listing.folder.variable}"
        yield f'            string match -q \'/*\' -- "$folder"; or set folder "$HOME/{listing.folder.default}"'
        if listing.suffix:
            pattern = listing.suffix.replace(".", "\\.")
            # Only matching files, since there may be thousands; if there are none, all of them.
            yield f"            set -l paths {path}/$argv[2]*{listing.suffix}"
            yield f"            set -q paths[1]; or set paths {path}/*{listing.suffix}"
            # Without arguments, string would wait for stdin.
            yield f"            set -q paths[1]; and string replace -rf '.*/([^[:cntrl:]]*){pattern}$' '$1' -- $paths"
        else:
            yield f"            if test -r {path}; and test -f {path}"
            yield f"                string match -rv '[[:cntrl:]]' <{path}"
            yield "            end"


if __name__ == "__main__":
    for path, text in files().items():
        target = Path(sys.argv[1], path)
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
