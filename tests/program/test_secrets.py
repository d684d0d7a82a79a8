"""The key goes into one header of a call to the right host, and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llamacli.cli import app
from tests.support.fake_api import KEY, FakeApi, document, error, event, hang, raw, stream, text
from tests.support.faults import FAULTS
from tests.support.world import PROGRAM, World

#: Every command; a new one must be added here.
COMMANDS: dict[str, list[list[str]]] = {
    "ask": [["ask", "Hi"], ["ask", "--json", "Hi"], ["ask", "-o", "out", "Hi"], ["ask", "--curl", "Hi"]],
    "raw": [["raw", "{}"], ["raw", "--curl", "{}"], ["raw", "--dry-run", "{}"], ["raw", "-o", "out", "{}"]],
    "chat": [["chat", "Hi"], ["chat", "--no-save", "--json", "Hi"], ["chat", "--curl", "Hi"]],
    "sessions": [["sessions"], ["sessions", "show", "none"]],
    "models": [["models"], ["models", "--json"]],
    "config": [["config", "show"], ["config", "check"]],
    "batch": [["batch", "{}", "items"], ["batch", "-o", "rows", "{}", "items"], ["batch", "--curl", "{}", "items"]],
    "completion": [["completion", "bash"]],
    "usage": [["usage", "none"]],
    "man": [["man"]],
    "help": [["help", "environment"]],
}
CALLS = [call for calls in COMMANDS.values() for call in calls]
#: Responses that repeat the key, also where a line is cut off.
TOLD = {
    "in words": error(401, f"Incorrect API key provided: {KEY}."),
    "at the end of a line": error(400, "x" * 280 + KEY + "y" * 300),
    "in a header": raw(b"HTTP/1.1 404 %s\r\nX-Key: %s\r\nContent-Length: 0\r\n\r\n" % (KEY.encode(), KEY.encode())),
    "in a redirect": raw(b"HTTP/1.1 302 x\r\nLocation: http://x/?k=%s\r\nContent-Length: 0\r\n\r\n" % KEY.encode()),
    "under a 200": document({"error": {"message": f"key {KEY}"}}),
    "in mid-stream": stream([event({"error": {"message": "x" * 280 + KEY}})]),
    "in place of an answer": document(("x" * 85 + KEY).encode(), kind="text/plain"),
    "in an id": error(500, "x", requestId=KEY),
}


def all_files(world: World) -> bytes:
    return b"".join(path.read_bytes() for top in (world.home, world.cwd) for path in top.rglob("*") if path.is_file())


def parts(key: str) -> list[bytes]:
    """Every substring of twelve characters: even half a key must not appear."""
    return [key[at : at + 12].encode() for at in range(len(key) - 11)]


def test_every_command_is_tried() -> None:
    missing = [name for name in app.COMMANDS if name not in COMMANDS]
    assert not missing, f"give {missing[0]} a row with a few calls in COMMANDS of tests/program/test_secrets.py"


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_no_output_file_or_error_contains_the_key(world: World, call: list[str]) -> None:
    (world.cwd / "items").write_text("Hi\n")
    for name, behavior in {**TOLD, "whole": text("ok")}.items():
        (world.cwd / "rows").unlink(missing_ok=True)
        world.api.will(behavior)
        result = world.call(*call, LLAMACLI_VERBOSE="1", LLAMACLI_DEBUG="1")
        # raw prints the response byte for byte, and only the key's own server can repeat it.
        said = result.stderr + (b"" if call[0] == "raw" else result.stdout)
        if call[:2] == ["raw", "-o"]:
            (world.cwd / "out").unlink(missing_ok=True)
            (world.cwd / "out.part").unlink(missing_ok=True)
        assert not [part for part in parts(KEY) if part in said + all_files(world)], name
    for request in world.api.requests:
        assert request.headers.pop("authorization") == f"Bearer {KEY}"
        assert KEY not in f"{request.path}{request.headers}" + request.body.decode()


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if not fault.place and "100 MB" not in name])
def test_no_error_shows_the_key_even_with_verbose(world: World, name: str) -> None:
    fault = FAULTS[name]
    if fault.behavior:
        world.api.will(fault.behavior)
    result = world.call("ask", "Hi", LLAMACLI_VERBOSE="1", LLAMACLI_DEBUG="1", **fault.env)
    assert "> Authorization: Bearer sk-c...cdef" in result.err
    assert KEY not in result.err + result.out


def test_a_traceback_hides_the_key(world: World) -> None:
    (world.cwd / "broken.py").write_text(
        "import sys, llamacli.main, llamacli.ask.runner\n"
        f"def fail(*args): raise KeyError('the key is {KEY}')\n"
        "llamacli.ask.runner.Runner.run = fail\n"
        "sys.exit(llamacli.main.main(['ask', '-I', 'Hi']))\n"
    )
    result = world.shell(f"{sys.executable} broken.py", LLAMACLI_DEBUG="1")
    assert result.status == 70
    assert "Traceback" in result.err
    assert KEY not in result.err


@pytest.mark.parametrize("kept", ["file", "user's .env"])
def test_children_see_no_key_that_was_not_theirs(world: World, kept: str) -> None:
    seen = world.cwd / "seen"
    spy = world.cwd / "spy"
    spy.write_text(f"#!/bin/sh\ncat /proc/$$/cmdline /proc/$PPID/cmdline >>{seen}\nenv >>{seen}\necho Hi >$1\n")
    spy.chmod(0o755)
    del world.env["AIMLAPI_API_KEY"]
    arguments = []
    if kept == "file":
        (world.home / "key").write_text(KEY)
        arguments = ["--key-file", str(world.home / "key")]
    else:
        (world.config / ".env").write_text(f"AIMLAPI_API_KEY={KEY}\n")
    assert world.run("ask", "-e", "-I", *arguments, env={"VISUAL": str(spy)}).status == 0
    assert world.api.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    assert b"spy" in seen.read_bytes()
    assert KEY.encode() not in seen.read_bytes()


@pytest.mark.skipif(not os.path.exists("/proc/self/limits"), reason="there is no /proc here")
def test_a_crash_leaves_no_core_dump_with_the_key(world: World) -> None:
    world.api.will(hang)
    command = ["bash", "-c", 'ulimit -c unlimited; exec "$@"', "bash", *PROGRAM, "ask", "-I", "Hi"]
    with subprocess.Popen(command, env=world.env, cwd=world.cwd) as running:
        while not world.api.requests:
            assert running.poll() is None
        limits = Path(f"/proc/{running.pid}/limits").read_text()
        running.kill()
    assert next(line.split()[4] for line in limits.splitlines() if line.startswith("Max core file size")) == "0"


# Who gets it

HOSTILE = {
    "another host": "AIMLAPI_BASE_URL={url}",
    "another host, http allowed": "AIMLAPI_BASE_URL={url}\nLLAMACLI_ALLOW_HTTP=1",
    "a user that looks like the host": "AIMLAPI_BASE_URL=http://api.aimlapi.com:443@evil.example/v1",
    "a host that begins like it": "AIMLAPI_BASE_URL=http://api.aimlapi.com.evil.example/v1",
    "a host that ends like this machine": "AIMLAPI_BASE_URL=http://evil.example#.localhost/v1",
    "a backslash": "AIMLAPI_BASE_URL=http://evil.example\\\\.localhost/v1",
    "the real key by its name": "AIMLAPI_BASE_URL={url}\nAIMLAPI_API_KEY=${{AIMLAPI_API_KEY}}",
    "a command": "AIMLAPI_BASE_URL={url}\nLLAMACLI_KEY_COMMAND=echo $AIMLAPI_API_KEY",
    "the key's file": "AIMLAPI_BASE_URL={url}\nLLAMACLI_KEY_FILE={file}",
    "the key's file as a text": "AIMLAPI_BASE_URL={local}\nLLAMACLI_STOP=@{file}\nLLAMACLI_MODEL=@{file}",
    "the key's file as tools": "AIMLAPI_BASE_URL={local}\nLLAMACLI_TOOLS=@{file}\nLLAMACLI_PREDICTION=@{file}",
    "a proxy": "https_proxy={proxy}\nhttp_proxy={proxy}\nALL_PROXY={proxy}\nAIMLAPI_BASE_URL={local}",
    "certificates": "REQUESTS_CA_BUNDLE={file}\nLLAMACLI_CA_BUNDLE={file}\nAIMLAPI_BASE_URL={local}",
    "another home": "HOME=/nowhere\nXDG_CONFIG_HOME=/nowhere\nAIMLAPI_BASE_URL={local}",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("holder", ["environment", "user's .env", "key file", "command"])
@pytest.mark.parametrize("call", [["ask", "Hi"], ["raw", "{}"], ["models"], ["config", "check"]], ids=" ".join)
def test_a_strangers_dotenv_cannot_get_the_key(world: World, call: list[str], holder: str, name: str) -> None:
    file = world.home / "key"
    file.write_text(KEY)
    with FakeApi() as proxy:
        said = HOSTILE[name].format(
            url="http://evil.example/v1", local=world.api.url, file=file, proxy=f"http://{proxy.host}"
        )
        (world.cwd / ".env").write_text(said + "\n")
        # Every name resolves to a server that listens.
        env = {"http_proxy": f"http://{proxy.host}", "AIMLAPI_BASE_URL": "", "AIMLAPI_API_KEY": ""}
        if holder == "environment":
            env["AIMLAPI_API_KEY"] = KEY
        elif holder == "user's .env":
            (world.config / ".env").write_text(f"AIMLAPI_API_KEY={KEY}\n")
        elif holder == "key file":
            env["LLAMACLI_KEY_FILE"] = str(file)
        else:
            env["LLAMACLI_KEY_COMMAND"] = f"cat {file}"
        result = world.call(*call, LLAMACLI_VERBOSE="1", **env)
        assert KEY not in result.err + result.out
        for request in [*world.api.requests, *proxy.requests]:
            assert KEY not in f"{request.path}{request.headers}" + request.body.decode()
        assert not [request for request in proxy.requests if "authorization" in request.headers]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", [["ask", "Hi"], ["raw", "{}"], ["models"], ["config", "check"]], ids=" ".join)
def test_no_redirect_is_followed(world: World, call: list[str], code: int) -> None:
    with FakeApi() as elsewhere:
        world.api.will(error(code, headers=[("Location", elsewhere.url + "/chat/completions")]))
        result = world.call(*call)
        assert result.status == 4
        assert "not followed" in result.err
        assert not elsewhere.requests


@pytest.mark.parametrize("call", [["ask", "Hi"], ["raw", "{}"], ["models"], ["config", "check"]], ids=" ".join)
def test_an_https_proxy_does_not_see_the_key(world: World, call: list[str]) -> None:
    seen: list[str] = []
    with FakeApi() as proxy:

        class Handler(proxy.server.RequestHandlerClass):  # type: ignore[name-defined, misc]
            def do_CONNECT(self) -> None:
                seen.append(str(self.headers))
                self.send_response(403)
                self.send_header("Content-Length", "0")
                self.end_headers()

        proxy.server.RequestHandlerClass = Handler
        result = world.call(*call, AIMLAPI_BASE_URL="https://api.example/v1", https_proxy=f"http://{proxy.host}")
    assert result.status == 8
    assert result.err.count("\n") == 1
    assert seen
    assert "authorization" not in "".join(seen).lower()


INJECTED = f"{KEY}\r\nX-Evil: 1"
INJECTIONS: dict[str, tuple[list[str], dict[str, str], int]] = {
    "key": (["ask", "Hi"], {"AIMLAPI_API_KEY": INJECTED}, 3),
    "key command": (["ask", "Hi"], {"AIMLAPI_API_KEY": "", "LLAMACLI_KEY_COMMAND": f"printf '%s' '{INJECTED}'"}, 3),
    "base url": (["ask", "Hi"], {"AIMLAPI_BASE_URL": "http://127.0.0.1/v1\r\nX-Evil: 1"}, 2),
    "host": (["ask", "Hi"], {"AIMLAPI_BASE_URL": "http://127.0.0.1\r\nX-Evil: 1/v1"}, 2),
    "request id": (["ask", "--request-id", "a\r\nX-Evil: 1", "Hi"], {}, 2),
    "request id of the environment": (["models"], {"LLAMACLI_REQUEST_ID": "a\nX-Evil: 1"}, 2),
    "header": (["raw", "-H", "A: b\r\nX-Evil: 1", "{}"], {}, 2),
    "header's name": (["raw", "-H", "A\r\nX-Evil: 1", "{}"], {}, 2),
    "endpoint": (["raw", "--endpoint", "/x HTTP/1.1\r\nX-Evil: 1", "{}"], {}, 2),
    "method": (["raw", "-X", "GET / HTTP/1.1\r\nX-Evil: 1", "{}"], {}, 2),
}


@pytest.mark.parametrize("name", INJECTIONS)
def test_nothing_can_inject_a_header(world: World, name: str) -> None:
    arguments, env, status = INJECTIONS[name]
    result = world.call(*arguments, **env)
    assert (result.status, result.out) == (status, "")
    assert result.err.count("\n") == 1
    assert KEY not in result.err
    assert not world.api.requests


@pytest.mark.parametrize(
    "arguments",
    [
        *(["ask", "--tools", "@key"], ["ask", "-t", "@key"], ["ask", "-p", "@key"], ["ask", "--logit-bias", "@key"]),
        *(["raw", "@key"], ["raw", "-H", "@key", "{}"], ["raw", "-F", "@key"]),
    ],
    ids=" ".join,
)
def test_errors_do_not_quote_the_key_file(world: World, arguments: list[str]) -> None:
    (world.cwd / "key").write_text(KEY)
    result = world.call(*arguments, "Hi") if arguments[0] == "ask" else world.call(*arguments)
    assert (result.status, result.out) == (2, "")
    assert KEY not in result.err
    assert not world.api.requests
    # The value of a header is never shown.
    assert "@key" in result.err or arguments == ["raw", "@key"] or "-H" in arguments


@pytest.mark.parametrize("password", ["password", "pass/word", "pass@word", "pass:word", "[password"])
@pytest.mark.parametrize("call", [["ask", "Hi"], ["config", "show"]], ids=" ".join)
def test_errors_do_not_show_the_password_of_a_url(world: World, call: list[str], password: str) -> None:
    result = world.call(*call, AIMLAPI_BASE_URL=f"http://user:{password}@127.0.0.1/v1")
    assert result.status == (2 if call[0] == "ask" else 0)
    assert "//...@" in result.err + result.out
    assert "pass" not in (result.err + result.out).replace("password: use a key", "")
    assert not world.api.requests
