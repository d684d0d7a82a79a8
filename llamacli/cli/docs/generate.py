"""Generated files: of the repository (`python -m llamacli.cli.docs.generate FOLDER`), and of --install."""

import sys
from pathlib import Path

from llamacli import PROGRAM
from llamacli.cli import app
from llamacli.cli.docs import help, man
from llamacli.cli.docs.completion.scripts import FILES, SHELLS
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.files import write_atomically


def files() -> dict[str, str]:
    """Returns the content of each file by its path from the repository's top."""
    commands = app.commands()
    scripts = {f"completions/{FILES[name]}": make(commands) for name, make in SHELLS.items()}
    return {
        **scripts,
        f"completions/{PROGRAM}.1": man.page(commands),
        ".env.example": help.example_env([table for command in commands for table in command.groups]),
    }


def install(path: Path, content: bytes) -> None:
    """Writes a file and the folders that it is in. Raises LlamaError (output)."""
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
