"""A conversation at a real terminal."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time

import pytest

from tests.support.chat import CHAT, HALF, Chat, names, said, saved
from tests.support.fake_api import Handler, error, text
from tests.support.terminal import Terminal
from tests.support.world import World


def test_a_whole_conversation(world: World) -> None:
    with Chat(world, "-s", "Be brief.") as chat:
        chat.until("type /help for commands")
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
        chat.say("\x03", "stopped; this turn was not saved")
        world.api.will(error(429, "Too Many Requests"))
        chat.say("one too many\r", "llamacli: 429 Too Many Requests")
        world.api.will(text("The third answer."))
        chat.say("a third question\r", "The third answer.")
        first = [("system", "Be brief."), ("user", "the first question"), ("assistant", "The first answer.")]
        second = [("user", 'line one\n\n"quoted" line three'), ("assistant", "The second answer.")]
        assert said(world) == [*first, *second, ("user", "a third question")]
        assert all("meta" not in message for message in world.api.body["messages"])
        chat.say("/undo\r", "and its answer; /edit")
        chat.say("/save kept\r", "saved as kept")
        world.api.will(text("The fourth answer."))
        chat.say("a fourth question\r", "The fourth answer.")
        assert said(world) == [*first, *second, ("user", "a fourth question")]
        chat.leave()
        assert "resume with: llamacli chat -S kept" in chat.shown
    assert saved(world, "kept") == [*first, *second, ("user", "a fourth question"), ("assistant", "The fourth answer.")]
    assert names(world) == ["kept"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['"""one', "two", 'three"""'], "one\ntwo\nthree"),
        (['"""', 'def f():', '    """Docs', '    end."""', '    """Docs."""', '"""'],
         'def f():\n    """Docs\n    end."""\n    """Docs."""'),
    ],
)  # fmt: skip
def test_a_block_ends_at_the_marks_after_its_last_word(world: World, lines: list[str], message: str) -> None:
    with Chat(world) as chat:
        chat.until("type /help for commands")
        world.api.will(text("The answer."))
        for line in lines[:-1]:
            chat.say(f"{line}\r")
        chat.say(f"{lines[-1]}\r", "The answer.")
        assert said(world)[-1] == ("user", message)
        chat.leave()


def test_only_answers_go_to_a_redirected_stdout(world: World) -> None:
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


def test_interactive_takes_a_first_turn_from_a_pipe(world: World) -> None:
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


def test_a_failed_first_turn_can_be_retried(world: World) -> None:
    world.api.will(error(500, "no luck"))
    with Chat(world, "-i", "-S", "work", "a question") as chat:
        chat.until("no luck")
        world.api.will(text("An answer."))
        chat.say("/retry\r", "An answer.")
        chat.leave()
    assert saved(world, "work") == [("user", "a question"), ("assistant", "An answer.")]


def test_interactive_needs_a_terminal(world: World) -> None:
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
    assert done.stderr == b"llamacli: --interactive needs a terminal; drop it to take one turn\n"
    assert world.api.requests == []


@pytest.mark.parametrize("option", ["--dry-run", "--curl", "--output=x"])
def test_an_interactive_chat_refuses_options_for_one_turn(world: World, option: str) -> None:
    with Terminal(world, *CHAT, option, NO_COLOR="1") as terminal:
        assert terminal.wait() == 2
    assert (
        f"llamacli: {option.partition('=')[0]} needs a prompt; it is for one turn, not for an interactive chat"
        in terminal.shown
    )


def test_a_missing_key_is_reported_before_the_first_prompt(world: World) -> None:
    del world.env["AIMLAPI_API_KEY"], world.env["AIMLAPI_BASE_URL"]
    with Terminal(world, *CHAT) as terminal:
        assert terminal.wait() == 3


def test_ctrl_c_clears_a_line_and_says_how_to_leave(world: World) -> None:
    with Chat(world) as chat:
        chat.say("\x03", "press Ctrl-D or type /exit to leave")
        chat.say("half a line", "half a line", ready=False)
        chat.say("\x03")
        chat.say("whole\r", "Hello. It's nice")
        chat.say('"""\r')
        chat.say("never sent\r")
        chat.say("\x03")
        chat.say("/show\r", "assistant:\r\nHello.")
        chat.leave()
    assert chat.shown.count("to leave") == 2  # the greeting, and once after an empty line
    assert [request.json["messages"][-1]["content"] for request in world.api.requests] == ["whole"]


def test_a_signal_ends_it(world: World) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP) * 4:
        with Chat(world) as chat:
            chat.until("> ")
            os.kill(chat.pid, number)
            assert chat.wait() == -number


