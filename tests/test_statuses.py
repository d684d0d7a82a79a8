"""How a call ends: every status is reached, each failure is one line, and none shows the key or a traceback."""

import json
import sys
from typing import Any

import pytest

from llamacli.errors import ExitStatus
from tests.conftest import World
from tests.fake_api import (
    KEY,
    Behaviour,
    answer,
    completion,
    delta,
    document,
    error,
    event,
    raw,
    stream,
    streamed,
    text,
)

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def check(world: World, status: int, *told: str, out: str | None = None, arguments: list[str] | None = None) -> None:
    """Asks, and looks at everything that a failure must keep to."""
    result = world.call("ask", *(arguments or []), "Hi")
    assert result.status == status, result.err
    if out is not None:
        assert result.out == out
    assert result.err.startswith("llamacli: ")
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.err
    assert KEY not in result.err + result.out
    for piece in told:
        assert piece in result.err


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (301, 4),
        (302, 4),
        (307, 4),
        (400, 4),
        (401, 3),
        (402, 5),
        (403, 5),
        (404, 4),
        (405, 4),
        (408, 7),
        (413, 4),
        (418, 4),
        (422, 4),
        (425, 7),
        (429, 6),
        (451, 4),
        (499, 4),
        (500, 7),
        (501, 7),
        (502, 7),
        (503, 7),
        (504, 7),
        (520, 7),
        (599, 7),
    ],
)
def test_each_http_status_has_its_exit_status(world: World, code: int, status: int) -> None:
    world.api.will(error(code, "the server's words"))
    check(world, status, str(code), "" if code < 400 else "the server's words", "request id ", out="")
    assert len(world.api.requests) == 1


BODIES: list[tuple[bytes, str, str]] = [
    (b'{"message": "words", "path": "/v1", "requestId": "req-7", "statusCode": "400"}', "words", "the server's inf-1"),
    (b'{"error": {"message": "words", "type": "t", "param": null, "code": "c"}}', ": words (", ""),
    (b'{"error": "words"}', ": words (", ""),
    (b'{"detail": "words"}', ": words (", ""),
    (b'{"detail": [{"loc": ["body", "n"], "msg": "too big", "type": "t"}]}', "too big, in body.n", ""),
    (b'{"type": "about:blank", "title": "Bad", "detail": "words", "validation": [{"message": "v1"}]}', "words", "v1"),
    (b'{"message": ["a must be b", "c"], "error": "Bad Request", "statusCode": 400}', "a must be b, c", ""),
    (
        b'{"message": "Body validation error!", "errors": [{"expected": "number", "received": "string"}]}',
        "Body validation error!",
        "expected number, received string",
    ),
    (b"plain words\n and more", "plain words and more", ""),
    (b"<html><head><TITLE>\n Login </TITLE></head><body>x</body></html>", "an HTML page, 'Login'", ""),
    (b"<p>x", "an HTML page", ""),
    (b"", "400 Bad Request from 127.0.0.1 (", ""),
    (b"{}", "400 Bad Request from 127.0.0.1 (", ""),
    (b"[1, null]", "400 Bad Request from 127.0.0.1 (", ""),
    (b'"words"', ": words (", ""),
    (b'{"error": {"code": 5}}', "400 Bad Request from 127.0.0.1 (", ""),
    (b"\xff\xfe\x00", "400 Bad Request", ""),
    (b"[" * 100_000, "400 Bad Request", ""),
    (b'{"message": "' + b"long " * 10_000 + b'"}', "long lo...", "request id"),
    (b"x" * 1_000_000, "xxx...", "request id"),
]


@pytest.mark.parametrize(("body", "told", "also"), BODIES, ids=range(len(BODIES)))
def test_the_servers_words_are_found_in_every_shape(world: World, body: bytes, told: str, also: str) -> None:
    world.api.will(document(body, status=400))
    check(world, 4, told, also, out="")
    check(world, 4, told, also, out="", arguments=["--json"])


def test_an_id_names_the_request(world: World) -> None:
    world.api.will(error(404, "no such model"))
    check(world, 4, "request id my-own", "the server's inf-1", "check --model", arguments=["--request-id", "my-own"])
    assert world.api.requests[-1].headers["x-client-request-id"] == "my-own"


