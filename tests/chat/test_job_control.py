"""Ctrl-Z and fg in a chat, in the shells that people use."""

from __future__ import annotations

import pytest

from tests.support.chat import CHAT, said
from tests.support.fake_api import delta, event, stream
from tests.support.terminal import SHELLS, in_shell
from tests.support.world import World


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: str(shell[0]))
def test_ctrl_z_restores_the_terminal_and_fg_redraws_the_line(world: World, shell: list[str]) -> None:
    with in_shell(world, shell) as terminal:
        terminal.type(f"{' '.join(CHAT)}\r")
        terminal.until("\x1b[?2004h> ")
        terminal.type("half a mess\u00e4ge")
        terminal.until("half a mess\u00e4ge")
        shown = len(terminal.shown)
        terminal.type("\x1a")
        terminal.until("\x1b[?2004l", start=shown)
        terminal.until("# ", start=shown)
        terminal.type("stty -a | tr ';' '\\n' | grep -w icanon; stty -a | grep -w echo; echo stopped''1\r")
        terminal.until("stopped1", start=shown)
        assert "-icanon" not in terminal.shown[shown:], terminal.shown[shown:]
        assert "-echo " not in terminal.shown[shown:], terminal.shown[shown:]
        shown = len(terminal.shown)
        terminal.type("fg\r")
        # The line is drawn again, and can be edited.
        terminal.until("> half a mess\u00e4ge", start=shown)
        terminal.type("\x7f\x7fge!\r")
        terminal.until("Hello. It's nice", start=shown)
        assert said(world) == [("user", "half a mess\u00e4ge!")]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: str(shell[0]))
def test_a_chat_in_the_background_keeps_its_line(world: World, shell: list[str]) -> None:
    with in_shell(world, shell) as terminal:
        terminal.type(f"{' '.join(CHAT)}\r")
        terminal.until("\x1b[?2004h> ")
        terminal.type("half a mess")
        terminal.until("half a mess")
        for command, shown in ("\x1a", "# "), ("bg\r", "# "), ("sleep 0.5; echo in''shell\r", "inshell"):
            start = len(terminal.shown)
            terminal.type(command)
            terminal.until(shown, start=start)
        start = len(terminal.shown)
        terminal.type("fg\r")
        terminal.until("> half a mess", start=start)
        terminal.type("age\r")
        terminal.until("Hello. It's nice", start=start)
        assert said(world) == [("user", "half a message")]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: str(shell[0]))
def test_ctrl_z_during_an_answer(world: World, shell: list[str]) -> None:
    events = [event(delta("slow ")), *[event(delta(".")) for _ in range(9)], event(delta(" end", finish="stop"))]
    world.api.will(stream(events, pause=0.1))
    with in_shell(world, shell) as terminal:
        terminal.type(f"{' '.join(CHAT)}\r")
        terminal.until("\x1b[?2004h> ")
        terminal.type("Hi\r")
        terminal.until("slow ")
        shown = len(terminal.shown)
        terminal.type("\x1a")
        terminal.until("\x1b[?2004l", start=shown)
        terminal.until("# ", start=shown)
        terminal.type("stty -a | tr ';' '\\n' | grep -w icanon; stty -a | grep -w echo; echo stopped''1\r")
        terminal.until("stopped1", start=shown)
        assert "-icanon" not in terminal.shown[shown:], terminal.shown[shown:]
        assert "-echo " not in terminal.shown[shown:], terminal.shown[shown:]
        terminal.type("fg\r")
        terminal.until(" end", start=shown)
        terminal.type("/exit\r")
        terminal.until("saved", start=shown)
        terminal.type("exit\r")
        terminal.wait()
