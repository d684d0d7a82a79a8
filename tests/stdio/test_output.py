"""What is printed: the answer and nothing else, at once, whole or not in place of the old."""

import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.fake_api import (
    HELLO,
    LAST,
    answer,
    completion,
    delta,
    document,
    error,
    event,
    hang,
    stream,
    streamed,
    text,
)
from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, World

CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Köln"}'}}


def call_delta(arguments: str, **more: Any) -> dict[str, Any]:
    return delta(tool_calls=[{"index": 0, "function": {"arguments": arguments}, **more}])


# Plain


@pytest.mark.parametrize("arguments", [[], ["--no-stream"]])
@pytest.mark.parametrize(
    ("content", "printed"),
    [
        ("one", b"one\n"),
        ("one\n", b"one\n"),
        ("one\n\n", b"one\n\n"),
        ("\n", b"\n"),
        (" ", b" \n"),
        ("a\r\nb\x1b[31m\x00\u202e", "a\r\nb\x1b[31m\x00\u202e\n".encode()),
        ("👨‍👩‍👧\u2028\x85", "👨‍👩‍👧\u2028\x85\n".encode()),
    ],
)
def test_content_is_printed_verbatim_and_ends_with_one_newline(
    world: World, arguments: list[str], content: str, printed: bytes
) -> None:
    world.api.will(answer(content) if arguments else text(content))
    result = world.call("ask", *arguments, "Hi")
    assert (result.status, result.stdout, result.err) == (0, printed, "")
    assert world.api.body["stream"] is (not arguments)


def test_a_document_in_place_of_a_stream_is_taken(world: World) -> None:
    world.api.will(answer("whole"))
    assert world.call("ask", "Hi").out == "whole\n"


def test_a_stream_in_place_of_a_document_is_taken(world: World) -> None:
    world.api.will(text("in pieces", usage=True))
    assert world.call("ask", "--no-stream", "Hi").out == "in pieces\n"
    whole = json.loads(world.call("ask", "--json", "Hi").out)
    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["message"] == {"role": "assistant", "content": "in pieces"}
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert whole["usage"] == LAST["usage"]
    assert whole["meta"] == LAST["meta"]


def test_halves_of_a_character_are_joined_and_lone_ones_replaced(world: World) -> None:
    parts = ["a\\ud83e", "\\udd99b", "\\ud800", "c\\udc00"]
    events = [b'data: {"choices": [{"delta": {"content": "%s"}}]}\n\n' % part.encode() for part in parts]
    world.api.will(stream([*events, event(delta(finish="stop"))]))
    assert world.call("ask", "Hi").out == "a🦙b\ufffdc\ufffd\n"


def test_tokens_come_out_as_they_come_in(world: World) -> None:
    seen = threading.Semaphore(0)

    def slowly(handler: Any) -> None:
        handler.reply(200, b"", "text/event-stream", chunked=True)
        for number in range(4):
            handler.chunk(event(delta(f"token{number} ")))
            # The next one is not sent before this one is on the other side of the pipe.
            if not seen.acquire(timeout=10):
                return
        handler.chunk(event(delta(finish="stop")) + event("[DONE]"))
        handler.chunk(b"")

    world.api.will(slowly)
    with subprocess.Popen([*PROGRAM, "ask", "-I", "Hi"], stdout=subprocess.PIPE, env=world.env) as running:
        assert running.stdout
        for number in range(4):
            assert os.read(running.stdout.fileno(), 100) == b"token%d " % number
            seen.release()
        assert running.stdout.read() == b"\n"
    assert running.returncode == 0


def test_n_answers_come_whole_and_in_order(world: World) -> None:
    chunks = [delta("B", index=1), delta("A", index=0), delta("b\n", index=1), delta("a", index=0)]
    chunks += [delta(finish="stop", index=1), delta(finish="stop", index=0)]
    for behaviour, arguments in [
        (stream([*map(event, chunks), event("[DONE]")]), []),
        (
            document({"choices": [{**completion(c)["choices"][0], "index": i} for i, c in enumerate(["Aa", "Bb\n"])]}),
            ["--no-stream"],
        ),
    ]:
        world.api.will(behaviour)
        assert world.call("ask", "-n", "2", *arguments, "Hi").stdout == b"Aa\nBb\n"
        assert world.call("ask", "-n2", "-0", *arguments, "Hi").stdout == b"Aa\0Bb\n\0"


