"""`llamacli chat`: a conversation, interactive or one turn per call."""

import os

from llamacli.api.messages import Content
from llamacli.ask import prompt
from llamacli.ask.answers import Answer
from llamacli.ask.options import QUESTION_OPTIONS, FollowUpOptions, InputOptions
from llamacli.ask.runner import Connect, Runner, send_or_preview
from llamacli.chat.conversation import Conversation
from llamacli.chat.listing import latest_name, names
from llamacli.chat.options import SessionOptions
from llamacli.chat.session import Session, current_login
from llamacli.cli.spec import LoadedOptions
from llamacli.cli.table import Operand, OutputFile
from llamacli.cli.types import ParamType
from llamacli.errors import ExitStatus, UsageError
from llamacli.http import endpoint
from llamacli.http.options import EndpointOptions, PreviewOptions
from llamacli.stdio.input import Environment
from llamacli.stdio.output import Output

DESCRIPTION = """
Without a PROMPT, on a terminal, starts an interactive chat; type /help for commands. With
a PROMPT or piped input it takes one turn and prints the answer as `ask` does. Each turn is
saved once its answer is complete; a failed turn changes nothing. -S names the conversation,
and -c continues the last one of this terminal.
"""
OPERANDS = (Operand("prompt", ParamType("PROMPT"), multiple=True),)
OPTIONS = (SessionOptions, *QUESTION_OPTIONS)
EXAMPLES = (
    "llamacli chat -S review 'What does this do?' <main.py",
    "llamacli chat -S review 'And how is it tested?'",
    "llamacli chat 'Name a river.' && llamacli chat -c 'And another one.'",
)
#: Why --continue may find nothing.
NO_LAST = "nothing has been asked in this terminal yet"
NO_LOGIN = "cannot tell this login session from others: its leader has ended or runs outside this container"


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Takes one turn, or starts an interactive chat."""
    prompt.check_words(options, env.stderr.note)
    words, session, input = options.operands("prompt"), options[SessionOptions], options[InputOptions]
    conversation = _conversation(session, options, env)
    has_prompt = bool(words or input.file or input.files_from or input.prompt_file or input.edit)
    # A loop that runs tools needs its stdin for itself.
    content = prompt.content(options, env) if has_prompt or not session.tool_result else ""
    if session.interactive or (not (content or has_prompt or session.tool_result) and os.isatty(0)):
        return _interact(conversation, content, options, env)
    return _take_turn(conversation, content if session.tool_result else prompt.require_content(content), options, env)


def continue_last(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Takes a turn in the last conversation: `ask --continue`."""
    follow_up = options[FollowUpOptions]
    values = {"continue_": True, "save": follow_up.save, "keep": follow_up.keep}
    session = SessionOptions(values, follow_up.origins)
    conversation = _conversation(session, options, env)
    content = prompt.content(options, env)
    return _take_turn(conversation, prompt.require_content(content), options, env)


def _take_turn(conversation: Conversation, content: Content, options: LoadedOptions, env: Environment) -> ExitStatus:
    body = conversation.build_body(content)

    def take_turn(connect: Connect, out: Output) -> Answer:
        conversation.session.prepare()
        return conversation.take_turn(content, connect, out)

    return send_or_preview(body, take_turn, options, env)


def help_rows() -> list[tuple[str, str]]:
    """Returns the slash commands, for `help chat` and the man page."""
    from llamacli.chat import slash

    return slash.help_rows()


def _interact(conversation: Conversation, content: Content, options: LoadedOptions, env: Environment) -> ExitStatus:
    preview, file = options[PreviewOptions], options[OutputFile]
    one_turn = [*(name for name in preview.origins if getattr(preview, name)), *file.origins]
    if options[SessionOptions].tool_result:
        one_turn.append("tool_result")
    for option in one_turn:
        message = f"--{option.replace('_', '-')} needs a prompt"
        raise UsageError(message, "it is for one turn, not for an interactive chat")
    where = endpoint.resolve(options[EndpointOptions], env)

    from llamacli.chat.repl import Repl

    return Repl(conversation, where, options, env).run(content)


def _conversation(session: SessionOptions, options: LoadedOptions, env: Environment) -> Conversation:
    """Returns the conversation of the options. Raises UsageError."""
    if session.tool_result:
        read = {id: env.input.at_file(text, "--tool-result") for id, text in session.tool_result.items()}
        session = session.replace("tool_result", read, "--tool-result")
    conversation = Conversation(_session(session, env), session, Runner(options, env.stderr), env.stderr)
    conversation.system = prompt.system(options[InputOptions], env.input)
    conversation.examples = options[InputOptions].messages or []
    return conversation


def _session(options: SessionOptions, env: Environment) -> Session:
    name = options.session
    if options.continue_:
        if name is not None:
            raise UsageError("--session and --continue cannot be combined", "drop one of them")
        name = latest_name()
        if name is None:
            message = NO_LAST if current_login() else NO_LOGIN
            latest = next(iter(names()), None)
            hint = f"to continue the latest session: llamacli chat -S {latest}" if latest else "ask without -c first"
            raise UsageError(f"--continue: {message}", hint)
    return Session(name, is_saved=options.save is not False, warn=env.stderr.note)
