"""The completion for zsh: specifications for `_arguments`."""

from collections.abc import Iterator, Sequence

from llamacli.cli.docs.completion.common import HEAD, LISTINGS, completion_kind, folder_expression, quoted
from llamacli.cli.spec import PROGRAM_FLAGS, CommandSpec, FlagSpec
from llamacli.cli.table import Operand
from llamacli.cli.types import ParamType

ENGINE = """
# The fixed words in the arguments, or a file after @.
_llamacli_at() {
    local expl
    if compset -P '@'; then
        _files
    elif (($#)); then
        _wanted values expl value compadd -- "$@"
    fi
}

# The name of a free-text operand; not shown with flags, where it would keep a unique match from being inserted.
_llamacli_text() {
    [[ $words[CURRENT] == -* ]] || _message -e texts $1
}

# A file after KEY=@.
_llamacli_field() {
    compset -P '*=@' && _files
}

_llamacli() {
    local command i
    for ((i = 2; i < CURRENT; i++)); do
        [[ $words[i] != -* ]] || continue
        command=$words[i]
        words=("${(@)words[i,-1]}")
        ((CURRENT -= i - 1))
        local curcontext="${curcontext%:*:*}:llamacli-$command:"
        _llamacli_operands
        return
    done
    _arguments -s -S \\
GLOBAL
        '1:command:_llamacli_commands'
}

if [[ $funcstack[1] == _llamacli ]]; then
    _llamacli "$@"
else
    compdef _llamacli llamacli
fi
"""


def script(commands: Sequence[CommandSpec]) -> str:
    """Returns the script."""
    parts = [
        "#compdef llamacli",
        f"# zsh completion for llamacli. {HEAD}",
        "",
        "_llamacli_commands() {",
        "    local -a commands=(",
        *(
            f"        {quoted(command.name + ':' + command.summary.replace(':', chr(92) + ':'))}"
            for command in commands
        ),
        "    )",
        "    _describe -t commands command commands",
        "}",
        "",
        *_operands(commands),
        "",
        *_names(),
    ]
    top = " \\\n".join(f"        {spec}" for entry in PROGRAM_FLAGS for spec in _specs(entry))
    return "\n".join(parts) + "\n" + ENGINE.replace("GLOBAL", top + " \\")


def _operands(commands: Sequence[CommandSpec]) -> Iterator[str]:
    yield "# The flags and operands of $command."
    yield "_llamacli_operands() {"
    yield "    case $command in"
    for command in commands:
        specs = [spec for entry in command.flags for spec in _specs(entry)]
        specs += [_place(place, number) for number, place in enumerate(command.operands, 1)]
        yield f"    {command.name})"
        yield "        _arguments -s -S \\"
        yield from (f"            {spec} \\" for spec in specs[:-1])
        yield f"            {specs[-1]}"
        yield "        ;;"
    yield "    esac"
    yield "}"


def _specs(entry: FlagSpec) -> Iterator[str]:
    """Yields a specification for each name of a flag.

    It excludes the other names.
    """
    before = "*" if entry.flag.multiple else f"({' '.join(entry.names)})" if len(entry.names) > 1 else ""
    for text, form in ((text, form) for text, forms in entry.descriptions.items() for form in forms):
        takes = ("=" if form.startswith("--") else "+") if entry.takes_value else ""
        value = f":{_colons(entry.flag.type.metavar)}:{_action(entry.flag.type)}" if takes else ""
        yield quoted(f"{before}{form}{takes}[{_brackets(text)}]{value}")


def _place(place: Operand, number: int) -> str:
    name, action = place.type.metavar, _action(place.type)
    return quoted(
        f"{'*' if place.multiple else number}:{_colons(name)}:{f' _llamacli_text {name}' if action == ' ' else action}"
    )


def _action(kind: ParamType) -> str:
    """Returns the zsh action for a value.

    A leading blank keeps zsh from adding arguments.
    """
    words = " ".join(kind.values)
    what = completion_kind(kind)
    if what == "text":
        return f"({words})" if words else " "
    if what == "@":
        return f" _llamacli_at {words}".rstrip()
    return {"file": "_files", "field": " _llamacli_field"}.get(what, f" _llamacli_names {what}")


def _brackets(text: str) -> str:
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _colons(text: str) -> str:
    return text.replace("\\", "\\\\").replace(":", "\\:")


def _names() -> Iterator[str]:
    yield "# The names of one kind: files of a folder, or lines of a file."
    yield "_llamacli_names() {"
    yield "    local folder expl start="
    yield "    local -a names"
    yield "    # Only matching names, since there may be thousands."
    yield "    [[ $PREFIX == *[^A-Za-z0-9._-]* ]] || start=$PREFIX"
    yield "    case $1 in"
    for name, listing in LISTINGS.items():
        yield f"    {name})"
        yield f"        folder=${{{listing.folder.variable}-}}"
        yield f'        [[ $folder == /* ]] || folder="{folder_expression(listing.folder)}"'
        path = f"$folder/llamacli/{listing.name}"
        if listing.suffix:
            yield f"        names=({path}/$start*{listing.suffix}(NoN:t:r))"
        else:
            yield f'        [[ -r {path} && -f {path} ]] && names=(${{(f)"$(<{path})"}})'
        yield "        ;;"
    yield "    esac"
    yield "    [[ ${(j::)names} != *[[:cntrl:]]* ]] || names=(${names:#*[[:cntrl:]]*})"
    yield "    _wanted names expl $1 compadd -a names"
    yield "}"
