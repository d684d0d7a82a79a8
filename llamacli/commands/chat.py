"""`llamacli chat`: a conversation, at a prompt of its own or one turn a call."""

import os
from typing import Annotated

from llamacli.api.json import encode
from llamacli.ask import prompt
from llamacli.ask.options import FitOptions, InputOptions, OutputOptions, UsageOptions
from llamacli.ask.params import Params
from llamacli.ask.runner import Turn
from llamacli.chat.conversation import Conversation
from llamacli.chat.options import SessionOptions
from llamacli.chat.session import Session
from llamacli.cli.shared import DecodingOptions, DisplayOptions, OutputFile
from llamacli.cli.table import Operand
from llamacli.cli.types import Kind
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http import endpoint
from llamacli.http.options import DryOptions, EndpointOptions, NetworkOptions
from llamacli.http.request import CHAT, Outgoing
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
    words: Annotated[list[str] | None, Operand(Kind("PROMPT"))],
    held: SessionOptions,
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
    """Hold a conversation.

    On a terminal without a PROMPT it has a prompt of its own, where /help lists what
    can be done. With a PROMPT or text on stdin it takes one turn, printed as `ask`
    prints it. Turns are saved as JSON Lines, under the name that -S gives or else the
    time; -c goes on with the last one. A turn that fails leaves nothing behind.
    """
    conversation = Conversation(_session(held), held, Turn(params, printed, shown, env.stderr, fit), env.stderr)
    conversation.system = prompt.system(given, env.inputs)
    content = prompt.content(words or [], given, env.inputs)
    has_prompt = bool(content or words or given.file or given.edit)
    if held.interactive or (not has_prompt and os.isatty(0)):
        for option in (*(name for name in instead.origins if getattr(instead, name)), *file.origins):
            what = f"--{option.replace('_', '-')} is for one turn"
            raise LlamaError(ExitStatus.USAGE, what, "give a prompt, and no -i")
        where = endpoint.resolve(server, env)

        from llamacli.chat.repl import Repl

        tables = (params, held, printed, fit, shown, display, network)
        return Repl(conversation, where, network, tables, env).run(content)
    body = conversation.body(prompt.checked(content))
    if instead.dry_run or instead.curl:
        from llamacli.http import preview

        preview.show(Outgoing("POST", CHAT, encode(body)), instead, server, network, file.output, env)
        env.inputs.drop_draft()
        return ExitStatus.OK
    where = endpoint.resolve(server, env)
    conversation.session.prepare()

    from llamacli.http import open

    with Output(file.output, before=env.stderr.settle) as out, open.client(where, network, env.stderr) as client:
        answer = conversation.take(content, client, out)
        if answer.fault:
            raise answer.fault
    env.inputs.drop_draft()
    return answer.status


def _session(held: SessionOptions) -> Session:
    """Returns the session that the options name. Raises LlamaError (usage)."""
    name = held.session
    if held.continue_:
        from llamacli.chat import login

        if name is not None:
            raise LlamaError(ExitStatus.USAGE, "--session and --continue both name a session", "drop one")
        name = login.latest()
        if name is None:
            what = NO_LAST if login.current() else NO_LOGIN
            raise LlamaError(ExitStatus.USAGE, f"--continue: {what}", NAME_IT)
    return Session(name, is_saved=not held.no_save)
