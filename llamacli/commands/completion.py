"""`llamacli completion`: prints or installs a completion script."""

from __future__ import annotations

import os
import re
from pathlib import Path

from llamacli import PROGRAM
from llamacli.cli import app
from llamacli.cli.docs.generate import SHELLS, fill, install, script
from llamacli.cli.spec import LoadedOptions
from llamacli.cli.suggest import did_you_mean, listed
from llamacli.cli.table import DisplayOptions, Flag, Operand, Options
from llamacli.cli.types import ParamType, Switch
from llamacli.config import CONFIG, DATA
from llamacli.errors import ExitStatus, UsageError
from llamacli.stdio.input import Environment
from llamacli.stdio.output import Output
from llamacli.stdio.text import shell_quoted

DESCRIPTION = """
Without SHELL, prints the script for $SHELL. It is static: pressing Tab never starts
Python. It completes commands, flags, values, files, roles, prompts, sessions and the models
that `llamacli models` has listed. --install writes it to the folder where the shell looks;
do this after installing with pip, pipx or uv. --key prints a key binding instead: it
replaces the command line with the command that a model suggests for it, but does not run it.
"""
EXAMPLES = (
    'eval "$(llamacli completion bash)"',
    "llamacli completion zsh --install",
    "llamacli completion bash --key 'ctrl-x l' >>~/.bashrc",
    "llamacli completion fish >~/.config/fish/completions/llamacli.fish",
)
#: How each shell writes the modifiers.
MODIFIERS = {
    "bash": {"ctrl": r"\C-", "alt": r"\e", "": ""},
    "zsh": {"ctrl": "^", "alt": "^[", "": ""},
    "fish": {"ctrl": r"\c", "alt": r"\e", "": ""},
}
OPERANDS = (Operand("shell", ParamType(values=SHELLS)),)


class KeySequence(ParamType):
    """Keys separated by spaces, `ctrl-x l`: each a modifier, or "", and a character."""

    metavar = "KEYSEQ"

    def parse(self, text: str) -> list[tuple[str, str]]:
        matches = [re.fullmatch(r"(?:(ctrl|alt)-)?([a-z0-9])", word) for word in text.lower().split()]
        keys = [(match[1] or "", match[2]) for match in matches if match]
        if not keys or len(keys) < len(matches) or not keys[0][0]:
            raise ValueError("is not a key like ctrl-g, alt-l or 'ctrl-x l'")
        return keys


class CompletionOptions(Options):
    """What is printed, and where."""

    title = "Output"

    install: Flag[bool] = Flag(False, Switch(), "Write the script to where the shell finds it.", common=True)
    key: Flag[list[tuple[str, str]] | None] = Flag(
        None,
        KeySequence(),
        "Print a key binding that suggests commands.",
        common=True,
        example="llamacli completion zsh --key alt-l",
    )


OPTIONS = (CompletionOptions, DisplayOptions)


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Prints or installs the script."""
    name = options.operand("shell") or os.path.basename(os.environ.get("SHELL", ""))
    shell = env.input.argument(name, "the shell")
    if shell not in SHELLS:
        message = f"no completion for '{shell}'" if shell else "no shell given, and SHELL is not set"
        raise UsageError(message, did_you_mean(shell, SHELLS, f"expected {listed(SHELLS)}"))
    keys, to_install = options[CompletionOptions].key, options[CompletionOptions].install
    if keys and to_install:
        hint = "append the output of --key to the shell's start-up file"
        raise UsageError("--install and --key cannot be combined", hint)
    with Output(None) as out:
        if keys:
            out.verbatim(_binding(shell, keys).encode())
            return ExitStatus.OK
        data = script(shell, app.commands()).encode()
        if not to_install:
            out.verbatim(data)
            return ExitStatus.OK
        path = _path(shell)
        install(path, data)
        out.write(f"{path}\n")
        if shell == "zsh":
            env.stderr.note(f"add this to ~/.zshrc before compinit: fpath=({path.parent} $fpath)")
    return ExitStatus.OK


def _path(shell: str) -> Path:
    """Returns where a shell looks for the completions of one user."""
    data, config = DATA.path().parent, CONFIG.path().parent
    return {
        "bash": data / "bash-completion" / "completions" / "llamacli",
        "zsh": data / "zsh" / "site-functions" / "_llamacli",
        "fish": config / "fish" / "completions" / "llamacli.fish",
    }[shell]


def _binding(shell: str, keys: list[tuple[str, str]]) -> str:
    """Returns the lines for a shell's start-up file."""
    instruction = f"Reply with one {shell} command line that does what is described, in a code block, without comments."
    ask = f"command {PROGRAM} ask -q -x -I -s {shell_quoted(instruction)}"
    sequence = ""
    for modifier, character in keys:
        is_upper = shell == "zsh" and modifier == "ctrl"
        sequence += MODIFIERS[shell][modifier] + (character.upper() if is_upper else character)
    return fill(f"binding.{shell}", {"ASK": ask, "KEYS": sequence})