@pytest.mark.parametrize("index", [0, 1, 5, -1, None])
@pytest.mark.parametrize("arguments", [[], ["--no-stream"], ["-0"]])
def test_the_only_choice_is_the_answer_whatever_its_index(
    world: World, index: int | None, arguments: list[str]
) -> None:
    whole = completion("hi there")
    whole["choices"][0]["index"] = index
    if arguments == ["--no-stream"]:
        world.api.will(document(whole))
    else:
        chunks = [delta("hi ", index=index), delta("there", finish="stop", index=index)]  # type: ignore[arg-type]
        world.api.will(stream([*map(event, chunks), event("[DONE]")]))
    assert world.call("ask", *arguments, "Hi").out == "hi there" + ("\0" if arguments == ["-0"] else "\n")


def test_choices_of_a_document_need_no_index(world: World) -> None:
    two = completion("one")
    two["choices"] = [{"finish_reason": "stop", "message": {"content": content}} for content in ("one", "two")]
    world.api.will(document(two))
    assert world.call("ask", "-n", "2", "Hi").out == "one\ntwo\n"
    two["choices"][0]["index"], two["choices"][1]["index"] = 1, 0
    world.api.will(document(two))
    assert world.call("ask", "-n", "2", "Hi").out == "two\none\n"


@pytest.mark.parametrize("arguments", [[], ["--no-stream"]])
def test_an_answer_that_nobody_asked_for_is_printed_too(world: World, arguments: list[str]) -> None:
    two = completion("one")
    two["choices"].append({"index": 1, "finish_reason": "stop", "message": {"content": "two"}})
    chunks = [delta("on"), delta("two", index=1), delta("e", finish="stop"), delta(finish="stop", index=1)]
    world.api.will(stream(map(event, chunks)) if not arguments else document(two))
    assert world.call("ask", *arguments, "Hi").out == "one\ntwo\n"
    # A stream is printed as it arrives, a whole answer in the order of the indices.
    chunks = [delta("two", finish="stop", index=1), delta("one", finish="stop")]
    two["choices"].reverse()
    world.api.will(stream(map(event, chunks)) if not arguments else document(two))
    assert world.call("ask", "-0", *arguments, "Hi").out == ("one\0two\0" if arguments else "two\0one\0")


def test_a_document_after_chunks_adds_what_it_has_more(world: World) -> None:
    world.api.will(stream([event(delta("Hel")), event(completion("Hello")), event("[DONE]")]))
    assert world.call("ask", "Hi").out == "Hello\n"


@pytest.mark.parametrize("command", [["ask", "-x", "-n", "2"], ["batch", "-x", "-n", "2", "--plain"]])
def test_several_answers_are_in_the_order_of_their_indices_whatever_is_taken_of_them(
    world: World, command: list[str]
) -> None:
    two = completion()
    two["choices"] = [
        {"index": place, "finish_reason": "stop", "message": {"content": f"```\n{place}\n```"}} for place in (1, 0)
    ]
    world.api.will(document(two))
    assert world.call(*command, stdin="Hi").out == "0\n1\n"


def test_a_document_after_chunks_of_other_choices_is_what_counts(world: World) -> None:
    two = completion("```\na\n```")
    two["choices"].append({"index": 1, "finish_reason": "stop", "message": {"content": "```\nc\n```"}})
    world.api.will(stream([event(delta("```\nx\n```", index=3)), event(two)]))
    assert world.call("ask", "-x", "-n", "2", "Hi").out == "a\nc\n"


def test_null_ends_one_answer_too(world: World) -> None:
    world.api.will(text("one"))
    assert world.call("ask", "-0", "Hi").stdout == b"one\0"


def test_fewer_answers_than_asked_for_are_noted(world: World) -> None:
    world.api.will(text("only"))
    result = world.call("ask", "-n", "3", "Hi")
    assert (result.status, result.out) == (0, "only\n")
    assert "1 of 3 answers" in result.err
    assert world.call("ask", "-qn", "3", "Hi").err == ""


