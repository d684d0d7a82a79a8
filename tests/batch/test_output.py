"""`batch`: rows, their order, and the file that they are kept in."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.batches import asked, contents, errors, rows, start, until
from tests.support.fake_api import (
    KEY,
    Behaviour,
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
    text,
)
from tests.support.world import World

FIELDS = ["index", "id", "key", "input", "content", "finish_reason", "model", "usage", "usd", "seconds", "attempts"]
FIELDS += ["request_id", "error"]
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}


def test_a_row_holds_what_the_contract_names(world: World) -> None:
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


def test_the_key_is_the_requests_and_not_the_streams(world: World) -> None:
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


def test_streams_and_documents_both_bring_usage_and_cost(world: World) -> None:
    for arguments in (["--stream"], ["--no-stream"], []):
        result = world.call("batch", *arguments, stdin="x\n")
        assert rows(result.out)[0]["usage"]["total_tokens"] == 113
        assert "$0.000123" in result.err
        assert world.api.body.get("stream") == {"--stream": True, "--no-stream": False}.get("".join(arguments))


def test_rows_are_in_the_order_of_the_input_or_as_they_come(world: World) -> None:
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


def test_plain_prints_the_contents_alone(world: World) -> None:
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


FAULTS: list[tuple[Behaviour, int, str | None]] = [
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


@pytest.mark.parametrize(("behaviour", "status", "content"), FAULTS, ids=range(len(FAULTS)))
def test_a_failed_item_has_its_status_and_the_others_go_on(
    world: World, behaviour: Behaviour, status: int, content: str | None
) -> None:
    world.api.will(by_prompt(bad=behaviour))
    result = world.call("batch", "-j", "1", stdin="a\nbad\nb\n")
    assert result.status == 13
    assert result.err.startswith("llamacli: 2 answered, 1 failed")
    assert result.err.count("\n") == 1
    assert [error and error[0] for error in errors(result)] == [None, status, None]
    assert contents(result) == ["re: a", content, "re: b"]
    assert KEY not in result.out
    assert "request id" in str(errors(result)[1])


def test_a_cut_answer_is_whole_where_that_is_allowed(world: World) -> None:
    world.api.will(answer("half", finish="length"))
    result = world.call("batch", "--allow-truncated", stdin="x\n")
    assert (result.status, errors(result), contents(result)) == (0, [None], ["half"])


def test_a_row_stays_one_line_whatever_is_in_it(world: World) -> None:
    odd = "\u2028\u2029\x85\x1b\x00\ud800\n\r"
    world.api.will(document(json.dumps(completion(odd)).encode()))
    result = world.call("batch", stdin="x\n")
    assert len(result.out.splitlines()) == 1
    assert contents(result) == [odd.replace("\ud800", "\ufffd")]


# The file


def test_the_file_grows_as_rows_come_and_is_in_order_at_the_end(world: World) -> None:
    slow = threading.Event()

    def behave(handler: Handler) -> None:
        if handler.prompt == "0":
            slow.wait(10)
        echo(handler)

    world.api.will(behave)
    path = world.cwd / "out"
    with start(world, "-o", "out") as running:
        assert running.stdin
        running.stdin.write(b"".join(b"%d\n" % number for number in range(12)))
        running.stdin.close()
        until(lambda: path.exists() and len(path.read_text().splitlines()) == 11)
        assert "0" not in [row["input"] for row in rows(path)]
        slow.set()
    assert running.returncode == 0
    assert [row["content"] for row in rows(path)] == [f"re: {number}" for number in range(12)]
    assert sorted(os.listdir(world.cwd)) == [".git", "out"]


def resumed(world: World, stdin: str, *arguments: str) -> tuple[int, list[str]]:
    """Resumes, and returns the status and what was asked for."""
    world.api.requests.clear()
    result = world.call("batch", "-o", "out", "--resume", *arguments, stdin=stdin)
    return result.status, sorted(asked(world).elements())


def test_resume_asks_only_for_what_is_missing_or_may_go_better(world: World) -> None:
    faults = {
        "r": error(429),
        "s": error(500),
        "b": document(b""),
        "c": error(404),
        "cut": answer("x", finish="length"),
    }
    world.api.will(by_prompt(**faults))
    given = "a\ns\nb\nc\ncut\nz\n"
    assert resumed(world, given)[0] == 13
    assert resumed(world, given) == (13, ["b", "s"])
    world.api.will(echo)
    assert resumed(world, given) == (13, ["b", "s"])
    assert [row["error"] and row["error"]["status"] for row in rows(world.cwd / "out")] == [None] * 3 + [4, 10, None]
    assert resumed(world, given) == (13, [])
    assert resumed(world, given, "--retry-failed") == (0, ["c", "cut"])
    assert resumed(world, given) == (0, [])
    assert [row["content"] for row in rows(world.cwd / "out")] == [f"re: {line}" for line in given.split()]


def test_what_helps_those_that_failed_is_told(world: World) -> None:
    world.api.will(by_prompt(s=error(500), c=error(404)))
    better = "; --resume asks for the rest\n"
    for given, told in (
        ("a\nc\n", "; --retry-failed asks for them again\n"),
        ("a\nc\ns\n", better),
        ("a\ns\n", better),
    ):
        for _ in range(2):
            result = world.call("batch", "-o", "out", "--resume", stdin=given)
            assert result.status == 13
            assert result.err.endswith(told)


def test_resume_takes_cut_answers_as_done_where_they_count_as_whole(world: World) -> None:
    world.api.will(by_prompt(cut=answer("half", finish="length"), bad=error(400)))
    given = "a\ncut\nbad\n"
    assert resumed(world, given)[0] == 13
    assert resumed(world, given, "--allow-truncated") == (13, [])
    found = rows(world.cwd / "out")
    assert [(row["content"], (row["error"] or {}).get("status")) for row in found] == [
        ("re: a", None),
        ("half", None),
        (None, 4),
    ]
    # It is as if it had been allowed from the beginning.
    assert resumed(world, "a\ncut\n") == (0, [])


def test_resume_asks_again_where_extract_is_given_or_left_out(world: World) -> None:
    world.api.will(by_prompt(a=answer("See:\n```\ncode\n```"), b=answer("prose")))
    given = "a\nb\n"
    assert resumed(world, given) == (0, ["a", "b"])
    assert resumed(world, given, "-x") == (13, ["a", "b"])
    assert [(row["content"], row["error"] and row["error"]["status"]) for row in rows(world.cwd / "out")] == [
        ("code\n", None),
        (None, 12),
    ]
    assert resumed(world, given, "-x") == (13, [])
    assert resumed(world, given) == (0, ["a", "b"])


def test_resume_matches_by_request_and_by_count(world: World) -> None:
    world.api.will(echo)
    assert resumed(world, "a\nb\na\n") == (0, ["a", "a", "b"])
    assert resumed(world, "b\na\nnew\na\na\n") == (0, ["a", "new"])
    found = rows(world.cwd / "out")
    assert [(row["index"], row["input"]) for row in found] == list(enumerate(["b", "a", "new", "a", "a"]))
    assert not (world.cwd / "out.old").exists()
    # A changed prompt is asked again, and its old answer is not thrown away.
    assert resumed(world, "b\na\nchanged\na\na\n") == (0, ["changed"])
    assert [row["input"] for row in rows(world.cwd / "out.old")] == ["new"]
    assert resumed(world, "b\n", "-t", "0")[1] == ["b"]
    assert len(rows(world.cwd / "out.old")) == 6


def test_an_item_that_is_worded_anew_keeps_its_answer(world: World) -> None:
    world.api.will(echo)
    assert resumed(world, "a\n", "say {}")[1] == ["say a"]
    assert resumed(world, '{"id": 4, "x": "a"}\n', "--input", "jsonl", "say {x}") == (0, [])
    [row] = rows(world.cwd / "out")
    assert (row["id"], row["input"], row["content"]) == (4, {"id": 4, "x": "a"}, "re: say a")


@pytest.mark.parametrize("torn", [b'{"index": 1, "id": nu', b'{"index": 1}', b"{", b'{"ind\0\0', b"\0\0\0\0", b""])
def test_a_torn_last_line_is_mended(world: World, torn: bytes) -> None:
    world.api.will(echo)
    resumed(world, "a\nb\nc\n")
    path = world.cwd / "out"
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]) + torn)
    assert resumed(world, "a\nb\nc\n") == (0, ["c"])
    path.write_bytes(whole.removesuffix(b"\n"))
    assert resumed(world, "a\nb\nc\n") == (0, [])
    assert [row["content"] for row in rows(path)] == ["re: a", "re: b", "re: c"]


def test_a_row_that_is_torn_at_any_byte_is_mended(world: World) -> None:
    world.api.will(echo)
    resumed(world, "a\n")
    path = world.cwd / "out"
    whole = path.read_bytes()
    for size in range(len(whole) - 1):
        path.write_bytes(whole[:size])
        assert resumed(world, "a\n") == (0, ["a"]), whole[:size]


@pytest.mark.parametrize("text", ["KEY=x\n", "KEY=x", '{"index": 1}\n', '{"key": 1', "[]", "\n"])
def test_a_file_of_one_line_that_is_no_row_is_left_alone(world: World, text: str) -> None:
    world.api.will(echo)
    path = world.cwd / "out"
    row = ""
    for _ in range(2):
        path.write_text(row + text)
        # The input may be that very file, by mistake.
        for given in ([], ["-", "out"]):
            result = world.run("batch", "-o", "out", "--resume", *given, stdin="b\n")
            assert (result.status, result.out) == (2, "")
            told = "the input is also the output: out" if given else "is not a row of a batch; nothing was changed"
            assert told in result.err
            assert path.read_text() == row + text
        path.unlink()
        resumed(world, "a\n")
        row = path.read_text()


def test_shards_may_share_a_file_in_turn(world: World) -> None:
    world.api.will(echo)
    given = "a\nb\nc\nd\n"
    assert resumed(world, given, "--shard", "2/2") == (0, ["b", "d"])
    assert resumed(world, given, "--shard", "1/2") == (0, ["a", "c"])
    assert [row["input"] for row in rows(world.cwd / "out")] == given.split()
    assert not (world.cwd / "out.old").exists()


def test_a_file_is_replaced_through_its_link_with_its_mode(world: World) -> None:
    world.api.will(echo)
    (world.cwd / "real").touch(mode=0o600)
    (world.cwd / "link").symlink_to("real")
    assert world.call("batch", "-o", "link", stdin="a\n").status == 0
    assert (world.cwd / "link").is_symlink()
    assert (world.cwd / "real").stat().st_mode & 0o777 == 0o600
    assert len(rows(world.cwd / "real")) == 1


def test_two_batches_do_not_write_one_file(world: World) -> None:
    with start(world, "-o", "out") as running:
        until((world.cwd / "out").exists)
        result = world.run("batch", "-o", "out", "--resume", stdin="x\n")
        assert (result.status, result.out) == (74, "")
        assert "another process is writing it" in result.err
        running.communicate(b"")


def test_plain_goes_to_a_file_as_a_whole(world: World) -> None:
    world.api.will(by_prompt(bad=error(400)))
    assert world.call("batch", "--plain", "-o", "out", stdin="a\nbad\n").status == 13
    assert (world.cwd / "out").read_text() == "re: a\n\n"


@pytest.mark.parametrize("where", ["-", "/dev/stdout"])
def test_a_file_that_is_none_is_written_in_order(world: World, where: str) -> None:
    world.api.will(echo)
    result = world.run("batch", "-o", where, stdin="a\nb\n")
    assert contents(result) == ["re: a", "re: b"]


def test_a_full_disk_is_74_and_what_was_written_can_be_resumed(world: World) -> None:
    world.api.will(echo)
    given = "".join(f"{number}\n" for number in range(50))
    script = "ulimit -f 4; trap '' XFSZ; exec \"$@\""
    command = ["bash", "-c", script, "-", sys.executable, "-m", "llamacli", "batch", "-o", "out", "-j", "2"]
    done = subprocess.run(command, input=given.encode(), env=world.env, cwd=world.cwd, capture_output=True, check=False)
    assert done.returncode == 74, done.stderr
    assert done.stderr.startswith(b"llamacli: cannot write out: File too large")
    assert done.stderr.count(b"\n") == 1
    kept = rows(world.cwd / "out")
    assert 4 < len(kept) < 50
    status, again = resumed(world, given)
    assert (status, len(again)) == (0, 50 - len(kept))
    assert [row["content"] for row in rows(world.cwd / "out")] == [f"re: {number}" for number in range(50)]


def test_a_stdout_that_is_full_is_74(world: World) -> None:
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
        # Until nothing more is asked: as much waits as may wait.
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


def test_a_folder_that_cannot_be_written_is_74(world: World) -> None:
    assert world.call("batch", "-o", "no/such/out", stdin="x\n").status == 74
    assert world.call("batch", "-o", str(Path(world.cwd)), stdin="x\n").status == 74
    assert not world.api.requests
