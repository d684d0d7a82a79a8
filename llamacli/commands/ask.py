"""`llamacli ask`: one question, one answer."""

import json
from typing import TYPE_CHECKING, Annotated

from typer import Argument

from llamacli import dry, endpoint, prompt
from llamacli.assembly import Assembly
from llamacli.display import DisplayOptions, UsageOptions
from llamacli.dry import DryOptions
from llamacli.endpoint import EndpointOptions
from llamacli.environment import Environment
from llamacli.errors import ExitStatus
from llamacli.network import NetworkOptions
from llamacli.outgoing import CHAT, Outgoing
from llamacli.output import Output, OutputFile, OutputOptions
from llamacli.params import Params
from llamacli.prompt import DecodingOptions, InputOptions
from llamacli.terminal import Stderr
from llamacli.wire import encode, tool_calls

if TYPE_CHECKING:
    from llamacli.reply import Reply

EXAMPLES = (
    "llamacli ask why is the sky blue",
    "git diff | llamacli ask 'Write a commit message for:'",
    "llamacli ask -f main.py -f test.py 'Why does the test fail?'",
)


def ask(
    words: Annotated[list[str] | None, Argument(metavar="[PROMPT]...", show_default=False)],
    given: InputOptions,
    decoding: DecodingOptions,
    params: Params,
    printed: OutputOptions,
    file: OutputFile,
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
    in_chunks = printed.json and params.stream is True and params.from_flag("stream")
    body = params.body(messages, stream=_stream(printed.json, in_chunks, params.stream), usage=shown.usage)
    if instead.dry_run or instead.curl:
        dry.show(Outgoing("POST", CHAT, encode(body)), instead, server, network, file.output, env)
        return ExitStatus.OK
    where = endpoint.resolve(server, env)

    # Not before all is known to be sendable: nothing takes longer to import than requests.
    from llamacli.client import Client

    with (
        Output(file.output, before=env.stderr.settle) as out,
        Client(where, network, env.stderr) as client,
        client.chat(body) as reply,
    ):
        _print(reply, out, printed, in_chunks, env.stderr if shown.reasoning else None)
        _conclude(reply, out, printed.allow_truncated, shown.usage, env.stderr)
    return ExitStatus.OK


def _stream(as_json: bool, in_chunks: bool, given: bool | None) -> bool | None:
    """Returns the value of `stream` to send, None for none: JSON in one piece does without it."""
    if as_json and not in_chunks:
        return False if given is False else None
    return given is not False


def _print(reply: "Reply", out: Output, printed: OutputOptions, in_chunks: bool, reasoning_to: Stderr | None) -> None:
    """Prints the answer as it comes, or whole where it is JSON or one of several."""
    live = not printed.json and reply.answer.expected == 1
    for chunks in reply:
        if reasoning_to:
            reasoning_to.write(reply.answer.take_reasoning())
        if in_chunks:
            for chunk in chunks:
                out.document(chunk, line=True)
        elif live:
            out.write(reply.answer.take())
    completion = reply.answer.completion()
    if not printed.json:
        _finish(reply.answer, out, live, "\0" if printed.null else "\n")
    elif completion["choices"] and not in_chunks:
        out.document(completion)


def _finish(answer: Assembly, out: Output, live: bool, terminator: str) -> None:
    """Prints what has not been printed yet of each answer: its content, then its tool calls, a line each."""
    for choice in answer.completion()["choices"]:
        content, calls = answer.text(choice.get("index") or 0), tool_calls(choice.get("message") or {})
        if not live:
            out.write(content)
        if calls:
            out.end()
            out.write("\n".join(json.dumps(call, ensure_ascii=False) for call in calls))
        if content or calls:
            out.end(terminator)


def _conclude(reply: "Reply", out: Output, allow_truncated: bool, usage: bool, stderr: Stderr) -> None:
    """Says what there is to say of a whole reply. Raises LlamaError where it is no complete answer."""
    if 0 < (count := len(reply.answer.completion()["choices"])) < reply.answer.expected:
        stderr.note(f"{count} of {reply.answer.expected} answers came: the server does not take --n")
    fault = reply.verdict(allow_truncated)
    # A cut that left nothing is no reason to empty the old file.
    if fault is None or (fault.status == ExitStatus.CUT and out.written):
        out.commit()
    if usage:
        from llamacli.report import usage_line

        stderr.line(usage_line(reply), "2")
    if fault:
        raise fault
