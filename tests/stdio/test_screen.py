"""Output on a terminal: escapes, colors, the spinner."""

import json
import time
from typing import Any

import pytest

from tests.support.fake_api import answer, delta, error, event, stream, streamed, text
from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, World


def test_a_terminal_is_shown_escapes_and_never_obeys_them(world: World) -> None:
    evil = "a\x1b]52;c;aGk=\x07b\x9b31mc\u202ed\u2066e\x7ff\rg\x08h\ti\u061c👨‍👩‍👧é"
    world.api.will(text(evil))
    with Terminal(world, *PROGRAM, "ask", "-I", "Hi") as terminal:
        assert terminal.wait() == 0
    assert terminal.shown.endswith(
        "a\\x1b]52;c;aGk=\\x07b\\x9b31mc\\u202ed\\u2066e\\x7ff\\rg\\x08h\ti\\u061c👨‍👩‍👧é\r\n"
    )


def test_json_on_a_terminal_is_indented_and_stays_json(world: World) -> None:
    world.api.will(answer("\x7f\u202e\x9b"))
    with Terminal(world, *PROGRAM, "ask", "-I", "--json", "Hi") as terminal:
        terminal.wait()
    assert '\r\n  "id"' in terminal.shown
    assert "\\u007f\\u202e\\u009b" in terminal.shown
    assert json.loads(terminal.shown[terminal.shown.index("{") :])["choices"]


def test_an_error_message_cannot_drive_the_terminal(world: World) -> None:
    world.api.will(error(400, "\x1b[2J\x9bmoved\nsecond line\u202e"))
    with Terminal(world, *PROGRAM, "ask", "-I", "Hi", NO_COLOR="1") as terminal:
        assert terminal.wait() == 4
    assert "\x1b" not in terminal.shown
    assert "\\x1b[2J\\x9bmoved second line\\u202e" in terminal.shown
    assert terminal.shown.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "env", "colored"),
    [
        ([], {}, True),
        ([], {"NO_COLOR": "1"}, False),
        ([], {"NO_COLOR": ""}, True),
        ([], {"TERM": "dumb"}, False),
        (["--no-color"], {}, False),
        ([], {"LLAMACLI_NO_COLOR": "1"}, False),
        (["--color"], {"LLAMACLI_NO_COLOR": "1"}, True),
    ],
)
def test_color_is_for_a_terminal_that_takes_it(
    world: World, arguments: list[str], env: dict[str, str], colored: bool
) -> None:
    world.api.will(error(400, "bad"))
    with Terminal(world, *PROGRAM, "ask", "-I", *arguments, "Hi", **env) as terminal:
        terminal.wait()
    assert ("\x1b[1;31mllamacli:" in terminal.shown) is colored


def test_a_spinner_turns_on_a_terminal_and_leaves_nothing_behind(world: World) -> None:
    def late(handler: Any) -> None:
        time.sleep(1)
        text("done")(handler)

    world.api.will(late)
    with Terminal(world, *PROGRAM, "ask", "-I", "Hi") as terminal:
        assert terminal.wait() == 0
    assert "waiting for 127.0.0.1" in terminal.shown
    assert terminal.shown.endswith("\r\x1b[Kdone\r\n")
    for arguments, env in [(["-q"], {}), ([], {"TERM": "dumb"})]:
        with Terminal(world, *PROGRAM, "ask", "-I", *arguments, "Hi", **env) as terminal:
            terminal.wait()
        assert terminal.shown == "done\r\n"
    assert world.run("ask", "Hi").err == ""


def test_the_spinner_leaves_reasoning_alone(world: World) -> None:
    chunks = [delta(reasoning="first "), delta(reasoning="second"), delta("42", finish="stop")]
    world.api.will(stream(map(event, chunks), pause=0.8))
    with Terminal(world, *PROGRAM, "ask", "-I", "--reasoning", "Hi") as terminal:
        terminal.wait()
    assert terminal.shown.endswith("first second\r\n42\r\n")


def test_quiet_and_no_color_apply_to_earlier_notes_too(world: World) -> None:
    (world.cwd / ".env").write_text("no line of a .env\n")
    assert world.call("ask", "-q", "-t", "9", "Hi").err.count("\n") == 1
    (world.cwd / ".env").unlink()
    for arguments in (["--no-color", "-t", "9"], ["--bogus", "--no-color"]):
        with Terminal(world, *PROGRAM, "ask", "-I", *arguments, "Hi") as terminal:
            terminal.wait()
        assert "\x1b" not in terminal.shown
    with Terminal(world, *PROGRAM, "ask", "--bogus", LLAMACLI_NO_COLOR="1") as terminal:
        terminal.wait()
    assert "\x1b" not in terminal.shown


def test_verbose_keeps_its_lines_out_of_the_answers(world: World) -> None:
    world.api.will(stream([event(delta("some words", finish="stop"))]))
    assert "some words\n* answer complete" in world.shell("llamacli ask -Iv Hi 2>&1").out


def test_stdout_on_a_terminal_is_escaped_while_a_pipe_is_not(world: World) -> None:
    world.api.will(stream(streamed("\x1b[31m")))
    with Terminal(world, "sh", "-c", f"{' '.join(PROGRAM)} ask -I Hi | od -c") as terminal:
        terminal.wait()
    assert "033" in terminal.shown


@pytest.mark.parametrize("pieces", [["a\r\nb\r", "c\r\n"], ["a\r", "\nb\r", "c\r", "\n"]])
def test_a_carriage_return_before_a_newline_is_not_shown(world: World, pieces: list[str]) -> None:
    world.api.will(stream([*(event(delta(piece)) for piece in pieces), event(delta(finish="stop"))], pause=0.01))
    with Terminal(world, *PROGRAM, "ask", "-q", "-I", "Hi") as terminal:
        assert terminal.wait() == 0
    assert terminal.shown == "a\r\nb\\rc\r\n"
    assert world.call("ask", "Hi").stdout == b"a\r\nb\rc\r\n"
