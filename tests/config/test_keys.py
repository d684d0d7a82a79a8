"""Keys: their sources, their errors, and that they are never shown."""

from __future__ import annotations

import signal
import subprocess
import time

import pytest

from tests.config.projects import KEYS, OTHER, key_sent
from tests.support.fake_api import KEY, Handler, error, text
from tests.support.world import PROGRAM, World


def test_the_key_is_found_under_three_names_in_order(bare: World) -> None:
    env: dict[str, str] = {}
    for name in reversed(KEYS):
        env[name] = f"sk-{name.lower()}-123456"
        bare.call("ask", "Hi", **env)
        assert key_sent(bare) == env[name]


def test_the_first_source_that_holds_a_key_wins(bare: World) -> None:
    (bare.config / ".env").write_text("AIMLAPI_API_KEY=sk-users-12345678\n")
    bare.call("ask", "Hi")
    assert key_sent(bare) == "sk-users-12345678"
    (bare.cwd / ".env").write_text("AIMLAPI_KEY=sk-folder-12345678\n")
    bare.call("ask", "Hi")
    assert key_sent(bare) == "sk-folder-12345678"
    (bare.cwd / "key").write_text("  sk-file-12345678\n\n")
    bare.call("ask", "Hi", LLAMACLI_KEY_FILE=str(bare.cwd / "key"))
    assert key_sent(bare) == "sk-file-12345678"
    bare.call("ask", "Hi", LLAMACLI_KEY_COMMAND="echo sk-command-12345678")
    assert key_sent(bare) == "sk-command-12345678"
    bare.call("ask", "Hi", LLAMACLI_KEY_COMMAND="exit 1", LLAMACLI_KEY_FILE=str(bare.cwd / "key"))
    assert key_sent(bare) == "sk-file-12345678"
    bare.call("ask", "Hi", LLAMACLI_KEY_FILE="/missing", AIML_API_KEY=OTHER)
    assert key_sent(bare) == OTHER
    bare.call("ask", "--key-file", "key", "Hi", AIML_API_KEY=OTHER)
    assert key_sent(bare) == "sk-file-12345678"
    bare.call("ask", "--no-key", "Hi", AIML_API_KEY=OTHER)
    assert key_sent(bare) is None


def test_the_key_command_does_not_eat_the_prompt(bare: World) -> None:
    bare.call("ask", "Hi", stdin="piped", LLAMACLI_KEY_COMMAND="cat; echo sk-command-12345678")
    assert bare.api.prompt == "Hi\n\npiped"
    assert key_sent(bare) == "sk-command-12345678"


@pytest.mark.parametrize(
    ("arguments", "env", "problem"),
    [
        (["--key-file", "missing"], {}, "--key-file: missing: No such file or directory"),
        (["--key-file", "."], {}, "Is a directory"),
        (["--key-file", "empty"], {}, "is empty"),
        (["--key-file", "two"], {}, "contains a line break"),
        (["--key-file", "binary"], {}, "UTF-8"),
        ([], {"LLAMACLI_KEY_FILE": "/missing"}, "LLAMACLI_KEY_FILE: /missing"),
        ([], {"LLAMACLI_KEY_COMMAND": "echo sk-secret-in-here; exit 3"}, "exited with status 3"),
        ([], {"LLAMACLI_KEY_COMMAND": ":"}, "is empty"),
        ([], {"AIMLAPI_API_KEY": "sk-a\nX-Evil: 1"}, "contains a line break"),
        ([], {"AIMLAPI_API_KEY": "schlüssel-1234567"}, "a character that no key can contain"),
        ([], {"AIMLAPI_BASE_URL": ""}, "no API key; create one at https://aimlapi.com/app/keys"),
    ],
)
def test_a_key_that_cannot_be_read_is_3(bare: World, arguments: list[str], env: dict[str, str], problem: str) -> None:
    for name, content in [("empty", b" \n"), ("two", b"sk-one\nsk-two\n"), ("binary", b"\xff\xfe")]:
        (bare.cwd / name).write_bytes(content)
    result = bare.call("ask", *arguments, "Hi", **env)
    assert (result.status, result.out) == (3, "")
    assert problem in result.err
    assert result.err.count("\n") == 1
    assert "sk-" not in result.err
    assert not bare.api.requests


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ('"sk-123456789"', "is in quotes; remove them"),
        ("'sk-123456789'", "is in quotes; remove them"),
        ("Bearer sk-123456789", "begins with Bearer or Authorization; remove that"),
        ("authorization: bearer sk-123456789", "begins with Bearer or Authorization; remove that"),
        ("AIMLAPI_API_KEY=sk-123456789", "begins with AIMLAPI_API_KEY=; remove that"),
        ("sk-1234\nsk-5678", "contains a line break; it must be the key alone"),
        ("sk-1234 56789", "contains a space or a character that no key can contain"),
        ("sk-1234\u200b56789", "contains a space or a character that no key can contain"),
        ("x" * (1 << 16), "is too long"),
    ],
)
def test_an_invalid_key_is_explained_whatever_its_source(bare: World, key: str, problem: str) -> None:
    (bare.cwd / "key").write_text(key)
    (bare.cwd / "key.sh").write_text("cat key")
    for arguments, env in [
        (["--key-file", "key"], {}),
        ([], {"AIMLAPI_KEY": key}),
        ([], {"LLAMACLI_KEY_COMMAND": "sh key.sh"}),
    ]:
        result = bare.call("ask", *arguments, "Hi", **env)
        assert (result.status, result.out) == (3, "")
        assert problem in result.err
        assert "123" not in result.err
    assert not bare.api.requests


