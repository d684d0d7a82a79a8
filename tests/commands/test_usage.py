# ruff: noqa: E501 (a row is one line)
"""--usage-log: a line for each request of each command, and the totals of `usage`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.fake_api import answer, delta, document, error, event, hang, stream, text
from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, World

FIELDS = [
    "time", "command", "status", "http_status", "model", "response_model", "host", "request_id", "server_id",
    "finish_reason", "prompt_tokens", "completion_tokens", "usd", "seconds", "first_token_seconds", "attempts", "cached",
]  # fmt: skip
BROKEN = stream([event(delta("half"))], then="cut")

#: Behavior, command, exit status, and some of the fields of its lines.
CALLS: dict[str, tuple[Any, list[str], int, dict[str, Any]]] = {
    "ask": (text("reply-text", usage=True), ["ask", "-m", "m", "Hi"], 0, {"model": "m", "finish_reason": "stop", "prompt_tokens": 67, "completion_tokens": 46, "usd": 0.000123}),
    "ask in one piece": (answer("reply-text"), ["ask", "--no-stream", "Hi"], 0, {"http_status": 200}),
    "chat": (text("reply-text"), ["chat", "--no-save", "Hi"], 0, {"finish_reason": "stop"}),
    "batch": (answer("reply-text"), ["batch", "Hi"], 0, {"finish_reason": "stop"}),
    "raw": (document({}), ["raw", '{"model": "m"}'], 0, {"http_status": 200, "model": "m"}),
    "a raw answer": (answer("reply-text"), ["raw", '{"model": "m"}'], 0, {"finish_reason": "stop", "prompt_tokens": 67, "completion_tokens": 46}),
    "a raw stream": (text("reply-text", usage=True), ["raw", '{"stream": true}'], 0, {"finish_reason": "stop", "prompt_tokens": 67, "usd": 0.000123}),
    "models": (document({"data": []}), ["models"], 0, {"http_status": 200}),
    "config": (text("reply-text"), ["config", "check"], 0, {"http_status": 200}),
    "a refusal": (error(400, "no"), ["ask", "Hi"], 4, {"http_status": 400, "finish_reason": None, "usd": None}),
    "a rejected raw call": (error(404, "no"), ["raw", "{}"], 4, {"http_status": 404}),
    "a broken answer": (BROKEN, ["ask", "Hi"], 9, {"http_status": 200}),
    "a cut answer": (text("reply-text", finish="length"), ["ask", "Hi"], 10, {"finish_reason": "length"}),
    "retries": (error(503, "later", [("Retry-After", "0")]), ["ask", "--retry", "1", "Hi"], 7, {"http_status": 503, "attempts": 2}),
    "a failed item": (error(400, "no"), ["batch", "Hi"], 13, {"status": 4, "http_status": 400}),
}  # fmt: skip


def lines(world: World, name: str = "log") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (world.cwd / name).read_text().splitlines()]


@pytest.mark.parametrize("name", CALLS)
def test_each_request_of_each_command_is_a_line(world: World, name: str) -> None:
    behavior, arguments, status, fields = CALLS[name]
    world.api.will(behavior)
    result = world.call(*arguments, stdin="secret words", LLAMACLI_USAGE_LOG="log")
    assert result.status == status
    (line,) = lines(world)
    assert list(line) == FIELDS
    expected = {"command": arguments[0], "status": status, "host": world.api.host, "cached": False, "attempts": 1}
    assert {key: line[key] for key in {**expected, **fields}} == {**expected, **fields}
    content = (world.cwd / "log").read_text()
    for secret in ("secret words", "Hi", "reply-text", "half", world.env["AIMLAPI_API_KEY"]):
        assert secret not in content
    assert (world.cwd / "log").stat().st_mode & 0o777 == 0o600


def test_several_requests_are_several_lines(world: World) -> None:
    world.api.will(text("perhaps"))
    assert world.call("ask", "--choice", "a,b", "Hi", "--usage-log", "log").status == 12
    assert len(lines(world)) == 2
    world.api.will(answer("reply-text"))
    assert world.call("batch", "--usage-log", "rows", stdin="a\nb\nc\n").status == 0
    assert len(lines(world, "rows")) == 3


def test_a_stored_answer_is_a_line_too(world: World) -> None:
    for _ in range(2):
        assert world.call("ask", "--cache", "inf", "--usage-log", "log", "Hi").status == 0
    first, second = lines(world)
    assert (first["cached"], second["cached"], second["usd"], second["attempts"]) == (False, True, 0.0, 0)
    assert len(world.api.requests) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_a_line_too(world: World, number: int) -> None:
    world.api.will(hang)
    with subprocess.Popen([*PROGRAM, "ask", "-I", "--usage-log", "log", "Hi"], env=world.env, cwd=world.cwd) as running:
        while not world.api.requests:
            time.sleep(0.01)
        running.send_signal(number)
        assert running.wait(10) == -number
    assert [line["status"] for line in lines(world)] == [128 + number]


@pytest.mark.parametrize("path", ["missing/log", ".", "fifo"])
def test_a_log_that_cannot_be_opened_is_found_before_anything_is_sent(world: World, path: str) -> None:
    os.mkfifo(world.cwd / "fifo")
    for command in (["ask", "Hi"], ["raw", "{}"], ["models"], ["batch", "-"]):
        result = world.call(*command, "--usage-log", path, stdin="a")
        assert (result.status, result.out) == (74, "")
        assert f"cannot open the usage log {path}: " in result.err
    assert not world.api.requests


def test_a_log_may_be_a_device_a_fifo_or_a_descriptor(world: World) -> None:
    script = """
        llamacli ask -I --usage-log /dev/null Hi &&
        llamacli ask -I --usage-log /dev/full Hi 2>full && grep -q 'cannot write the usage log /dev/full: No space' full &&
        llamacli ask -I -u --usage-log /dev/stderr Hi 2>both && cut -c 1-8 both &&
        llamacli ask -I --usage-log /dev/fd/7 Hi 7>seven && wc -l <seven &&
        llamacli ask -I --usage-log >(wc -l >eight) Hi &&
        mkfifo nine && exec 9<>nine && llamacli ask -I --usage-log nine Hi && read -r line <&9 && echo "${line:0:8}"
    """
    world.api.will(answer("Hi."))
    result = world.shell(script)
    assert (result.status, result.err) == (0, "")
    expected = ["Hi.", "Hi.", "Hi.", '{"time":', "llamacli", "Hi.", "1", "Hi.", "Hi.", '{"time":']
    assert result.out.split() == expected


def test_the_log_does_not_go_to_stdout(world: World) -> None:
    result = world.call("ask", "--usage-log", "-", "Hi")
    assert (result.status, result.out, world.api.requests) == (2, "", [])
    assert "use /dev/stderr, or ./- for a file" in result.err


def test_a_full_disk_is_a_note(world: World) -> None:
    script = "ulimit -f 1; trap '' XFSZ; head -c 1024 /dev/zero >log; llamacli ask -I --usage-log log Hi"
    result = world.shell(script)
    assert result.status == 0
    assert "cannot write the usage log log: File too large" in result.err


def test_a_strangers_settings_name_no_log(world: World) -> None:
    (world.cwd / ".env").write_text("LLAMACLI_USAGE_LOG=log\n")
    assert world.call("ask", "Hi").status == 0
    assert not (world.cwd / "log").exists()
    (world.config / ".env").write_text(f"LLAMACLI_USAGE_LOG={world.cwd}/log\n")
    assert world.call("ask", "Hi").status == 0
    assert len(lines(world)) == 1


def write_log(path: Path) -> None:
    def line(day: int, model: str, usd: float | None, status: int = 0, cached: bool = False) -> str:
        record = {"time": f"2026-11-{day}T12:00:00.000+00:00", "command": "ask", "status": status, "model": model}
        record |= {"response_model": None, "prompt_tokens": 10, "completion_tokens": 5, "usd": usd, "cached": cached}
        return json.dumps(record)

    good = [
        line(26, "a", 0.5),
        line(26, "a", 0.25, status=10),
        line(26, "b", None, status=7),
        line(27, "a", 0, cached=True),
    ]
    torn = line(27, "a", 1.0)
    path.write_text("\n".join([*good, "nonsense", torn[:50] + torn, "", "[]"]) + "\n")


def test_the_log_is_summed_up_by_day_and_model(world: World) -> None:
    write_log(world.cwd / "log")
    result = world.call("usage", "log", TZ="UTC")
    assert result.out == (
        "2026-11-26\ta\t2\t0\t20\t10\t0.750000\n2026-11-26\tb\t1\t1\t10\t5\t\n2026-11-27\ta\t2\t0\t10\t5\t1.000000\n"
    )
    assert "skipped 2 lines" in result.err
    assert world.call("usage", "-", TZ="UTC", stdin=(world.cwd / "log").read_bytes()).out == result.out
    rows = json.loads(world.call("usage", "--json", LLAMACLI_USAGE_LOG="log", TZ="UTC").out)
    assert rows[1] == {"day": "2026-11-26", "model": "b", "calls": 1, "failures": 1, "prompt_tokens": 10, "completion_tokens": 5, "usd": None}  # fmt: skip
    with Terminal(world, *PROGRAM, "usage", "log") as terminal:
        terminal.wait()
    assert "DAY         MODEL  CALLS" in terminal.shown
    assert "1.000000  " + "█" * 20 in terminal.shown
    assert "0.750000  " + "█" * 15 + "\r\n" in terminal.shown


def test_without_a_log_the_command_says_how_to_get_one(world: World) -> None:
    result = world.call("usage")
    assert result.status == 2
    assert result.err.endswith("name a FILE, or start a log with: llamacli config set usage-log FILE\n")
    assert world.call("usage", "missing").status == 2
    endless = world.call("usage", "/dev/zero")
    assert (endless.status, endless.out) == (2, "")
    assert endless.err == "llamacli: /dev/zero is not a usage log: a line is longer than 64 MiB\n"
    (world.cwd / "empty").touch()
    assert world.call("usage", "empty").out == ""
    assert world.call("usage", "--json", "empty").out == "[]\n"
