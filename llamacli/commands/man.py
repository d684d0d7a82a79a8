"""`llamacli man`: the man page."""

from llamacli.cli.shared import DisplayOptions
from llamacli.errors import ExitStatus
from llamacli.stdio.environment import Environment
from llamacli.stdio.output import Output

EXAMPLES = (
    "llamacli man | man -l -",
    "llamacli man >llamacli.1",
    "llamacli man | mandoc -T utf8 | less",
)


def man(display: DisplayOptions, env: Environment) -> ExitStatus:
    """Print the man page.

    It is roff source for man: all commands, flags, exit statuses, variables and files.
    Where llamacli was installed with its man page, `man llamacli` shows it too.
    """
    from llamacli.cli import app
    from llamacli.cli.docs import man

    with Output(None) as out:
        out.verbatim(man.page(app.commands()).encode())
    return ExitStatus.OK
