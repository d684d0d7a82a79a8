"""`llamacli completion`: prints or installs a completion script."""

import os
from pathlib import Path
from typing import Annotated

from llamacli.cli import app
from llamacli.cli.docs.completion import binding
from llamacli.cli.docs.generate import SCRIPTS, install
from llamacli.cli.shared import DisplayOptions
from llamacli.cli.spec import LoadedOptions
from llamacli.cli.suggest import did_you_mean
from llamacli.cli.table import Flag, Operand, Options
from llamacli.cli.types import ParamType, Switch
from llamacli.config.paths import CONFIG, DATA
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.environment import Environment
from llamacli.stdio.output import Output

DESCRIPTION = """
Without SHELL, prints the script for $SHELL. It is static: pressing Tab never starts
Python. It completes commands, flags, values, files, roles, prompts, sessions and the models
that `llamacli models` has listed. --install writes it to the folder where the shell looks,
which pipx and uv do not do. --key prints a key binding instead: it replaces the
command line with the command that a model suggests for it, but does not run it.
"""
EXAMPLES = (
    'eval "$(llamacli completion bash)"',
    "llamacli completion zsh --install",
    "llamacli completion bash --key 'ctrl-x l' >>~/.bashrc",
    "llamacli completion fish >~/.config/fish/completions/llamacli.fish",
)
SHELLS = tuple(SCRIPTS)
OPERANDS = (Operand("shell", ParamType(values=SHELLS)),)


class CompletionOptions(Options):
    """What is printed, and where."""

    title = "Output"

    install: Annotated[bool, Flag(Switch(), "Write the script to where the shell finds it.", common=True)] = False
    key: Annotated[
        list[binding.Key] | None,
        Flag(
            binding.KeySequence(),
            "Print a key binding that suggests commands.",
            common=True,
            example="llamacli completion zsh --key alt-l",
        ),
    ] = None


OPTIONS = (CompletionOptions, DisplayOptions)


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Prints or installs the script."""
    name = options.operand("shell") or os.path.basename(os.environ.get("SHELL", ""))
    shell = env.input.argument(name, "the shell")
    if shell not in SHELLS:
        what = f"no completion for '{shell}'" if shell else "no shell given, and SHELL is not set"
        raise LlamaError(ExitStatus.USAGE, what, did_you_mean(shell, SHELLS, f"expected {', '.join(SHELLS)}"))
    keys, to_install = options[CompletionOptions].key, options[CompletionOptions].install
    if keys and to_install:
        hint = "append the output of --key to the shell's start-up file"
        raise LlamaError(ExitStatus.USAGE, "--install and --key cannot be combined", hint)
    with Output(None) as out:
        if keys:
            out.verbatim(binding.script(shell, keys).encode())
            return ExitStatus.OK
        script = SCRIPTS[shell](app.commands()).encode()
        if not to_install:
            out.verbatim(script)
            return ExitStatus.OK
        path = _path(shell)
        install(path, script)
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
