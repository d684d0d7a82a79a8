"""`llamacli ask`: one question, one answer."""

import json
from typing import Annotated

from typer import Argument

from llamacli import endpoint, outgoing, prompt
from llamacli.assembly import Assembly
from llamacli.endpoint import EndpointOptions
from llamacli.environment import Environment
from llamacli.errors import ExitStatus
from llamacli.network import NetworkOptions
from llamacli.outgoing import CHAT, DryOptions, Outgoing
from llamacli.output import DisplayOptions, Output, OutputFile, OutputOptions, UsageOptions
from llamacli.params import Params
from llamacli.prompt import InputOptions
from llamacli.wire import encode, tool_calls

EXAMPLES = (
    "llamacli ask why is the sky blue",
    "git diff | llamacli ask 'Write a commit message for:'",
    "llamacli ask -f main.py -f test.py 'Why does the test fail?'",
)


def ask(
    words: Annotated[list[str] | None, Argument(metavar="[PROMPT]...", show_default=False)],
    given: InputOptions,
    params: Params,
    printed: OutputOptions,
    file: OutputFile,
    dry: DryOptions,
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
    if dry.dry_run or dry.curl:
        outgoing.show(Outgoing("POST", CHAT, encode(body), network.request_id), dry, server, file.output, env)
        return ExitStatus.OK
    where = endpoint.resolve(server, env)

    # Not before all is known to be sendable: nothing takes longer to import than requests.
    from llamacli.client import Client

    with (
        Output(file.output, before=env.stderr.settle) as out,
        Client(where, network, env.stderr) as client,
        env.stderr.waiting(f"waiting for {where.host}"),
        client.chat(body) as reply,
    ):
        live = not printed.json and reply.answer.expected == 1
        for chunks in reply:
            if shown.reasoning:
                # Two names for one thing, and some servers send both.
                thoughts = [reply.answer.take("reasoning_content"), reply.answer.take("reasoning")]
                env.stderr.write(thoughts[0] or thoughts[1])
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
        if 0 < (count := len(completion["choices"])) < reply.answer.expected:
            env.stderr.note(f"{count} of {reply.answer.expected} answers came: the server does not take --n")
        fault = reply.verdict(printed.allow_truncated)
        if fault is None or fault.status == ExitStatus.CUT:
            out.commit()
        if shown.usage:
            from llamacli.report import usage_line

            env.stderr.line(usage_line(reply), "2")
        if fault:
            raise fault
    return ExitStatus.OK


def _stream(as_json: bool, in_chunks: bool, given: bool | None) -> bool | None:
    """Returns the value of `stream` to send, None for none: JSON in one piece does without it."""
    if as_json:
        return True if in_chunks else False if given is False else None
    return given is not False


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
