"""The prompt, written in an editor."""

import signal
import stat
from functools import partial
from pathlib import Path

import pytest

from tests.support.fake_api import error, respond
from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, World


def test_the_editor_writes_the_prompt(world: World) -> None:
    editor = world.cwd / "ed.sh"
    editor.write_text('#!/bin/sh\nprintf "%s, edited\\n" "$(cat "$2")" >"$2"\necho "on stdout"\n')
    editor.chmod(0o755)
    result = world.call("ask", "-e", "draft", stdin="tail", VISUAL=f"{editor} --wait")
    assert result.status == 0
    assert world.api.prompt == "draft, edited\n\ntail"
    assert "on stdout" not in result.out


def test_text_from_the_editor_is_kept_if_the_editor_fails(world: World) -> None:
    editor = world.cwd / "ed.sh"
    editor.write_text('#!/bin/sh\necho precious >"$1"; exit 1\n')
    editor.chmod(0o755)
    result = world.call("ask", "-e", VISUAL=str(editor))
    assert result.status == 2
    path = Path(result.err.rpartition("your text is in ")[2].partition(" [")[0].strip())
    assert path.read_text() == "precious\n"
    path.unlink()
    path.parent.rmdir()


@pytest.mark.parametrize(
    ("arguments", "status"), [(["-o", "missing/x"], 74), (["--top-logprobs", "3"], 2), (["-f", "missing"], 2), ([], 4)]
)
def test_text_from_the_editor_is_kept_if_the_call_fails(world: World, arguments: list[str], status: int) -> None:
    editor = world.cwd / "ed.sh"
    editor.write_text('#!/bin/sh\necho precious >"$1"\n')
    editor.chmod(0o755)
    world.api.will(error(400, "no"), respond)
    result = world.call("ask", "-e", *arguments, VISUAL=str(editor))
    assert result.status == status
    assert result.err.count("\n") == 1
    path = Path(result.err.rpartition("your text is in ")[2].partition(" [")[0].strip())
    assert path.read_text() == "precious\n"
    path.unlink()
    path.parent.rmdir()
    editor.write_text(f'#!/bin/sh\necho precious >"$1"; echo "$1" >{world.cwd}/name\n')
    world.api.will(respond)
    assert world.call("ask", "-e", VISUAL=str(editor)).status == 0
    assert not Path((world.cwd / "name").read_text().strip()).parent.exists()


def test_an_editor_that_fails_sends_nothing(world: World) -> None:
    result = world.call("ask", "-e", VISUAL="false")
    assert result.status == 2
    assert result.err == "llamacli: the editor 'false' exited with status 1\n"
    assert not world.api.requests


def test_an_editor_that_was_killed_is_named_with_the_signal(world: World) -> None:
    result = world.call("ask", "-e", VISUAL="kill $$;")
    assert (result.status, result.err) == (2, "llamacli: the editor 'kill $$;' was killed by signal 15\n")


def test_a_draft_that_the_editor_removed_is_not_named(world: World) -> None:
    result = world.call("ask", "-e", VISUAL="rm", TMPDIR=str(world.cwd))
    assert (result.status, world.api.requests) == (2, [])
    assert result.err.endswith("prompt.md: No such file or directory; nothing was sent\n")
    assert not list(world.cwd.glob("llamacli-*"))


@pytest.mark.parametrize("text", ["", " \\n\\n"])
def test_a_draft_without_text_is_not_kept(world: World, text: str) -> None:
    result = world.call("ask", "-e", VISUAL=f"printf '{text}' >", TMPDIR=str(world.cwd))
    assert result.err == "llamacli: nothing to ask; give a prompt, pipe text in, or see --help\n"
    assert not list(world.cwd.glob("llamacli-*"))


def test_the_status_of_an_editor_counts_even_if_sigchld_is_ignored(world: World) -> None:
    ignore = partial(signal.signal, signal.SIGCHLD, signal.SIG_IGN)
    result = world.run("ask", "-e", "Hi", env={"VISUAL": "false"}, preexec_fn=ignore)
    assert (result.status, result.err) == (2, "llamacli: the editor 'false' exited with status 1\n")
    assert not world.api.requests


def test_an_editor_that_is_not_there_names_the_variables(world: World) -> None:
    result = world.call("ask", "-e", EDITOR="no-such-editor")
    assert result.status == 2
    assert result.err.endswith("the editor 'no-such-editor' exited with status 127; check VISUAL and EDITOR\n")


def test_without_a_terminal_vi_is_not_started(world: World) -> None:
    # A new session has no terminal.
    result = world.run("ask", "-e", env={"VISUAL": "", "EDITOR": ""}, timeout=20, start_new_session=True)
    assert (result.status, result.out) == (2, "")
    assert result.err == "llamacli: the editor needs a terminal; set VISUAL or EDITOR to one that does not\n"


def test_the_editor_has_the_terminal_while_stdin_is_a_pipe(world: World) -> None:
    editor = world.cwd / "ed.sh"
    editor.write_text('#!/bin/sh\n[ -t 0 ] && [ -t 1 ] && echo "from the terminal" >"$1"\n')
    editor.chmod(0o755)
    with Terminal(world, "sh", "-c", f"printf tail | {' '.join(PROGRAM)} ask -e | cat", EDITOR=str(editor)) as terminal:
        terminal.wait()
    assert world.api.prompt == "from the terminal\n\ntail"


def test_the_prompt_file_of_the_editor_is_private(world: World, tmp_path: Path) -> None:
    editor = world.cwd / "ed.sh"
    editor.write_text(f'#!/bin/sh\nstat -c %a "$(dirname "$1")" >{tmp_path}/mode\necho hi >"$1"\n')
    editor.chmod(0o755)
    world.call("ask", "-e", EDITOR=str(editor))
    assert stat.S_IMODE(int((tmp_path / "mode").read_text(), 8)) == 0o700
