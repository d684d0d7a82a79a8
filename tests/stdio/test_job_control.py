"""Changes to a terminal are undone before llamacli stops, and a background job draws nothing."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from tests.support.fake_api import delta, event, stream, text
from tests.support.terminal import SHELLS, Terminal, in_shell
from tests.support.world import PROGRAM, World

COMMAND = " ".join(PROGRAM)


def run(terminal: Terminal, typed: str, until: str) -> str:
    """Types something and returns what is shown after it, up to a text."""
    start = len(terminal.shown)
    terminal.type(typed)
    terminal.until(until, start=start)
    return terminal.shown[start:]


def late(seconds: float) -> Any:
    def behave(handler: Any) -> None:
        time.sleep(seconds)
        text("the answer")(handler)

    return behave


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: str(shell[0]))
def test_a_key_stays_hidden_after_ctrl_z_and_fg(world: World, shell: list[str]) -> None:
    with in_shell(world, shell) as terminal:
        run(terminal, f"{COMMAND} config set-key\r", "API key (hidden): ")
        run(terminal, "\x1a", "# ")
        modes = run(terminal, "stty -a | tr ';' '\\n' | grep -w echo; echo en''d\r", "end")
        assert " -echo " not in modes
        run(terminal, "fg\r", "API key (hidden): ")
        shown = run(terminal, "sk-hidden-0123456789\r", "stored sk-h...6789")
        assert "sk-hidden" not in shown
        assert " -echo " not in run(terminal, "stty -a | tr ';' '\\n' | grep -w echo; echo en''d2\r", "end2")
    assert "sk-hidden-0123456789" in (world.config / ".env").read_text()


@pytest.mark.parametrize("shell", SHELLS[:2], ids=lambda shell: str(shell[0]))
def test_a_background_job_asks_for_a_key_in_the_foreground(world: World, shell: list[str]) -> None:
    with in_shell(world, shell) as terminal:
        run(terminal, f"{COMMAND} config set-key & sleep 1; echo en''d\r", "end")
        assert "API key" not in terminal.shown
        run(terminal, "fg\r", "API key (hidden): ")
        assert "internal error" not in run(terminal, "sk-hidden-0123456789\r", "stored sk-h...6789")
        # This one is nobody's job, so nobody can bring it to the foreground.
        run(terminal, f"({COMMAND} config set-key </dev/tty &)\r", "cannot read the key from the terminal: ")


@pytest.mark.parametrize("shell", SHELLS[:2], ids=lambda shell: str(shell[0]))
def test_a_background_job_shows_no_spinner(world: World, shell: list[str]) -> None:
    world.api.will(late(1.5))
    with in_shell(world, shell) as terminal:
        shown = run(terminal, f"{COMMAND} ask -I Hi &\r", "the answer")
        assert "waiting for" not in shown
        shown = run(terminal, f"{COMMAND} ask -I Hi\r", "the answer")
        assert "waiting for" in shown


@pytest.mark.parametrize("shell", SHELLS[:2], ids=lambda shell: str(shell[0]))
def test_the_spinner_is_gone_while_the_program_is_stopped(world: World, shell: list[str]) -> None:
    world.api.will(late(3))
    with in_shell(world, shell) as terminal:
        run(terminal, f"{COMMAND} ask -I Hi\r", "waiting for")
        shown = run(terminal, "\x1a", "# ")
        assert "\r\x1b[K" in shown[shown.rindex("waiting for") if "waiting for" in shown else 0 :]
        assert "waiting for" not in run(terminal, "echo en''d\r", "end")
        shown = run(terminal, "fg\r", "the answer")
        assert "waiting for" in shown


def test_markdown_is_not_drawn_over_what_the_shell_wrote(world: World) -> None:
    words = [event(delta(f"**word{number}** ")) for number in range(20)]
    world.api.will(stream([*words, event(delta("end", finish="stop"))], pause=0.1))
    with in_shell(world, SHELLS[0]) as terminal:
        run(terminal, f"{COMMAND} ask -I --markdown Hi\r", "word3")
        run(terminal, "\x1a", "# ")
        run(terminal, "echo from''shell\r", "fromshell")
        shown = run(terminal, "fg\r", "end")
        # The cursor does not move up before the lines are printed again.
        assert not re.search("\x1b\\[\\d+A", shown[: shown.index("word0")])
