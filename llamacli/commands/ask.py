"""`llamacli ask`: one question, one answer."""

import os

from llamacli.ask import prompt
from llamacli.ask.answers import Answer
from llamacli.ask.options import QUESTION_OPTIONS, CacheOptions, FollowUpOptions, InputOptions, MapOptions
from llamacli.ask.runner import Connect, Runner, print_requests, send_or_preview
from llamacli.cli.spec import LoadedOptions
from llamacli.cli.table import Operand
from llamacli.cli.types import ParamType
from llamacli.errors import ExitStatus, UsageError
from llamacli.http.options import PreviewOptions
from llamacli.stdio.input import Environment
from llamacli.stdio.output import Output

DESCRIPTION = """
The words of PROMPT are joined by spaces. Piped input is appended after a blank line, or
replaces {stdin} if the prompt contains it. Only the answer goes to stdout. On a terminal
the question and its answer are saved, so that -c can ask a follow-up question.
"""
OPERANDS = (Operand("prompt", ParamType("PROMPT"), multiple=True),)
OPTIONS = (*QUESTION_OPTIONS[:1], FollowUpOptions, *QUESTION_OPTIONS[1:], CacheOptions, MapOptions)
EXAMPLES = (
    "llamacli ask why is the sky blue",
    "llamacli ask -c and at sunset",
    "git diff | llamacli ask 'Write a commit message for:'",
    "llamacli ask -f main.py -f test.py 'Why does the test fail?'",
    "llamacli ask --choice bug,feature,question 'What is this?' <notes.txt",
    "llamacli ask --schema 'name, age int, tags [str]' 'Who is it?' <notes.txt",
)


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Asks one question."""
    prompt.check_words(options, env.stderr.note)
    follow_up = options[FollowUpOptions]
    if follow_up.continue_:
        from llamacli.commands.chat import continue_last

        return continue_last(options, env)
    runner = Runner(options, env.stderr)
    context = prompt.context_messages(options[InputOptions], env.input)
    mapper = None
    if options[InputOptions].overflow == "map":
        from llamacli.batch.parts import PartMapper

        mapper = PartMapper(context, options, env)
        if options[PreviewOptions].is_used:
            return print_requests(mapper.requests(), options, env)
    content = mapper.content() if mapper else prompt.content(options, env)
    runner.earlier_calls = mapper.calls if mapper else None
    messages = [*context, {"role": "user", "content": prompt.require_content(content)}]
    body = runner.build_body(messages)
    is_kept = os.isatty(1) if follow_up.save is None else follow_up.save
    # Several answers do not make a conversation, nor do messages that --param replaced.
    if is_kept and (body.get("n", 1) != 1 or body["messages"] is not messages):
        if follow_up.from_flag("save"):
            raise UsageError("--save cannot be combined with --n or --param messages", "drop one")
        is_kept = False

    def take_turn(connect: Connect, out: Output) -> Answer:
        answer = runner.run(body, connect, out)
        if is_kept:
            from llamacli.chat.conversation import keep_answer

            keep_answer(messages, answer, follow_up.keep, env.stderr)
        return answer

    status = send_or_preview(body, take_turn, options, env, mapper.server if mapper else None)
    if mapper:
        mapper.check()
    return status