def test_a_burst_of_signals_does_not_end_it(world: World) -> None:
    def burst(chat: Chat) -> None:
        for _ in range(20):
            os.kill(chat.pid, signal.SIGINT)
            time.sleep(0.001)
        # Until all have been handled: the last ones may find an empty line.
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
            chat.say("/reset\r", "started a new conversation")
        chat.leave()


def test_a_handled_ctrl_c_is_not_repeated_at_the_next_prompt(world: World) -> None:
    with Chat(world) as chat:
        for _ in range(5):
            world.api.will(HALF)
            chat.say("to be stopped\r", "half an answer", ready=False)
            chat.say("\x03", "stopped")
            world.api.will(text("Whole."))
            chat.say("not to be lost\r", "Whole.")
            time.sleep(0.15)
        chat.leave()
        assert chat.shown.count("to leave") == 1


def test_a_chat_survives_renaming_or_removing_its_session(world: World) -> None:
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
    ("options", "typed", "renamed"),
    [
        (["-S", "old"], ["/reset", "two"], ""),
        (["-S", "old"], ["/reset", "two", "/save new"], "new"),
        (["-S", "old"], ["/save new"], "new"),
        (["--no-save"], ["/save new"], "new"),
        (["-S", "old"], ["/reset"], None),
        (["--no-save"], ["/save new", "/reset", "two"], None),
    ],
)
def test_leaving_the_chat_names_the_session(
    world: World, options: list[str], typed: list[str], renamed: str | None
) -> None:
    with Chat(world, *options) as chat:
        for line in ["one", *typed]:
            chat.say(f"{line}\r")
        before = len(chat.shown)
        chat.leave()
    # A session without a name is called after the time.
    name = renamed or max(names(world), key=lambda name: name[0].isdigit())
    goodbye = f"llamacli: saved; resume with: llamacli chat -S {name}"
    assert (goodbye in chat.shown[before:]) == (renamed is not None), chat.shown[before:]
    assert ("resume with" in chat.shown[before:]) == (renamed is not None)


def test_stderr_may_be_closed(world: World) -> None:
    with Chat(world, command=f"{' '.join(CHAT)} 2>&-") as chat:
        chat.say("Hi\r", "Hello. It's nice")
        chat.leave()


def test_two_chats_in_one_session_see_each_others_turns(world: World) -> None:
    with Chat(world, "-S", "both") as chat:
        chat.say("mine\r", "Hello. It's nice")
        assert world.run("chat", "-I", "-S", "both", "theirs").status == 0
        chat.say("mine again\r", "Hello. It's nice")
    assert [content for role, content in said(world) if role == "user"] == ["mine", "theirs", "mine again"]


def test_control_characters_are_shown_escaped(world: World) -> None:
    world.api.will(text("an \x1b]52;c;eA==\x07 answer"))
    with Chat(world, "-S", "evil") as chat:
        chat.say("Hi\r", "an \\x1b]52;c;eA==\\x07 answer")
        chat.say("/show\r", "assistant:\r\nan \\x1b]52;c;eA==\\x07 answer")
        assert "\x1b]52" not in chat.shown


def test_unsaved_turns_stay_in_the_conversation_and_are_saved_later(world: World) -> None:
    (world.home / ".local").write_text("in the way")
    with Chat(world, "-s", "Be brief.") as chat:
        chat.until("use --no-save to continue without saving")
        chat.say("one\r", "Hello. It's nice", "cannot save the turn")
        chat.say("two\r", "Hello. It's nice", "cannot save the turn")
        assert [content for role, content in said(world) if role == "user"] == ["one", "two"]
        chat.say("/undo\r", "cannot save the turn")
        (world.home / ".local").unlink()
        chat.say("three\r", "Hello. It's nice")
        assert [content for role, content in said(world) if role == "user"] == ["one", "three"]
        chat.leave()
    [name] = names(world)
    assert [content for role, content in saved(world, name) if role != "assistant"] == ["Be brief.", "one", "three"]


def test_ctrl_c_closes_the_connection_at_once(world: World) -> None:
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


def test_a_refusal_of_stream_options_is_remembered(world: World) -> None:
    def refuse(handler: Handler) -> None:
        refused = "stream_options" in handler.asked.json
        (error(400, "Unrecognized request argument: stream_options") if refused else text("Fine."))(handler)

    world.api.will(refuse)
    with Chat(world, "--no-save") as chat:
        for line in "one", "two":
            chat.say(f"{line}\r", "Fine.")
        chat.leave()
    assert ["stream_options" in request.json for request in world.api.requests] == [True, False, False]
