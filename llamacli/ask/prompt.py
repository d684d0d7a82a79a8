"""What is asked: words, stdin and files put together to the messages of a request."""

import os
from contextlib import suppress

from llamacli.api.messages import Message
from llamacli.ask.options import ContextOptions, InputOptions
from llamacli.config.paths import ROLES
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.input import InputReader, display_path

STDIN_PLACEHOLDER = "{stdin}"


def messages(words: list[str], options: InputOptions, inputs: InputReader) -> list[Message]:
    """Returns the messages to send.

    Raises LlamaError (usage) where there is nothing to ask or an input cannot be
    read as UTF-8.
    """
    before = system(options, inputs)
    asked: list[Message] = [{"role": "user", "content": require_text(content(words, options, inputs))}]
    return [{"role": "system", "content": before}, *asked] if before else asked


def content(words: list[str], options: InputOptions, inputs: InputReader) -> str:
    """Returns what is asked, "" where that is nothing.

    The prompt is the words joined by one space. Files and then stdin follow it,
    parts separated by one blank line; stdin's text goes where the prompt holds
    `{stdin}` instead. Raises LlamaError (usage).
    """
    prompt = " ".join(inputs.argument(word, "the prompt") for word in words if word != "-")
    if options.edit:
        from llamacli.ask.editor import edit_prompt

        prompt = edit_prompt(prompt, inputs)
    files = [attachment(path, inputs) for path in options.file or []]
    stdin = _stdin(words, options, inputs)
    if stdin is not None and STDIN_PLACEHOLDER in prompt:
        prompt, stdin = prompt.replace(STDIN_PLACEHOLDER, stdin), None
    text = "\n\n".join(part for part in (prompt, *files, stdin) if part)
    return text if text.strip() else ""


def require_text(text: str) -> str:
    """Returns what is asked. Raises LlamaError (usage) where that is nothing."""
    if not text:
        raise LlamaError(ExitStatus.USAGE, "nothing to ask", "give a prompt, pipe text in, or see --help")
    return text


def attachment(path: str, inputs: InputReader) -> str:
    """Returns a file's text as the model is shown it. Raises LlamaError (usage)."""
    return f'<file name="{display_path(path)}">\n{inputs.file(path)}\n</file>'


def _stdin(words: list[str], options: InputOptions, inputs: InputReader) -> str | None:
    """Reads stdin where it is the prompt's: None where it is not read."""
    if "-" in words:
        if options.no_stdin:
            raise LlamaError(ExitStatus.USAGE, "the word - reads stdin and --no-stdin leaves it alone", "drop one")
        return inputs.stdin("the word -")
    if options.no_stdin or inputs.is_stdin_used or not inputs.stdin_is_piped():
        return None
    return inputs.stdin("the prompt")


def system(options: ContextOptions, inputs: InputReader) -> str | None:
    """Returns the system message that is asked for, None where none is. Raises LlamaError (usage)."""
    if options.role is None:
        return options.system
    if options.system is not None:
        raise LlamaError(ExitStatus.USAGE, "--system and --role both give the system message", "drop one")
    folder = ROLES.path()
    if "/" in options.role or options.role.startswith("."):
        raise LlamaError(ExitStatus.USAGE, f"--role: '{options.role}' is no name of a role", f"roles are in {folder}")
    path = ROLES.path(options.role)
    if not os.path.lexists(path):
        names: list[str] = []
        with suppress(OSError):
            names = sorted(ROLES.names())
        from difflib import get_close_matches

        close = get_close_matches(options.role, names)
        hint = f"did you mean '{close[0]}'?" if close else f"there is {', '.join(names) or 'none yet'}"
        raise LlamaError(ExitStatus.USAGE, f"--role: no file {path}", hint)
    return inputs.file(str(path)).rstrip("\n")
