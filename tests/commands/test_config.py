"""`config`: shows settings and their sources, stores a key safely, and tries the connection."""

import os
import signal
import stat
import subprocess
import termios
from pathlib import Path

import pytest

from llamacli.cli import app
from tests.support.fake_api import KEY, document, error, text
from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, World


def shown(world: World, *arguments: str, **env: str) -> dict[str, tuple[str, str]]:
    result = world.call("config", *(arguments or ("show", "--all")), **env)
    assert result.status == 0, result.err
    rows = [line.split("\t") for line in result.out.splitlines()]
    return {name: (value, origin) for name, value, origin in rows}


def test_every_setting_is_shown_with_its_value_and_source(world: World) -> None:
    (world.config / ".env").write_text('LLAMACLI_TOP_P=0.5\nLLAMACLI_STOP=["a", "b"]\n')
    (world.cwd / ".env").write_text("LLAMACLI_SEED=7\n")
    rows = shown(world, "show", "--all", "-m", "flagged", LLAMACLI_TIMEOUT="9", LLAMACLI_USAGE="yes")
    assert rows["key"] == ("sk-c...cdef", "AIMLAPI_API_KEY in the environment")
    assert rows["LLAMACLI_MODEL"] == ("flagged", "--model")
    assert rows["LLAMACLI_TIMEOUT"] == ("9", "LLAMACLI_TIMEOUT in the environment")
    assert rows["LLAMACLI_USAGE"] == ("true", "LLAMACLI_USAGE in the environment")
    assert rows["LLAMACLI_TOP_P"] == ("0.5", f"LLAMACLI_TOP_P in {world.config / '.env'}")
    assert rows["LLAMACLI_STOP"][0] == '["a","b"]'
    assert rows["LLAMACLI_SEED"] == ("7", f"LLAMACLI_SEED in {world.cwd / '.env'}")
    assert rows["LLAMACLI_RETRY_MAX_TIME"] == ("120", "default")
    assert rows["AIMLAPI_BASE_URL"][0] == world.api.url
    variables = {flag.flag.variable(flag.field) for command in app.commands() for flag in command.flags}
    assert {*variables, "key", "LLAMACLI_KEY_FILE", "LLAMACLI_KEY_COMMAND"} - {None} == set(rows)
    assert shown(world).keys() == rows.keys()


@pytest.mark.parametrize(
    ("env", "key"),
    [
        ({}, ("", "none")),
        ({"AIMLAPI_API_KEY": "short"}, ("...", "AIMLAPI_API_KEY in the environment")),
        (
            {"AIMLAPI_API_KEY": "", "LLAMACLI_KEY_COMMAND": "echo sk-from-a-command"},
            ("sk-f...mand", "LLAMACLI_KEY_COMMAND"),
        ),
        (
            {"AIMLAPI_API_KEY": "", "LLAMACLI_KEY_FILE": "/missing"},
            ("LLAMACLI_KEY_FILE: /missing: No such file or directory", "error"),
        ),
    ],
)
def test_the_key_is_masked_and_its_source_shown(world: World, env: dict[str, str], key: tuple[str, str]) -> None:
    del world.env["AIMLAPI_API_KEY"]
    assert shown(world, **env)["key"] == key


def test_an_unknown_action_is_2(world: World) -> None:
    result = world.call("config", "sohw")
    assert (result.status, result.err) == (
        2,
        "llamacli: unknown action 'sohw'; did you mean 'show'?\n",
    )


# set-key


@pytest.fixture
def keyless(world: World) -> World:
    del world.env["AIMLAPI_API_KEY"]
    return world