def test_tool_calls_follow_the_content_a_line_each(world: World) -> None:
    line = '{"id": "call_1", "name": "weather", "arguments": {"city": "Köln"}}\n'
    start = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
    whole = [
        delta(tool_calls=[{"index": 0, **start}]),
        call_delta('{"city": '),
        call_delta('"Köln"}'),
        delta(finish="tool_calls"),
    ]
    world.api.will(stream([*map(event, whole), event("[DONE]")]))
    assert world.call("ask", "Hi").out == line
    world.api.will(stream([event(delta("Let me see.")), *map(event, whole)]))
    assert world.call("ask", "Hi").out == "Let me see.\n" + line
    assert world.call("ask", "-0", "Hi").out == "Let me see.\n" + line[:-1] + "\0"
    world.api.will(answer(None, finish="tool_calls", tool_calls=[CALL, {**CALL, "id": "call_2"}]))
    assert world.call("ask", "--no-stream", "Hi").out == line + line.replace("call_1", "call_2")


def test_tool_calls_on_a_terminal_stay_json(world: World) -> None:
    evil = {**CALL, "function": {"name": "f", "arguments": '{"a": "\\u009b31m"}'}}
    world.api.will(answer(None, finish="tool_calls", tool_calls=[evil]))
    with Terminal(world, *PROGRAM, "ask", "-I", "Hi") as terminal:
        assert terminal.wait() == 0
    assert json.loads(terminal.shown.strip().splitlines()[-1])["arguments"] == {"a": "\x9b31m"}


@pytest.mark.parametrize("arguments", ['{"a": ', "", "[NaN]", "[" * 100_000, "1e999"])
def test_arguments_that_are_no_json_stay_text(world: World, arguments: str) -> None:
    broken = {**CALL, "function": {"name": "f", "arguments": arguments}}
    world.api.will(answer(None, finish="tool_calls", tool_calls=[broken]))
    assert json.loads(world.call("ask", "Hi").out)["arguments"] == arguments


def test_the_older_function_call_is_a_tool_call(world: World) -> None:
    world.api.will(answer(None, finish="function_call", function_call={"name": "f", "arguments": "{}"}))
    assert json.loads(world.call("ask", "Hi").out) == {"id": None, "name": "f", "arguments": {}}


@pytest.mark.parametrize("names", [["reasoning_content"], ["reasoning"], ["reasoning", "reasoning_content"]])
@pytest.mark.parametrize("together", [True, False])
def test_reasoning_is_shown_on_stderr_where_it_is_wanted(world: World, names: list[str], together: bool) -> None:
    thoughts: list[dict[str, Any]] = [dict.fromkeys(names, piece) for piece in ("Let me ", "think.")]
    chunks = [delta(**{"reasoning_content": "", **thought}) for thought in thoughts]
    events = [*map(event, chunks), event(delta("42")), event(delta(finish="stop"))]
    world.api.will(stream([b"".join(events)] if together else events, pause=0.05))
    assert world.call("ask", "Hi").err == ""
    result = world.call("ask", "--reasoning", "Hi")
    assert (result.out, result.err) == ("42\n", "Let me think.\n")


# JSON


def test_json_is_the_whole_response_in_one_line(world: World) -> None:
    value = {**completion("日本 <&>"), "extra": {"deep": [1, 2.5, None]}, "big": 12345678901234567890123}
    world.api.will(document(value))
    result = world.call("ask", "--json", "Hi")
    assert (result.status, result.err) == (0, "")
    assert json.loads(result.out) == value
    assert result.out.count("\n") == 1
    assert "日本 <&>" in result.out
    assert "stream" not in world.api.body


def test_no_stream_is_sent_only_where_it_was_said(world: World) -> None:
    world.call("ask", "--json", "--no-stream", "Hi")
    assert world.api.body["stream"] is False
    world.call("ask", "--json", "Hi", LLAMACLI_STREAM="1")
    assert "stream" not in world.api.body
    world.call("ask", "Hi", LLAMACLI_STREAM="0")
    assert world.api.body["stream"] is False


def test_json_stream_prints_each_chunk_as_it_comes(world: World) -> None:
    result = world.call("ask", "--json", "--stream", "Hi")
    chunks = [json.loads(line) for line in result.out.splitlines()]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == HELLO
    assert chunks[0]["object"] == "chat.completion.chunk"
    assert world.api.body["stream"] is True


