"""Typing and pasting at the prompt of a chat."""

from __future__ import annotations

import os
import pty
import signal
import stat
import subprocess
import time
from typing import Any

import pytest

from tests.support.chat import CHAT, READY, Chat, said
from tests.support.fake_api import delta, event, stream, text
from tests.support.terminal import Terminal
from tests.support.world import World


def test_a_block_is_not_a_command_and_ctrl_d_discards_it(world: World) -> None:
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


def test_ctrl_backslash_restores_the_terminal(world: World) -> None:
    with Chat(world, command=f"{' '.join(CHAT)}; stty -a") as chat:
        chat.type("\x1c")
        assert chat.wait() == 0
        assert " icanon" in chat.shown
        assert " echo " in chat.shown


def test_ctrl_c_discards_the_line_and_on_an_empty_one_says_how_to_leave(world: World) -> None:
    with Chat(world) as chat:
        chat.type("half")
        chat.after(0, "half")
        before = len(chat.shown)
        chat.say("\x03", "^C")
        assert "press Ctrl-D" not in chat.shown[before:]
        chat.say("\x03", "^C", "llamacli: press Ctrl-D or type /exit to leave")
        chat.leave()
    assert not world.api.requests


def test_pasted_newlines_do_not_send_the_line(world: World) -> None:
    with Chat(world) as chat:
        chat.type("\x1b[200~one\ntwo\x1b[201~")
        chat.until("two")
        assert world.api.requests == []
        chat.say("\r", "Hello. It's nice")
        assert said(world) == [("user", "one\ntwo")]


def test_the_history_keeps_newlines(world: World) -> None:
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


LOCALES = [
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX"},
    {"LANG": "C"},
    {"LC_ALL": "C.UTF-8"},
    {"LC_ALL": "xx_YY.UTF-8"},
    {"LC_ALL": "de_DE.ISO-8859-1"},
    {"LC_CTYPE": "ja_JP.eucJP"},
]


@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_a_message_is_utf8_in_any_locale(world: World, locale: dict[str, str]) -> None:
    typed = "\u00dcbersetze h\u00e9 \u4e2d\u65e5\u672c\u8a9e \U0001f600"
    with Chat(world, **locale) as chat:
        chat.say(f"{typed}\r", "Hello. It's nice")
        assert said(world) == [("user", typed)]
        # It is the same text when it comes back from the history.
        chat.say("\x1b[A\r", "Hello. It's nice")
        assert said(world)[-1] == ("user", typed)
        if "eucJP" in str(locale) or "8859" in str(locale):
            return
        # Backspace removes a character, not a byte.
        chat.say("5 \u20ac\x7f$\r", "Hello. It's nice")
        assert said(world)[-1] == ("user", "5 $")


@pytest.mark.parametrize(
    ("locale", "text", "charset"),
    [
        ("de_DE.ISO-8859-1", "\u00dcbersetze Gr\u00f6\u00dfe", "latin-1"),
        ("de_DE.ISO-8859-15@euro", "5 \u20ac", "iso8859-15"),
        ("ja_JP.eucJP", "\u65e5\u672c\u8a9e", "euc-jp"),
    ],
)
def test_the_locale_may_name_another_charset(world: World, locale: str, text: str, charset: str) -> None:
    with Chat(world, LC_ALL=locale) as chat:
        chat.type(text.encode(charset))
        chat.say("\r", "Hello. It's nice")
        assert said(world) == [("user", text)]
        chat.say("\x1b[A\r", "Hello. It's nice")
        assert said(world)[-1] == ("user", text)


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "ja_JP.eucJP", "xx_YY.nonsense"])
def test_bytes_that_are_not_text_are_refused(world: World, locale: str) -> None:
    with Chat(world, LC_ALL=locale) as chat:
        chat.type(b"ab\xffc\xfe")
        chat.say("\r", "llamacli: the terminal sent bytes that are not ", "; set its encoding to UTF-8")
        chat.say("still here\r", "Hello. It's nice")
        chat.leave()
    assert said(world) == [("user", "still here")]


