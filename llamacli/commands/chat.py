"""`llamacli chat`: a conversation, at a prompt of its own or one turn a call."""

import os
from typing import Annotated

from llamacli import dry, endpoint, prompt
from llamacli.conversation import Conversation, SessionOptions
from llamacli.display import DisplayOptions, UsageOptions
from llamacli.dry import DryOptions
from llamacli.endpoint import EndpointOptions
from llamacli.environment import Environment
from llamacli.errors import ExitStatus, LlamaError
from llamacli.fit import FitOptions
from llamacli.kinds import Kind
from llamacli.network import NetworkOptions
from llamacli.options import Operand
from llamacli.outgoing import CHAT, Outgoing
from llamacli.output import Output, OutputFile, OutputOptions
from llamacli.params import Params
from llamacli.prompt import DecodingOptions, InputOptions
from llamacli.session import Session
from llamacli.turn import Turn
from llamacli.wire import encode

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

        from llamacli.repl import Repl

        tables = (params, held, printed, fit, shown, display, network)
        return Repl(conversation, where, network, tables, env).run(content)
    body = conversation.body(prompt.checked(content))
    if instead.dry_run or instead.curl:
        dry.show(Outgoing("POST", CHAT, encode(body)), instead, server, network, file.output, env)
        env.inputs.drop_draft()
        return ExitStatus.OK
    where = endpoint.resolve(server, env)
    conversation.session.prepare()

    from llamacli import early

    with Output(file.output, before=env.stderr.settle) as out, early.client(where, network, env.stderr) as client:
        answer = conversation.take(content, client, out)
        if answer.fault:
            raise answer.fault
    env.inputs.drop_draft()
    return answer.status


def _session(held: SessionOptions) -> Session:
    """Returns the session that the options name. Raises LlamaError (usage)."""
    name = held.session
    if held.continue_:
        from llamacli import login

        if name is not None:
            raise LlamaError(ExitStatus.USAGE, "--session and --continue both name a session", "drop one")
        name = login.latest()
        if name is None:
            what = NO_LAST if login.current() else NO_LOGIN
            raise LlamaError(ExitStatus.USAGE, f"--continue: {what}", NAME_IT)
    return Session(name, is_saved=not held.no_save)
