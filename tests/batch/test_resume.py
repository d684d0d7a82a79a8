"""`batch -o FILE`: the file grows row by row, and --resume continues it."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from llamacli.batch.input.items import Item
from llamacli.batch.output.journal import Journal
from llamacli.errors import LlamaError
from tests.support.batches import asked, rows, start, until
from tests.support.fake_api import (
    Handler,
    answer,
    by_prompt,
    document,
    echo,
    error,
)
from tests.support.world import World


def test_the_file_grows_row_by_row_and_is_sorted_at_the_end(world: World) -> None:
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


def test_resume_asks_only_for_rows_missing_or_worth_retrying(world: World) -> None:
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


def test_the_summary_says_which_flag_retries_failures(world: World) -> None:
    world.api.will(by_prompt(s=error(500), c=error(404)))
    better = "; --resume asks for the rest\n"
    for given, message in (
        ("a\nc\n", "; --retry-failed asks for them again\n"),
        ("a\nc\ns\n", better),
        ("a\ns\n", better),
    ):
        for _ in range(2):
            result = world.call("batch", "-o", "out", "--resume", stdin=given)
            assert result.status == 13
            assert result.err.endswith(message)


def test_resume_keeps_cut_answers_if_they_count_as_complete(world: World) -> None:
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
    # The result is the same as if it had been allowed from the start.
    assert resumed(world, "a\ncut\n") == (0, [])


def test_resume_asks_again_if_extract_was_added_or_dropped(world: World) -> None:
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


def test_resume_asks_again_if_keep_thinking_was_added(world: World) -> None:
    world.api.will(by_prompt(a=answer("<think>hm</think>yes")))
    assert resumed(world, "a\n") == (0, ["a"])
    assert resumed(world, "a\n", "--keep-thinking") == (0, ["a"])
    assert rows(world.cwd / "out")[0]["content"] == "<think>hm</think>yes"


def test_resume_matches_by_request_and_by_count(world: World) -> None:
    world.api.will(echo)
    assert resumed(world, "a\nb\na\n") == (0, ["a", "a", "b"])
    assert resumed(world, "b\na\nnew\na\na\n") == (0, ["a", "new"])
    found = rows(world.cwd / "out")
    assert [(row["index"], row["input"]) for row in found] == list(enumerate(["b", "a", "new", "a", "a"]))
    assert not (world.cwd / "out.old").exists()
    # A changed prompt is asked again, and its old answer is kept.
    assert resumed(world, "b\na\nchanged\na\na\n") == (0, ["changed"])
    assert [row["input"] for row in rows(world.cwd / "out.old")] == ["new"]
    assert resumed(world, "b\n", "-t", "0")[1] == ["b"]
    assert len(rows(world.cwd / "out.old")) == 6


def test_a_reworded_item_keeps_its_answer(world: World) -> None:
    world.api.will(echo)
    assert resumed(world, "a\n", "say {}")[1] == ["say a"]
    assert resumed(world, '{"id": 4, "x": "a"}\n', "--input", "jsonl", "say {x}") == (0, [])
    [row] = rows(world.cwd / "out")
    assert (row["id"], row["input"], row["content"]) == (4, {"id": 4, "x": "a"}, "re: say a")


@pytest.mark.parametrize("torn", [b'{"index": 1, "id": nu', b'{"index": 1}', b"{", b'{"ind\0\0', b"\0\0\0\0", b""])
def test_a_torn_last_line_is_repaired(world: World, torn: bytes) -> None:
    world.api.will(echo)
    resumed(world, "a\nb\nc\n")
    path = world.cwd / "out"
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]) + torn)
    assert resumed(world, "a\nb\nc\n") == (0, ["c"])
    path.write_bytes(whole.removesuffix(b"\n"))
    assert resumed(world, "a\nb\nc\n") == (0, [])
    assert [row["content"] for row in rows(path)] == ["re: a", "re: b", "re: c"]


def test_a_row_torn_at_any_byte_is_repaired(world: World) -> None:
    world.api.will(echo)
    resumed(world, "a\n")
    path = world.cwd / "out"
    whole = path.read_bytes()
    for size in range(len(whole) - 1):
        path.write_bytes(whole[:size])
        assert resumed(world, "a\n") == (0, ["a"]), whole[:size]


@pytest.mark.parametrize("text", ["KEY=x\n", "KEY=x", '{"index": 1}\n', '{"key": 1', "[]", "\n"])
def test_a_file_whose_only_line_is_not_a_row_is_left_alone(world: World, text: str) -> None:
    world.api.will(echo)
    path = world.cwd / "out"
    row = ""
    for _ in range(2):
        path.write_text(row + text)
        # The input may be that very file, by mistake.
        for given in ([], ["-", "out"]):
            result = world.run("batch", "-o", "out", "--resume", *given, stdin="b\n")
            assert (result.status, result.out) == (2, "")
            message = "the input is also the output: out" if given else "is not a row of a batch; nothing was changed"
            assert message in result.err
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


def test_a_folder_that_cannot_be_written_is_74(world: World) -> None:
    assert world.call("batch", "-o", "no/such/out", stdin="x\n").status == 74
    assert world.call("batch", "-o", str(Path(world.cwd)), stdin="x\n").status == 74
    assert not world.api.requests


# Paid answers are kept


def test_an_answer_that_was_cut_is_kept_if_its_prompt_changes(world: World) -> None:
    world.api.will(by_prompt(cut=answer("half", finish="length"), bad=error(400)))
    assert resumed(world, "a\ncut\nbad\n")[0] == 13
    path, old = world.cwd / "out", world.cwd / "out.old"
    path.chmod(0o640)
    world.api.will(echo)
    assert resumed(world, "a\ncut better\nworse\n") == (0, ["cut better", "worse"])
    [row] = rows(old)
    assert (row["input"], row["content"]) == ("cut", "half")
    assert stat.S_IMODE(old.stat().st_mode) == stat.S_IMODE(path.stat().st_mode) == 0o640


def test_an_answer_that_is_asked_again_under_another_prompt_is_kept(world: World) -> None:
    world.api.will(by_prompt(cut=answer("half", finish="length")))
    assert resumed(world, "cut\n")[0] == 13
    world.api.will(echo)
    assert resumed(world, "cut\n", "--retry-failed", "say {}") == (0, ["say cut"])
    assert [row["content"] for row in rows(world.cwd / "out.old")] == ["half"]
    # An item that was asked again has its new answer; the old one is dropped.
    (world.cwd / "out.old").unlink()
    world.api.will(answer("half", finish="length"))
    assert resumed(world, "x\n")[0] == 13
    (world.cwd / "out.old").unlink()
    world.api.will(echo)
    assert resumed(world, "x\n", "--retry-failed") == (0, ["x"])
    assert not (world.cwd / "out.old").exists()


def test_rows_without_an_item_are_moved_once_however_often_that_fails(world: World) -> None:
    world.api.will(echo)
    resumed(world, "a\nb\n")
    old, before = world.cwd / "out.old", (world.cwd / "out").read_bytes()
    for _ in range(3):
        assert resumed(world, "new\n")[0] == 0
        assert [row["input"] for row in rows(old)] == ["a", "b"]
        # As if the file had not been replaced at the end.
        (world.cwd / "out").write_bytes(before)
    old.write_bytes(old.read_bytes().removesuffix(b"\n") + b'\n{"torn')
    resumed(world, "new\n")
    assert old.read_text().splitlines()[2] == '{"torn'
    assert len(old.read_text().splitlines()) == 5


def test_a_file_truncated_by_another_program_is_an_error(world: World) -> None:
    path = world.cwd / "out"

    def behave(handler: Handler) -> None:
        if handler.prompt == "b":
            os.truncate(path, 3)
        echo(handler)

    world.api.will(behave)
    result = world.call("batch", "-j", "1", "-o", "out", stdin="a\nb\nc\n")
    assert (result.status, b"\0" in path.read_bytes()) == (74, False)
    assert "cannot write out: another program has changed it" in result.err
    assert len(world.api.requests) < 4


def test_a_file_that_is_cut_while_it_is_resumed_is_an_error(world: World) -> None:
    world.api.will(echo)
    resumed(world, "a\nb\n")
    path = world.cwd / "out"

    def behave(handler: Handler) -> None:
        os.truncate(path, 10)
        echo(handler)

    world.api.will(behave)
    assert resumed(world, "a\nb\nc\n")[0] == 74


def test_a_file_that_is_cut_before_it_is_sorted_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    whole = [{"index": n, "key": f"{n:032x}", "id": None, "input": "", "content": "x", "error": None} for n in range(9)]
    path.write_text("".join(json.dumps(row) + "\n" for row in whole))
    journal = Journal(str(path), True, lambda status: True, True, [])
    for number in range(9):
        assert journal.reuse(number, Item(number, "", ""), f"{number:032x}", True)
    os.truncate(path, 100)
    with pytest.raises(LlamaError, match="another program has changed it"):
        journal.finish(True, None)
    assert path.stat().st_size == 100


ODD: list[dict[str, object]] = [
    {"key": {}},
    {"key": 5},
    {"key": "\ud800"},
    {"key": "' or 1 --"},
    {"edit": []},
    {"error": {"status": True, "message": None}},
    {"error": {"status": 429}},
    {"content": {"a": [float("nan")]}, "usage": "x", "tool_calls": 5, "index": "x", "input": None},
    {"model": 5, "usd": "much", "attempts": None},
]


@pytest.mark.parametrize("odd", ODD, ids=map(str, ODD))
def test_a_row_with_odd_values_is_resumed(world: World, odd: dict[str, object]) -> None:
    world.api.will(echo)
    resumed(world, "a\n")
    path = world.cwd / "out"
    [row] = rows(path)
    path.write_text(json.dumps({**row, **odd}) + "\n")
    status, again = resumed(world, "a\n")
    assert status in (0, 13)
    assert again in ([], ["a"])
    assert resumed(world, "b\n")[0] == 0


@pytest.mark.parametrize("error", ['{"status": 1e999}', '{"status": "x"}', "5", '{"status": ' + "9" * 5000 + "}"])
def test_a_row_with_an_impossible_error_is_not_a_row(world: World, error: str) -> None:
    (world.cwd / "out").write_text('{"index": 0, "key": null, "error": ' + error + "}\n")
    result = world.call("batch", "-o", "out", "--resume", stdin="a\n")
    assert result.status == 2
    assert "out line 1 is not a row of a batch" in result.err


def test_a_full_temporary_folder_is_74(world: World) -> None:
    script = "ulimit -f 200; trap '' XFSZ; llamacli batch -o out --resume - in; echo $?"
    (world.cwd / "in").write_text("a\n")
    row = {"index": 0, "key": "0" * 32, "content": "x", "error": None}
    (world.cwd / "out").write_text("".join(json.dumps({**row, "key": f"{n:032x}"}) + "\n" for n in range(2000)))
    result = world.shell(script, SQLITE_TMPDIR=str(world.cwd))
    assert result.out.splitlines()[-1] in ("74", "0"), result.err
    assert "Traceback" not in result.err


def test_duplicates_are_kept_in_the_order_of_the_file(world: World) -> None:
    count = iter(range(9))
    world.api.will(lambda handler: answer(f"{next(count)}")(handler))
    assert world.call("batch", "-j", "1", "-o", "out", stdin="a\na\na\n").status == 0
    assert resumed(world, "a\na\n") == (0, [])
    assert [row["content"] for row in rows(world.cwd / "out")] == ["0", "1"]
    assert [row["content"] for row in rows(world.cwd / "out.old")] == ["2"]


def test_what_failed_with_2_is_asked_again(world: World) -> None:
    """Items with status 2, 3 or 5 to 9 may succeed in the next call."""
    world.api.will(echo)
    path = world.cwd / "out"
    for status in range(2, 13):
        path.unlink(missing_ok=True)
        resumed(world, "a\n")
        [row] = rows(path)
        path.write_text(json.dumps({**row, "error": {"status": status, "message": "no"}}) + "\n")
        asks = status in (2, 3, 5, 6, 7, 8, 9)
        assert resumed(world, "a\n") == ((0, ["a"]) if asks else (13, [])), status