@pytest.mark.parametrize("typed", [b"caf\xe9", b"a\xc3(b", b"x\xe2\x82 y", b"Gr\xf6\xdfe", b"x\xf0\x9f\x98"])
def test_bytes_that_readline_drops_are_refused(world: World, typed: bytes) -> None:
    with Chat(world, LC_ALL="C.UTF-8") as chat:
        chat.type(typed)
        chat.say("\r", "llamacli: the terminal sent bytes that are not UTF-8; set its encoding to UTF-8")
        # readline keeps half a character for the next line.
        chat.say("\u00e9t\u00e9 \u65e5 h\u00e9re\r", "Hello. It's nice")
    assert said(world) == [("user", "\u00e9t\u00e9 \u65e5 h\u00e9re")]


def test_child_processes_get_the_users_locale(world: World) -> None:
    editor = world.cwd / "editor"
    editor.write_text('#!/bin/sh\necho "$LC_ALL and ${LANG-none}" >"$1"\n')
    editor.chmod(0o755)
    with Chat(world, EDITOR=str(editor), LC_ALL="POSIX") as chat:
        chat.say("/edit\r", "Hello. It's nice")
    assert said(world) == [("user", "POSIX and none")]


PASTE = "\x1b[200~one\rtwo\rthree\x1b[201~"


def test_text_pasted_during_an_answer_is_one_message(world: World) -> None:
    world.api.will(stream([event(delta("slow ")), event(delta("answer")), event(delta(finish="stop"))], pause=0.5))
    with Chat(world) as chat:
        before = len(chat.shown)
        chat.say("Hi\r", "slow ", ready=False)
        chat.type(PASTE)
        chat.after(before, "answer", READY)
        # The typed text was not echoed into the answer.
        assert "slow answer" in chat.shown
        chat.after(before, "three")
        assert len(world.api.requests) == 1
        world.api.will(text("Second."))
        chat.say("\r", "Second.")
    assert said(world)[-1] == ("user", "one\ntwo\nthree")


def test_nothing_typed_during_an_answer_is_lost(world: World) -> None:
    line = "x" * 6000
    world.api.will(stream([event(delta("slow ")), event(delta("answer")), event(delta(finish="stop"))], pause=0.5))
    with Chat(world) as chat:
        chat.say("Hi\r", "slow ", ready=False)
        # A terminal in canonical mode keeps 4095 bytes of a line.
        for start in range(0, len(line), 1000):
            chat.type(line[start : start + 1000])
        world.api.will(text("Second."))
        chat.say("\r", "answer", "Second.")
    assert said(world)[-1] == ("user", line)


def test_a_dumb_terminal_gets_no_escape_sequences_and_a_paste_is_one_message(world: World) -> None:
    with Terminal(world, *CHAT, TERM="dumb") as terminal:
        terminal.until("> ")
        terminal.type("one\rtwo\rthree\r")
        terminal.until("Hello. It's nice")
        terminal.until("\r\n\r\n> ")
        # Ctrl-D ends an unfinished paste.
        start = len(terminal.shown)
        terminal.type("four\rfi")
        terminal.until(". fi", start=start)
        terminal.type("\x15\x04")
        terminal.until("\r\n\r\n> ", start=start)
        terminal.type("\x04")
        assert terminal.wait() == 0
        assert "\x1b" not in terminal.shown
    assert [request.json["messages"][-1]["content"] for request in world.api.requests] == [
        "one\ntwo\nthree",
        "four",
    ]


@pytest.mark.parametrize(("value", "is_on"), [("off", False), ("Off", False), ("on", True), ("1", True), ("0", False)])
def test_inputrc_decides_about_bracketed_paste(world: World, value: str, is_on: bool) -> None:
    (world.home / ".inputrc").write_text(f"# mine\nset editing-mode vi\n  set enable-bracketed-paste {value}\n")
    with Terminal(world, *CHAT, NO_COLOR="1") as terminal:
        terminal.until("> ")
        terminal.type("Hi\r")
        terminal.until("Hello. It's nice")
        assert ("\x1b[?2004h" in terminal.shown) == is_on


