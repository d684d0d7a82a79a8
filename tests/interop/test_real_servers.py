"""llamacli against real servers: llama.cpp's own, and aimock with its scripted faults."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from tests.interop import tiny_model
from tests.support.fake_api import FakeApi
from tests.support.world import PROGRAM, Result, World

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
AIMOCK = Path(sys.prefix) / "node" / "node_modules" / ".bin" / "llmock"
KEY = "sk-interop-0123456789"

#: Faults of one item, and the statuses of their rows.
BATCHED = {"status 500": 7, "malformed": 9, "cut": 10}
#: Joined emoji, CJK, a code fence, an end of stream in the text, and line ends that are none in a stream.
TEXT = (
    "Grüße — 日本語 🦙 👩🏽‍🚀👨‍👩‍👧!\n\n```sh\nprintf 'data: [DONE]\\n\\n'\n```\n\t\"quoted\", back\\slash, "
    "LS\u2028PS\u2029NEL\u0085BOM\ufeffZWSP\u200b, e\u0301; \U0001d11e; \u202etfel ot thgir\u202c the end~"
)
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Z\\u00fcrich 🦙", "days": [1, 2.5]}}\n</tool_call>\n\n'
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "array", "items": {}}}}
TOOLS = json.dumps([{"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}])


@contextmanager
def serving(command: list[str], port: int, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server while the block runs."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **env}, cwd=ROOT
    ) as server:
        try:
            end = time.monotonic() + 30
            while True:
                assert server.poll() is None, f"ended with status {server.returncode}: {command}"
                assert time.monotonic() < end, f"never listened: {command}"
                if answers(port):
                    break
                time.sleep(0.05)
            yield server
        finally:
            server.kill()


def answers(port: int) -> bool:
    """True if a server answers and has loaded its model (no 503)."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    with suppress(OSError, HTTPException), closing(connection):
        connection.request("GET", "/health")
        return connection.getresponse().status != 503
    return False


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def llama_cpp(model: Path, context: int = 32768) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    arguments = [str(model), str(port), KEY, str(context)]
    with serving([sys.executable, "-m", "tests.interop.llama_server", *arguments], port) as server:
        yield f"http://127.0.0.1:{port}/v1", server


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two models: one says TEXT, the other CALL."""
    folder = tmp_path_factory.mktemp("models")
    for name, text in {"text": TEXT, "call": CALL}.items():
        tiny_model.write(text.encode(), folder / name)
    return {name: folder / name for name in ("text", "call")}


@pytest.fixture(scope="session")
def llama(models: dict[str, Path]) -> Iterator[str]:
    with llama_cpp(models["text"]) as (url, _):
        yield url


@pytest.fixture(scope="session")
def caller(models: dict[str, Path]) -> Iterator[str]:
    with llama_cpp(models["call"]) as (url, _):
        yield url


@pytest.fixture(scope="session")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    fixtures, port = tmp_path_factory.mktemp("aimock") / "faults.json", free_port()
    script = (HERE / "faults.json").read_text(encoding="utf-8")
    fixtures.write_text(script.replace('"@TEXT@"', json.dumps(TEXT)), encoding="utf-8")
    command = [str(AIMOCK), "-p", str(port), "-f", str(fixtures), "-c", "5", "--log-level", "silent"]
    with serving(command, port, AIMOCK_API_KEYS=KEY):
        yield f"http://127.0.0.1:{port}/v1"


@pytest.fixture
def user(api: FakeApi, tmp_path: Path) -> World:
    """A world with the key, and no server yet."""
    home, cwd = tmp_path / "home", tmp_path / "work"
    (cwd / ".git").mkdir(parents=True)
    home.mkdir()
    world = World(api, home, cwd)
    world.env |= {"AIMLAPI_API_KEY": KEY, "LLAMACLI_TEMPERATURE": "0"}
    return world


def at(user: World, url: str) -> World:
    user.env["AIMLAPI_BASE_URL"] = url
    return user


def failed(result: Result, status: int, *messages: str) -> None:
    assert result.status == status, result
    assert result.err.startswith("llamacli: ")
    assert result.err.count("\n") == 1
    assert KEY not in result.err + result.out
    for words in messages:
        assert words in result.err


@pytest.fixture(params=["llama", "aimock"])
def server(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


def test_every_byte_of_a_nasty_text_comes_out(user: World, server: str) -> None:
    at(user, server)
    for arguments in ([], ["--no-stream"]):
        assert user.call("ask", *arguments, "Hi") == Result(0, f"{TEXT}\n".encode(), b"")
    whole = json.loads(user.call("ask", "--json", "Hi").out)
    assert whole["choices"][0]["message"]["content"] == TEXT
    chunks = [json.loads(row) for row in user.call("ask", "--json", "--stream", "Hi").stdout.split(b"\n")[:-1]]
    parts = [choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]]
    assert "".join(parts) == TEXT
    assert len(parts) > 20
    assert user.call("ask", "-o", "answer", "Hi").status == 0
    assert (user.cwd / "answer").read_bytes() == f"{TEXT}\n".encode()


def test_raw_sends_what_ask_would(user: World, server: str) -> None:
    at(user, server)
    for arguments in (["--json"], []):
        body = user.call("ask", *arguments, "--dry-run", "Hi").out
        result = user.call("raw", stdin=body)
        assert (result.status, result.err) == (0, "")
        documents = [json.loads(row) for row in result.stdout.split(b"\n") if row]
        message = "message" if arguments else "delta"
        parts = [choice[message].get("content") or "" for part in documents for choice in part["choices"]]
        assert "".join(parts) == TEXT
    assert user.call("raw", "--sse", stdin=body).stdout.endswith(b"data: [DONE]\n\n")


def test_a_conversation_is_kept_byte_for_byte(user: World, server: str) -> None:
    at(user, server)
    for prompt in ("Hi", TEXT):
        result = user.call("chat", "-S", "talk", prompt)
        assert (result.status, result.err) == (0, "")
    kept = json.loads(user.call("sessions", "show", "--json", "talk").out)
    assert [(entry["role"], entry["content"]) for entry in kept][:3] == [
        ("user", "Hi"),
        ("assistant", TEXT),
        ("user", TEXT),
    ]
    assert result.out == kept[3]["content"] + "\n"
    failed(user.call("chat", "-S", "talk", "Hi", AIMLAPI_API_KEY="sk-wrong-0123456789"), 3)
    assert json.loads(user.call("sessions", "show", "--json", "talk").out) == kept


def test_a_second_turn_brings_the_first(user: World, aimock: str) -> None:
    at(user, aimock)
    user.call("chat", "-S", "talk", "Hi")
    assert user.call("chat", "-S", "talk", "Well?").out == "I heard what was said before.\n"


def test_a_batch_brings_each_answer_byte_for_byte(user: World, server: str) -> None:
    at(user, server)
    result = user.call("batch", "-j", "4", stdin="Hi\n" * 6)
    rows = [json.loads(row) for row in result.stdout.split(b"\n")[:-1]]
    assert (result.status, [row["index"] for row in rows]) == (0, list(range(6)))
    assert {row["content"] for row in rows} == {TEXT}
    assert all(row["usage"]["completion_tokens"] for row in rows)
    streamed = user.call("batch", "--stream", "--plain", "-0", stdin="Hi\nHi\n")
    assert streamed.stdout == f"{TEXT}\0".encode() * 2
    failed(user.call("batch", "-q", stdin="Hi\n", AIMLAPI_API_KEY="sk-wrong-0123456789"), 3)


def test_a_batch_tells_the_scripted_faults_apart(user: World, aimock: str) -> None:
    at(user, aimock)
    result = user.call("batch", "--retry", "0", stdin="".join(f"{prompt}\n" for prompt in BATCHED))
    rows = [json.loads(row) for row in result.stdout.split(b"\n")[:-1]]
    assert result.status == 13
    assert {row["input"]: row["error"]["status"] for row in rows if row["error"]} == BATCHED
    assert KEY not in result.out + result.err


def test_the_key_is_checked(user: World, server: str) -> None:
    at(user, server)
    failed(user.call("ask", "Hi", AIMLAPI_API_KEY="sk-wrong-0123456789"), 3, "401 Unauthorized")
    failed(user.call("raw", "{}", AIMLAPI_API_KEY="sk-wrong-0123456789"), 3, "401 Unauthorized")
    failed(user.call("ask", "--no-key", "Hi"), 3, "401 Unauthorized")
    assert user.call("config", "check").status == 0


def test_usage_is_reported(user: World, llama: str) -> None:
    at(user, llama)
    for arguments in ([], ["--json"]):
        result = user.call("ask", "-u", *arguments, "Hi")
        assert result.status == 0
        assert " tokens in, " in result.err
        assert " tokens/s" in result.err


def test_models_are_listed(user: World, server: str) -> None:
    at(user, server)
    result = user.call("models")
    assert result.status == 0
    assert result.out


def test_an_answer_is_cut_at_the_token_limit(user: World, llama: str) -> None:
    result = at(user, llama).call("ask", "--max-tokens", "5", "Hi")
    failed(result, 10, "--max-tokens")
    assert TEXT.startswith(result.out.removesuffix("\n"))


def test_a_prompt_beyond_the_context_is_refused(user: World, llama: str) -> None:
    failed(at(user, llama).call("ask", stdin="x" * 40_000), 4, "400 Bad Request", "context")


def test_a_value_that_the_server_refuses_is_4(user: World, llama: str) -> None:
    failed(at(user, llama).call("ask", "-p", "temperature=hot", "Hi"), 4, "400 Bad Request")


def test_a_tool_call_arrives_whole(user: World, caller: str) -> None:
    at(user, caller)
    for arguments in ([], ["--no-stream"]):
        result = user.call("ask", "--tools", TOOLS, *arguments, "How is the weather?")
        assert result.status == 0, result.err
        call = json.loads(result.out)
        assert (call["name"], call["arguments"]) == ("weather", {"city": "Zürich 🦙", "days": [1, 2.5]})


@pytest.mark.parametrize(
    "arguments", [["ask", "Hi"], ["ask", "-o", "answer", "Hi"], ["chat", "-S", "talk", "Hi"], ["raw", "-"]]
)
def test_a_server_that_is_killed_in_mid_stream_is_9(user: World, models: dict[str, Path], arguments: list[str]) -> None:
    """The text is said again and again, for half a minute."""
    endless = {"LLAMACLI_MAX_TOKENS": "100000"}
    dry = user.call("ask", "--dry-run", "-p", "ignore_eos=true", "Hi", **endless).stdout
    if arguments[0] != "raw":
        arguments = [*arguments, "-p", "ignore_eos=true"]
    with llama_cpp(models["text"]) as (url, server):
        env = {**user.env, **endless, "AIMLAPI_BASE_URL": url}
        with subprocess.Popen(
            [*PROGRAM, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=user.cwd,
        ) as running:
            assert running.stdin
            assert running.stdout
            if arguments[0] == "raw":
                running.stdin.write(dry)
            running.stdin.close()
            part = user.cwd / "answer.part"
            first = b""
            if "-o" in arguments:
                end = time.monotonic() + 20
                while not (part.exists() and part.stat().st_size) and time.monotonic() < end:
                    time.sleep(0.01)
            else:
                first = os.read(running.stdout.fileno(), 64)
            server.send_signal(signal.SIGKILL)
            out = first + running.stdout.read()
            assert running.stderr
            err = running.stderr.read()
            running.wait(20)
    failed(Result(running.returncode, out, err), 9, "the answer stopped")
    said = part.read_bytes() if "-o" in arguments else out
    assert said.endswith(b"\n")
    if arguments[0] != "raw":
        text = said.decode().removesuffix("\n")
        assert text
        assert text.startswith(TEXT[: len(text)])
    assert not (user.cwd / "answer").exists()
    assert not [path for path in user.home.rglob("*.jsonl") if path.stat().st_size]


FAULTS = {
    "status 429": (6, "too many at once", ""),
    "status 500": (7, "out of order", ""),
    "status 403": (5, "nothing left to spend", ""),
    "stop in mid-stream": (9, "the answer stopped", "so far"),
    "hang up in mid-stream": (9, "the answer stopped", "so far"),
    "malformed": (9, "malformed", ""),
    "dropped": (7, "500", ""),
    "reset": (8, "lost the connection", ""),
    "cut": (10, "--max-tokens", "only the beginn"),
}


@pytest.mark.parametrize("prompt", FAULTS)
def test_scripted_faults(user: World, aimock: str, prompt: str) -> None:
    status, message, out = FAULTS[prompt]
    at(user, aimock)
    result = user.call("ask", prompt)
    failed(result, status, message)
    assert result.out.startswith(out)
    assert bool(result.out) is bool(out)
    kept = user.call("ask", "-o", "answer", prompt)
    failed(kept, status)
    assert (user.cwd / "answer").exists() is (status == 10)
    assert (user.cwd / "answer.part").exists() is (status == 9 and bool(out))
    whole = user.call("ask", "--json", prompt)
    assert whole.status in (0, status)


def test_a_retry_helps_if_the_first_attempt_came_too_early(user: World, aimock: str) -> None:
    result = at(user, aimock).call("ask", "--retry", "2", "busy once")
    assert (result.status, result.out) == (0, "now it is your turn\n")
    assert "retry 1 of 2" in result.err


def test_reasoning_and_tool_calls_of_another_server(user: World, aimock: str) -> None:
    at(user, aimock)
    assert user.call("ask", "think").out == "42\n"
    assert "six times seven" in user.call("ask", "--reasoning", "think").err
    for arguments in ([], ["--no-stream"]):
        call = json.loads(user.call("ask", *arguments, "call").out)
        assert (call["name"], call["arguments"]) == ("look_up", {"word": "Grüße 🦙"})
