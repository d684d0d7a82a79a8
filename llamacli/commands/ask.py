"""`llamacli ask`: one question, one answer."""

from typing import Annotated

from llamacli.ask import prompt
from llamacli.ask.options import FormatOptions, InputOptions, OutputOptions, UsageOptions
from llamacli.ask.params import Params
from llamacli.ask.runner import Runner
from llamacli.cli.shared import DecodingOptions, DisplayOptions, OutputFile
from llamacli.cli.table import Operand
from llamacli.cli.types import ParamType
from llamacli.errors import ExitStatus
from llamacli.http import endpoint
from llamacli.http.options import EndpointOptions, NetworkOptions, PreviewOptions
from llamacli.http.request import ChatRequest
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
    words: Annotated[list[str] | None, Operand(ParamType("PROMPT"))],
    input: InputOptions,
    decoding: DecodingOptions,
    params: Params,
    output: OutputOptions,
    file: OutputFile,
    format: FormatOptions,
    preview: PreviewOptions,
    usage: UsageOptions,
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
    messages = prompt.messages(words or [], input, env.input)
    turn = Runner(params, output, usage, env.stderr, format)
    body = turn.build_body(messages)
    if preview.dry_run or preview.curl:
        from llamacli.http.preview import print_preview

        print_preview(ChatRequest(body), preview, server, network, file.output, env)
        env.input.drop_draft()
        return ExitStatus.OK
    where = endpoint.resolve(server, env)

    # Not before all is known to be sendable: nothing takes longer to import than what sends it.
    from llamacli.http import open

    with (
        Output(file.output, before=env.stderr.clear_status, note=env.stderr.note) as out,
        open.open_client(where, network, env.stderr) as client,
    ):
        answer = turn.run(body, client, out)
        if answer.error:
            raise answer.error
    env.input.drop_draft()
    return answer.status
