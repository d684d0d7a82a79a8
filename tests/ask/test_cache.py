"""--cache: the answer to the same request is stored once, and only if it is complete."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.program.test_startup import imported
from tests.support.answers import calls
from tests.support.fake_api import (
    Behavior,
    answer,
    completion,
    delta,
    document,
    error,
    event,
    respond,
    stream,
    streamed,
    text,
)
from tests.support.faults import FAULTS, Fault
from tests.support.world import PROGRAM, World


def folder(world: World) -> Path:
    return world.home / ".cache" / "llamacli" / "answers"


def stored(world: World) -> list[Path]:
    return sorted(folder(world).iterdir()) if folder(world).exists() else []


NO_KEY = {"AIMLAPI_API_KEY": ""}
THINKING = stream(streamed("<think>hm</think>\n```\n42\n```"))
TOOLS = json.dumps([{"type": "function", "function": {"name": "f", "parameters": {}}}])


@pytest.mark.parametrize(
    ("flags", "behavior", "status"),
    [
        ([], respond, 0),
        (["--no-stream"], respond, 0),
        (["--json"], respond, 0),
        (["-n", "2", "-0"], respond, 0),
        ([], THINKING, 0),
        (["--reasoning"], THINKING, 0),
        (["--reasoning"], answer("42", reasoning="hm"), 0),
        (["--keep-thinking"], THINKING, 0),
        (["-x"], THINKING, 0),
        (["--yes-no"], calls({"answer": "yes"}), 0),
        (["--yes-no"], calls({"answer": "no"}), 1),
        (["--choice", "a,b"], answer("A."), 0),
        (["--schema", "x num"], calls({"x": 1.5}), 0),
        (["--tools", TOOLS], calls({"x": 1}, name="f"), 0),
        ([], document(json.dumps(completion("a\ud83d \x1b[31m\u2028")).encode()), 0),
    ],
)
def test_a_hit_prints_what_the_call_printed(world: World, flags: list[str], behavior: Behavior, status: int) -> None:
    world.api.will(behavior)
    command = ["ask", "--cache", "1d", *flags, "Hi"]
    asked = world.call(*command)
    assert (asked.status, len(world.api.requests), len(stored(world))) == (status, 1, 1)
    world.api.will(error(500, "no more"))
    again = world.call(*command, **NO_KEY)
    assert (again.status, again.stdout, again.stderr) == (asked.status, asked.stdout, asked.stderr)
    assert len(world.api.requests) == 1


def test_neither_network_nor_key_nor_requests_is_needed(world: World) -> None:
    world.call("ask", "--cache", "1d", "Hi")
    world.env.pop("AIMLAPI_API_KEY")
    modules = imported(world, "ask", "--cache", "1d", "Hi")
    assert "llamacli.ask.cache" in modules
    assert not modules & {"requests", "urllib3", "llamacli.http.client", "ssl"}
    assert not imported(world, "ask", "--dry-run", "Hi") & {"llamacli.ask.cache", "hashlib"}
    # The default server would need a key.
    del world.env["AIMLAPI_BASE_URL"]
    assert world.call("ask", "--cache", "1d", "Hi").status == 3


def test_usage_says_cached(world: World) -> None:
    world.call("ask", "--cache", "1d", "-u", "Hi")
    assert world.call("ask", "--cache", "1d", "-u", "Hi").err == "llamacli: cached, 67 tokens in, 46 out\n"
    world.call("ask", "--cache", "1d", "Ho")
    assert world.call("ask", "--cache", "1d", "-u", "Ho").err == "llamacli: cached\n"


def test_json_and_chunks_come_from_the_stored_document(world: World) -> None:
    world.api.will(document(json.dumps(completion("Hi\ud800", extra=1e300)).encode()))
    shown = world.call("ask", "--cache", "1d", "--json", "Hi").out
    assert stored(world)[0].read_text() == shown
    line = world.call("ask", "--cache", "1d", "--json", "--stream", "Hi").out
    chunk = json.loads(line)
    assert (chunk["object"], chunk["choices"][0]["delta"]["content"]) == ("chat.completion.chunk", "Hi\ufffd")
    assert len(world.api.requests) == 1


@pytest.mark.parametrize(
    ("flags", "env", "is_hit"),
    [
        ([], {}, True),
        (["--no-stream"], {}, True),
        (["--json"], {}, True),
        (["--json", "--stream"], {}, True),
        (["-u"], {}, True),
        (["-o", "out"], {}, True),
        (["--cache", "1h"], {}, True),
        (["--cache", "inf"], {}, True),
        (["-t", "1"], {}, False),
        (["-m", "other"], {}, False),
        (["-p", "x=1"], {}, False),
        (["-s", "Be brief."], {}, False),
        (["--yes-no"], {}, False),
        ([], {"AIMLAPI_BASE_URL": "http://127.0.0.1:9/v1"}, False),
        (["--refresh"], {}, False),
    ],
)
def test_which_requests_are_the_same(world: World, flags: list[str], env: dict[str, str], is_hit: bool) -> None:
    world.call("ask", "--cache", "1d", "Hi")
    world.call("ask", "--cache", "1d", *flags, "Hi", **env)
    assert (len(world.api.requests) == 1) == (is_hit or bool(env))


def test_an_answer_that_is_too_old_is_asked_again(world: World) -> None:
    world.call("ask", "--cache", "1d", "Hi")
    path = stored(world)[0]
    for hours, count in ((23, 1), (25, 2)):
        os.utime(path, (time.time() - hours * 3600,) * 2)
        world.call("ask", "Hi", LLAMACLI_CACHE="1d")
        assert len(world.api.requests) == count
    # It was replaced by a new one.
    assert time.time() - path.stat().st_mtime < 600
    # The clock was wrong when this one was stored.
    os.utime(path, (time.time() + 25 * 3600,) * 2)
    world.call("ask", "Hi", LLAMACLI_CACHE="1d")
    assert len(world.api.requests) == 3
    os.utime(path, (1, 1))
    world.call("ask", "--cache", "inf", "Hi")
    assert len(world.api.requests) == 3


def test_refresh_replaces_and_offline_asks_nothing(world: World) -> None:
    world.api.will(text("one"), text("two"))
    assert world.call("ask", "--cache", "1d", "Hi").out == "one\n"
    assert world.call("ask", "--refresh", "Hi").out == "two\n"
    assert world.call("ask", "--offline", "Hi").out == "two\n"
    result = world.call("ask", "--offline", "Ho")
    assert (result.status, result.out) == (8, "")
    assert result.err == "llamacli: no stored answer to this request; ask without --offline\n"
    assert len(world.api.requests) == 2


@pytest.mark.parametrize(
    "arguments", [["--cache", "5"], ["--cache", "1y"], ["--cache", "-1d"], ["--refresh", "--offline"]]
)
def test_wrong_options_are_reported(world: World, arguments: list[str]) -> None:
    assert world.call("ask", *arguments, "Hi").status == 2
    assert not world.api.requests


DAMAGED = [
    b"",
    b"\0" * 500,
    b"{",
    b"[]",
    b"null",
    b"{}",
    b'{"choices": []}',
    b'{"choices": null}',
    b'{"choices": {}}',
    b'{"choices": [1]}',
    b'{"choices": [{"message": 5}]}',
    b'{"choices": [{"message": {"content": [5]}}]}',
    b'{"choices": [{"message": {"tool_calls": [5]}}]}',
    b'{"choices": [{"index": "x", "message": {"content": "x"}}]}',
    b'{"choices": [{"message": {"content": "half"}, "finish_reason": "length"}]}',
    b'{"choices": [{"message": {"content": "x"}, "finish_reason": "content_filter"}]}',
    b'{"choices": [{"message": {"content": "x"}, "error": {"message": "x"}}]}',
    b"[" * 100_000,
    b'{"choices": [{"message": {"content": "\xff"}}]}'[:30],
]


@pytest.mark.parametrize("data", DAMAGED)
def test_a_damaged_file_is_a_miss(world: World, data: bytes) -> None:
    sound = world.call("ask", "--cache", "1d", "Hi").out
    path = stored(world)[0]
    path.write_bytes(data)
    assert world.call("ask", "--offline", "Hi").status == 8
    result = world.call("ask", "--cache", "1d", "Hi")
    assert (result.status, result.out, len(world.api.requests)) == (0, sound, 2)
    assert world.call("ask", "--offline", "Hi").out == sound


def test_anything_but_a_file_is_a_miss_too(world: World) -> None:
    world.call("ask", "--cache", "1d", "Hi")
    path = stored(world)[0]
    for make in (os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)):
        path.rmdir() if path.is_dir() else path.unlink()
        make(path)
        assert world.call("ask", "--offline", "Hi").status == 8
        result = world.call("ask", "--cache", "1d", "Hi")
        assert result.status == 0
        assert result.out


#: Each kind of fault once, without the big ones; the whole table takes minutes.
SAMPLE = {
    name: FAULTS[name]
    for number, name in enumerate(FAULTS)
    if number % 5 == 0
    and "100 MB" not in name
    and "bomb" not in name
    and FAULTS[name].behavior
    and not FAULTS[name].place
}


@pytest.mark.parametrize("name", SAMPLE)
def test_nothing_but_a_complete_answer_is_stored(world: World, name: str) -> None:
    fault: Fault = SAMPLE[name]
    assert fault.behavior
    world.api.will(fault.behavior)
    result = world.call("ask", "--cache", "inf", "Hi", **fault.env)
    assert len(stored(world)) == (1 if result.status == 0 else 0)


@pytest.mark.parametrize(
    ("behavior", "flags", "status"),
    [
        (text("half", finish="length"), [], 10),
        (text("half", finish="length"), ["--allow-truncated"], 0),
        (text("half", finish="content_filter"), [], 11),
        (answer(None, refusal="No."), [], 11),
        (stream([event(delta("half"))], then="cut"), [], 9),
        (stream([event(delta("half")), event({"error": {"message": "no"}})]), [], 7),
        (answer("no block"), ["-x"], 12),
        (answer("perhaps"), ["--yes-no"], 12),
        (answer("yes", finish="length"), ["--yes-no", "--allow-truncated"], 0),
        (answer('{"x": "y"}'), ["--schema", "x int"], 12),
        (answer("<think>hm"), [], 9),
        (answer("one"), ["-n", "2"], 0),
        (answer(""), [], 9),
        (error(404, "no"), [], 4),
        (document({"choices": []}), [], 9),
    ],
)
def test_no_incomplete_answer_is_ever_reused(world: World, behavior: Behavior, flags: list[str], status: int) -> None:
    world.api.will(behavior)
    for _ in range(2):
        assert world.call("ask", "--cache", "inf", "-q", *flags, "Hi").status == status
        count = len(world.api.requests)
    assert not stored(world)
    world.call("ask", "--cache", "inf", "-q", *flags, "Hi")
    assert len(world.api.requests) > count


def test_an_answer_without_what_this_call_needs_is_asked_again(world: World) -> None:
    world.api.will(text("no block"), text("```\nblock\n```"))
    assert world.call("ask", "--cache", "1d", "Hi").out == "no block\n"
    assert world.call("ask", "--cache", "1d", "-x", "Hi").out == "block\n"
    assert world.call("ask", "--offline", "-x", "Hi").out == "block\n"
    # So does reasoning alone, unless it was asked for.
    world.api.will(answer("<think>hm"))
    assert world.call("ask", "--cache", "1d", "--keep-thinking", "Ho").status == 0
    assert world.call("ask", "--cache", "1d", "Ho").status == 9


def test_a_valid_answer_is_stored_for_the_question_that_led_to_it(world: World) -> None:
    world.api.will(answer("perhaps"), answer("yes"))
    for _ in range(2):
        result = world.call("ask", "--cache", "1d", "--yes-no", "-q", "Hi")
        assert (result.status, result.out, len(world.api.requests)) == (0, "yes\n", 2)


def test_with_a_fallback_the_answer_is_that_models(world: World) -> None:
    world.api.will(error(404, "gone"), text("from b"), error(404, "gone"), text("from a"))
    command = ["ask", "--cache", "1d", "-q", "-m", "a", "--fallback-model", "b", "Hi"]
    assert world.call(*command).out == "from b\n"
    assert world.call(*command).out == "from b\n"
    assert [request.json["model"] for request in world.api.requests] == ["a", "b", "a"]
    assert world.call(*command).out == "from a\n"


def test_files_are_private_and_old_ones_are_removed(world: World) -> None:
    world.call("ask", "--cache", "1d", "1")
    first = stored(world)[0]
    assert (first.stat().st_mode & 0o777, folder(world).stat().st_mode & 0o777) == (0o600, 0o700)
    os.utime(first, (time.time() - 91 * 86400,) * 2)
    # Only a new answer removes old ones, not a hit.
    world.call("ask", "--cache", "inf", "1")
    assert first.exists()
    world.call("ask", "--cache", "1d", "2", LLAMACLI_CACHE_KEEP="92d")
    assert first.exists()
    world.call("ask", "--cache", "1d", "3")
    assert not first.exists()
    assert len(stored(world)) == 2


def test_a_cache_that_cannot_be_written_costs_no_answer(world: World) -> None:
    (world.home / ".cache").write_text("")
    result = world.call("ask", "--cache", "1d", "Hi")
    assert (result.status, result.out != "") == (0, True)
    assert result.err.startswith("llamacli: the answer could not be stored: ")
    assert result.err.count("\n") == 1
    # A full disk is an error without a file name.
    script = "(ulimit -f 0; trap '' XFSZ; llamacli ask -I --cache 1d Hi 2>&1) | cat"
    note = world.shell(script, XDG_CACHE_HOME=str(world.cwd)).out.splitlines()[-1]
    assert note == "llamacli: the answer could not be stored: File too large"


def test_many_processes_share_one_cache(world: World) -> None:
    world.api.will(text("shared " * 2000))
    sound = world.call("ask", "Hi").stdout
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [*PROGRAM, "ask", "--cache", "1d", "Hi"]
    processes = [subprocess.Popen(command, **pipes, env=world.env, cwd=world.cwd) for _ in range(6)]
    for process in processes:
        assert process.communicate(timeout=60) == (sound, b"")
    assert len(stored(world)) == 1
    assert json.loads(stored(world)[0].read_bytes())["choices"]


def test_nothing_is_stored_without_the_flag(world: World) -> None:
    world.call("ask", "Hi")
    world.call("chat", "--no-save", "Hi", LLAMACLI_CACHE="1d")
    assert not stored(world)