def test_chunks_that_come_together_are_printed_as_they_were_sent(world: World) -> None:
    first = call_delta('{"a"', id="c", type="function")
    first["choices"][0]["logprobs"] = {"content": [{"token": "a"}]}
    second = call_delta(":1}")
    second["choices"][0]["logprobs"] = {"content": [{"token": "b"}]}
    world.api.will(stream([event(first) + event(second) + event(delta(finish="tool_calls"))]))
    lines = world.call("ask", "--json", "--stream", "Hi").out.splitlines()
    assert [json.loads(line) for line in lines] == [first, second, delta(finish="tool_calls")]


def test_json_stays_json_where_the_server_sends_what_is_none(world: World) -> None:
    body = json.dumps(completion("x"))[:-1] + ', "a": NaN, "b": 1e999, "c": "\\ud800"}'
    world.api.will(document(body.encode()))
    result = world.call("ask", "--json", "Hi")
    assert '"a": null' in result.out
    assert "Infinity" not in result.out
    assert json.loads(result.out)["c"] == "\ufffd"


def test_json_of_a_failure_prints_nothing_on_stdout(world: World) -> None:
    world.api.will(error(400, "bad"))
    result = world.call("ask", "--json", "Hi")
    assert (result.status, result.out) == (4, "")


# Usage, quiet, verbose


def test_usage_is_asked_for_only_where_it_is_shown(world: World) -> None:
    world.call("ask", "Hi")
    assert "stream_options" not in world.api.body
    result = world.call("ask", "-u", "Hi")
    assert world.api.body["stream_options"] == {"include_usage": True}
    assert result.out == HELLO + "\n"
    assert result.err.startswith("llamacli: 67 tokens in, 46 out, $0.000123, ")
    assert result.err.endswith(" tokens/s\n")
    assert result.err.count("\n") == 1
    result = world.call("ask", "-u", "--no-stream", "Hi")
    assert "stream_options" not in world.api.body
    assert "67 tokens in, 46 out, $0.000123, " in result.err
    assert "first token" not in result.err
    assert world.call("ask", "-q", "Hi", LLAMACLI_USAGE="1").err.startswith("llamacli: 67 tokens in")


def test_usage_says_where_the_server_tells_none(world: World) -> None:
    world.api.will(text("x"))
    assert "no token counts" in world.call("ask", "-u", "Hi").err


def test_counts_that_are_none_are_not_known(world: World) -> None:
    world.api.will(document({**completion(), "usage": {"prompt_tokens": None, "completion_tokens": 3}}))
    assert "? tokens in, 3 out" in world.call("ask", "-u", "Hi").err


def test_verbose_shows_the_exchange_without_the_key(world: World) -> None:
    result = world.call("ask", "-v", "--request-id", "my-id", "Hi")
    assert f"> POST {world.api.url}/chat/completions" in result.err
    assert "> X-Client-Request-Id: my-id" in result.err
    assert "> Authorization: Bearer sk-c...cdef" in result.err
    assert "< 200 OK" in result.err
    assert "< x-inference-id: inf-1" in result.err
    assert "* headers after" in result.err
    assert world.env["AIMLAPI_API_KEY"] not in result.err
    assert result.out == HELLO + "\n"


# Files


def test_output_goes_to_a_file_that_appears_when_it_is_complete(world: World) -> None:
    result = world.call("ask", "-o", "out.txt", "Hi")
    assert (result.status, result.out, result.err) == (0, "", "")
    assert (world.cwd / "out.txt").read_text() == HELLO + "\n"
    assert not (world.cwd / "out.txt.part").exists()
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((world.cwd / "out.txt").stat().st_mode) == 0o666 & ~umask


