"""Key bindings that ask a model for a command line."""

import re
from typing import NamedTuple

from llamacli import PROGRAM
from llamacli.cli.types import ParamType
from llamacli.stdio.escape import shell_quoted


class Key(NamedTuple):
    """One key of a sequence: `modifier` is ctrl, alt or nothing."""

    modifier: str
    character: str


class KeySequence(ParamType):
    """Keys separated by spaces: `ctrl-x l`, `alt-l`."""

    metavar = "KEYSEQ"

    def parse(self, text: str) -> list[Key]:
        matches = [re.fullmatch(r"(?:(ctrl|alt)-)?([a-z0-9])", word) for word in text.lower().split()]
        keys = [Key(match[1] or "", match[2]) for match in matches if match]
        if not keys or len(keys) < len(matches) or not keys[0].modifier:
            raise ValueError("is not a key like ctrl-g, alt-l or 'ctrl-x l'")
        return keys


#: How each shell writes the modifiers.
MODIFIERS = {
    "bash": {"ctrl": r"\C-", "alt": r"\e", "": ""},
    "zsh": {"ctrl": "^", "alt": "^[", "": ""},
    "fish": {"ctrl": r"\c", "alt": r"\e", "": ""},
}
BINDINGS = {
    "bash": r"""
_llamacli_suggest() {
    local suggestion
    [[ ${READLINE_LINE-} ]] || return 0
    suggestion=$(ASK -- "$READLINE_LINE" </dev/null) || return 0
    READLINE_LINE=$suggestion READLINE_POINT=${#suggestion}
}
bind -x '"KEYS": _llamacli_suggest'
""",
    "zsh": r"""
_llamacli_suggest() {
    local suggestion
    [[ -n ${BUFFER-} ]] || return 0
    zle -I
    if suggestion=$(ASK -- "$BUFFER" </dev/null); then
        BUFFER=$suggestion CURSOR=${#suggestion}
    fi
    zle reset-prompt
}
zle -N _llamacli_suggest
bindkey 'KEYS' _llamacli_suggest
""",
    "fish": r"""
function __llamacli_suggest
    set -l line (commandline -b | string collect)
    test -n "$line"; or return
    set -l suggestion (ASK -- $line </dev/null | string collect)
    test -n "$suggestion"; and commandline -r -- $suggestion
    commandline -f repaint
end
bind KEYS __llamacli_suggest
""",
}


def script(shell: str, keys: list[Key]) -> str:
    """Returns the lines for a shell's start-up file."""
    instruction = f"Reply with one {shell} command line that does what is described, in a code block, without comments."
    ask = f"command {PROGRAM} ask -q -x -I -s {shell_quoted(instruction)}"
    sequence = "".join(_key(shell, key) for key in keys)
    head = (
        "# Replaces the command line with a command that does what it describes. Nothing runs until you press Enter.\n"
    )
    return head + BINDINGS[shell].strip("\n").replace("ASK", ask).replace("KEYS", sequence) + "\n"


def _key(shell: str, key: Key) -> str:
    is_upper = shell == "zsh" and key.modifier == "ctrl"
    return MODIFIERS[shell][key.modifier] + (key.character.upper() if is_upper else key.character)
