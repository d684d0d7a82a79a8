"""A conversation at a real terminal."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time

import pytest

from tests.support.chat import CHAT, HALF, Chat, names, said, saved
from tests.support.fake_api import error, text
from tests.support.terminal import Terminal
from tests.support.world import World


def test_a_whole_conversation(world: World) -> None:
    with Chat(world, "-s", "Be brief.") as chat:
        chat.until("/help lists the commands")
        world.api.will(text("The first answer."))
        chat.say("the first question\r", "The first answer.")
        # Several lines are one message.
        world.api.will(text("The second answer."))
        for line in ('"""', "line one", "", '"quoted" line three'):
            chat.say(f"{line}\r")
        chat.say('"""\r', "The second answer.")
        assert said(world)[-1] == ("user", 'line one\n\n"quoted" line three')
        # An answer that is stopped is not part of the conversation, nor is its question.
        world.api.will(HALF)
        chat.say("a question for nothing\r", "half an answer", ready=False)
        chat.say("\x03", "stopped; the conversation is as it was")
        world.api.will(error(429, "Too Many Requests"))
        chat.say("one too many\r", "llamacli: 429 Too Many Requests")
        world.api.will(text("The third answer."))
        chat.say("a third question\r", "The third answer.")
        first = [("system", "Be brief."), ("user", "the first question"), ("assistant", "The first answer.")]
        second = [("user", 'line one\n\n"quoted" line three'), ("assistant", "The second answer.")]
        assert said(world) == [*first, *second, ("user", "a third question")]
        assert all("meta" not in message for message in world.api.body["messages"])
        chat.say("/undo\r", "and its answer back")
        chat.say("/save kept\r", "saved as kept")
        world.api.will(text("The fourth answer."))
        chat.say("a fourth question\r", "The fourth answer.")
        assert said(world) == [*first, *second, ("user", "a fourth question")]
        chat.leave()
        assert "go on with: llamacli chat -S kept" in chat.shown
    assert saved(world, "kept") == [*first, *second, ("user", "a fourth question"), ("assistant", "The fourth answer.")]
    assert names(world) == ["kept"]


def test_the_answer_is_shown_as_it_comes_and_nothing_else_is_on_a_redirected_stdout(world: World) -> None:
    world.api.will(text("An answer."))
    command = f"{' '.join(CHAT)} --no-save >answers"
    with Chat(world, command=command) as chat:
        chat.say("a question\r")
        while not (world.cwd / "answers").exists() or not (world.cwd / "answers").read_text():
            chat.read(0.05)
        chat.say("/show\r", "assistant:\r\nAn answer.")
        chat.leave()
    assert (world.cwd / "answers").read_text() == "An answer.\n"
    assert names(world) == []
    assert not (world.home / ".local").exists()


def test_a_first_turn_from_a_pipe_goes_on_at_the_terminal(world: World) -> None:
    world.api.will(text("A review."))
    command = f"echo the diff | {' '.join(CHAT)} -i -S work 'Review this:'"
    with Chat(world, command=command) as chat:
        chat.until("A review.")
        assert said(world) == [("user", "Review this:\n\nthe diff")]
        world.api.will(text("More of it."))
        chat.say("go on\r", "More of it.")
        chat.type("/exit\r")
        assert chat.wait() == 0
    assert [role for role, _ in saved(world, "work")] == ["user", "assistant"] * 2


def test_a_first_turn_that_fails_leaves_the_prompt_and_can_be_tried_again(world: World) -> None:
    world.api.will(error(500, "no luck"))
    with Chat(world, "-i", "-S", "work", "a question") as chat:
        chat.until("no luck")
        world.api.will(text("An answer."))
        chat.say("/retry\r", "An answer.")
        chat.leave()
    assert saved(world, "work") == [("user", "a question"), ("assistant", "An answer.")]


def test_interactive_without_a_terminal_is_2(world: World) -> None:
    done = subprocess.run(
        [*CHAT, "-i", "Hi"],
        env=world.env,
        cwd=world.cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
        check=False,
    )
    assert done.returncode == 2
    assert (
        done.stderr == b"llamacli: --interactive needs a terminal, and there is none; leave it out to take one turn\n"
    )
    assert world.api.requests == []


@pytest.mark.parametrize("option", ["--dry-run", "--curl", "--output=x"])
def test_what_is_for_one_turn_is_refused_at_the_prompt(world: World, option: str) -> None:
    with Terminal(world, *CHAT, option, NO_COLOR="1") as terminal:
        assert terminal.wait() == 2
    assert f"llamacli: {option.partition('=')[0]} is for one turn; give a prompt, and no -i" in terminal.shown


def test_a_missing_key_is_told_before_anything_is_typed(world: World) -> None:
    del world.env["AIMLAPI_API_KEY"], world.env["AIMLAPI_BASE_URL"]
    with Terminal(world, *CHAT) as terminal:
        assert terminal.wait() == 3


def test_ctrl_c_says_how_to_leave_and_clears_a_line(world: World) -> None:
    with Chat(world) as chat:
        chat.say("\x03", "Ctrl-D or /exit leaves")
        chat.say("half a line", "half a line", ready=False)
        chat.say("\x03")
        chat.say("whole\r", "Hello. It's nice")
        chat.say('"""\r')
        chat.say("never sent\r")
        chat.say("\x03")
        chat.say("/show\r", "assistant:\r\nHello.")
        chat.leave()
    assert chat.shown.count("leaves") == 2  # the greeting, and once after an empty line
    assert [request.json["messages"][-1]["content"] for request in world.api.requests] == ["whole"]


