"""`llamacli help`: help on a command, and the tables that all commands share."""

from typing import Annotated

from llamacli.display import DisplayOptions
from llamacli.environment import Environment
from llamacli.errors import ExitStatus, LlamaError
from llamacli.kinds import Kind
from llamacli.options import Operand
from llamacli.output import Output

EXAMPLES = (
    "llamacli help ask",
    "llamacli help exit-codes",
    "llamacli help environment | grep TIMEOUT",
)


class Topic(Kind):
    """What there is help on."""

    metavar = "TOPIC"

    @property
    def values(self) -> tuple[str, ...]:  # type: ignore[override]
        from llamacli.cli import COMMANDS
        from llamacli.manual import TOPICS

        return (*COMMANDS, *TOPICS)


def help(
    topic: Annotated[str | None, Operand(Topic())],
    display: DisplayOptions,
    env: Environment,
) -> ExitStatus:
    """Print help on a command, or on exit-codes, environment, files.

    Without a topic it prints what `llamacli --help` does.
    """
    from llamacli import catalog, manual
    from llamacli.cli import COMMANDS, build

    wanted = env.inputs.argument(topic or "", "the topic")
    if not wanted:
        text = manual.program_help(COMMANDS)
    elif wanted in COMMANDS:
        text = manual.command_help(catalog.command(wanted))
    elif wanted in manual.TOPICS:
        text = manual.TOPICS[wanted]([table for name in COMMANDS for table in build(name).tables])
    else:
        known = ", ".join([*COMMANDS, *manual.TOPICS])
        raise LlamaError(ExitStatus.USAGE, f"no help on '{wanted}'", f"there is {known}")
    with Output(None) as out:
        out.write(text)
    return ExitStatus.OK
