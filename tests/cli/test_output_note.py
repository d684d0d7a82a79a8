"""On a terminal, -o says which file was written."""

from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, World


def test_the_file_is_named_on_a_terminal_only(world: World) -> None:
    with Terminal(world, *PROGRAM, "ask", "-I", "-o", "answer.txt", "Hi") as terminal:
        assert terminal.wait() == 0
        assert "answer written to answer.txt" in terminal.shown
    with Terminal(world, *PROGRAM, "ask", "-q", "-I", "-o", "answer.txt", "Hi") as terminal:
        assert terminal.wait() == 0
        assert "written" not in terminal.shown
    assert world.call("ask", "-o", "answer.txt", "Hi").err == ""