def test_a_broken_answer_leaves_the_old_file_and_a_named_part(world: World) -> None:
    out, part = world.cwd / "out.txt", world.cwd / "out.txt.part"
    out.write_text("old")
    out.chmod(0o640)
    world.api.will(stream([event(delta("half"))], then="cut"))
    result = world.call("ask", "-o", "out.txt", "Hi")
    assert result.status == 9
    assert str(part) in result.err
    assert result.err.count("\n") == 1
    assert (out.read_text(), part.read_text()) == ("old", "half\n")
    assert stat.S_IMODE(part.stat().st_mode) == 0o640
    # A call that gets nothing at all leaves what came before.
    world.api.will(error(500, "down"))
    assert world.call("ask", "-o", "out.txt", "Hi").status == 7
    assert (out.read_text(), part.read_text()) == ("old", "half\n")
    world.api.will(text("new"))
    assert world.call("ask", "-o", "out.txt", "Hi").status == 0
    assert out.read_text() == "new\n"
    assert stat.S_IMODE(out.stat().st_mode) == 0o640
    assert not part.exists()


def test_a_call_that_gets_nothing_leaves_no_part(world: World) -> None:
    world.api.will(error(500, "down"))
    assert world.call("ask", "-o", "out.txt", "Hi").status == 7
    assert list(world.cwd.glob("out*")) == []


@pytest.mark.parametrize(("finish", "status", "there"), [("length", 10, True), ("content_filter", 11, False)])
def test_a_cut_answer_is_complete_enough_and_a_withheld_one_is_not(
    world: World, finish: str, status: int, there: bool
) -> None:
    world.api.will(text("some", finish=finish))
    result = world.call("ask", "-o", "out.txt", "Hi")
    assert result.status == status
    assert ("what came is in" in result.err) is not there
    assert (world.cwd / "out.txt").exists() is there
    assert (world.cwd / "out.txt.part").exists() is not there


def test_symbolic_links_are_followed(world: World) -> None:
    (world.cwd / "real").write_text("old")
    (world.cwd / "link").symlink_to("real")
    (world.cwd / "dangling").symlink_to("new")
    for name, target in [("link", "real"), ("dangling", "new")]:
        assert world.call("ask", "-o", name, "Hi").status == 0
        assert (world.cwd / name).is_symlink()
        assert (world.cwd / target).read_text() == HELLO + "\n"


def test_a_file_may_be_called_stdout(world: World) -> None:
    assert world.call("ask", "-o", "stdout", "Hi").out == ""
    assert (world.cwd / "stdout").read_text() == HELLO + "\n"


def test_what_is_no_regular_file_is_written_straight(world: World) -> None:
    assert world.call("ask", "-o", "/dev/null", "Hi").status == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    os.mkfifo(world.cwd / "fifo")
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append((world.cwd / "fifo").read_text()))
    reader.start()
    assert world.call("ask", "-o", "fifo", "Hi").status == 0
    reader.join()
    assert got == [HELLO + "\n"]
    assert world.call("ask", "-o", "-", "Hi").out == HELLO + "\n"
    assert world.call("ask", "-o", "/dev/stdout", "Hi").out == HELLO + "\n"


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/stderr"])
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc")
def test_a_descriptor_is_written_where_it_stands(world: World, path: str) -> None:
    (world.cwd / "log").write_text("before, and longer than the answer that follows: " + "x" * 99 + "\n")
    before = (world.cwd / "log").read_text()
    redirected = "2>>log" if path == "/dev/stderr" else ">>log"
    assert world.shell(f"llamacli ask -o {path} Hi {redirected}").status == 0
    assert (world.cwd / "log").read_text() == before + HELLO + "\n"


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="there is no /dev/shm")
def test_a_file_below_dev_is_a_file(world: World) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        path = Path(folder, "answer")
        assert world.call("ask", "-o", str(path), "Hi").status == 0
        path.write_text("old and long " * 99)
        assert world.call("ask", "-o", str(path), "Hi").status == 0
        assert path.read_text() == HELLO + "\n"
        world.api.will(text("{}"))
        rows = str(Path(folder, "rows"))
        assert world.call("batch", "-o", rows, stdin="a\n").status == 0
        assert json.loads(Path(rows).read_text())["content"] == "{}"


@pytest.mark.parametrize("path", [".", "missing/out.txt", "new/", "/dev/fd/999999999"])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_sent(world: World, path: str) -> None:
    result = world.call("ask", "-o", path, "Hi")
    assert (result.status, result.out) == (74, "")
    assert result.err.startswith(f"llamacli: cannot write {path}: ")
    assert not world.api.requests