def test_the_stored_key_is_readable_only_by_the_user(keyless: World) -> None:
    os.umask(os.umask(0))
    result = keyless.run("config", "set-key", stdin=f"{KEY}\n")
    path = keyless.home / ".config" / "llamacli" / ".env"
    assert (result.status, result.out, result.err) == (0, f"stored sk-c...cdef in {path}\n", "")
    assert path.read_text() == f"AIMLAPI_API_KEY={KEY}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]
    keyless.call("ask", "Hi")
    assert keyless.api.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# mine\n\nexport  NAME = 'old'  # note\nB=\"x\ny\"\n", '# mine\n\nexport  NAME=KEY  # note\nB="x\ny"\n'),
        ("A=1", "A=1\nNAME=KEY\n"),
        ("NAME=old\nA=1\nNAME=older\n", "NAME=KEY\nA=1\n"),
        ("# NAME=commented\n", "# NAME=commented\nNAME=KEY\n"),
        ("NAME=old#not-a-comment", "NAME=KEY\n"),
        ("'NAME'=old\nB=2\n", "NAME=KEY\nB=2\n"),
        ("NAME='old #secret tail'\n", "NAME=KEY\n"),
        ('NAME="old\n#x" # c\n', "NAME=KEY # c\n"),
        ("A=1\r\nNAME=old\r\nB=2\r\n", "A=1\r\nNAME=KEY\r\nB=2\r\n"),
        ("A=1\r\n", "A=1\r\nNAME=KEY\r\n"),
        ("NAME=\n", "NAME=KEY\n"),
        ("NAME\n", "NAME=KEY\n"),
        ("NAMES=1\nMYNAME=2\n", "NAMES=1\nMYNAME=2\nNAME=KEY\n"),
    ],
)
def test_the_rest_of_the_file_stays(keyless: World, before: str, after: str) -> None:
    path = keyless.config / ".env"
    path.write_bytes(before.replace("NAME", "AIMLAPI_API_KEY").encode())
    path.chmod(0o644)
    assert keyless.call("config", "set-key", stdin=KEY).status == 0
    assert path.read_bytes().decode() == after.replace("KEY", KEY).replace("NAME", "AIMLAPI_API_KEY")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"garbage line here!\n", b"A='open\n", b"A=\xff\n"])
def test_a_file_that_no_key_could_be_read_from_is_left_alone(keyless: World, content: bytes) -> None:
    (keyless.config / ".env").write_bytes(content)
    result = keyless.call("config", "set-key", "-q", stdin=KEY)
    assert (result.status, result.out) == (2, "")
    assert "cannot change" in result.err
    assert "A=" not in result.err
    assert (keyless.config / ".env").read_bytes() == content


def test_a_fifo_in_its_place_is_refused(keyless: World) -> None:
    os.mkfifo(keyless.config / ".env")
    result = keyless.run("config", "set-key", stdin=KEY, timeout=10)
    assert result.status == 74
    assert "not a regular file" in result.err


def test_a_wrong_setting_is_shown_and_keeps_no_key_from_being_stored(world: World) -> None:
    (world.cwd / ".env").write_text("LLAMACLI_TEMPERATURE=99\nAIMLAPI_KEY=sk-in-the-folder\n")
    assert "'99' is out of range" in shown(world)["LLAMACLI_TEMPERATURE"][0]
    result = world.call("config", "set-key", stdin=KEY, AIMLAPI_API_KEY="")
    assert result.status == 0
    assert f"AIMLAPI_KEY in {world.cwd / '.env'} takes precedence" in result.err
    assert world.call("config", "check").status == 2


def test_the_key_shown_is_the_one_that_would_be_sent(world: World) -> None:
    (world.cwd / ".env").write_text(f"AIMLAPI_BASE_URL={world.api.url}\n")
    assert shown(world, AIMLAPI_BASE_URL="")["key"] == ("", "none")
    (world.cwd / ".env").write_text("AIMLAPI_BASE_URL=https://evil.example/v1\nAIML_API_KEY=sk-strangers-123\n")
    assert shown(world, AIMLAPI_BASE_URL="")["key"][0] == "sk-s...-123"


