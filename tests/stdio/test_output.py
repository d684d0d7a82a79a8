"""The output: the answer and nothing else, without delay."""

import json
import os
import subprocess
import threading
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
    stream,
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


def test_a_document_in_place_of_a_stream_is_accepted(world: World) -> None:
    world.api.will(answer("whole"))
    assert world.call("ask", "Hi").out == "whole\n"


def test_a_stream_in_place_of_a_document_is_accepted(world: World) -> None:
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


def test_tokens_are_printed_as_they_arrive(world: World) -> None:
    seen = threading.Semaphore(0)

    def slowly(handler: Any) -> None:
        handler.reply(200, b"", "text/event-stream", chunked=True)
        for number in range(4):
            handler.chunk(event(delta(f"token{number} ")))
            # The next one is sent only once this one has left the pipe.
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


def test_n_answers_are_whole_and_in_order(world: World) -> None:
    chunks = [delta("B", index=1), delta("A", index=0), delta("b\n", index=1), delta("a", index=0)]
    chunks += [delta(finish="stop", index=1), delta(finish="stop", index=0)]
    for behavior, arguments in [
        (stream([*map(event, chunks), event("[DONE]")]), []),
        (
            document({"choices": [{**completion(c)["choices"][0], "index": i} for i, c in enumerate(["Aa", "Bb\n"])]}),
            ["--no-stream"],
        ),
    ]:
        world.api.will(behavior)
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
def test_several_answers_are_in_the_order_of_their_indices(world: World, command: list[str]) -> None:
    two = completion()
    two["choices"] = [
        {"index": place, "finish_reason": "stop", "message": {"content": f"```\n{place}\n```"}} for place in (1, 0)
    ]
    world.api.will(document(two))
    assert world.call(*command, stdin="Hi").out == "0\n1\n"


def test_a_document_replaces_chunks_of_other_choices(world: World) -> None:
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


def test_tool_calls_follow_the_content_one_per_line(world: World) -> None:
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
def test_arguments_that_are_not_json_stay_text(world: World, arguments: str) -> None:
    broken = {**CALL, "function": {"name": "f", "arguments": arguments}}
    world.api.will(answer(None, finish="tool_calls", tool_calls=[broken]))
    assert json.loads(world.call("ask", "Hi").out)["arguments"] == arguments


def test_the_older_function_call_is_a_tool_call(world: World) -> None:
    world.api.will(answer(None, finish="function_call", function_call={"name": "f", "arguments": "{}"}))
    assert json.loads(world.call("ask", "Hi").out) == {"id": None, "name": "f", "arguments": {}}


@pytest.mark.parametrize("names", [["reasoning_content"], ["reasoning"], ["reasoning", "reasoning_content"]])
@pytest.mark.parametrize("together", [True, False])
def test_reasoning_is_shown_on_stderr_if_requested(world: World, names: list[str], together: bool) -> None:
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


def test_stream_false_is_sent_only_if_requested(world: World) -> None:
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


def test_json_output_is_valid_even_if_the_servers_is_not(world: World) -> None:
    deep = "[" * 900 + "]" * 900
    body = json.dumps(completion("x"))[:-1] + f', "a": NaN, "b": 1e999, "c": "\\ud800", "d": {deep}}}'
    world.api.will(document(body.encode()))
    result = world.call("ask", "--json", "Hi")
    assert result.status == 0
    assert '"a": null' in result.out
    assert "Infinity" not in result.out
    assert json.loads(result.out)["c"] == "\ufffd"


def test_json_of_a_failure_prints_nothing_on_stdout(world: World) -> None:
    world.api.will(error(400, "bad"))
    result = world.call("ask", "--json", "Hi")
    assert (result.status, result.out) == (4, "")


# Usage, quiet, verbose


def test_usage_is_requested_only_if_it_is_shown(world: World) -> None:
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


def test_usage_says_if_the_server_reports_none(world: World) -> None:
    world.api.will(text("x"))
    assert "no token counts" in world.call("ask", "-u", "Hi").err


def test_invalid_counts_are_unknown(world: World) -> None:
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


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_halves_of_a_character_in_two_chunks_are_one_in_json_too(world: World, arguments: list[str]) -> None:
    halves = [delta("ok\ud83d"), delta("\ude00", finish="stop")]
    world.api.will(stream(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in halves))
    assert "ok\U0001f600" in world.call("ask", *arguments, "Hi").out


def test_the_end_of_a_stream_may_have_blanks_around_it(world: World) -> None:
    world.api.will(stream([event(delta("ok", finish="stop")), b"data: [DONE] \n\n"]))
    assert world.call("ask", "Hi").status == 0


@pytest.mark.parametrize("arguments", [["ask", "Hi"], ["raw", "{}"], ["models"]])
def test_a_fifo_that_nobody_reads_ends_with_the_time_limit(world: World, arguments: list[str]) -> None:
    os.mkfifo(world.cwd / "fifo")
    result = world.call(*arguments, "-o", "fifo", "--max-time", "0.2")
    message = "cannot write fifo: nothing has opened it for reading within --max-time"
    assert (result.status, result.err) == (74, f"llamacli: {message}\n")
    assert not world.api.requests


def test_a_fifo_that_nobody_reads_is_named_after_a_while(world: World) -> None:
    os.mkfifo(world.cwd / "fifo")
    command = [*PROGRAM, "batch", "-o", "fifo", "Hi"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=world.env, cwd=world.cwd
    ) as running:
        assert running.stdin
        assert running.stderr
        running.stdin.write(b"a\n")
        running.stdin.close()
        assert running.stderr.readline() == b"llamacli: waiting for a reader of fifo\n"
        assert (world.cwd / "fifo").read_bytes().count(b"\n") == 1
        assert running.wait() == 0
