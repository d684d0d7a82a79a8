"""`batch`: rows, their order, and their file."""

import json
import subprocess
import threading
from typing import Any

import pytest

from llamacli.api.json import MAX_DEPTH
from llamacli.batch.output.rows import OrderedPrinter
from llamacli.stdio.output import Output
from llamacli.stdio.stderr import Stderr
from tests.support.batches import asked, contents, errors, rows, start, until
from tests.support.fake_api import (
    KEY,
    Behavior,
    Handler,
    answer,
    by_prompt,
    completion,
    delta,
    document,
    echo,
    error,
    event,
    raw,
    respond,
    stream,
    streamed,
    text,
)
from tests.support.faults import packed
from tests.support.world import World

FIELDS = ["index", "id", "key", "input", "content", "finish_reason", "model", "usage", "usd", "seconds", "attempts"]
FIELDS += ["request_id", "error"]
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}


def test_a_row_has_the_documented_keys(world: World) -> None:
    world.api.will(echo)
    result = world.run("batch", stdin="Grüße\n")
    assert result.status == 0
    [row] = rows(result.out)
    assert list(row) == FIELDS
    assert (row["input"], row["content"], row["finish_reason"], row["error"]) == ("Grüße", "re: Grüße", "stop", None)
    assert row["usage"]["total_tokens"] == 113
    assert row["attempts"] == 1
    assert 0 < row["seconds"] < 30
    assert "Grüße" in result.out
    assert result.err.startswith("llamacli: 1 answered, 0 failed, ")
    assert "67 tokens in, 46 out" in result.err
    assert world.run("batch", "-q", stdin="x\n").err == ""


def test_the_key_depends_on_the_request_and_not_on_streaming(world: World) -> None:
    world.api.will(respond)
    keys = {
        rows(world.call("batch", *arguments, stdin="x\n").out)[0]["key"]
        for arguments in ([], ["--stream"], ["--no-stream"], ["{}"])
    }
    assert len(keys) == 1
    others = [
        rows(world.call("batch", *arguments, stdin="x\n").out)[0]["key"]
        for arguments in (["-t", "1"], ["-m", "m"], ["y {}"], ["-s", "s"])
    ]
    assert len({*keys, *others}) == 5


def test_streams_and_documents_both_report_usage_and_cost(world: World) -> None:
    for arguments in (["--stream"], ["--no-stream"], []):
        result = world.call("batch", *arguments, stdin="x\n")
        assert rows(result.out)[0]["usage"]["total_tokens"] == 113
        assert "$0.000123" in result.err
        assert world.api.body.get("stream") == {"--stream": True, "--no-stream": False}.get("".join(arguments))


def test_rows_are_in_input_order_or_as_they_arrive(world: World) -> None:
    slow = threading.Event()

    def behave(handler: Handler) -> None:
        if handler.prompt == "slow":
            slow.wait(10)
        echo(handler)

    world.api.will(behave)
    with start(world, "--unordered") as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(b"slow\nquick\n")
        running.stdin.close()
        assert json.loads(running.stdout.readline())["content"] == "re: quick"
        slow.set()
        assert json.loads(running.stdout.readline())["content"] == "re: slow"
    slow.clear()
    with start(world) as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(b"first\nslow\nquick\n")
        running.stdin.close()
        assert json.loads(running.stdout.readline())["content"] == "re: first"
        until(lambda: asked(world)["quick"] == 2)
        slow.set()
        assert [json.loads(line)["index"] for line in running.stdout] == [1, 2]


def test_plain_prints_only_the_contents(world: World) -> None:
    lines = by_prompt(
        bad=error(400, "no"), nl=answer("ends\n"), tool=answer("see", tool_calls=[CALL]), two=answer("a\nb")
    )
    world.api.will(lines)
    result = world.call("batch", "--plain", stdin="a\nbad\nnl\ntool\ntwo\n")
    assert result.status == 13
    assert result.out == 're: a\n\nends\nsee\n{"id": "c", "name": "f", "arguments": {"a": 1}}\na\nb\n'
    null = world.call("batch", "--plain", "-0", stdin="a\nbad\nnl\ntwo\n")
    assert null.out == "re: a\0\0ends\n\0a\nb\0"


def test_tool_calls_and_several_answers_have_their_place(world: World) -> None:
    world.api.will(answer(None, finish="tool_calls", tool_calls=[CALL]))
    [row] = rows(world.call("batch", stdin="x\n").out)
    assert (row["content"], row["tool_calls"]) == (None, [{"id": "c", "name": "f", "arguments": {"a": 1}}])
    world.api.will(respond)
    result = world.call("batch", "-n", "2", "--plain", stdin="x\n")
    assert result.out.count("\n") == 2
    [row] = rows(world.call("batch", "-n", "2", stdin="x\n").out)
    assert len(row["content"]) == len(row["finish_reason"]) == 2


FAULTS: list[tuple[Behavior, int, str | None]] = [
    (error(400, f"bad, {KEY}"), 4, None),
    (error(500), 7, None),
    (answer("half", finish="length"), 10, "half"),
    (answer("", finish="content_filter"), 11, ""),
    (answer(None, refusal="no"), 11, None),
    (document(b"<html>"), 9, None),
    (document(b""), 9, None),
    (document(completion()["choices"]), 9, None),
    (raw(b""), 8, None),
    (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), 9, None),
    (document({"error": {"message": "inside"}}), 7, None),
]


