"""The slash commands of a chat."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from llamacli.chat.slash import COMMANDS, SYNONYMS
from tests.support.chat import HALF, Chat, names, said, saved
from tests.support.fake_api import answer, document, error, text
from tests.support.world import World


def test_a_retry_after_a_failed_retry_replaces_the_old_answer(world: World) -> None:
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


def test_no_save_still_applies_after_save_and_reset(world: World) -> None:
    with Chat(world, "--no-save") as chat:
        chat.say("one\r", "Hello. It's nice")
        chat.say("/save kept\r", "saved as kept")
        chat.say("/reset\r", "started a new conversation")
        chat.say("two\r", "Hello. It's nice")
        chat.leave()
    assert names(world) == ["kept"]


def test_files_are_kept_until_an_answer_and_surplus_arguments_are_errors(world: World) -> None:
    (world.cwd / "file").write_text("its text")
    with Chat(world) as chat:
        chat.say("/file file\r", "file will be sent with the next message")
        world.api.will(error(500, "no luck"))
        chat.say("look\r", "no luck")
        world.api.will(text("Seen."))
        chat.say("look again\r", "Seen.")
        assert said(world)[-1][1].startswith("look again\n\n<file name=")
        chat.say("/undo 3\r", "/undo takes no argument")
        chat.say("/set no-stream true\r", "/set: 'no-stream' takes no value; try /set stream true")
        chat.say("/set no-stream\r", "stream is false")


def test_a_message_keeps_its_pictures_when_it_is_asked_again(world: World) -> None:
    (world.cwd / "pixel.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    world.api.will(text("Seen."))
    with Chat(world, "-f", "pixel.png", "-i", "look") as chat:
        message = said(world)[-1]
        assert "image_url" in str(message)
        chat.say("/retry\r", "Seen.")
        assert said(world) == [message]
        world.api.will(error(500, "no luck"))
        chat.say("/retry\r", "no luck")
        world.api.will(text("Seen."))
        chat.say("/retry\r", "Seen.")
        assert said(world) == [message]
        chat.say("/undo\r", "removed 'look [picture]'", "its files stay attached")
        chat.say("/retry\r", "Seen.")
        assert said(world) == [message]
        chat.say("thanks\r", "Seen.")
        assert said(world) == [message, ("assistant", "Seen."), ("user", "thanks")]


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
        chat.say("/set nonsense 9\r", "/set: unknown flag 'nonsense'")
        chat.say("/set base-url x\r", "/set: 'base-url' cannot be changed in a chat; start llamacli chat with it")
        chat.say("/set -S x\r", "/set: '-S' cannot be changed in a chat")
        chat.say("/set system x\r", "/set: 'system' cannot be changed in a chat; use /system")
        chat.say("/set stop 'END\r", "/set: No closing quotation")
        chat.say("/set retry 0\r", "retry is 0")
        chat.say("/set n 2\r", "n is 2")
        chat.say("again\r", "--n above 1 cannot be used in a conversation")
        chat.say("/set n\r", "n is not set")
        chat.say("/set\r", "top-p                0.3")
        count = len(world.api.requests)
        chat.say("again\r", "Hello. It's nice")
        assert len(world.api.requests) == count + 1
        assert "temperature" not in world.api.body


def test_a_format_can_be_set_and_reset(world: World) -> None:
    with Chat(world) as chat:
        chat.say("/set choice yes,no\r", 'choice is ["yes","no"]')
        world.api.will(answer("Yes."))
        chat.say("Well?\r", "yes\r")
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
        chat.say("/system Talk like a pirate.\r", "system message set from the next turn on")
        chat.say("/file a file.txt\r", "a file.txt will be sent with the next message")
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
        chat.say("/system\r", "system message removed from the next turn on")
        chat.say("/edit some text\r", "3 turns here")
        assert said(world) == [look, ("assistant", "Two."), ("user", "some text edited")]
        assert saved(world, "first")[0] == look
        chat.say("/undo\r", "and its answer; /edit")
        chat.say("/edit\r", "4 turns here")
        assert said(world)[-1] == ("user", "some text edited edited")
        chat.say("/usage\r", "4 turns here: 268 tokens in, 184 out, $0.000492")
        chat.say("/reset\r", "started a new conversation; the old one is saved as first")
        chat.say("/undo\r", "nothing has been asked yet")
        chat.say("fresh\r", "5 turns here")
        assert said(world) == [("user", "fresh")]
        chat.say("/help\r", "/edit [TEXT]")
        chat.say("/nonsense\r", "llamacli: unknown command '/nonsense'")
        chat.say("/save first\r", "session 'first' already exists")
        chat.say("/save ../x\r", "is not a session name")
        chat.leave()
    assert len(names(world)) == 2


def test_an_edited_message_is_kept_until_it_is_answered(world: World) -> None:
    editor = world.cwd / "editor"
    editor.write_text('#!/bin/sh\necho precious >"$1"; exit 1\n')
    editor.chmod(0o755)
    world.env["EDITOR"] = str(editor)
    with Chat(world, "--no-save") as chat:
        chat.say("/edit\r", "exited with status 1; your text is in ")
        kept = Path(chat.shown.rpartition("your text is in ")[2].split()[0])
        assert kept.read_text() == "precious\n"
        editor.write_text('#!/bin/sh\necho more >"$1"\n')
        world.api.will(error(400, "no"), text("Yes."))
        chat.say("/edit\r", "correct the request; your text is in ")
        chat.say("/retry\r", "Yes.")
        chat.type("\x04")
        assert chat.wait() == 0
        assert "your unsent" not in chat.shown
    assert not kept.exists()
    world.api.will(error(400, "no"))
    with Chat(world, "--no-save") as chat:
        chat.say("/edit\r", "your text is in ")
        chat.type("\x04")
        assert chat.wait() == 0
        kept = Path(chat.shown.rpartition("your unsent message was saved to ")[2].split()[0])
    assert kept.read_text() == "more\n"
    kept.unlink()
    kept.parent.rmdir()


def test_reset_keeps_the_system_message(world: World) -> None:
    with Chat(world, "-s", "Be brief.") as chat:
        chat.say("Hi\r", "Hello. It's nice")
        chat.say("/reset\r", "started a new conversation")
        chat.say("Ho\r", "Hello. It's nice")
        assert said(world) == [("system", "Be brief."), ("user", "Ho")]


def test_an_error_about_length_gives_the_length_of_the_conversation(world: World) -> None:
    too_long = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
    refused: dict[str, Any] = {"error": {"message": too_long, "type": "invalid_request_error"}}
    with Chat(world) as chat:
        chat.say("one\r", "Hello. It's nice")
        world.api.will(document(refused, status=400))
        chat.say("two\r", "start over (in a chat: /set keep-turns N, /reset)")
        assert "llamacli: 2 turns of 101 characters are too long for the model: 400 Bad Request" in chat.shown
        assert too_long.rstrip(".") in chat.shown
        world.api.will(text("Short."))
        chat.say("/set keep-turns 0\r", "keep-turns is 0")
        chat.say("three\r", "sending the last 0 of 1 turns", "Short.")
        assert said(world) == [("user", "three")]


def test_a_message_that_starts_with_a_slash_needs_a_space(world: World) -> None:
    with Chat(world) as chat:
        for line in " /etc/passwd is what?", " exit":
            chat.say(f"{line}\r", "Hello. It's nice")
            assert said(world)[-1] == ("user", line)


def test_a_word_that_may_mean_to_leave_is_not_sent(world: World) -> None:
    with Chat(world) as chat:
        for word in "q", "bye ", "logout":
            chat.say(f"{word}\r", f"llamacli: '{word.strip()}' was not sent; Ctrl-D leaves; to send it")
        assert not world.api.requests
        chat.say(" q\r", "Hello. It's nice")
        assert said(world)[-1] == ("user", " q")


WAYS_TO_LEAVE = ["exit", "quit", "exit ", "/exit", "/quit", "/q", "/ex", "quit()", ":q"]


@pytest.mark.parametrize("word", WAYS_TO_LEAVE)
def test_every_way_to_leave_works(world: World, word: str) -> None:
    with Chat(world) as chat:
        chat.type(f"{word}\r")
        assert chat.wait() == 0
    assert not world.api.requests


def test_aliases_prefixes_and_help(world: World) -> None:
    with Chat(world) as chat:
        for help in "?", "help", "/?", "/h", "/help":
            before = len(chat.shown)
            chat.say(f"{help}\r", "/undo")
            lines = chat.shown[before:].replace("\x1b[?2004l\r", "").split("\r\n")
            assert max(map(len, lines)) < 80, lines
            assert len(lines) < 24
        chat.say("/e\r", "'/e' could be /exit or /edit; /help lists the commands; to send it as a message, put a space")
        chat.say("/\r", "llamacli: '/' could be /help")
        for command in "/clear", "/new", "/res":
            chat.say(f"{command}\r", "started a new conversation")
        chat.leave()
    assert not world.api.requests


def test_an_unknown_command_gets_a_suggestion(world: World) -> None:
    with Chat(world) as chat:
        for typed, meant in (
            ("/temp 0.5", "/set temperature"),
            ("/mdoel x", "/model"),
            ("/load x", "llamacli chat -S NAME"),
            *((word, instead) for word, instead in SYNONYMS.items() if word != "/load"),
        ):
            chat.say(f"{typed}\r", f"'; did you mean '{meant}'? To send it as a message, put a space first")
        chat.say("/zzz\r", "unknown command '/zzz'; /help lists the commands; to send it")
        chat.say("/save\r", "/save needs a NAME")
        chat.leave()
    assert not world.api.requests
    assert not SYNONYMS.keys() & COMMANDS.keys()


def test_set_takes_an_equals_sign_and_unique_prefixes(world: World) -> None:
    with Chat(world) as chat:
        chat.say("/set temp 0.5\r", "temperature is 0.5")
        chat.say("/set top 0.5\r", "'top' could be top-p, top-k or top-logprobs")
        chat.say("/set top_p=.3\r", "top-p is 0.3")
        chat.say("/set stop='THE END'\r", 'stop is ["THE END"]')
        chat.say("/set logit-bias 50=3\r", 'logit-bias is {"50":3}')
        chat.say("/set stream=false\r", "stream is false")
        chat.say("/set stream=\r", "stream is not set")
        chat.say("/set json\r", "json is true")
        chat.say("/set no-json\r", "json is false")
        chat.say("Hi\r", "Hello. It's nice")
        body = world.api.body
        assert (body["temperature"], body["top_p"], body["stop"]) == (0.5, 0.3, ["THE END"])
        chat.say("/set temperature=\r", "temperature is not set")
        chat.say("Ho\r", "Hello. It's nice")
        assert "temperature" not in world.api.body


@pytest.mark.parametrize("typed", ["a file.txt", '"a file.txt"', "'a file.txt'", "a\\ file.txt", '"~/a file.txt"'])
def test_a_path_may_be_quoted(world: World, typed: str) -> None:
    for folder in world.cwd, world.home:
        (folder / "a file.txt").write_text("its text")
    with Chat(world) as chat:
        chat.say(f"/file {typed}\r", "a file.txt will be sent with the next message")
        chat.say("look\r", "Hello. It's nice")
    assert "its text" in said(world)[-1][1]


def test_a_tab_does_not_wait_for_a_fifo(world: World) -> None:
    cache = world.home / ".cache" / "llamacli"
    cache.mkdir(parents=True)
    os.mkfifo(cache / "models")
    with Chat(world) as chat:
        chat.type("/model \t\x15")
        chat.say("Hi\r", "Hello. It's nice")


def test_a_turn_of_another_program_is_not_undone(world: World) -> None:
    folder = world.home / ".local" / "state" / "llamacli" / "sessions"
    folder.mkdir(parents=True)
    (folder / "other.jsonl").write_text('{"role": "user", "content": "by hand"}\n')
    with Chat(world, "-S", "other") as chat:
        for command in "/undo", "/retry":
            chat.say(f"{command}\r", "the last turn was written by another program; edit the file")
        chat.say("Hi\r", "Hello. It's nice")
        assert said(world) == [("user", "by hand"), ("user", "Hi")]
        chat.say("/undo\r", "removed 'Hi' and its answer")
        chat.leave()
    assert saved(world, "other") == [("user", "by hand")]


def test_show_renders_markdown_if_answers_are(world: World) -> None:
    world.api.will(text("some **bold** words"))
    with Chat(world, "--markdown") as chat:
        chat.say("Hi\r", "bold")
        chat.say("/show\r", "assistant:", "some")
        assert "**" not in chat.shown
        chat.say("/set no-markdown\r", "markdown is false")
        chat.say("/show\r", "some **bold** words")
        chat.leave()
