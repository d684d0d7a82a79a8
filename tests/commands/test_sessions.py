"""`llamacli sessions`."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.support.fake_api import HELLO, answer, text
from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, Result, World


def folder(world: World) -> Path:
    return world.home / ".local" / "state" / "llamacli" / "sessions"


def chat(world: World, *arguments: str) -> Result:
    return world.call("chat", "-I", *arguments)


def test_sessions_lists_shows_and_removes(world: World) -> None:
    assert (world.run("sessions").status, world.run("sessions").out) == (0, "")
    chat(world, "-S", "one", "-s", "Be brief.", "a question\nof two lines")
    os.utime(folder(world) / "one.jsonl", (time.time() - 7200,) * 2)
    chat(world, "-S", "two", "x" * 100)
    listed = [line.split("\t") for line in world.run("sessions", "list").out.splitlines()]
    assert [(row[0], row[1], row[3]) for row in listed] == [
        ("two", "1", "x" * 60),
        ("one", "1", "a question of two lines"),
    ]
    assert 7200 <= int(listed[1][2]) < 7300
    assert "unknown action 'one'; did you mean 'sessions show one'?" in world.call("sessions", "one").err
    shown = world.run("sessions", "show", "one")
    assert shown.out == f"system:\nBe brief.\n\nuser:\na question\nof two lines\n\nassistant:\n{HELLO}\n"
    messages = json.loads(world.run("sessions", "show", "one", "--json").out)
    assert [sorted(message) for message in messages] == [["content", "role"]] * 3
    removed = world.run("sessions", "rm", "one", "two")
    assert (removed.status, removed.out, removed.err, list(folder(world).iterdir())) == (0, "", "", [])


def test_a_session_feeds_raw(world: World) -> None:
    chat(world, "-S", "x", "one")
    jq = "jq -s '{model: \"m\", messages: map(del(.meta))}'"
    result = world.shell(f"{jq} {folder(world)}/x.jsonl | llamacli raw")
    assert result.status == 0, result.err
    assert [m["content"] for m in world.api.body["messages"]] == ["one", HELLO]
    assert set(world.api.body["messages"][1]) == {"role", "content"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["shaw"], "unknown action 'shaw'; did you mean 'show'?"),
        (["show"], "usage: llamacli sessions show NAME"),
        (["show", "x", "y"], "usage: llamacli sessions show NAME"),
        (["rm"], "usage: llamacli sessions rm NAME... | --older-than AGE"),
        (["list", "x"], "usage: llamacli sessions list"),
        (["list", "--json"], "--json cannot be used with 'sessions list'"),
        (["show", "rivew"], "there is no session 'rivew'; did you mean 'review'?"),
        (["last", "none"], "there is no session 'none'"),
        (["last", "x", "y"], "usage: llamacli sessions last [NAME]"),
        (["grep"], "usage: llamacli sessions grep TEXT [NAME]..."),
        (["list", "--older-than", "1d"], "--older-than cannot be used with 'sessions list'"),
        (["rm", "--older-than", "x"], "--older-than: 'x' is not a time span like 30d, 12h or inf"),
        (["rm", "review", "none"], "there is no session 'none'; run 'llamacli sessions' for the list"),
    ],
)
def test_usage_errors(world: World, arguments: list[str], problem: str) -> None:
    chat(world, "-S", "review", "Hi")
    result = world.run("sessions", *arguments)
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert problem in result.err
    assert (folder(world) / "review.jsonl").exists()


def test_an_unreadable_session_is_named_and_does_not_hide_the_others(world: World) -> None:
    chat(world, "-S", "good", "Hi")
    (folder(world) / "bad.jsonl").write_text("rubbish\n")
    (folder(world) / "empty.jsonl").write_text("")
    (folder(world) / "not a name.jsonl").write_text("{}\n")
    listed = world.run("sessions")
    assert (listed.status, len(listed.out.splitlines())) == (0, 3)
    assert "bad.jsonl: skipped line 1: not a message" in listed.err
    for arguments, out in (["show", "empty"], ""), (["show", "empty", "--json"], "[]\n"), (["show", "bad"], ""):
        shown = world.run("sessions", *arguments)
        assert (shown.status, shown.out) == (0, out)
    result = chat(world, "-S", "bad", "Hi")
    assert (result.status, result.out) == (0, HELLO + "\n")
    assert "bad.jsonl: skipped line 1: not a message" in result.err


def test_last_prints_only_the_last_answer(world: World) -> None:
    assert world.call("sessions", "last").status == 2
    for name, words in ("one", "First."), ("two", "Second\nanswer.\n"):
        world.api.will(text(words))
        chat(world, "-S", name, "Hi")
    assert world.call("sessions", "last").out == "Second\nanswer.\n"
    assert world.call("sessions", "last", "one").out == "First.\n"
    world.api.will(answer("See:", tool_calls=[{"id": "c", "function": {"name": "f", "arguments": "{}"}}]))
    chat(world, "-S", "one", "--no-stream", "again")
    assert world.call("sessions", "last", "one").out == 'See:\n{"id":"c","name":"f","arguments":{}}\n'


def test_last_prefers_the_session_of_this_terminal(world: World) -> None:
    program = " ".join(PROGRAM)
    world.api.will(text("Mine."))
    script = f"{program} ask Hi; touch -d '1 hour ago' {folder(world)}/*; sleep 0.1; {program} sessions last"
    chat(world, "-S", "other", "Hi")
    world.api.will(text("Mine."), text("Other."))
    with Terminal(world, "bash", "-c", script, NO_COLOR="1") as terminal:
        terminal.wait(30)
        assert terminal.shown.count("Mine.") == 2
    with Terminal(world, "bash", "-c", f"{program} sessions last", NO_COLOR="1") as terminal:
        terminal.wait(30)
        assert "Mine." in terminal.shown


def test_grep_names_session_and_turn(world: World) -> None:
    for number in range(2):
        world.api.will(text(f"An answer\nwith a Needle {number}\n"))
        chat(world, "-S", "one", "-s", "needles, please", f"question {number}")
    world.api.will(text("hay"))
    chat(world, "-S", "two", "a NEEDLE?")
    result = world.call("sessions", "grep", "needle")
    assert (result.status, result.err) == (0, "")
    assert sorted(result.out.splitlines()) == [
        "one:0:needles, please",
        "one:1:with a Needle 0",
        "one:2:with a Needle 1",
        "two:1:a NEEDLE?",
    ]
    assert world.call("sessions", "grep", "needle", "two").out == "two:1:a NEEDLE?\n"
    missing = world.call("sessions", "grep", "nothing like it")
    assert (missing.status, missing.out) == (0, "")


def test_rm_removes_old_sessions(world: World) -> None:
    for name, age in ("new", 0), ("day", 90_000), ("month", 40 * 86_400):
        chat(world, "-S", name, "Hi")
        os.utime(folder(world) / f"{name}.jsonl", (time.time() - age,) * 2)
    result = world.call("sessions", "rm", "--older-than", "30d")
    assert (result.status, result.out, result.err) == (0, "", "llamacli: removing 1 session\n")
    assert sorted(path.stem for path in folder(world).iterdir()) == ["day", "new"]
    assert world.call("sessions", "rm", "new", "--older-than", "12h").err == "llamacli: removing 0 sessions\n"
    assert world.call("sessions", "rm", "--older-than", "2h").status == 0
    assert [path.stem for path in folder(world).iterdir()] == ["new"]


def test_markdown_is_rendered_where_it_is_asked_for(world: World) -> None:
    world.api.will(text("# Title\n\nsome **bold** words\n"))
    chat(world, "-S", "one", "Hi")
    for action in "show", "last":
        assert "**bold**" in world.call("sessions", action, "one").out
        assert "**bold**" in world.call("sessions", action, "one", "--markdown").out
        rendered = world.call("sessions", action, "one", LLAMACLI_MARKDOWN="always").out
        assert "**" not in rendered
        assert "bold" in rendered
        with Terminal(world, *PROGRAM, "sessions", action, "one", "--markdown", NO_COLOR="1") as terminal:
            assert terminal.wait() == 0
            assert "some bold words" in terminal.shown.replace("\x1b[1m", "").replace("\x1b[0m", "")