def test_a_key_command_that_never_ends_is_stopped(bare: World) -> None:
    result = bare.run("ask", "Hi", env={"LLAMACLI_KEY_COMMAND": "yes"}, timeout=20)
    assert result.status == 3
    assert "the key from LLAMACLI_KEY_COMMAND is too long" in result.err


@pytest.mark.parametrize("command", ["sleep 60", "sleep 60 & wait", "echo sk-half; exec sleep 60"])
def test_max_time_covers_the_key_command(bare: World, command: str) -> None:
    started = time.monotonic()
    result = bare.call("ask", "-I", "--max-time", "0.5", "Hi", LLAMACLI_KEY_COMMAND=command)
    assert (result.status, result.out) == (3, "")
    assert "the command in LLAMACLI_KEY_COMMAND did not end within --max-time 0.5 s" in result.err
    assert time.monotonic() - started < 30
    assert not bare.api.requests


def test_a_signal_does_not_wait_for_the_key_command(bare: World) -> None:
    command = [*PROGRAM, "ask", "-I", "Hi"]
    env = {**bare.env, "LLAMACLI_KEY_COMMAND": "echo >started; exec sleep 60"}
    with subprocess.Popen(command, env=env, cwd=bare.cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        while not (bare.cwd / "started").exists():
            time.sleep(0.01)
        # Python may still be starting the command.
        time.sleep(0.3)
        running.terminate()
        assert running.communicate(timeout=20) == (b"", b"")
    assert running.returncode == -signal.SIGTERM


@pytest.fixture
def expiring(bare: World) -> World:
    """A key command that prints a new key each time; the server refuses the first."""
    (bare.cwd / "token").write_text("echo x >>runs; echo sk-token-number-$(wc -l <runs | tr -d ' ')\n")
    bare.env["LLAMACLI_KEY_COMMAND"] = "sh token"

    def answer(handler: Handler) -> None:
        is_old = handler.headers["Authorization"] == "Bearer sk-token-number-1"
        (error(401, "expired: sk-token-number-1") if is_old else text("ok"))(handler)

    bare.api.will(answer)
    return bare


@pytest.mark.parametrize("arguments", [["ask", "Hi"], ["chat", "Hi"], ["raw", "{}"], ["batch", "-j", "4", "--plain"]])
def test_the_key_command_is_run_once_more_after_a_401(expiring: World, arguments: list[str]) -> None:
    result = expiring.call(*arguments, stdin="Hi\n" * 8 if arguments[0] == "batch" else None)
    assert (result.status, result.err) == (0, result.err)
    assert "sk-token" not in result.err
    assert (expiring.cwd / "runs").read_text() == "x\n" * 2
    assert key_sent(expiring) == "sk-token-number-2"


def test_a_key_that_the_command_repeats_is_not_sent_again(bare: World) -> None:
    bare.api.will(error(401, "no"))
    result = bare.call("ask", "Hi", LLAMACLI_KEY_COMMAND="echo x >>runs; echo sk-same-12345678")
    assert result.status == 3
    assert len(bare.api.requests) == 1
    assert (bare.cwd / "runs").read_text() == "x\n" * 2
    bare.api.requests.clear()
    bare.call("ask", "Hi", LLAMACLI_KEY_COMMAND="echo x >>runs; echo sk-$(wc -l <runs | tr -d ' ')-12345678")
    assert len(bare.api.requests) == 2


def test_another_server_is_called_without_a_key_if_there_is_none(bare: World) -> None:
    assert bare.call("ask", "Hi").status == 0
    assert key_sent(bare) is None


def test_a_key_file_that_never_ends_is_3(world: World) -> None:
    result = world.call("ask", "--key-file", "/dev/zero", "Hi")
    assert result.status == 3
    assert not world.api.requests


def test_a_short_key_is_not_shown_either(bare: World) -> None:
    bare.api.will(error(401, "bad key: Bearer abc1234"))
    result = bare.call("ask", "-v", "Hi", AIMLAPI_API_KEY="abc1234")
    assert result.status == 3
    assert "abc1234" not in result.err


def test_the_key_is_nowhere_but_in_the_header(world: World) -> None:
    world.call("ask", "-v", "-u", "-o", "out", "Hi")
    assert KEY not in world.api.requests[-1].body.decode()
    for path in [*world.cwd.rglob("*"), *world.home.rglob("*")]:
        assert path.is_dir() or KEY not in path.read_text()
