"""`llamacli help`: help on a command, and the tables that all commands share."""

from llamacli.cli.shared import DisplayOptions
from llamacli.cli.spec import LoadedOptions, all_groups
from llamacli.cli.table import Operand
from llamacli.cli.types import ParamType
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.environment import Environment
from llamacli.stdio.output import Output

DESCRIPTION = "Without a topic, prints the same as `llamacli --help`."
OPTIONS = (DisplayOptions,)
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


OPERANDS = (Operand("topic", Topic()),)


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Prints the help."""
    from llamacli.cli import app
    from llamacli.cli.app import COMMANDS
    from llamacli.cli.docs import help

    wanted = env.input.argument(options.operand("topic") or "", "the topic")
    if not wanted:
        text = help.program_help(COMMANDS)
    elif wanted in COMMANDS:
        text = help.command_help(app.command(wanted))
    elif wanted in help.TOPICS:
        text = help.TOPICS[wanted](all_groups(app.commands()))
    else:
        known = ", ".join([*COMMANDS, *help.TOPICS])
        raise LlamaError(ExitStatus.USAGE, f"no help on '{wanted}'", f"there is {known}")
    with Output(None) as out:
        out.write(text)
    return ExitStatus.OK
