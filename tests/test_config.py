"""`config`: what is set and by whom, a key that is stored safely, a connection that is tried."""

import os
import stat
from pathlib import Path

import pytest

from llamacli import cli
from llamacli.options import Table
from tests.conftest import PROGRAM, World
from tests.fake_api import KEY, document, error, text
from tests.terminal import Terminal


def shown(world: World, *arguments: str, **env: str) -> dict[str, tuple[str, str]]:
    result = world.call("config", *arguments, **env)
    assert result.status == 0, result.err
    rows = [line.split("\t") for line in result.out.splitlines()]
    return {name: (value, origin) for name, value, origin in rows}


def test_every_setting_is_shown_with_its_value_and_source(world: World) -> None:
    (world.config / ".env").write_text('LLAMACLI_TOP_P=0.5\nLLAMACLI_STOP=["a", "b"]\n')
    (world.cwd / ".env").write_text("LLAMACLI_SEED=7\n")
    rows = shown(world, "show", "-m", "flagged", LLAMACLI_TIMEOUT="9", LLAMACLI_USAGE="yes")
    assert rows["key"] == ("sk-c...cdef", "AIMLAPI_API_KEY in the environment")
    assert rows["LLAMACLI_MODEL"] == ("flagged", "--model")
    assert rows["LLAMACLI_TIMEOUT"] == ("9", "LLAMACLI_TIMEOUT in the environment")
    assert rows["LLAMACLI_USAGE"] == ("true", "LLAMACLI_USAGE in the environment")
    assert rows["LLAMACLI_TOP_P"] == ("0.5", f"LLAMACLI_TOP_P in {world.config / '.env'}")
    assert rows["LLAMACLI_STOP"][0] == '["a","b"]'
    assert rows["LLAMACLI_SEED"] == ("7", f"LLAMACLI_SEED in {world.cwd / '.env'}")
    assert rows["LLAMACLI_RETRY_MAX_TIME"] == ("120", "default")
    assert rows["AIMLAPI_BASE_URL"][0] == world.api.url
    for name in cli.COMMANDS:
        cli.build(name)
    variables = {flag.variable(name) for table in Table.__subclasses__() for name, flag in table.flags().items()}
    assert {*variables, "key"} - {None} == set(rows)
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
def test_the_key_is_masked_and_its_source_told(world: World, env: dict[str, str], key: tuple[str, str]) -> None:
    del world.env["AIMLAPI_API_KEY"]
    assert shown(world, **env)["key"] == key


def test_an_unknown_action_is_2(world: World) -> None:
    result = world.call("config", "sohw")
    assert (result.status, result.err) == (2, "llamacli: no action 'sohw'; there is show, set-key, check\n")


# set-key


@pytest.fixture
def keyless(world: World) -> World:
    del world.env["AIMLAPI_API_KEY"]
    return world


