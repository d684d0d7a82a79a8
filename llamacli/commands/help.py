"""`llamacli help`: help on a command, and the tables that all commands share."""

from typing import Annotated

from llamacli.cli.shared import DisplayOptions
from llamacli.cli.table import Operand
from llamacli.cli.types import ParamType
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.environment import Environment
from llamacli.stdio.output import Output

EXAMPLES = (
    "llamacli help ask",
    "llamacli help exit-codes",
    "llamacli help environment | grep TIMEOUT",
)


class Topic(ParamType):
    """What there is help on."""

    metavar = "TOPIC"

    @property
    def values(self) -> tuple[str, ...]:  # type: ignore[override]
        from llamacli.cli.app import COMMANDS
        from llamacli.cli.docs.help import TOPICS

        return (*COMMANDS, *TOPICS)


def help(
    topic: Annotated[str | None, Operand(Topic())],
    display: DisplayOptions,
    env: Environment,
) -> ExitStatus:
    """Print help on a command, or on exit-codes, environment, files.

    Without a topic it prints what `llamacli --help` does.
    """
    from llamacli.cli import app
    from llamacli.cli.app import COMMANDS, build
    from llamacli.cli.docs import help

    wanted = env.input.argument(topic or "", "the topic")
    if not wanted:
        text = help.program_help(COMMANDS)
    elif wanted in COMMANDS:
        text = help.command_help(app.command(wanted))
    elif wanted in help.TOPICS:
        text = help.TOPICS[wanted]([table for name in COMMANDS for table in build(name).tables])
    else:
        known = ", ".join([*COMMANDS, *help.TOPICS])
        raise LlamaError(ExitStatus.USAGE, f"no help on '{wanted}'", f"there is {known}")
    with Output(None) as out:
        out.write(text)
    return ExitStatus.OK
