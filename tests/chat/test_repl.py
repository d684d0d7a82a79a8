"""A conversation at a real terminal."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.fake_api import answer, delta, document, error, event, stream, text
from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, World

CHAT = [*PROGRAM, "chat"]
#: What readline sends when it is ready for a line.
READY = "\x1b[?2004h"
HALF = stream([event(delta("half an answer"))], then="hang")


class Chat(Terminal):
    """A chat at a terminal, ready for the first line."""

    def __init__(self, world: World, *options: str, command: str = "", **env: str) -> None:
        words = ["bash", "-c", command] if command else [*CHAT, *options]
        super().__init__(world, *words, **{"NO_COLOR": "1", **env})
        self.until(READY)

    def __enter__(self) -> Chat:
        return self

    def say(self, typed: str, *answers: str, ready: bool = True) -> None:
        """Types a text, and waits for what is shown after it and for the next prompt."""
        before = len(self.shown)
        self.type(typed)
        self.after(before, *answers, *([READY] if ready else []))

    def after(self, before: int, *answers: str) -> None:
        for wanted in answers:
            end = time.monotonic() + 10
            while (place := self.shown.find(wanted, before)) < 0:
                assert time.monotonic() < end, f"{wanted!r} never came, but {self.shown[before:]!r}"
                assert self.read(0.1) or wanted in self.shown, f"ended without {wanted!r}: {self.shown!r}"
            before = place

    def leave(self) -> None:
        self.type("\x04")
        assert self.wait() == 0


def said(world: World) -> list[tuple[str, str]]:
    """Returns role and content of each message of the last request."""
    return [(message["role"], message["content"]) for message in world.api.body["messages"]]


def saved(world: World, name: str) -> list[tuple[str, str]]:
    """Returns role and content of each line of a session."""
    path = world.home / ".local" / "state" / "llamacli" / "sessions" / f"{name}.jsonl"
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return [(entry["role"], entry["content"]) for entry in entries]


def names(world: World) -> list[str]:
    folder = world.home / ".local" / "state" / "llamacli" / "sessions"
    return sorted(path.stem for path in folder.glob("*.jsonl")) if folder.exists() else []


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


def test_retry_that_fails_still_takes_the_old_answers_place(world: World) -> None:
    world.api.will(text("Old."))
    with Chat(world, "-S", "work") as chat:
        chat.say("a question\r", "Old.")
        world.api.will(HALF)
        chat.say("/retry\r", "half an answer", ready=False)
        chat.say("\x03", "stopped")
        assert saved(world, "work") == [("user", "a question"), ("assistant", "Old.")]
        world.api.will(text("New."))
        chat.say("/retry\r", "New.")
        assert saved(world, "work") == [("user", "a question"), ("assistant", "New.")]


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


def test_no_save_holds_after_save_and_reset(world: World) -> None:
    with Chat(world, "--no-save") as chat:
        chat.say("one\r", "Hello. It's nice")
        chat.say("/save kept\r", "saved as kept")
        chat.say("/reset\r", "a new conversation")
        chat.say("two\r", "Hello. It's nice")
        chat.leave()
    assert names(world) == ["kept"]


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


def test_a_block_is_no_command_and_ctrl_d_throws_it_away(world: World) -> None:
    with Chat(world) as chat:
        for typed in ('"""', "/exit"):
            chat.say(f"{typed}\r")
        chat.say('"""\r', "Hello. It's nice")
        assert said(world) == [("user", "/exit")]
        chat.say('"""\r')
        chat.say("never sent\r")
        chat.say("\x04")
        chat.leave()
    assert len(world.api.requests) == 1


def test_files_wait_for_an_answer_and_operands_are_not_passed_over(world: World) -> None:
    (world.cwd / "file").write_text("its text")
    with Chat(world) as chat:
        chat.say("/file file\r", "file goes with the next message")
        world.api.will(error(500, "no luck"))
        chat.say("look\r", "no luck")
        world.api.will(text("Seen."))
        chat.say("look again\r", "Seen.")
        assert said(world)[-1][1].startswith("look again\n\n<file name=")
        chat.say("/undo 3\r", "/undo takes nothing after it")
        chat.say("/set no-stream true\r", "/set: no flag 'no-stream'")
        chat.say("/set no-stream\r", "stream is false")


def test_a_closed_stderr_is_no_fault(world: World) -> None:
    with Chat(world, command=f"{' '.join(CHAT)} 2>&-") as chat:
        chat.say("Hi\r", "Hello. It's nice")
        chat.leave()


def test_ctrl_backslash_leaves_the_terminal_as_it_was(world: World) -> None:
    with Chat(world, command=f"{' '.join(CHAT)}; stty -a") as chat:
        chat.type("\x1c")
        assert chat.wait() == 0
        assert " icanon" in chat.shown
        assert " echo " in chat.shown


