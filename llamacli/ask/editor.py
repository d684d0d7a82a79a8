"""The editor in which the user writes a prompt: $VISUAL or $EDITOR."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.input import InputReader
from llamacli.stdio.shell import run_shell


def edit_prompt(prompt: str, inputs: InputReader) -> str:
    """Returns the prompt that the user writes in an editor.

    The editor uses the terminal even if stdin and stdout are pipes. It stays in a file,
    the draft, until InputReader.drop_draft.
    """
    import shlex
    import tempfile
    from pathlib import Path

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    folder = tempfile.mkdtemp(prefix="llamacli-")
    # The text of the last draft is part of this one.
    inputs.drop_draft()
    inputs.draft = Path(folder, "prompt.md")
    inputs.draft.write_text(prompt, encoding="utf-8")
    with _terminal() as terminal, _ignoring_signals():
        # Through the shell, as git does: $EDITOR may have arguments.
        command = f"{editor} {shlex.quote(str(inputs.draft))}"
        done = run_shell(command, stdin=terminal or subprocess.DEVNULL, stdout=terminal or 2)
    if done.returncode:
        with suppress(OSError):
            if inputs.draft.read_text(encoding="utf-8", errors="replace") == prompt:
                # Nothing was written, so nothing can be lost.
                inputs.drop_draft()
        raise LlamaError(ExitStatus.USAGE, f"the editor '{editor}' exited with status {done.returncode}")
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
