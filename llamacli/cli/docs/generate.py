"""Generated files: those of the repository, and those of --install.

For the repository: `python -m llamacli.cli.docs.generate FOLDER`.
"""

import sys
from pathlib import Path

from llamacli import PROGRAM
from llamacli.cli import app
from llamacli.cli.docs import completions, help, man
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.files import write_atomically

#: The names of the completion scripts in the repository.
FILES = {"bash": f"{PROGRAM}.bash", "zsh": f"_{PROGRAM}", "fish": f"{PROGRAM}.fish"}


def files() -> dict[str, str]:
    """Returns each file's content by its path in the repository."""
    commands = app.commands()
    scripts = {f"completions/{name}": completions.script(shell, commands) for shell, name in FILES.items()}
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


if __name__ == "__main__":
    for path, text in files().items():
        target = Path(sys.argv[1], path)
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