def test_pasted_newlines_do_not_send_the_line(world: World) -> None:
    with Chat(world) as chat:
        chat.type("\x1b[200~one\ntwo\x1b[201~")
        chat.until("two")
        assert world.api.requests == []
        chat.say("\r", "Hello. It's nice")
        assert said(world) == [("user", "one\ntwo")]


def test_the_history_is_kept_with_its_newlines(world: World) -> None:
    with Chat(world) as chat:
        for line in ('"""', "one", "two"):
            chat.say(f"{line}\r")
        chat.say('"""\r', "Hello. It's nice")
        chat.leave()
    history = world.home / ".local" / "state" / "llamacli" / "history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    with Chat(world) as chat:
        chat.type("\x1b[A")
        chat.until("two")
        chat.say("\r", "Hello. It's nice")
        assert said(world) == [("user", "one\ntwo")]


@pytest.mark.parametrize(
    "locale",
    [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "C"}, {"LC_ALL": "xx_YY.UTF-8"}],
)
def test_a_message_is_utf8_whatever_the_locale_says(world: World, locale: dict[str, str]) -> None:
    with Chat(world, **locale) as chat:
        chat.say("h\u00e9 \u4e2d\r", "Hello. It's nice")
        assert said(world) == [("user", "h\u00e9 \u4e2d")]
        # From the history it comes back as the same bytes.
        chat.say("\x1b[A\r", "Hello. It's nice")
        assert said(world)[-1] == ("user", "h\u00e9 \u4e2d")


def test_set_changes_what_is_sent(world: World) -> None:
    with Chat(world) as chat:
        chat.say("/set temperature 0.5\r", "temperature is 0.5")
        chat.say("/set --top-p .3\r", "top-p is 0.3")
        chat.say("/set stop END 'THE END'\r", 'stop is ["END","THE END"]')
        chat.say("/set -p key=1\r", 'param is {"key":1}')
        chat.say("/set no-parallel-tool-calls\r", "parallel-tool-calls is false")
        chat.say("/model other\r", "the model is other")
        chat.say("Hi\r", "Hello. It's nice")
        body = {**world.api.body, "messages": None}
        assert body == {
            "model": "other",
            "messages": None,
            "temperature": 0.5,
            "top_p": 0.3,
            "stop": ["END", "THE END"],
            "parallel_tool_calls": False,
            "stream": True,
            "stream_options": {"include_usage": True},
            "key": 1,
        }
        chat.say("/set temperature\r", "temperature is not set")
        chat.say("/set temperature 9\r", "/set temperature: '9' is out of range")
        chat.say("/set nonsense 9\r", "/set: no flag 'nonsense'")
        chat.say("/set base-url x\r", "/set: 'base-url' cannot be set in a conversation; give it to llamacli chat")
        chat.say("/set -S x\r", "/set: '-S' cannot be set in a conversation")
        chat.say("/set system x\r", "/set: 'system' cannot be set in a conversation; there is /system")
        chat.say("/set stop 'END\r", "/set: No closing quotation")
        chat.say("/set retry 0\r", "retry is 0")
        chat.say("/set n 2\r", "n is 2")
        chat.say("again\r", "--n above 1 has no place in a conversation")
        chat.say("/set n\r", "n is not set")
        chat.say("/set\r", "top-p                0.3")
        count = len(world.api.requests)
        chat.say("again\r", "Hello. It's nice")
        assert len(world.api.requests) == count + 1
        assert "temperature" not in world.api.body


def test_a_form_of_answers_is_set_and_taken_back(world: World) -> None:
    with Chat(world) as chat:
        chat.say("/set choice yes,no\r", 'choice is ["yes","no"]')
        world.api.will(answer("Yes."))
        chat.say("Well?\r", "\ryes\r")
        assert world.api.body["tool_choice"]["type"] == "function"
        chat.say("/set schema 'name, age int'\r", "--choice and --schema cannot be combined")
        chat.say("/set choice\r", "choice is not set")
        chat.say("/set schema 'name, age int'\r", 'schema is {"type":"object"')
        chat.say("/set schema\r", "schema is not set")
        world.api.will(text("Plain."))
        chat.say("And?\r", "Plain.")
        assert said(world) == [("user", "Well?"), ("assistant", "yes"), ("user", "And?")]
        assert "tools" not in world.api.body