@pytest.mark.parametrize(("behavior", "status", "content"), FAULTS, ids=range(len(FAULTS)))
def test_a_failed_item_has_its_status_and_the_others_go_on(
    world: World, behavior: Behavior, status: int, content: str | None
) -> None:
    world.api.will(by_prompt(bad=behavior))
    result = world.call("batch", "-j", "1", stdin="a\nbad\nb\n")
    assert result.status == 13
    assert result.err.startswith("llamacli: 2 answered, 1 failed")
    assert result.err.count("\n") == 1
    assert [error and error[0] for error in errors(result)] == [None, status, None]
    assert contents(result) == ["re: a", content, "re: b"]
    assert KEY not in result.out
    assert "request id" in str(errors(result)[1])


def test_a_cut_answer_counts_as_complete_if_allowed(world: World) -> None:
    world.api.will(answer("half", finish="length"))
    result = world.call("batch", "--allow-truncated", stdin="x\n")
    assert (result.status, errors(result), contents(result)) == (0, [None], ["half"])


def test_a_row_stays_one_line_whatever_is_in_it(world: World) -> None:
    odd = "\u2028\u2029\x85\x1b\x00\ud800\n\r"
    world.api.will(document(json.dumps(completion(odd)).encode()))
    result = world.call("batch", stdin="x\n")
    assert len(result.out.splitlines()) == 1
    assert contents(result) == [odd.replace("\ud800", "\ufffd")]


def test_plain_replaces_a_file_as_a_whole(world: World) -> None:
    world.api.will(by_prompt(bad=error(400)))
    assert world.call("batch", "--plain", "-o", "out", stdin="a\nbad\n").status == 13
    assert (world.cwd / "out").read_text() == "re: a\n\n"


@pytest.mark.parametrize("where", ["-", "/dev/stdout"])
def test_an_output_that_is_not_a_regular_file_is_written_in_order(world: World, where: str) -> None:
    world.api.will(echo)
    result = world.run("batch", "-o", where, stdin="a\nb\n")
    assert contents(result) == ["re: a", "re: b"]


def test_a_full_stdout_is_74(world: World) -> None:
    world.api.will(echo)
    result = world.shell("seq 5 | llamacli batch >/dev/full")
    assert result.status == 74
    assert result.err.startswith("llamacli: cannot write stdout: ")
    assert result.err.count("\n") == 1


def test_a_broken_stream_is_9_and_a_whole_one_an_answer(world: World) -> None:
    world.api.will(by_prompt(text("fine"), cut=stream([event(delta("half"))], then="cut")))
    result = world.call("batch", "--stream", stdin="a\ncut\nb\n")
    assert [error and error[0] for error in errors(result)] == [None, 9, None]
    assert contents(result) == ["fine", None, "fine"]


def test_memory_does_not_grow_with_rows_that_wait_for_an_earlier_one(world: World) -> None:
    big = "x" * 100_000
    over = threading.Event()

    def behave(handler: Handler) -> None:
        if handler.prompt == "first":
            over.wait(20)
        answer(big)(handler)

    world.api.will(behave)
    given = world.cwd / "in"
    given.write_text("first\n" + "".join(f"{number}\n" for number in range(400)))
    with start(world, "--plain", "-", str(given), stdout=subprocess.DEVNULL) as running:
        until(lambda: len(world.api.requests) > 20)
        # Until nothing more is asked: the limit of waiting answers is reached.
        until_quiet(world)
        assert 40 < len(world.api.requests) < 100
        over.set()
        running.communicate()
    assert running.returncode == 0
    assert len(world.api.requests) == 401


def until_quiet(world: World) -> None:
    """Waits until nothing has been asked for half a second."""
    seen, still = -1, 0
    while still < 5:
        still = still + 1 if len(world.api.requests) == seen else 0
        seen = len(world.api.requests)
        threading.Event().wait(0.1)


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_compressed_answer_is_read_in_a_stream_and_whole(world: World, is_chunked: bool) -> None:
    events = b"".join(streamed("whole", usage=True))
    for flags, data in ((["--stream"], events), ([], json.dumps(completion("whole")).encode())):
        world.api.will(packed(data, chunked=is_chunked))
        result = world.call("batch", *flags, stdin="a\nb\n")
        assert (result.status, contents(result)) == (0, ["whole"] * 2), result.err
        # A stream is whole with its [DONE], a document with its last brace, whatever is missing of the checksum.
        for kept, status in ((-5, None), (60, 9)):
            world.api.will(packed(data, kept=kept, chunked=is_chunked))
            assert [error and error[0] for error in errors(world.call("batch", *flags, stdin="a\n"))] == [status]


def test_answers_that_wait_for_an_earlier_one_are_limited_even_if_they_are_empty() -> None:
    with Output("/dev/null") as out:
        printer = OrderedPrinter(out, Stderr(), is_ordered=True)
        for order in range(1, 50_000):
            printer.put(order, "")
        assert printer.is_full
        printer.put(0, "")
        assert not printer.is_full


def test_a_row_can_be_read_however_deep_a_server_nests(world: World) -> None:
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    world.api.will(document({**completion("paid"), "usage": {"x": deep}}))
    (row,) = rows(world.call("batch", stdin="Hi").out)
    assert row["content"] == "paid"
    assert json.dumps(row).count("[") <= MAX_DEPTH
