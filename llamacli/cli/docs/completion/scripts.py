"""The completion script of each shell."""

from collections.abc import Callable, Sequence

from llamacli import PROGRAM
from llamacli.cli.spec import Command


def bash(commands: Sequence[Command]) -> str:
    """Returns the script for bash."""
    from llamacli.cli.docs.completion.bash import script

    return script(commands)


def zsh(commands: Sequence[Command]) -> str:
    """Returns the script for zsh."""
    from llamacli.cli.docs.completion.zsh import script

    return script(commands)


def fish(commands: Sequence[Command]) -> str:
    """Returns the script for fish."""
    from llamacli.cli.docs.completion.fish import script

    return script(commands)


#: The shells, and where each script is kept in the repository.
SHELLS: dict[str, Callable[[Sequence[Command]], str]] = {"bash": bash, "zsh": zsh, "fish": fish}


FILES = {"bash": f"{PROGRAM}.bash", "zsh": f"_{PROGRAM}", "fish": f"{PROGRAM}.fish"}
