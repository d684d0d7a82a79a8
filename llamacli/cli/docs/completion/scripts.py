"""The completion script of each shell."""

from collections.abc import Callable, Sequence

from llamacli import PROGRAM
from llamacli.cli.spec import CommandSpec


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


#: The shells, and where each script is kept in the repository.
SHELLS: dict[str, Callable[[Sequence[CommandSpec]], str]] = {"bash": bash, "zsh": zsh, "fish": fish}


FILES = {"bash": f"{PROGRAM}.bash", "zsh": f"_{PROGRAM}", "fish": f"{PROGRAM}.fish"}
