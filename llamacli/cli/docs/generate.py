"""The files of the repository that are made from the program's tables: `python -m llamacli.generated FOLDER`."""

import sys
from pathlib import Path

from llamacli import PROGRAM
from llamacli.cli import app
from llamacli.cli.docs import help, man
from llamacli.cli.docs.completion.scripts import FILES, SHELLS


def files() -> dict[str, str]:
    """Returns the content of each file by its path from the repository's top."""
    commands = app.commands()
    scripts = {f"completions/{FILES[name]}": make(commands) for name, make in SHELLS.items()}
    return {
        **scripts,
        f"completions/{PROGRAM}.1": man.page(commands),
        ".env.example": help.example_env([table for command in commands for table in command.groups]),
    }


if __name__ == "__main__":
    for path, text in files().items():
        target = Path(sys.argv[1], path)
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
