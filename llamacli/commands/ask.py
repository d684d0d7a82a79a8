"""`llamacli ask`: one question, one answer."""

from llamacli.ask import prompt
from llamacli.ask.options import QUESTION_OPTIONS, InputOptions
from llamacli.ask.runner import Runner, send_or_preview
from llamacli.cli.spec import LoadedOptions
from llamacli.cli.table import Operand
from llamacli.cli.types import ParamType
from llamacli.errors import ExitStatus
from llamacli.stdio.environment import Environment

DESCRIPTION = """
The words of PROMPT are joined by spaces. Piped input is appended after a blank line, or
replaces {stdin} if the prompt contains it. Only the answer goes to stdout.
"""
OPERANDS = (Operand("prompt", ParamType("PROMPT"), multiple=True),)
OPTIONS = QUESTION_OPTIONS
EXAMPLES = (
    "llamacli ask why is the sky blue",
    "git diff | llamacli ask 'Write a commit message for:'",
    "llamacli ask -f main.py -f test.py 'Why does the test fail?'",
    "llamacli ask --choice bug,feature,question 'What is this?' <notes.txt",
    "llamacli ask --schema 'name, age int, tags [str]' 'Who is it?' <notes.txt",
)


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Asks one question."""
    messages = prompt.messages(options.operands("prompt"), options[InputOptions], env.input)
    runner = Runner(options, env.stderr)
    body = runner.build_body(messages)
    return send_or_preview(body, lambda client, out: runner.run(body, client, out), options, env)
