"""What is asked: words, stdin and files put together to the messages of a request."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated

from llamacli.environment import Environment
from llamacli.errors import ExitStatus, LlamaError
from llamacli.inputs import Inputs, run_shell, shown
from llamacli.kinds import AtFile, Kind, Path, Switch
from llamacli.options import Flag, Table
from llamacli.places import ROLES
from llamacli.wire import Message

STDIN = "{stdin}"


class ContextOptions(Table):
    """What every question comes with."""

    title = "Input"

    system: Annotated[
        str | None,
        Flag(
            AtFile(),
            "Put this system message first; TEXT or @FILE.",
            "-s",
            example="llamacli ask -s @review.txt -f main.py",
        ),
    ] = None
    role: Annotated[
        str | None,
        Flag(Kind("NAME", completes="role"), "Take the system message from roles/NAME.md in the config folder.", "-r"),
    ] = None
    file: Annotated[
        list[str] | None,
        Flag(
            Path(),
            "Add this file after the prompt; with ask and chat, text from stdin follows it.",
            "-f",
            many=True,
            example="llamacli ask -f main.py -f test.py 'What did I miss?'",
        ),
    ] = None


class InputOptions(ContextOptions):
    """What is asked beside the words of the prompt."""

    edit: Annotated[bool, Flag(Switch(), "Write the prompt in $VISUAL or $EDITOR.", "-e")] = False
    no_stdin: Annotated[bool, Flag(Switch(), "Leave stdin alone.", "-I", also=("--ignore-stdin",))] = False


class DecodingOptions(Table):
    """How bytes become text."""

    title = "Input"
    comes_first = True

    lossy: Annotated[bool, Flag(Switch(), "Read bytes that are not UTF-8 as U+FFFD.")] = False

    def filled(self, env: Environment) -> None:
        env.inputs.lossy = self.lossy


def messages(words: list[str], options: InputOptions, inputs: Inputs) -> list[Message]:
    """Returns the messages to send.

    Raises LlamaError (usage) where there is nothing to ask or an input cannot be
    read as UTF-8.
    """
    before = system(options, inputs)
    asked: list[Message] = [{"role": "user", "content": checked(content(words, options, inputs))}]
    return [{"role": "system", "content": before}, *asked] if before else asked


def content(words: list[str], options: InputOptions, inputs: Inputs) -> str:
    """Returns what is asked, "" where that is nothing.

    The prompt is the words joined by one space. Files and then stdin follow it,
    parts separated by one blank line; stdin's text goes where the prompt holds
    `{stdin}` instead. Raises LlamaError (usage).
    """
    prompt = " ".join(inputs.argument(word, "the prompt") for word in words if word != "-")
    if options.edit:
        prompt = edited(prompt, inputs)
    files = [attachment(path, inputs) for path in options.file or []]
    stdin = _stdin(words, options, inputs)
    if stdin is not None and STDIN in prompt:
        prompt, stdin = prompt.replace(STDIN, stdin), None
    text = "\n\n".join(part for part in (prompt, *files, stdin) if part)
    return text if text.strip() else ""


def checked(text: str) -> str:
    """Returns what is asked. Raises LlamaError (usage) where that is nothing."""
    if not text:
        raise LlamaError(ExitStatus.USAGE, "nothing to ask", "give a prompt, pipe text in, or see --help")
    return text


def attachment(path: str, inputs: Inputs) -> str:
    """Returns a file's text as the model is shown it. Raises LlamaError (usage)."""
    return f'<file name="{shown(path)}">\n{inputs.file(path)}\n</file>'


def _stdin(words: list[str], options: InputOptions, inputs: Inputs) -> str | None:
    """Reads stdin where it is the prompt's: None where it is not read."""
    if "-" in words:
        if options.no_stdin:
            raise LlamaError(ExitStatus.USAGE, "the word - reads stdin and --no-stdin leaves it alone", "drop one")
        return inputs.stdin("the word -")
    if options.no_stdin or inputs.stdin_taken or not inputs.stdin_is_piped():
        return None
    return inputs.stdin("the prompt")


def system(options: ContextOptions, inputs: Inputs) -> str | None:
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


def edited(prompt: str, inputs: Inputs) -> str:
    """Lets the user write the prompt, on the terminal even where stdin and stdout are pipes.

    It stays in a file until somebody says that it has served.
    """
    import shlex
    import tempfile
    from pathlib import Path

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    folder = tempfile.mkdtemp(prefix="llamacli-")
    # What was written stays where it is until it has served, or is a part of what is written next.
    inputs.drop_draft()
    inputs.draft = Path(folder, "prompt.md")
    inputs.draft.write_text(prompt, encoding="utf-8")
    with _terminal() as terminal, _ignoring_signals():
        # By the shell, as git does it: an editor may come with arguments.
        command = f"{editor} {shlex.quote(str(inputs.draft))}"
        done = run_shell(command, stdin=terminal or subprocess.DEVNULL, stdout=terminal or 2)
    if done.returncode:
        with suppress(OSError):
            if inputs.draft.read_text(encoding="utf-8", errors="replace") == prompt:
                # Nothing was written that could be lost.
                inputs.drop_draft()
        raise LlamaError(ExitStatus.USAGE, f"the editor '{editor}' ended with status {done.returncode}")
    return inputs.file(str(inputs.draft)).rstrip("\n")


@contextmanager
def _terminal() -> Iterator[int | None]:
    try:
        fd = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _ignoring_signals() -> Iterator[None]:
    """Leaves Ctrl-C and Ctrl-\\ to the editor, as system(3) does."""
    # A handler that does nothing, since the editor would inherit SIG_IGN.
    former = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