def test_a_key_is_stored_where_nobody_else_reads(keyless: World) -> None:
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
        (
            "# mine\n\nexport  AIMLAPI_API_KEY = 'old'  # note\nB=\"x\ny\"\n",
            '# mine\n\nexport  AIMLAPI_API_KEY=KEY  # note\nB="x\ny"\n',
        ),
        ("A=1", "A=1\nAIMLAPI_API_KEY=KEY\n"),
        ("AIMLAPI_API_KEY=old\nA=1\nAIMLAPI_API_KEY=older\n", "AIMLAPI_API_KEY=KEY\nA=1\n"),
        ("no line of a .env\nAIMLAPI_API_KEY=\n", "no line of a .env\nAIMLAPI_API_KEY=KEY\n"),
        ("# AIMLAPI_API_KEY=commented\n", "# AIMLAPI_API_KEY=commented\nAIMLAPI_API_KEY=KEY\n"),
        ("AIMLAPI_API_KEY=old#not-a-comment", "AIMLAPI_API_KEY=KEY\n"),
        ("\udcff=1\n", "\udcff=1\nAIMLAPI_API_KEY=KEY\n"),
    ],
)
def test_all_else_in_the_file_stays(keyless: World, before: str, after: str) -> None:
    path = keyless.config / ".env"
    path.write_bytes(before.replace("NAME", "AIMLAPI_API_KEY").encode("utf-8", "surrogateescape"))
    path.chmod(0o644)
    assert keyless.call("config", "set-key", stdin=KEY).status == 0
    assert path.read_bytes().decode("utf-8", "surrogateescape") == after.replace("KEY", KEY).replace(
        f"API_{KEY}", "API_KEY"
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


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


@pytest.mark.parametrize("key", ["", "\n", "two words", "ünïcode-123456", "a\nb"])
def test_what_is_no_key_is_not_stored(keyless: World, key: str) -> None:
    result = keyless.call("config", "set-key", stdin=key)
    assert (result.status, result.out) == (3, "")
    assert not (keyless.home / ".config" / "llamacli" / ".env").exists()


def test_a_terminal_is_asked_without_an_echo(keyless: World) -> None:
    with Terminal(keyless, *PROGRAM, "config", "set-key") as terminal:
        terminal.until("API key (it is not shown): ")
        terminal.type(f"{KEY}\n")
        assert terminal.wait() == 0
    assert KEY not in terminal.shown
    assert KEY in (keyless.home / ".config" / "llamacli" / ".env").read_text()


def test_a_key_in_the_environment_is_pointed_out(world: World) -> None:
    assert (
        "AIMLAPI_API_KEY in the environment goes before it" in world.call("config", "set-key", stdin="sk-x-12345").err
    )


def test_an_unwritable_folder_is_74(keyless: World) -> None:
    (keyless.home / ".config").write_text("a file")
    result = keyless.call("config", "set-key", stdin=KEY)
    assert result.status == 74
    assert "cannot write" in result.err


# check


def test_check_makes_one_cheap_call_and_tells_the_latency(world: World) -> None:
    result = world.call("config", "check")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith(
        f"{world.api.body['model']} at {world.api.url} answers, with the key sk-c...cdef from "
    )
    assert result.out.endswith(" s\n")
    assert world.api.body["max_tokens"] == 1
    assert len(world.api.requests) == 1


@pytest.mark.parametrize(
    ("behaviour", "arguments", "status", "told"),
    [
        (error(401, "no"), [], 3, "check the key"),
        (error(403, "You've run out of credits"), [], 5, "top up the account"),
        (error(404, "Cannot POST /chat/completions"), ["ROOT"], 4, "the base URL has no /v1: try --base-url"),
        (document(b"<html><title>Hi</title>"), ["ROOT"], 9, "the base URL has no /v1"),
        (error(404, "no such model"), [], 4, "check --model"),
        (error(503, "busy"), [], 7, "try again later"),
        (text("x"), ["--base-url", "http://127.0.0.1:9/v1"], 8, "Connection refused"),
        (text("x"), ["--base-url", "https://api.aimlapi.com/v1", "NOKEY"], 3, "make one at"),
    ],
)
def test_check_says_what_is_wrong(
    world: World, behaviour: object, arguments: list[str], status: int, told: str
) -> None:
    world.api.will(behaviour)  # type: ignore[arg-type]
    env = {"LLAMACLI_RETRY": ""} | ({"AIMLAPI_API_KEY": ""} if "NOKEY" in arguments else {})
    if "ROOT" in arguments:
        env["AIMLAPI_BASE_URL"] = world.api.url.removesuffix("/v1")
    result = world.call("config", "check", *(word for word in arguments if word not in ("NOKEY", "ROOT")), **env)
    assert (result.status, result.out) == (status, "")
    assert told in result.err
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
    for behaviour in (text("ok"), error(401, f"bad key {KEY}"), document({"data": []})):
        world.api.will(behaviour)
        result = world.run(*arguments, stdin=KEY if "set-key" in arguments else "", env={"LLAMACLI_DEBUG": "1"})
        assert KEY not in result.err
        # `raw` prints what the server says, byte for byte: only there a server can show a key, its own sender's.
        assert KEY not in result.out or arguments[0] == "raw"
    for path in [*world.cwd.rglob("*"), *world.home.rglob("*")]:
        assert path.is_dir() or path.name == ".env" or KEY not in path.read_text()
