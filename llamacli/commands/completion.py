"""`llamacli completion`: the script that completes llamacli's commands and flags in a shell."""

import os

from llamacli.cli import app
from llamacli.cli.docs.completion import scripts
from llamacli.cli.shared import DisplayOptions
from llamacli.cli.spec import LoadedOptions
from llamacli.cli.table import Operand
from llamacli.cli.types import ParamType
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.environment import Environment
from llamacli.stdio.output import Output

DESCRIPTION = """
Without SHELL, prints the one for $SHELL. The script is static: pressing Tab never starts
Python. It completes commands, flags, values, files, roles, sessions and the models that
`llamacli models` has listed. For bash, put the first example into ~/.bashrc; for zsh, the
folder must be in fpath before compinit runs.
"""
EXAMPLES = (
    'eval "$(llamacli completion bash)"',
    "llamacli completion zsh >~/.zfunc/_llamacli",
    "llamacli completion fish >~/.config/fish/completions/llamacli.fish",
)
SHELLS = tuple(scripts.SHELLS)


OPERANDS = (Operand("shell", ParamType(values=SHELLS)),)
OPTIONS = (DisplayOptions,)


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Prints the script."""
    shell = options.operand("shell") or os.path.basename(os.environ.get("SHELL", ""))
    wanted = env.input.argument(shell, "the shell")
    if wanted not in SHELLS:
        what = f"no completion for '{wanted}'" if wanted else "no shell is named, and SHELL is not set"
        raise LlamaError(ExitStatus.USAGE, what, f"there is {', '.join(SHELLS)}")
    with Output(None) as out:
        out.verbatim(scripts.SHELLS[wanted](app.commands()).encode())
    return ExitStatus.OK
