"""`llamacli man`: the man page."""

from llamacli.cli.shared import DisplayOptions
from llamacli.cli.spec import LoadedOptions
from llamacli.errors import ExitStatus
from llamacli.stdio.environment import Environment
from llamacli.stdio.output import Output

DESCRIPTION = """
Prints roff source: all commands, flags, exit statuses, variables and files. If llamacli
was installed with its man page, `man llamacli` shows it too.
"""
OPTIONS = (DisplayOptions,)
EXAMPLES = (
    "llamacli man | man -l -",
    "llamacli man >llamacli.1",
    "llamacli man | mandoc -T utf8 | less",
)


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Prints the page."""
    from llamacli.cli import app
    from llamacli.cli.docs import man

    with Output(None) as out:
        out.verbatim(man.page(app.commands()).encode())
    return ExitStatus.OK
