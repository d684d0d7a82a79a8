"""`llamacli completion`: the script that completes llamacli's commands and flags in a shell."""

import os
from typing import Annotated

from llamacli.cli import app
from llamacli.cli.docs.completion import scripts
from llamacli.cli.shared import DisplayOptions
from llamacli.cli.table import Operand
from llamacli.cli.types import ParamType
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.environment import Environment
from llamacli.stdio.output import Output

EXAMPLES = (
    'eval "$(llamacli completion bash)"',
    "llamacli completion zsh >~/.zfunc/_llamacli",
    "llamacli completion fish >~/.config/fish/completions/llamacli.fish",
)
SHELLS = tuple(scripts.SHELLS)


def completion(
    shell: Annotated[str | None, Operand(ParamType(values=SHELLS))],
    display: DisplayOptions,
    env: Environment,
) -> ExitStatus:
    """Print the completion of a shell: bash, zsh or fish.

    Without SHELL it is the one that $SHELL names. The script is plain text that
    needs no Python at a Tab; it knows commands, flags, values, files, roles, sessions
    and the models that `llamacli models` has listed. In ~/.bashrc the first example
    does; for zsh the folder must be in fpath before compinit runs.
    """
    wanted = env.input.argument(shell or os.path.basename(os.environ.get("SHELL", "")), "the shell")
    if wanted not in SHELLS:
        what = f"no completion for '{wanted}'" if wanted else "no shell is named, and SHELL is not set"
        raise LlamaError(ExitStatus.USAGE, what, f"there is {', '.join(SHELLS)}")
    with Output(None) as out:
        out.verbatim(scripts.SHELLS[wanted](app.commands()).encode())
    return ExitStatus.OK
