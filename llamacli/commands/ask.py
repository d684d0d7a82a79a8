"""`llamacli ask`: one question, one answer."""

from typing import Annotated

from llamacli.api.json import encode
from llamacli.ask import prompt
from llamacli.ask.options import FitOptions, InputOptions, OutputOptions, UsageOptions
from llamacli.ask.params import Params
from llamacli.ask.runner import Turn
from llamacli.cli.shared import DecodingOptions, DisplayOptions, OutputFile
from llamacli.cli.table import Operand
from llamacli.cli.types import Kind
from llamacli.errors import ExitStatus
from llamacli.http import endpoint
from llamacli.http.options import DryOptions, EndpointOptions, NetworkOptions
from llamacli.http.request import CHAT, Outgoing
from llamacli.stdio.environment import Environment
from llamacli.stdio.output import Output

EXAMPLES = (
    "llamacli ask why is the sky blue",
    "git diff | llamacli ask 'Write a commit message for:'",
    "llamacli ask -f main.py -f test.py 'Why does the test fail?'",
    "llamacli ask --choice bug,feature,question 'What is this?' <notes.txt",
    "llamacli ask --schema 'name, age int, tags [str]' 'Who is it?' <notes.txt",
)


def ask(
    words: Annotated[list[str] | None, Operand(Kind("PROMPT"))],
    given: InputOptions,
    decoding: DecodingOptions,
    params: Params,
    printed: OutputOptions,
    file: OutputFile,
    fit: FitOptions,
    instead: DryOptions,
    shown: UsageOptions,
    display: DisplayOptions,
    server: EndpointOptions,
    network: NetworkOptions,
    env: Environment,
) -> ExitStatus:
    """Ask one question and print the answer.

    The words of PROMPT are joined by spaces. Text from stdin, where that is no
    terminal, follows the prompt after a blank line, or goes where the prompt says
    {stdin}. Nothing but the answer is printed on stdout.
    """
    messages = prompt.messages(words or [], given, env.inputs)
    turn = Turn(params, printed, shown, env.stderr, fit)
    body = turn.body(messages)
    if instead.dry_run or instead.curl:
        from llamacli.http import preview

        preview.show(Outgoing("POST", CHAT, encode(body)), instead, server, network, file.output, env)
        env.inputs.drop_draft()
        return ExitStatus.OK
    where = endpoint.resolve(server, env)

    # Not before all is known to be sendable: nothing takes longer to import than what sends it.
    from llamacli.http import open

    with Output(file.output, before=env.stderr.settle) as out, open.client(where, network, env.stderr) as client:
        answer = turn.take(body, client, out)
        if answer.fault:
            raise answer.fault
    env.inputs.drop_draft()
    return answer.status