def test_typing_something_that_is_not_a_key_is_an_error(keyless: World) -> None:
    for typed in ("\x04", "\udcff\udcfe-key\n"):
        with Terminal(keyless, *PROGRAM, "config", "set-key") as terminal:
            terminal.until("(hidden): ")
            os.write(terminal.master, typed.encode("utf-8", "surrogateescape"))
            assert terminal.wait() == 3
    with Terminal(keyless, *PROGRAM, "config", "set-key") as terminal:
        terminal.until("(hidden): ")
        terminal.type(f"\x1b[200~{KEY}\x1b[201~\n")
        assert terminal.wait() == 0


def test_a_symbolic_link_stays_one(keyless: World, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.env"
    real.write_text("A=1\n")
    (keyless.config / ".env").symlink_to(real)
    assert keyless.call("config", "set-key", stdin=KEY).status == 0
    assert (keyless.config / ".env").is_symlink()
    assert real.read_text() == f"A=1\nAIMLAPI_API_KEY={KEY}\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


def test_any_key_that_a_header_carries_comes_back(keyless: World) -> None:
    keyless.api.will(text("ok"))
    for key in (
        "'quoted'-12345",
        '"double"-12345',
        "a#b-1234567890",
        "back\\slash-12345",
        "it's-1234567890",
        "$HOME-12345678",
    ):
        assert keyless.call("config", "set-key", stdin=key).status == 0
        keyless.call("ask", "Hi")
        assert keyless.api.requests[-1].headers["authorization"] == f"Bearer {key}"


def test_a_byte_order_mark_is_not_part_of_a_key(keyless: World) -> None:
    assert keyless.call("config", "set-key", stdin=f"\ufeff{KEY}\r\n").status == 0
    (keyless.cwd / "key").write_text(f"\ufeff{KEY}\n")
    for arguments in ([], ["--key-file", "key"]):
        keyless.call("ask", *arguments, "Hi")
        assert keyless.api.requests[-1].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("key", ["", "\n", "two words", "ünïcode-123456", "a\nb"])
def test_an_invalid_key_is_not_stored(keyless: World, key: str) -> None:
    result = keyless.call("config", "set-key", stdin=key)
    assert (result.status, result.out) == (3, "")
    assert not (keyless.home / ".config" / "llamacli" / ".env").exists()


def test_a_terminal_is_asked_without_an_echo(keyless: World) -> None:
    with Terminal(keyless, *PROGRAM, "config", "set-key") as terminal:
        terminal.until("API key (hidden): ")
        terminal.type(f"{KEY}\n")
        assert terminal.wait() == 0
    assert KEY not in terminal.shown
    assert KEY in (keyless.home / ".config" / "llamacli" / ".env").read_text()


@pytest.mark.parametrize(("typed", "number"), [("\x1c", signal.SIGQUIT), ("\x03", signal.SIGINT)])
def test_leaving_the_prompt_restores_the_echo(keyless: World, typed: str, number: signal.Signals) -> None:
    with Terminal(keyless, *PROGRAM, "config", "set-key") as terminal:
        terminal.until("API key")
        assert not termios.tcgetattr(terminal.master)[3] & termios.ECHO
        terminal.type(typed)
        _, raw = os.waitpid(terminal.pid, 0)
        terminal.status = os.waitstatus_to_exitcode(raw)
        assert terminal.status == -number
        assert termios.tcgetattr(terminal.master)[3] & termios.ECHO


def test_a_key_in_the_environment_is_pointed_out(world: World) -> None:
    assert (
        "AIMLAPI_API_KEY in the environment takes precedence" in world.call("config", "set-key", stdin="sk-x-12345").err
    )


def test_an_unwritable_folder_is_74(keyless: World) -> None:
    (keyless.home / ".config").write_text("a file")
    result = keyless.call("config", "set-key", stdin=KEY)
    assert result.status == 74
    assert "cannot write" in result.err


# check


def test_check_makes_one_cheap_call_and_reports_the_latency(world: World) -> None:
    result = world.call("config", "check")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith(
        f"{world.api.body['model']} at {world.api.url} answers, with the key sk-c...cdef from "
    )
    assert result.out.endswith(" s\n")
    assert set(world.api.body) == {"model", "messages", "max_tokens"}
    assert world.api.body["max_tokens"] == 1
    assert len(world.api.requests) == 1


@pytest.mark.parametrize(
    ("behavior", "arguments", "status", "message"),
    [
        (error(401, "no"), [], 3, "check the key from AIMLAPI_API_KEY in the environment ["),
        (error(403, "You've run out of credits"), [], 5, "top up the account"),
        (error(404, "Cannot POST /chat/completions"), ["ROOT"], 4, "the base URL has no /v1: try --base-url"),
        (document(b"<html><title>Hi</title>"), ["ROOT"], 9, "the base URL has no /v1"),
        (error(404, "no such model"), [], 4, "check the model; 'llamacli models' lists what the server offers"),
        (error(404, "no such thing"), [], 4, "check the model and --base-url (it usually ends in /v1)"),
        (error(400, "bad thing"), ["ROOT"], 4, "correct the request"),
        (document({"choices": []}), [], 9, "an empty answer"),
        (document({}), [], 9, "JSON without choices"),
        (error(503, "busy"), [], 7, "try again later"),
        (text("x"), ["--base-url", "http://127.0.0.1:9/v1"], 8, "Connection refused"),
        (text("x"), ["--base-url", "https://api.aimlapi.com/v1", "NOKEY"], 3, "create one at"),
    ],
)
def test_check_says_what_is_wrong(
    world: World, behavior: object, arguments: list[str], status: int, message: str
) -> None:
    world.api.will(behavior)  # type: ignore[arg-type]
    env = {"LLAMACLI_RETRY": ""} | ({"AIMLAPI_API_KEY": ""} if "NOKEY" in arguments else {})
    if "ROOT" in arguments:
        env["AIMLAPI_BASE_URL"] = world.api.url.removesuffix("/v1")
    result = world.call("config", "check", *(word for word in arguments if word not in ("NOKEY", "ROOT")), **env)
    assert (result.status, result.out) == (status, "")
    assert message in result.err
    assert result.err.count("\n") == 1
    assert len(world.api.requests) <= 1


# The key


@pytest.mark.parametrize(
    "arguments",
    [
        ["ask", "-v", "Hi"],
        ["ask", "--curl", "Hi"],
        ["ask", "--dry-run", "Hi"],
        ["ask", "-v", "--base-url", "http://127.0.0.1:9/v1", "Hi"],
        ["raw", "-v", "-i", "{}"],
        ["raw", "--curl", "{}"],
        ["models", "-v"],
        ["config", "show", "-v"],
        ["config", "check", "-v"],
        ["config", "set-key", "-v"],
    ],
)
def test_the_key_is_in_no_output_of_any_command(world: World, arguments: list[str]) -> None:
    for behavior in (text("ok"), error(401, f"bad key {KEY}"), document({"data": []})):
        world.api.will(behavior)
        result = world.run(*arguments, stdin=KEY if "set-key" in arguments else "", env={"LLAMACLI_DEBUG": "1"})
        assert KEY not in result.err
        # `raw` prints the response byte for byte, so a server can repeat its own caller's key there.
        assert KEY not in result.out or arguments[0] == "raw"
    for path in [*world.cwd.rglob("*"), *world.home.rglob("*")]:
        assert path.is_dir() or path.name == ".env" or KEY not in path.read_text()


def test_set_key_asks_on_a_terminal_that_is_not_the_controlling_one(keyless: World) -> None:
    ours, theirs = os.openpty()
    command = [*PROGRAM, "config", "set-key"]
    with subprocess.Popen(
        command, env=keyless.env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as running:
        os.close(theirs)
        shown = b""
        while b"API key" not in shown:
            shown += os.read(ours, 999)
        os.write(ours, f"{KEY}\n".encode())
        assert running.wait(20) == 0
    os.close(ours)
    assert KEY in (keyless.config / ".env").read_text()