def test_the_error_documents_own_id_is_told_where_no_header_has_one(world: World) -> None:
    body = b'{"message": "words", "requestId": "req-7"}'
    world.api.will(raw(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(body) + body))
    check(world, 4, "words", "the server's req-7")


def test_a_key_that_the_server_repeats_is_masked(world: World) -> None:
    world.api.will(error(401, f"Incorrect API key provided: {KEY}."))
    check(world, 3, "sk-c...cdef")


BROKEN: dict[str, tuple[Behaviour, str]] = {
    "empty body": (document(b""), ""),
    "204": (raw(b"HTTP/1.1 204 No Content\r\n\r\n"), ""),
    "blank body": (document(b"  \r\n\r\n "), ""),
    "empty stream": (raw(HEAD), ""),
    "only comments": (stream([b": ping\n\n", b":\n\n"]), ""),
    "only done": (stream([event("[DONE]")]), ""),
    "html": (document(b"<!doctype html><title>Wi-Fi login</title>", kind="text/html"), ""),
    "text": (document(b"It works!", kind="text/plain"), ""),
    "text that begins like a field": (document(b"error: upstream gone", kind="text/plain"), ""),
    "a field's name and no more": (document(b"data", kind="text/plain"), ""),
    "content that is a number": (answer(5), ""),  # type: ignore[arg-type]
    "content that is an object": (stream([event(delta(content={"a": 1}, finish="stop"))]), ""),  # type: ignore[arg-type]
    "a tool call that is a word": (answer(None, tool_calls=["f"]), ""),
    "a function that is a word": (answer(None, tool_calls=[{"function": "f"}]), ""),
    "an older call that is a word": (answer(None, function_call="f"), ""),
    "indexes of many kinds": (stream([event(delta("a", index="1")), event(delta("b", index=1))]), ""),  # type: ignore[arg-type]
    "half a document": (document(json.dumps(completion()).encode()[:-1]), ""),
    "no object": (document([1]), ""),
    "no choices": (document({"id": "x"}), ""),
    "empty choices": (document({"choices": []}), ""),
    "choices of another shape": (document({"choices": {"a": 1}}), ""),
    "choices of words": (document({"choices": ["a"]}), ""),
    "nothing in it": (answer(""), ""),
    "null": (answer(None), ""),
    "a stream with nothing in it": (text(""), ""),
    "malformed chunk": (stream([event(delta("so far")), b"data: {nonsense\n\n"]), "so far\n"),
    "a chunk that is no object": (stream([event(delta("so far")), event([1])]), "so far\n"),
    "a chunk of another shape": (stream([event(delta("so far")), event({"choices": [{"delta": 5}]})]), "so far\n"),
    "no end": (stream([event(delta("so far"))]), "so far\n"),
    "cut": (stream([event(delta("so far"))], then="cut"), "so far\n"),
    "reset": (stream([event(delta("so far"))], then="reset"), "so far\n"),
    "one choice of two": (stream([event(delta("a", finish="stop")), event(delta("b", index=1))]), ""),
    "headers only": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"), ""),
    "half the headers": (raw(b"HTTP/1.1 200 OK\r\nContent-Len"), ""),
    "half a status line": (raw(b"HTT"), ""),
    "half a status line and a reset": (raw(b"HTT", then="reset"), ""),
    "no http": (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), ""),
    "too many headers": (raw(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1000), ""),
    "bad chunk size": (raw(HEAD.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")), ""),
    "short body": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + event(delta("so far"))), "so far\n"),
    "broken gzip": (raw(HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\nnogzip")), ""),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_goes_wrong_after_the_response_began_is_9(world: World, name: str) -> None:
    behaviour, out = BROKEN[name]
    world.api.will(behaviour)
    arguments = ["-n", "2"] if "of two" in name else []
    check(world, 9, out=out, arguments=arguments)
    assert len(world.api.requests) == 1
    # A whole document with nothing in it is the API's response all the same.
    hollow = name in ("nothing in it", "null", "a stream with nothing in it")
    check(world, 9, out=None if hollow else "", arguments=[*arguments, "--json"])


ERRORS: dict[str, Any] = {
    "openai": {"error": {"message": "overloaded", "type": "t", "code": "500"}},
    "integer code": {"error": {"message": "overloaded", "code": 500}},
    "text": {"error": "overloaded"},
    "aimlapi": {"message": "overloaded", "statusCode": "500", "requestId": "req-1", "path": "/"},
    "detail": {"detail": "overloaded"},
    "beside choices": {"choices": [], "error": {"message": "overloaded"}},
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_under_a_200_is_7(world: World, name: str) -> None:
    world.api.will(stream([event(delta("so ")), event(delta("far")) + event(ERRORS[name])]))
    check(world, 7, "overloaded", out="so far\n")
    world.api.will(stream([b"event: error\ndata: " + json.dumps(ERRORS[name]).encode() + b"\n\n"]))
    check(world, 7, "overloaded", out="")
    world.api.will(document(ERRORS[name]))
    check(world, 7, "overloaded", out="")


WHOLE: dict[str, list[bytes]] = {
    "no done": [event(delta("whole")), event(delta(finish="stop"))],
    "no finish": [event(delta("whole")), event("[DONE]")],
    "garbage after done": [event(delta("whole")), event("[DONE]"), b"\xff garbage", event({"error": "late"})],
    "comments and fields": [b":\n\n: ping\n\nid: 1\nretry: 5\nevent: m\n", event(delta("whole")), event("[DONE]")],
    "crlf": [event(delta("whole", finish="stop")).replace(b"\n", b"\r\n")],
    "cr": [event(delta("whole", finish="stop")).replace(b"\n", b"\r")],
    "no space": [event(delta("whole", finish="stop")).replace(b"data: ", b"data:")],
    "bom": [b"\xef\xbb\xbf" + event(delta("whole", finish="stop"))],
    "finish on the text": [event(delta("whole", finish="stop"))],
    "null content": [event(delta(role="assistant", content=None)), *streamed("whole")],
    "an empty delta": [event(delta("whole")), event({"choices": [{"finish_reason": "stop"}]})],
    "empty data": [b"data:\n\n", event(delta("whole")), b"data\n\n", event("[DONE]")],
    "empty ping": [event({}), event(delta("whole")), b"event: ping\ndata: {}\n\n", event("[DONE]")],
    "delta and message": [
        event({"choices": [{**delta("whole")["choices"][0], "message": {"content": "whole"}}]}),
        event(delta(finish="stop")),
    ],
    "delta and no message": [event({"choices": [{**delta("whole", finish="stop")["choices"][0], "message": None}]})],
    "content in parts": [
        event(delta("whole", finish="stop")).replace(b'"whole"', b'[{"type": "text", "text": "whole"}]')
    ],
    "byte by byte": [bytes([byte]) for byte in b"".join(streamed("whole"))],
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("kind", ["text/event-stream", "text/plain", "application/json", ""])
def test_whole_answers_in_all_their_forms(world: World, name: str, kind: str) -> None:
    world.api.will(stream(WHOLE[name], kind=kind))
    result = world.call("ask", "Hi")
    assert (result.status, result.out, result.err) == (0, "whole\n", "")


@pytest.mark.parametrize("then", ["cut", "reset"])
def test_what_happens_after_a_whole_answer_does_not_matter(world: World, then: str) -> None:
    world.api.will(stream([event(delta("whole", finish="stop"))], then=then))
    result = world.call("ask", "Hi")
    assert (result.status, result.out, result.err) == (0, "whole\n", "")


@pytest.mark.parametrize("arguments", [[], ["--no-stream"], ["--json"], ["-n", "2"]])
def test_cut_and_withheld_answers(world: World, arguments: list[str]) -> None:
    def ending(**choices: Any) -> Behaviour:
        whole = completion("some", **choices)
        first = whole["choices"][0]
        return document({**whole, "choices": [{**first, "index": 0}, {**first, "index": 1, "finish_reason": "stop"}]})

    world.api.will(ending(finish="length"))
    check(world, 10, "--max-tokens", arguments=arguments)
    assert world.call("ask", "--allow-truncated", *arguments, "Hi").status == 0
    world.api.will(ending(finish="content_filter"))
    check(world, 11, "content filter", arguments=arguments)
    assert world.call("ask", "--allow-truncated", *arguments, "Hi").status == 11
    world.api.will(ending(finish="length", refusal="I would rather not"))
    check(world, 11, "I would rather not", arguments=arguments)


def test_a_refusal_in_a_stream_is_11(world: World) -> None:
    world.api.will(stream([event(delta(refusal="I ")), event(delta(refusal="won't", finish="stop"))]))
    check(world, 11, "the model refused: I won't", out="")


def test_every_failure_names_the_request(world: World) -> None:
    for behaviour in (
        text("some", finish="length"),
        text("some", finish="content_filter"),
        text(""),
        stream([event({"choices": "x"})]),
        raw(b""),
        document(b""),
        error(500, "x"),
    ):
        world.api.will(behaviour)
        result = world.call("ask", "--request-id", "my-own", "Hi")
        assert result.status not in (0, 70)
        assert "(request id my-own" in result.err
        assert ";" in result.err


@pytest.mark.parametrize("usage", [5, "x", [1], {"prompt_tokens": "x", "completion_tokens": None}])
def test_usage_of_another_shape_is_no_fault(world: World, usage: Any) -> None:
    for meta in (usage, {"usage": usage}, {"usage": {"usd_spent": "x"}}):
        world.api.will(document({**completion("x"), "usage": usage, "meta": meta}))
        result = world.call("ask", "-u", "Hi")
        assert (result.status, result.out) == (0, "x\n")


@pytest.mark.parametrize("arguments", [[], ["-n", "2"]])
def test_content_in_parts_is_text(world: World, arguments: list[str]) -> None:
    world.api.will(answer([{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}]))  # type: ignore[arg-type]
    assert world.call("ask", *arguments, "Hi").out == "in parts\n"


def test_a_cut_answer_with_nothing_in_it_is_10(world: World) -> None:
    world.api.will(text("", finish="length"))
    check(world, 10, out="")


USAGE_ERRORS: list[tuple[list[str], str]] = [
    (["ask", "--tempature", "1", "Hi"], "no option --tempature; did you mean --temperature?"),
    (["ask", "--zzz", "Hi"], "no option --zzz"),
    (["ask", "-5", "+", "3"], "no option -5; words that begin with a dash go after --"),
    (["ask", "-Zq", "Hi"], "no option -Z"),
    (["ask", "Hi", "-m"], "-m needs a value"),
    (["ask", "--max-tokens"], "--max-tokens needs a value"),
    (["ask", "--json=1", "Hi"], "--json"),
    (["aks", "Hi"], "did you mean 'llamacli ask'?"),
    (["why", "is"], "no command 'why'; to ask the model: llamacli ask why ..."),
    (["--nonsense"], "--nonsense"),
    (["-x", "ask"], "-x"),
    (["ask", "--request-id", "a b", "Hi"], "--request-id: 'a b' does not fit"),
    (["ask", "--timeout", "0", "Hi"], "--timeout: '0' is out of range: give a number from 0.001 to 1000000"),
    (["ask", "--timeout", "1e10", "Hi"], "--timeout: '1e10' is out of range"),
    (["ask", "--max-time", "1e300", "Hi"], "--max-time: '1e300' is out of range"),
    (["ask", "--max-tokens", "9" * 401, "Hi"], "--max-tokens: '999"),
    (["ask", "-p", "x=" + "9" * 5000, "Hi"], "holds a number too big to send"),
    (["ask", "--temp", "1", "Hi"], "no option --temp; did you mean --temperature?"),
    (["ask", "--bogus", "Hi"], "no option --bogus; words that begin with a dash go after --"),
    (["ask", "--retry", "-1", "Hi"], "--retry: '-1' is out of range"),
    (["ask", "--base-url", "example.com", "Hi"], "--base-url: 'example.com' is no URL"),
    (["ask", "--base-url", "ftp://x", "Hi"], "--base-url"),
    (["ask", "--base-url", "http://[::1", "Hi"], "--base-url"),
    (["ask", "--base-url", "http://x:99999", "Hi"], "--base-url"),
    (["ask", "--base-url", "http://u:p@x", "Hi"], "holds a user or password"),
    (["ask", "--base-url", "http://x/?k=1", "Hi"], "holds more than scheme, host, port and path"),
    (["ask", "--base-url", "http://x/a b", "Hi"], "holds more than scheme, host, port and path"),
    (["ask", "--base-url", "http://evil.example\\.localhost/v1", "Hi"], "holds a host that is not of a-z"),
    (["ask", "--base-url", "http://x/v1\\y", "Hi"], "holds more than"),
    (["ask", "--base-url", "https://bücher.example/v1", "Hi"], "begins with xn--"),
    (["ask", "--ca-bundle", "/missing", "Hi"], "no certificates at /missing"),
]


@pytest.mark.parametrize(("arguments", "told"), USAGE_ERRORS, ids=[" ".join(a) for a, _ in USAGE_ERRORS])
def test_usage_errors_are_one_line_that_names_what_is_wrong(world: World, arguments: list[str], told: str) -> None:
    result = world.call(*arguments)
    assert (result.status, result.out) == (2, "")
    assert told in result.err
    assert result.err.startswith("llamacli: ")
    assert result.err.count("\n") == 1
    assert not world.api.requests


def test_a_fault_is_70_and_tells_how_to_see_more(world: World) -> None:
    (world.cwd / "broken.py").write_text(
        "import sys, llamacli.main, llamacli.prompt\n"
        "def fail(*args): raise KeyError('oops')\n"
        "llamacli.prompt.messages = fail\n"
        "sys.exit(llamacli.main.main(['ask', 'Hi']))\n"
    )
    script = f"{sys.executable} broken.py"
    result = world.shell(script)
    assert (result.status, result.out) == (70, "")
    assert result.err.startswith("llamacli: internal fault: KeyError: 'oops'")
    assert "LLAMACLI_DEBUG=1" in result.err
    assert result.err.count("\n") == 1
    assert "Traceback" in world.shell(script, LLAMACLI_DEBUG="1").err


def test_a_broken_installation_is_70_and_not_1(world: World) -> None:
    (world.cwd / "typer.py").write_text("raise ImportError('broken on purpose')\n")
    result = world.run("ask", "Hi", env={"PYTHONPATH": f"{world.cwd}:{world.env['PYTHONPATH']}"})
    assert (result.status, result.out) == (70, "")
    assert result.err == "llamacli: cannot start: broken on purpose; install it again\n"


#: Where each status is reached, for whoever adds one.
REACHED = {
    ExitStatus.OK: test_whole_answers_in_all_their_forms,
    ExitStatus.NO: "tests/test_fit.py",
    ExitStatus.USAGE: test_usage_errors_are_one_line_that_names_what_is_wrong,
    ExitStatus.KEY: test_each_http_status_has_its_exit_status,
    ExitStatus.REFUSED: test_each_http_status_has_its_exit_status,
    ExitStatus.CREDITS: test_each_http_status_has_its_exit_status,
    ExitStatus.RATE: test_each_http_status_has_its_exit_status,
    ExitStatus.SERVER: test_an_error_under_a_200_is_7,
    ExitStatus.NETWORK: "tests/test_network.py",
    ExitStatus.BROKEN: test_what_goes_wrong_after_the_response_began_is_9,
    ExitStatus.CUT: test_cut_and_withheld_answers,
    ExitStatus.WITHHELD: test_cut_and_withheld_answers,
    ExitStatus.MISFIT: "tests/test_fit.py",
    ExitStatus.FAILED: "tests/test_batch_output.py",
    ExitStatus.FAULT: test_a_fault_is_70_and_tells_how_to_see_more,
    ExitStatus.OUTPUT: "tests/test_output.py",
    ExitStatus.HANGUP: "tests/test_signals.py",
    ExitStatus.INTERRUPTED: "tests/test_signals.py",
    ExitStatus.PIPE: "tests/test_signals.py",
    ExitStatus.TERMINATED: "tests/test_signals.py",
}


def test_every_status_is_reached() -> None:
    assert set(REACHED) == set(ExitStatus)
