"""`llamacli chat`: a conversation, interactive or one turn a call."""

import os
from typing import TYPE_CHECKING

from llamacli.api.messages import Content
from llamacli.ask import prompt
from llamacli.ask.options import QUESTION_OPTIONS, InputOptions
from llamacli.ask.runner import Answer, Runner, send_or_preview
from llamacli.chat.conversation import Conversation
from llamacli.chat.options import SessionOptions
from llamacli.chat.session import Session
from llamacli.cli.shared import OutputFile
from llamacli.cli.spec import LoadedOptions
from llamacli.cli.table import Operand
from llamacli.cli.types import ParamType
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http import endpoint
from llamacli.http.options import EndpointOptions, PreviewOptions
from llamacli.stdio.environment import Environment
from llamacli.stdio.output import Output

if TYPE_CHECKING:
    from llamacli.http.client import Client

DESCRIPTION = """
Without a PROMPT, on a terminal, starts an interactive chat; type /help for commands. With
a PROMPT or piped input it takes one turn and prints the answer as `ask` does. Each turn is
saved once its answer is complete; a failed turn changes nothing. -S names the conversation,
and -c continues the last one of this login session.
"""
OPERANDS = (Operand("prompt", ParamType("PROMPT"), multiple=True),)
OPTIONS = (SessionOptions, *QUESTION_OPTIONS)
EXAMPLES = (
    "llamacli chat -S review 'What does this do?' <main.py",
    "llamacli chat -S review 'And how is it tested?'",
    "llamacli chat 'Name a river.' && llamacli chat -c 'And another one.'",
)

#: Why --continue may have nothing to go on with, and what helps in either case.
NO_LAST = "no conversation was held in this login session"
NO_LOGIN = "this login session cannot be told from others: its leader has ended or is outside of the container"
NAME_IT = "name one with -S; 'llamacli sessions' lists them"


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Takes one turn, or starts an interactive chat."""
    words, session, input = options.operands("prompt"), options[SessionOptions], options[InputOptions]
    conversation = Conversation(_session(session, env), session, Runner(options, env.stderr), env.stderr)
    conversation.system = prompt.system(input, env.input)
    conversation.examples = input.messages or []
    content = prompt.content(words, input, env.input)
    has_prompt = bool(content or words or input.file or input.files_from or input.edit)
    if session.interactive or (not has_prompt and os.isatty(0)):
        return _interact(conversation, content, options, env)
    body = conversation.build_body(prompt.require_content(content))

    def take_turn(client: "Client", out: Output) -> Answer:
        conversation.session.prepare()
        return conversation.take_turn(content, client, out)

    return send_or_preview(body, take_turn, options, env)


def _interact(conversation: Conversation, content: Content, options: LoadedOptions, env: Environment) -> ExitStatus:
    preview, file = options[PreviewOptions], options[OutputFile]
    for option in (*(name for name in preview.origins if getattr(preview, name)), *file.origins):
        what = f"--{option.replace('_', '-')} is for one turn"
        raise LlamaError(ExitStatus.USAGE, what, "give a prompt, and no -i")
    where = endpoint.resolve(options[EndpointOptions], env)

    from llamacli.chat.repl import Repl

    return Repl(conversation, where, options, env).run(content)


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
