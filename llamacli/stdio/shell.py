"""Runs the user's own commands: the editor, and whatever prints the key."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from llamacli.errors import ExitStatus, LlamaError, Stopped
from llamacli.stdio.escape import shell_quoted
from llamacli.stdio.input import InputReader


def read_output(command: str, stdin: int | None, max_bytes: int) -> tuple[int, bytes]:
    """Runs a command in the shell and returns its status and output.

    The output is the first bytes of its stdout. A command that prints more is stopped.
    Raises Stopped if Ctrl-C ended it.
    """
    with subprocess.Popen(["/bin/sh", "-c", command], stdin=stdin, stdout=subprocess.PIPE) as process:
        try:
            output = process.stdout.read(max_bytes) if process.stdout else b""
        except BaseException:
            # A signal to llamacli alone: the command would be waited for.
            process.kill()
            raise
        if len(output) == max_bytes:
            process.kill()
    return (0 if len(output) == max_bytes else _checked(process.returncode)), output


def _checked(status: int) -> int:
    """Returns a status. Raises Stopped after Ctrl-C, which was for us too."""
    if status in (-signal.SIGINT, 128 + signal.SIGINT):
        raise Stopped(signal.SIGINT)
    return status


def edit_prompt(prompt: str, inputs: InputReader) -> str:
    """Returns the prompt that the user writes in $VISUAL or $EDITOR.

    The editor uses the terminal even if stdin and stdout are pipes. The text stays in a
    file, the draft, until InputReader.drop_draft.
    """
    import tempfile

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    # The text of the last draft is part of this one.
    inputs.drop_draft()
    inputs.draft = Path(tempfile.mkdtemp(prefix="llamacli-"), "prompt.md")
    inputs.draft.write_text(prompt, encoding="utf-8")
    with _terminal() as terminal, _ignoring_signals():
        # Through the shell, as git does: $EDITOR may have arguments.
        command = ["/bin/sh", "-c", f"{editor} {shell_quoted(str(inputs.draft))}"]
        done = subprocess.run(command, stdin=terminal or subprocess.DEVNULL, stdout=terminal or 2, check=False)
        status = _checked(done.returncode)
    if status:
        with suppress(OSError):
            if inputs.draft.read_text(encoding="utf-8", errors="replace") == prompt:
                # Nothing was written, so nothing can be lost.
                inputs.drop_draft()
        raise LlamaError(ExitStatus.USAGE, f"the editor '{editor}' exited with status {status}")
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
    """Ignores Ctrl-C and Ctrl-\\ while the editor runs, as system(3) does."""
    # Not SIG_IGN, which the editor would inherit.
    former = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
