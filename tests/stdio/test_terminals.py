"""No text from elsewhere can control a terminal or disguise what it shows."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from llamacli.stdio.text import escaped
from tests.support.fake_api import Behavior, answer, delta, document, error, event, raw, stream, text
from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, World

#: A recognizable name, then: title, clipboard, colors, C1 instead of ESC, a device string, backspaces, bidi.
EVIL = (
    "evil\x1b]0;t\x07\x1b]52;c;aGk=\x07\x1b[2J\x9b31m\x9d0;t\x9c\x90q\x9cE\rV\x08I\x7fL\u202eL\u2066\u2069\u061c\u200f"
)
#: For JSON and the like, where a NUL byte can stand too.
WITH_NUL = EVIL + "\x00\u0085"
JSON = json.dumps(WITH_NUL).encode()

HEADERS = (
    b"HTTP/1.1 %d "
    + b"\x1b[31m\x9b1m evil\r\nX-Evil: \x1b]0;t\x07\x9b31m\xe2\x80\xae evil\r\nx-inference-id: \x1b[2J evil\r\n"
    b"Location: http://x/\x1b[2Jevil\r\nContent-Length: %d\r\n\r\n"
)


def head(status: int, body: bytes) -> Behavior:
    return raw(HEADERS % (status, len(body)) + body)


OK = json.dumps({"choices": [{"index": 0, "message": {"content": "evil"}, "finish_reason": "stop"}]}).encode()
CALLS = [{"id": WITH_NUL, "function": {"name": WITH_NUL, "arguments": json.dumps({WITH_NUL: WITH_NUL})}}]
BROKEN_CALLS = [{"id": WITH_NUL, "function": {"name": "f", "arguments": WITH_NUL}}]
CATALOGUE = {"data": [{"id": WITH_NUL, "owned_by": WITH_NUL}, {"id": "b", "info": {"developer": WITH_NUL}}]}

#: The server's behavior, the command, and its environment.
FROM_THE_SERVER: dict[str, tuple[Behavior, list[str]]] = {
    "an answer": (text(WITH_NUL), ["ask", "-I", "Hi"]),
    "an answer in one piece": (answer(WITH_NUL), ["ask", "-I", "--no-stream", "Hi"]),
    "an answer of several": (answer(WITH_NUL), ["ask", "-I", "-n", "2", "Hi"]),
    "a turn of a conversation": (text(WITH_NUL), ["chat", "-I", "Hi"]),
    "json": (answer(WITH_NUL), ["ask", "-I", "--json", "Hi"]),
    "json in chunks": (text(WITH_NUL), ["ask", "-I", "--json", "--stream", "Hi"]),
    "an escape cut in two": (stream([event(delta(c)) for c in EVIL] + [event("[DONE]")]), ["ask", "-I", "Hi"]),
    "tool calls": (answer(None, tool_calls=CALLS), ["ask", "-I", "Hi"]),
    "tool calls that are no json": (answer(None, tool_calls=BROKEN_CALLS), ["ask", "-I", "Hi"]),
    "reasoning": (answer("x", reasoning=WITH_NUL), ["ask", "-I", "--reasoning", "Hi"]),
    "a refusal": (answer(None, refusal=WITH_NUL), ["ask", "-I", "Hi"]),
    "an error's words": (error(400, WITH_NUL), ["ask", "-I", "Hi"]),
    "an error's id": (
        raw(b'HTTP/1.1 400 x\r\nContent-Length: %d\r\n\r\n{"requestId":%s}' % (14 + len(JSON), JSON)),
        ["ask", "-I", "Hi"],
    ),
    "an error in text": (document(EVIL.encode(), 500, "text/plain"), ["ask", "-I", "Hi"]),
    "an error in latin-1": (document(b"\x9b31m\x1b[2J evil", 500, "text/plain"), ["ask", "-I", "Hi"]),
    "an error in html": (document(f"<title>{EVIL}</title>".encode(), 500), ["ask", "-I", "Hi"]),
    "an error that is tried again": (error(503, EVIL, [("Retry-After", "0")]), ["ask", "-I", "--retry", "1", "Hi"]),
    "an error under a 200": (document({"error": {"message": WITH_NUL}}), ["ask", "-I", "Hi"]),
    "an error in mid-stream": (stream([event({"error": {"message": WITH_NUL}})]), ["ask", "-I", "Hi"]),
    "text in place of an answer": (document(EVIL.encode(), 200, "text/plain"), ["ask", "-I", "Hi"]),
    "a redirect": (head(302, b""), ["ask", "-I", "Hi"]),
    "ids in headers": (head(404, b""), ["ask", "-I", "Hi"]),
    "headers under -v": (head(200, OK), ["ask", "-I", "-v", "Hi"]),
    "headers under raw -i": (head(200, OK), ["raw", "-i", "{}"]),
    "a body": (document(EVIL.encode()), ["raw", "{}"]),
    "a body in latin-1": (document(b"\x9b31m\x1b[2J evil \xc2", kind="text/plain"), ["raw", "{}"]),
    "events": (stream([b"data: " + EVIL.replace("\r", "").encode() + b"\n\n"]), ["raw", "{}"]),
    "events as received": (stream([b": " + EVIL.encode() + b"\n\ndata: 1\n\n"]), ["raw", "--sse", "{}"]),
    "an error's body": (error(400, WITH_NUL), ["raw", "{}"]),
    "models": (document(CATALOGUE), ["models"]),
    "models as json": (document(CATALOGUE), ["models", "--json"]),
    "models that are an error": (document({"error": WITH_NUL}), ["models"]),
    "config check": (error(404, WITH_NUL), ["config", "check"]),
}


#: What llamacli itself sends to a terminal: its name in color, the spinner.
OWN = re.compile(
    "\x1b\\[(2|1;31)mllamacli:\x1b\\[0m|\r[-|/\\\\] waiting for [a-z0-9.:]+ \\d+ s\x1b\\[K|\r?\x1b\\[K"
    # And readline: bracketed paste on and off, the cursor to the right.
    "|\x1b\\[\\?2004[hl]\r?|\x1b\\[C"
)


def show(world: World, *command: str, **env: str) -> str:
    """Runs a command on a terminal and returns its output, which must be harmless."""
    with Terminal(world, *PROGRAM, *command, **env) as terminal:
        terminal.wait(20)
    return harmless(terminal)


def harmless(terminal: Terminal) -> str:
    # A byte that is not UTF-8 may be C1 to the terminal.
    shown = terminal.sent.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    own = OWN.sub("", shown)
    assert escaped(own) == own
    assert not re.search("[\ud800-\udfff]", own), own
    return own


@pytest.mark.parametrize("name", FROM_THE_SERVER)
def test_what_a_server_sends_is_shown_and_not_obeyed(world: World, name: str) -> None:
    behavior, command = FROM_THE_SERVER[name]
    world.api.will(behavior)
    assert "evil" in show(world, *command)


def files(world: World) -> None:
    """Creates files, a folder and a role with malicious names."""
    (world.cwd / EVIL).write_bytes(b"\xff")
    (world.config / "roles").mkdir()
    (world.config / "roles" / f"{EVIL}.md").write_bytes(b"\xff")


BROKEN = stream([event(delta("so far"))])
FROM_HERE: dict[str, tuple[list[str], dict[str, str]]] = {
    "a missing file": (["ask", "-f", f"missing{EVIL}"], {}),
    "a file that is not UTF-8": (["ask", "-f", EVIL], {}),
    "a folder to write to": (["ask", "-o", f"missing/{EVIL}", "Hi"], {}),
    "a part": (["ask", "-o", f"new{EVIL}", "Hi"], {}),
    "a role": (["ask", "-r", f"x{EVIL}", "Hi"], {}),
    "a role that is not UTF-8": (["ask", "-r", EVIL, "Hi"], {}),
    "an @file": (["ask", "-s", f"@{EVIL}x", "Hi"], {}),
    "a field": (["raw", "-F", f"{EVIL}=@x{EVIL}"], {}),
    "an endpoint": (["raw", "--endpoint", EVIL, "{}"], {}),
    "a model": (["config", "check", "-m", EVIL], {}),
    "a model under --dry-run": (["ask", "-m", EVIL, "--dry-run", "Hi"], {}),
    "a prompt under --curl": (["ask", "--curl", EVIL], {}),
    "an option": (["ask", f"--{EVIL}", "Hi"], {}),
    "a command": ([EVIL], {}),
    "an action": (["config", EVIL], {}),
    "a topic": (["help", EVIL], {}),
    "a filter": (["models", EVIL], {}),
    "a number": (["ask", "-t", EVIL, "Hi"], {}),
    "a parameter": (["ask", "-p", EVIL, "Hi"], {}),
    "tools": (["ask", "--tools", EVIL, "Hi"], {}),
    "a request id": (["ask", "--request-id", EVIL, "Hi"], {}),
    "a base URL": (["ask", "--base-url", EVIL, "Hi"], {}),
    "certificates": (["ask", "--ca-bundle", EVIL + "x", "Hi"], {}),
    "a key file": (["ask", "--key-file", EVIL + "x", "Hi"], {}),
    "a number in the environment": (["ask", "Hi"], {"LLAMACLI_TEMPERATURE": EVIL}),
    "a base URL in the environment": (["ask", "Hi"], {"AIMLAPI_BASE_URL": EVIL}),
    "settings": (["config", "show"], {"LLAMACLI_MODEL": EVIL, "LLAMACLI_STOP": EVIL, "LLAMACLI_SEED": EVIL}),
    "a key file in the environment": (["config", "show"], {"AIMLAPI_API_KEY": "", "LLAMACLI_KEY_FILE": EVIL + "x"}),
    "an editor": (["ask", "-e"], {"VISUAL": f"false '{EVIL}'"}),
}


@pytest.mark.parametrize("name", FROM_HERE)
def test_what_is_named_here_is_shown_and_not_obeyed(world: World, name: str) -> None:
    """Whoever made an archive chose the names of its files."""
    files(world)
    world.api.will(document({"data": []}) if name == "a filter" else BROKEN if name == "a part" else answer("evil"))
    command, env = FROM_HERE[name]
    if command[0] == "ask":
        command = ["ask", "-I", *command[1:]]
    assert "evil" in show(world, *command, **env)


def talk(world: World) -> None:
    """Saves a conversation that other programs took part in."""
    folder = world.home / ".local" / "state" / "llamacli" / "sessions"
    folder.mkdir(parents=True)
    roles = ("system", "user", "assistant", EVIL)
    entries = [{"role": role, "content": WITH_NUL, "tool_calls": CALLS} for role in roles]
    (folder / "talk.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))


@pytest.mark.parametrize(
    "command", [["sessions"], ["sessions", "show", "talk"], ["sessions", "show", "--json", "talk"]], ids=" ".join
)
def test_a_conversation_is_shown_and_not_obeyed(world: World, command: list[str]) -> None:
    talk(world)
    assert "evil" in show(world, *command)


LINES_TYPED = ["Hi", "/show", "/file evil", "/model evil", "/evil", "/save evil/"]


@pytest.mark.parametrize("line", LINES_TYPED)
@pytest.mark.parametrize("fails", [False, True])
def test_a_prompt_obeys_nobody_else(world: World, line: str, fails: bool) -> None:
    talk(world)
    (world.cwd / "evil").write_bytes(b"\xff")
    world.api.will(error(429, WITH_NUL) if fails else text(WITH_NUL))
    with Terminal(world, *PROGRAM, "chat", "-S", "talk", NO_COLOR="1") as terminal:
        terminal.until("> ")
        terminal.type(f"{line}\r")
        end = time.monotonic() + 20
        while terminal.shown.count("\x1b[?2004h> ") < 2:
            assert time.monotonic() < end, terminal.shown
            assert terminal.read(0.1)
        terminal.type("\x04")
        assert terminal.wait(20) == 0
    assert "evil" in harmless(terminal)


PLACES: dict[str, Callable[[World], Any]] = {
    "a .env that is none": lambda world: (world.cwd / ".env").write_text("no line\n"),
    "a .env that may not say so": lambda world: (world.cwd / ".env").write_text("LLAMACLI_CA_BUNDLE=x\n"),
    "a .env with a wrong value": lambda world: (world.cwd / ".env").write_text("LLAMACLI_SEED=x\n"),
}


@pytest.mark.parametrize("place", PLACES)
def test_the_name_of_a_folder_is_not_obeyed(world: World, place: str) -> None:
    world.cwd = world.cwd / EVIL
    world.cwd.mkdir()
    PLACES[place](world)
    assert "evil" in show(world, "ask", "-I", "Hi")


def test_the_folder_of_a_stored_key_is_not_obeyed(world: World) -> None:
    folder = f"{world.home}/{EVIL}"
    script = f"{' '.join(PROGRAM)} config set-key <<<sk-0123456789abcdef >/dev/null; echo $?"
    assert world.shell(script, XDG_CONFIG_HOME=folder).out == "0\n"
    assert "evil" in show(world, "config", "show", XDG_CONFIG_HOME=folder, AIMLAPI_API_KEY="")


def test_a_pipe_gets_every_byte(world: World) -> None:
    world.api.will(text(WITH_NUL))
    assert world.call("ask", "Hi").out == WITH_NUL + "\n"
    # Lines on stderr may reach a terminal through a log.
    world.api.will(error(400, WITH_NUL))
    err = world.call("ask", "Hi").err
    assert escaped(err) == err
