"""`llamacli help`: help on a command, and the tables that all commands share."""

from typing import Annotated

from typer import Argument

from llamacli import PROGRAM
from llamacli.display import DisplayOptions
from llamacli.environment import Environment
from llamacli.errors import ExitStatus, LlamaError
from llamacli.output import Output

EXAMPLES = (
    "llamacli help ask",
    "llamacli help exit-codes",
    "llamacli help environment | grep TIMEOUT",
)


def help(
    topic: Annotated[str | None, Argument(metavar="[TOPIC]", show_default=False)],
    display: DisplayOptions,
    env: Environment,
) -> ExitStatus:
    """Print help on a command, or on exit-codes, environment, files.

    Without a topic it prints what `llamacli --help` does.
    """
    from llamacli import manual
    from llamacli.cli import COMMANDS, build

    wanted = env.inputs.argument(topic or "", "the topic")
    if not wanted:
        text = manual.program_help(COMMANDS)
    elif wanted in COMMANDS:
        command = build(wanted)
        with command.make_context(f"{PROGRAM} {wanted}", [], resilient_parsing=True) as ctx:
            text = manual.command_help(command, ctx)
    elif wanted in manual.TOPICS:
        text = manual.TOPICS[wanted]([table for name in COMMANDS for table in build(name).tables])
    else:
        known = ", ".join([*COMMANDS, *manual.TOPICS])
        raise LlamaError(ExitStatus.USAGE, f"no help on '{wanted}'", f"there is {known}")
    with Output(None) as out:
        out.write(text)
    return ExitStatus.OK