def test_a_private_file_stays_private_whatever_part_was_left(world: World) -> None:
    out, part = world.cwd / "out", world.cwd / "out.part"
    part.write_text("left")
    part.chmod(0o644)
    out.write_text("old")
    for mode in (0o600, 0o666):
        out.chmod(mode)
        assert world.call("ask", "-o", "out", "Hi").status == 0
        assert stat.S_IMODE(out.stat().st_mode) == mode


@pytest.mark.skipif("os.geteuid() == 0 and not os.path.exists('/usr/bin/setpriv')", reason="needs another user")
def test_a_part_that_is_no_file_is_named(world: World) -> None:
    for make in (lambda path: path.symlink_to("elsewhere"), os.mkfifo, lambda path: path.mkdir()):
        make(world.cwd / "out.part")
        result = world.run("ask", "-o", "out", "Hi", timeout=10)
        assert result.status == 74
        assert "cannot write out: " in result.err
        assert "out.part" in result.err
        assert not world.api.requests
        part = world.cwd / "out.part"
        part.rmdir() if part.is_dir() else part.unlink()


def test_an_empty_answer_that_was_cut_replaces_nothing(world: World) -> None:
    (world.cwd / "out").write_text("old")
    world.api.will(text("", finish="length"))
    assert world.call("ask", "-o", "out", "Hi").status == 10
    assert (world.cwd / "out").read_text() == "old"
    assert not (world.cwd / "out.part").exists()


def test_a_closed_stdout_is_one_by_its_other_name_too(world: World) -> None:
    assert world.shell("llamacli ask -I -o /dev/stdout Hi >&-").status == 74


def test_two_calls_do_not_write_one_part(world: World) -> None:
    world.api.will(hang)
    with subprocess.Popen([*PROGRAM, "ask", "-I", "-o", "out", "Hi"], env=world.env, cwd=world.cwd) as running:
        while not world.api.requests:
            time.sleep(0.01)
        result = world.call("ask", "-o", "out", "Hi")
        assert result.status == 74
        assert "another call is writing it" in result.err
        running.kill()


def test_kill_9_leaves_the_old_file(world: World) -> None:
    (world.cwd / "out").write_text("old")
    world.api.will(stream([event(delta("half"))], then="hang"))
    with subprocess.Popen([*PROGRAM, "ask", "-I", "-o", "out", "Hi"], env=world.env, cwd=world.cwd) as running:
        part = world.cwd / "out.part"
        while not part.exists() or part.read_text() != "half":
            time.sleep(0.01)
        running.kill()
    assert (world.cwd / "out").read_text() == "old"


def test_a_full_disk_is_told(world: World) -> None:
    result = world.shell("llamacli ask -I Hi >/dev/full")
    assert (result.status, result.err) == (74, "llamacli: cannot write stdout: No space left on device\n")


# Terminals


def test_a_terminal_is_shown_escapes_and_never_obeys_them(world: World) -> None:
    evil = "a\x1b]52;c;aGk=\x07b\x9b31mc\u202ed\u2066e\x7ff\rg\x08h\ti\u061c👨‍👩‍👧é"
    world.api.will(text(evil))
    with Terminal(world, *PROGRAM, "ask", "-I", "Hi") as terminal:
        assert terminal.wait() == 0
    assert terminal.shown.endswith(
        "a\\x1b]52;c;aGk=\\x07b\\x9b31mc\\u202ed\\u2066e\\x7ff\\rg\\x08h\ti\\u061c👨‍👩‍👧é\r\n"
    )


def test_json_on_a_terminal_is_indented_and_stays_json(world: World) -> None:
    world.api.will(answer("\x7f\u202e\x9b"))
    with Terminal(world, *PROGRAM, "ask", "-I", "--json", "Hi") as terminal:
        terminal.wait()
    assert '\r\n  "id"' in terminal.shown
    assert "\\u007f\\u202e\\u009b" in terminal.shown
    assert json.loads(terminal.shown[terminal.shown.index("{") :])["choices"]