def test_text_may_follow_the_opening_quotes(world: World) -> None:
    with Chat(world) as chat:
        for line in ('"""first', 'x = """two"""'):
            chat.say(f"{line}\r")
        chat.say('"""\r', "Hello. It's nice")
        assert said(world)[-1] == ("user", 'first\nx = """two"""')
        chat.say('"""all in one line"""\r', "Hello. It's nice")
        assert said(world)[-1] == ("user", "all in one line")
        # A module that is pasted as a whole begins with a docstring.
        chat.type('\x1b[200~"""A module."""\rimport os\x1b[201~')
        chat.say("\r", "Hello. It's nice")
        assert said(world)[-1] == ("user", '"""A module."""\nimport os')


LIBEDIT = "/usr/lib/x86_64-linux-gnu/libedit.so.2"


@pytest.mark.skipif(not os.path.exists(LIBEDIT), reason="there is no libedit to take readline's place")
def test_with_libedit_a_paste_is_one_message(world: World) -> None:
    with Terminal(world, *CHAT, LD_PRELOAD=LIBEDIT, NO_COLOR="1") as terminal:
        terminal.until("> ")
        terminal.type("one\rtwo\rthr\u00e9e")
        terminal.until("thr\u00e9e")
        assert not world.api.requests
        terminal.type("\r")
        terminal.until("Hello. It's nice")
        terminal.until("\r\n\r\n")
        terminal.type("alone\r")
        terminal.until("alone")
        end = time.monotonic() + 10
        while len(world.api.requests) < 2:
            assert time.monotonic() < end
            terminal.read(0.1)
    contents = [request.json["messages"][-1]["content"] for request in world.api.requests]
    assert contents == ["one\ntwo\nthr\u00e9e", "alone"]


@pytest.mark.skipif(not os.path.exists(LIBEDIT), reason="there is no libedit to take readline's place")
def test_with_libedit_a_half_typed_line_comes_back_with_up(world: World) -> None:
    with Terminal(world, "bash", "--norc", "-i", NO_COLOR="1", PS1="# ") as terminal:
        for typed, shown in [
            (f"LD_PRELOAD={LIBEDIT} {' '.join(CHAT)}\r", "\n> "),
            ("half a mess\u00e4ge", "half a mess\u00e4ge"),
            ("\x1a", "# "),
            ("fg\r", "press Up for the line that you were typing\r\n> "),
            ("\x1b[A", "half a mess\u00e4ge"),
            ("\r", "Hello. It's nice"),
        ]:
            start = len(terminal.shown)
            terminal.type(typed)
            terminal.until(shown, start=start)
    assert said(world) == [("user", "half a mess\u00e4ge")]


@pytest.mark.skipif(not os.path.exists(LIBEDIT), reason="there is no libedit to take readline's place")
def test_with_libedit_it_ends_with_its_terminal(world: World) -> None:
    main, side = pty.openpty()
    options: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), side)
    env = {**world.env, "LD_PRELOAD": LIBEDIT, "NO_COLOR": "1"}

    def ignore() -> None:
        # As nohup does; a signal may also arrive while libedit does not look.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with subprocess.Popen(CHAT, **options, env=env, cwd=world.cwd, preexec_fn=ignore) as chat:
        os.close(side)
        shown = b""
        while b"> " not in shown:
            shown += os.read(main, 1000)
        os.close(main)
        try:
            assert chat.wait(20) == 129
        finally:
            chat.kill()


@pytest.mark.skipif(not os.path.exists(LIBEDIT), reason="there is no libedit to take readline's place")
@pytest.mark.parametrize("locale", ["de_DE.ISO-8859-1", "ja_JP.eucJP"])
def test_with_libedit_only_utf8_is_read(world: World, locale: str) -> None:
    with Terminal(world, *CHAT, LD_PRELOAD=LIBEDIT, NO_COLOR="1", LC_ALL=locale) as terminal:
        assert terminal.wait() == 2
    assert "llamacli: with libedit, an interactive chat cannot read " in terminal.shown
    assert "; set LC_ALL to a UTF-8 locale" in terminal.shown


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
            # Two signals within a moment count as one.
            time.sleep(0.2)
            chat.say("\x03")
        chat.say("just text\t\r", "Hello. It's nice")
        assert said(world) == [("user", "just text")]