def test_system_file_edit_retry_reset_and_usage(world: World) -> None:
    (world.cwd / "a file.txt").write_text("its text")
    editor = world.cwd / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/$/ edited/" "$1"\n')
    editor.chmod(0o755)
    world.env["EDITOR"] = str(editor)
    world.api.will(text("One.", usage=True))
    with Chat(world, "-S", "first", "-u") as chat:
        chat.say("/system Talk like a pirate.\r", "the next turn has this system message")
        chat.say("/file a file.txt\r", "a file.txt goes with the next message")
        chat.say("/file none\r", "llamacli: none: No such file")
        chat.say("look\r", "tokens in, 46 out, $0.000123")
        look = ("user", 'look\n\n<file name="a file.txt">\nits text\n</file>')
        pirate = ("system", "Talk like a pirate.")
        assert said(world) == [pirate, look]
        world.api.will(text("Two.", usage=True))
        chat.say("/retry\r", "Two.")
        assert said(world) == [pirate, look]
        assert saved(world, "first") == [pirate, look, ("assistant", "Two.")]
        chat.until("2 turns here: 134 tokens in, 92 out, $0.000246")
        chat.say("/system\r", "the next turn has no system message")
        chat.say("/edit some text\r", "3 turns here")
        assert said(world) == [look, ("assistant", "Two."), ("user", "some text edited")]
        assert saved(world, "first")[0] == look
        chat.say("/undo\r", "and its answer back")
        chat.say("/edit\r", "4 turns here")
        assert said(world)[-1] == ("user", "some text edited edited")
        chat.say("/usage\r", "4 turns here: 268 tokens in, 184 out, $0.000492")
        chat.say("/reset\r", "a new conversation; the old one is saved as first")
        chat.say("/undo\r", "there is no turn yet")
        chat.say("fresh\r", "5 turns here")
        assert said(world) == [("user", "fresh")]
        chat.say("/help\r", "/edit [TEXT]")
        chat.say("/nonsense\r", "llamacli: no command /nonsense")
        chat.say("/save first\r", "there is a session 'first' already")
        chat.say("/save ../x\r", "is not a session name")
        chat.leave()
    assert len(names(world)) == 2


def test_what_was_written_in_the_editor_is_kept_until_it_has_its_answer(world: World) -> None:
    editor = world.cwd / "editor"
    editor.write_text('#!/bin/sh\necho precious >"$1"; exit 1\n')
    editor.chmod(0o755)
    world.env["EDITOR"] = str(editor)
    with Chat(world, "--no-save") as chat:
        chat.say("/edit\r", "ended with status 1; your text is in ")
        kept = Path(chat.shown.rpartition("your text is in ")[2].split()[0])
        assert kept.read_text() == "precious\n"
        editor.write_text('#!/bin/sh\necho more >"$1"\n')
        world.api.will(error(400, "no"), text("Yes."))
        chat.say("/edit\r", "mend the request; your text is in ")
        chat.say("/retry\r", "Yes.")
        chat.type("\x04")
        assert chat.wait() == 0
        assert "got no answer" not in chat.shown
    assert not kept.exists()
    world.api.will(error(400, "no"))
    with Chat(world, "--no-save") as chat:
        chat.say("/edit\r", "your text is in ")
        chat.type("\x04")
        assert chat.wait() == 0
        kept = Path(chat.shown.rpartition("what you wrote and got no answer to is in ")[2].split()[0])
    assert kept.read_text() == "more\n"
    kept.unlink()
    kept.parent.rmdir()


def test_reset_keeps_the_system_message(world: World) -> None:
    with Chat(world, "-s", "Be brief.") as chat:
        chat.say("Hi\r", "Hello. It's nice")
        chat.say("/reset\r", "a new conversation")
        chat.say("Ho\r", "Hello. It's nice")
        assert said(world) == [("system", "Be brief."), ("user", "Ho")]


def test_tab_completes_commands_flags_files_and_models(world: World) -> None:
    (world.cwd / "a file.txt").write_text("x")
    cache = world.home / ".cache" / "llamacli"
    cache.mkdir(parents=True)
    (cache / "models").write_text("llama-3\ngpt-4o\n")
    with Chat(world) as chat:
        for typed, completed in [
            ("/ret", "/retry "),
            ("/mod|lla", "/model llama-3"),
            ("/file a", "/file a file.txt"),
            ("/set max-to", "/set max-tokens "),
            ("/set log", "/set log\a"),
        ]:
            for part in typed.split("|"):
                chat.say(part + "\t", part, ready=False)
            chat.after(0, completed)
            # Two in a moment count as one.
            time.sleep(0.2)
            chat.say("\x03")
        chat.say("just text\t\r", "Hello. It's nice")
        assert said(world) == [("user", "just text")]


def test_a_conversation_that_is_too_long_is_told_how_long_it_is(world: World) -> None:
    too_long = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
    refused: dict[str, Any] = {"error": {"message": too_long, "type": "invalid_request_error"}}
    with Chat(world) as chat:
        chat.say("one\r", "Hello. It's nice")
        world.api.will(document(refused, status=400))
        chat.say("two\r", "begin anew (in a chat: /set keep-turns N, /reset)")
        assert "llamacli: 2 turns of 101 characters are too long for the model: 400 Bad Request" in chat.shown
        assert too_long in chat.shown
        world.api.will(text("Short."))
        chat.say("/set keep-turns 0\r", "keep-turns is 0")
        chat.say("three\r", "sending the last 0 of 1 turns", "Short.")
        assert said(world) == [("user", "three")]


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


def test_a_message_that_begins_with_a_slash_wants_a_space_in_front(world: World) -> None:
    with Chat(world) as chat:
        chat.say(" /etc/passwd is what?\r", "Hello. It's nice")
        assert said(world) == [("user", " /etc/passwd is what?")]


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
