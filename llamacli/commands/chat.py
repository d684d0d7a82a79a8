"""`llamacli chat`: a conversation, at a prompt of its own or one turn a call."""

import os
from typing import Annotated

from llamacli.ask import prompt
from llamacli.ask.options import FormatOptions, InputOptions, OutputOptions, UsageOptions
from llamacli.ask.params import Params
from llamacli.ask.runner import Runner
from llamacli.chat.conversation import Conversation
from llamacli.chat.options import SessionOptions
from llamacli.chat.session import Session
from llamacli.cli.shared import DecodingOptions, DisplayOptions, OutputFile
from llamacli.cli.table import Operand
from llamacli.cli.types import ParamType
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http import endpoint
from llamacli.http.options import EndpointOptions, NetworkOptions, PreviewOptions
from llamacli.http.request import ChatRequest
from llamacli.stdio.environment import Environment
from llamacli.stdio.output import Output

EXAMPLES = (
    "llamacli chat -S review 'What does this do?' <main.py",
    "llamacli chat -S review 'And how is it tested?'",
    "llamacli chat 'Name a river.' && llamacli chat -c 'And another one.'",
)

#: Why --continue may have nothing to go on with, and what helps in either case.
NO_LAST = "no conversation was held in this login session"
NO_LOGIN = "this login session cannot be told from others: its leader has ended or is outside of the container"
NAME_IT = "name one with -S; 'llamacli sessions' lists them"


def chat(
    words: Annotated[list[str] | None, Operand(ParamType("PROMPT"))],
    session: SessionOptions,
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
    """Hold a conversation.

    On a terminal without a PROMPT it has a prompt of its own, where /help lists what
    can be done. With a PROMPT or text on stdin it takes one turn, printed as `ask`
    prints it. Turns are saved as JSON Lines, under the name that -S gives or else the
    time; -c goes on with the last one. A turn that fails leaves nothing behind.
    """
    conversation = Conversation(
        _session(session, env), session, Runner(params, output, usage, env.stderr, format), env.stderr
    )
    conversation.system = prompt.system(input, env.input)
    conversation.examples = input.messages or []
    content = prompt.content(words or [], input, env.input)
    has_prompt = bool(content or words or input.file or input.files_from or input.edit)
    if session.interactive or (not has_prompt and os.isatty(0)):
        for option in (*(name for name in preview.origins if getattr(preview, name)), *file.origins):
            what = f"--{option.replace('_', '-')} is for one turn"
            raise LlamaError(ExitStatus.USAGE, what, "give a prompt, and no -i")
        where = endpoint.resolve(server, env)

        from llamacli.chat.repl import Repl

        tables = (params, session, output, format, usage, display, network)
        return Repl(conversation, where, network, tables, env).run(content)
    body = conversation.build_body(prompt.require_content(content))
    if preview.dry_run or preview.curl:
        from llamacli.http.preview import print_preview

        print_preview(ChatRequest(body), preview, server, network, file.output, env)
        env.input.drop_draft()
        return ExitStatus.OK
    where = endpoint.resolve(server, env)
    conversation.session.prepare()

    from llamacli.http import open

    with (
        Output(file.output, before=env.stderr.clear_status, note=env.stderr.note) as out,
        open.open_client(where, network, env.stderr) as client,
    ):
        answer = conversation.take_turn(content, client, out)
        if answer.error:
            raise answer.error
    env.input.drop_draft()
    return answer.status


def _session(options: SessionOptions, env: Environment) -> Session:
    """Returns the session that the options name. Raises LlamaError (usage)."""
    name = options.session
    if options.continue_:
        from llamacli.chat import login

        if name is not None:
            raise LlamaError(ExitStatus.USAGE, "--session and --continue both name a session", "drop one")
        name = login.latest()
        if name is None:
            what = NO_LAST if login.current() else NO_LOGIN
            raise LlamaError(ExitStatus.USAGE, f"--continue: {what}", NAME_IT)
    return Session(name, is_saved=not options.no_save, warn=env.stderr.note)