def test_a_signal_ends_it(world: World) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP) * 4:
        with Chat(world) as chat:
            chat.until("> ")
            os.kill(chat.pid, number)
            assert chat.wait() == -number


def test_many_signals_in_a_moment_do_not_end_it(world: World) -> None:
    def burst(chat: Chat) -> None:
        for _ in range(20):
            os.kill(chat.pid, signal.SIGINT)
            time.sleep(0.001)
        # Until all have been heard: the last ones may find an empty line.
        size = -1
        while size < len(chat.shown):
            size = len(chat.shown)
            assert chat.read(0.4)

    with Chat(world) as chat:
        for _ in range(5):
            burst(chat)
            world.api.will(HALF)
            chat.say("to be stopped\r", "half an answer", ready=False)
            before = len(chat.shown)
            burst(chat)
            chat.after(before, "stopped")
            world.api.will(text("Whole."))
            chat.say("not to be lost\r", "Whole.")
            assert said(world) == [("user", "not to be lost")]
            chat.say("/reset\r", "a new conversation")
        chat.leave()


def test_ctrl_c_that_was_heard_is_not_repeated_at_the_next_prompt(world: World) -> None:
    with Chat(world) as chat:
        for _ in range(5):
            world.api.will(HALF)
            chat.say("to be stopped\r", "half an answer", ready=False)
            chat.say("\x03", "stopped")
            world.api.will(text("Whole."))
            chat.say("not to be lost\r", "Whole.")
            time.sleep(0.15)
        chat.leave()
        assert "leaves\r" not in chat.shown.partition("/help")[2].partition("leaves")[2]


def test_a_session_that_is_renamed_or_removed_under_a_chat_is_not_lost_to_it(world: World) -> None:
    with Chat(world) as chat:
        chat.say("one\r", "Hello. It's nice")
        [name] = names(world)
        with Chat(world, "-S", name) as other:
            other.say("two\r", "Hello. It's nice")
            chat.say("/save kept\r", "saved as kept")
            assert names(world) == ["kept"]
            assert world.run("sessions", "rm", "kept").status == 0
            other.say("three\r", "Hello. It's nice")
            assert [content for role, content in said(world) if role == "user"] == ["one", "two", "three"]
        chat.say("four\r", "Hello. It's nice")
        assert [content for role, content in said(world) if role == "user"] == ["one", "two", "four"]
    assert [content for role, content in saved(world, "kept") if role == "user"] == ["one", "two", "four"]


@pytest.mark.parametrize(
    ("options", "typed", "told"),
    [
        (["-S", "old"], ["/reset", "two"], ""),
        (["-S", "old"], ["/reset", "two", "/save new"], "new"),
        (["-S", "old"], ["/save new"], "new"),
        (["--no-save"], ["/save new"], "new"),
        (["-S", "old"], ["/reset"], None),
        (["--no-save"], ["/save new", "/reset", "two"], None),
    ],
)
def test_the_goodbye_names_the_session_that_is_left(
    world: World, options: list[str], typed: list[str], told: str | None
) -> None:
    with Chat(world, *options) as chat:
        for line in ["one", *typed]:
            chat.say(f"{line}\r")
        before = len(chat.shown)
        chat.leave()
    # A session without a name is called after the time.
    name = told or max(names(world), key=lambda name: name[0].isdigit())
    goodbye = f"llamacli: saved; go on with: llamacli chat -S {name}"
    assert (goodbye in chat.shown[before:]) == (told is not None), chat.shown[before:]
    assert ("go on with" in chat.shown[before:]) == (told is not None)


def test_a_closed_stderr_is_no_fault(world: World) -> None:
    with Chat(world, command=f"{' '.join(CHAT)} 2>&-") as chat:
        chat.say("Hi\r", "Hello. It's nice")
        chat.leave()


def test_two_at_one_session_see_each_others_turns(world: World) -> None:
    with Chat(world, "-S", "both") as chat:
        chat.say("mine\r", "Hello. It's nice")
        assert world.run("chat", "-I", "-S", "both", "theirs").status == 0
        chat.say("mine again\r", "Hello. It's nice")
    assert [content for role, content in said(world) if role == "user"] == ["mine", "theirs", "mine again"]


def test_what_could_drive_the_terminal_is_shown_escaped(world: World) -> None:
    world.api.will(text("an \x1b]52;c;eA==\x07 answer"))
    with Chat(world, "-S", "evil") as chat:
        chat.say("Hi\r", "an \\x1b]52;c;eA==\\x07 answer")
        chat.say("/show\r", "assistant:\r\nan \\x1b]52;c;eA==\\x07 answer")
        assert "\x1b]52" not in chat.shown


def test_an_unwritable_state_folder_is_told_and_the_chat_goes_on(world: World) -> None:
    (world.home / ".local").write_text("in the way")
    with Chat(world) as chat:
        chat.until("use --no-save to go on without saving")
        chat.say("Hi\r", "Hello. It's nice", "cannot save the turn")
        chat.leave()


def test_the_server_sees_at_once_that_ctrl_c_has_ended_a_call(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        with Terminal(world, *CHAT, "--base-url", url) as terminal:
            terminal.until("> ")
            terminal.type("Hi\r")
            client, _ = listener.accept()
            with client:
                client.settimeout(10)
                assert client.recv(1 << 16)
                terminal.type("\x03")
                assert client.recv(1) == b""
