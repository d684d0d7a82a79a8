"""Generated files: those of the repository, and those of --install.

For the repository: `python -m llamacli.cli.docs.generate FOLDER`.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from llamacli import PROGRAM
from llamacli.cli import app
from llamacli.cli.docs import help, man
from llamacli.cli.spec import CommandSpec
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.files import write_atomically


def bash(commands: Sequence[CommandSpec]) -> str:
    """Returns the script for bash."""
    from llamacli.cli.docs.completion.bash import script

    return script(commands)


def zsh(commands: Sequence[CommandSpec]) -> str:
    """Returns the script for zsh."""
    from llamacli.cli.docs.completion.zsh import script

    return script(commands)


def fish(commands: Sequence[CommandSpec]) -> str:
    """Returns the script for fish."""
    from llamacli.cli.docs.completion.fish import script

    return script(commands)


#: What makes the script of each shell, and where it is kept in the repository.
SCRIPTS: dict[str, Callable[[Sequence[CommandSpec]], str]] = {"bash": bash, "zsh": zsh, "fish": fish}

FILES = {"bash": f"{PROGRAM}.bash", "zsh": f"_{PROGRAM}", "fish": f"{PROGRAM}.fish"}


def files() -> dict[str, str]:
    """Returns each file's content by its path in the repository."""
    commands = app.commands()
    scripts = {f"completions/{FILES[name]}": make(commands) for name, make in SCRIPTS.items()}
    return {
        **scripts,
        f"completions/{PROGRAM}.1": man.page(commands),
        ".env.example": help.example_env([table for command in commands for table in command.groups]),
    }


def install(path: Path, content: bytes) -> None:
    """Writes a file and the folders that it is in.

    Raises LlamaError (output).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content, 0o644, follow=True)
    except OSError as error:
        raise LlamaError(ExitStatus.OUTPUT, f"cannot write {path}: {error.strerror}") from None


if __name__ == "__main__":
    for path, text in files().items():
        target = Path(sys.argv[1], path)
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
