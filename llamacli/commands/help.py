"""`llamacli help`: help on a command or a topic."""

from llamacli.cli.spec import LoadedOptions
from llamacli.cli.table import DisplayOptions, Operand
from llamacli.cli.types import ParamType
from llamacli.errors import ExitStatus, UsageError
from llamacli.stdio.input import Environment
from llamacli.stdio.output import Output

DESCRIPTION = "Without a topic, prints what `llamacli --help` does."
OPTIONS = (DisplayOptions,)
SURPLUS_HINT = "name one command or topic"
EXAMPLES = ("llamacli help ask", "llamacli help exit-codes", "llamacli help environment | grep TIMEOUT")


class Topic(ParamType):
    """A command or topic that has help."""

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

    name = env.input.argument(options.operand("topic") or "", "the topic")
    if not name:
        text = help.full_program_help(COMMANDS)
    elif name in COMMANDS:
        command = app.command(name)
        text = help.command_help(command, help.topic(name, [command]) if name in help.TOPICS else "")
    elif name in help.TOPICS:
        text = help.topic(name, app.commands())
    else:
        from llamacli.cli.suggest import unknown_topic

        raise UsageError(f"no help on '{name}'", unknown_topic(name, app.commands()))
    with Output(None) as out:
        out.write(text)
    return ExitStatus.OK
