"""Runs the user's own commands: the editor, and whatever prints the key."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

from llamacli.errors import ExitStatus, LlamaError, Stopped, UsageError
from llamacli.stdio.deadline import blocks_within
from llamacli.stdio.input import InputReader
from llamacli.stdio.text import shell_quoted


def read_output(
    command: str, stdin: int | None, max_bytes: int, timeout: float | None = None
) -> tuple[int | None, bytes]:
    """Runs a command in the shell and returns its status and output.

    The output is the first bytes of its stdout. A command that prints more is stopped. The status
    is None if the command was stopped after `timeout` seconds. Raises Stopped if Ctrl-C ended it.
    """
    end = None if timeout is None else monotonic() + timeout
    output = b""
    with subprocess.Popen(["/bin/sh", "-c", command], stdin=stdin, stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            for block in blocks_within(process.stdout.fileno(), end, max_bytes):
                output += block
                if len(output) >= max_bytes:
                    process.kill()
                    return 0, output[:max_bytes]
        except BaseException as error:
            # A signal to llamacli alone, or a timeout: the command would be waited for. Ending the shell is not
            # enough: its child processes may hold the pipe open.
            process.kill()
            if not isinstance(error, TimeoutError):
                raise
            return None, output
    return _checked(process.returncode), output


def _checked(status: int) -> int:
    """Returns a status. Raises Stopped after Ctrl-C, which was for us too."""
    if status in (-signal.SIGINT, 128 + signal.SIGINT):
        raise Stopped(signal.SIGINT)
    return status


def describe_end(status: int) -> str:
    """Returns in words how a child process failed."""
    return f"exited with status {status}" if status > 0 else f"was killed by signal {-status}"


def edit_prompt(prompt: str, inputs: InputReader) -> str:
    """Returns the prompt that the user writes in $VISUAL or $EDITOR.

    The editor uses the terminal even if stdin and stdout are pipes. The text stays in a
    file, the draft, until InputReader.drop_draft.
    """
    import tempfile

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    with _terminal() as terminal, _ignoring_signals():
        if not editor and terminal is None:
            # vi would wait for a terminal forever.
            raise UsageError("the editor needs a terminal", "set VISUAL or EDITOR to one that does not")
        # The text of the last draft is part of this one.
        inputs.drop_draft()
        try:
            inputs.draft = Path(tempfile.mkdtemp(prefix="llamacli-"), "prompt.md")
            inputs.draft.write_text(prompt, encoding="utf-8")
        except OSError as error:
            message = f"cannot write a temporary file: {error.strerror}"
            raise LlamaError(ExitStatus.OUTPUT, message, "check the free space in TMPDIR") from None
        # Through the shell, as git does: $EDITOR may have arguments.
        command = ["/bin/sh", "-c", f"{editor or 'vi'} {shell_quoted(str(inputs.draft))}"]
        done = subprocess.run(command, stdin=terminal or subprocess.DEVNULL, stdout=terminal or 2, check=False)
    if status := _checked(done.returncode):
        with suppress(OSError):
            if inputs.draft.read_text(encoding="utf-8", errors="replace") == prompt:
                # Nothing was written, so nothing can be lost.
                inputs.drop_draft()
        hint = "check VISUAL and EDITOR" if status in (126, 127) else ""
        raise UsageError(f"the editor '{editor or 'vi'}' {describe_end(status)}", hint)
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