def test_an_error_message_cannot_drive_the_terminal(world: World) -> None:
    world.api.will(error(400, "\x1b[2J\x9bmoved\nsecond line\u202e"))
    with Terminal(world, *PROGRAM, "ask", "-I", "Hi", NO_COLOR="1") as terminal:
        assert terminal.wait() == 4
    assert "\x1b" not in terminal.shown
    assert "\\x1b[2J\\x9bmoved second line\\u202e" in terminal.shown
    assert terminal.shown.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "env", "colored"),
    [
        ([], {}, True),
        ([], {"NO_COLOR": "1"}, False),
        ([], {"NO_COLOR": ""}, True),
        ([], {"TERM": "dumb"}, False),
        (["--no-color"], {}, False),
        ([], {"LLAMACLI_NO_COLOR": "1"}, False),
        (["--color"], {"LLAMACLI_NO_COLOR": "1"}, True),
    ],
)
def test_colour_is_for_a_terminal_that_takes_it(
    world: World, arguments: list[str], env: dict[str, str], colored: bool
) -> None:
    world.api.will(error(400, "bad"))
    with Terminal(world, *PROGRAM, "ask", "-I", *arguments, "Hi", **env) as terminal:
        terminal.wait()
    assert ("\x1b[1;31mllamacli:" in terminal.shown) is colored


def test_a_spinner_turns_on_a_terminal_and_leaves_nothing_behind(world: World) -> None:
    def late(handler: Any) -> None:
        time.sleep(1)
        text("done")(handler)

    world.api.will(late)
    with Terminal(world, *PROGRAM, "ask", "-I", "Hi") as terminal:
        assert terminal.wait() == 0
    assert "waiting for 127.0.0.1" in terminal.shown
    assert terminal.shown.endswith("\r\x1b[Kdone\r\n")
    for arguments, env in [(["-q"], {}), ([], {"TERM": "dumb"})]:
        with Terminal(world, *PROGRAM, "ask", "-I", *arguments, "Hi", **env) as terminal:
            terminal.wait()
        assert terminal.shown == "done\r\n"
    assert world.run("ask", "Hi").err == ""


def test_the_spinner_leaves_reasoning_alone(world: World) -> None:
    chunks = [delta(reasoning="first "), delta(reasoning="second"), delta("42", finish="stop")]
    world.api.will(stream(map(event, chunks), pause=0.8))
    with Terminal(world, *PROGRAM, "ask", "-I", "--reasoning", "Hi") as terminal:
        terminal.wait()
    assert terminal.shown.endswith("first second\r\n42\r\n")


def test_quiet_and_no_color_count_for_what_is_said_before_they_are_read(world: World) -> None:
    (world.cwd / ".env").write_text("no line of a .env\n")
    assert world.call("ask", "-q", "-t", "9", "Hi").err.count("\n") == 1
    (world.cwd / ".env").unlink()
    for arguments in (["--no-color", "-t", "9"], ["--bogus", "--no-color"]):
        with Terminal(world, *PROGRAM, "ask", "-I", *arguments, "Hi") as terminal:
            terminal.wait()
        assert "\x1b" not in terminal.shown
    with Terminal(world, *PROGRAM, "ask", "--bogus", LLAMACLI_NO_COLOR="1") as terminal:
        terminal.wait()
    assert "\x1b" not in terminal.shown


def test_verbose_keeps_its_lines_out_of_the_answers(world: World) -> None:
    world.api.will(stream([event(delta("some words", finish="stop"))]))
    assert "some words\n* answer complete" in world.shell("llamacli ask -Iv Hi 2>&1").out


def test_stdout_on_a_terminal_is_escaped_while_a_pipe_is_not(world: World) -> None:
    world.api.will(stream(streamed("\x1b[31m")))
    with Terminal(world, "sh", "-c", f"{' '.join(PROGRAM)} ask -I Hi | od -c") as terminal:
        terminal.wait()
    assert "033" in terminal.shown


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_halves_of_a_character_in_two_chunks_are_one_in_json_too(world: World, arguments: list[str]) -> None:
    halves = [delta("ok\ud83d"), delta("\ude00", finish="stop")]
    world.api.will(stream(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in halves))
    assert "ok\U0001f600" in world.call("ask", *arguments, "Hi").out


def test_the_end_of_a_stream_may_have_blanks_around_it(world: World) -> None:
    world.api.will(stream([event(delta("ok", finish="stop")), b"data: [DONE] \n\n"]))
    assert world.call("ask", "Hi").status == 0
