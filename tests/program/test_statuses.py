"""How a call ends: every status is reached, and each failure is one line without key or traceback."""

import sys
from typing import Any

import pytest

from llamacli.errors import ExitStatus
from tests.support.fake_api import (
    KEY,
    Behavior,
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
from tests.support.world import World


def check(
    world: World, status: int, *messages: str, out: str | None = None, arguments: list[str] | None = None
) -> None:
    """Asks, and checks all rules that a failure must follow."""
    result = world.call("ask", *(arguments or []), "Hi")
    assert result.status == status, result.err
    if out is not None:
        assert result.out == out
    assert result.err.startswith("llamacli: ")
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.err
    assert KEY not in result.err + result.out
    for piece in messages:
        assert piece in result.err


def test_an_id_names_the_request(world: World) -> None:
    world.api.will(error(404, "no such model"))
    check(world, 4, "check the model", " [request id inf-1]\n", arguments=["--request-id", "my-own"])
    assert world.api.requests[-1].headers["x-client-request-id"] == "my-own"


def test_the_error_documents_id_is_shown_if_no_header_has_one(world: World) -> None:
    body = b'{"message": "words", "requestId": "req-7"}'
    world.api.will(raw(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(body) + body))
    check(world, 4, "words", " [request id req-7]\n")


def test_a_key_that_the_server_repeats_is_masked(world: World) -> None:
    world.api.will(error(401, f"Incorrect API key provided: {KEY}."))
    check(world, 3, "sk-c...cdef")


@pytest.mark.parametrize("then", ["end", "cut", "reset"])
@pytest.mark.parametrize("whole", [0, 1])
def test_of_two_answers_the_complete_one_is_printed_and_the_status_is_9(world: World, whole: int, then: str) -> None:
    events = [event(delta("a", finish="stop", index=whole)), event(delta("b", index=1 - whole))]
    world.api.will(stream(events, then=then))
    check(world, 9, "only the complete answers were printed", out="a\n", arguments=["-n", "2"])
    check(world, 9, out="a\0", arguments=["-n", "2", "-0"])
    check(world, 9, out="", arguments=["-n", "2", "--json"])
    world.api.will(stream([event(delta("a", index=0)), event(delta("b", index=1))], then=then))
    assert "only the complete" not in world.call("ask", "-n", "2", "Hi").err


WHOLE: dict[str, list[bytes]] = {
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


@pytest.mark.parametrize("arguments", [[], ["--no-stream"], ["--json"], ["-n", "2"]])
def test_cut_and_withheld_answers(world: World, arguments: list[str]) -> None:
    def ending(**choices: Any) -> Behavior:
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
    for behavior, id in (
        (text("some", finish="length"), "my-own"),
        (text("some", finish="content_filter"), "my-own"),
        (text(""), "my-own"),
        (stream([event({"choices": "x"})]), "my-own"),
        (raw(b""), "my-own"),
        (document(b""), "my-own"),
        (error(500, "x"), "inf-1"),
    ):
        world.api.will(behavior)
        result = world.call("ask", "--request-id", "my-own", "Hi")
        assert result.status not in (0, 70)
        assert result.err.endswith(f" [request id {id}]\n")
        assert ";" in result.err


@pytest.mark.parametrize("usage", [5, "x", [1], {"prompt_tokens": "x", "completion_tokens": None}])
def test_usage_of_an_unexpected_shape_is_not_an_error(world: World, usage: Any) -> None:
    for meta in (usage, {"usage": usage}, {"usage": {"usd_spent": "x"}}):
        world.api.will(document({**completion("x"), "usage": usage, "meta": meta}))
        result = world.call("ask", "-u", "Hi")
        assert (result.status, result.out) == (0, "x\n")


@pytest.mark.parametrize("arguments", [[], ["-n", "2"]])
def test_content_in_parts_is_text(world: World, arguments: list[str]) -> None:
    world.api.will(answer([{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}]))  # type: ignore[arg-type]
    assert world.call("ask", *arguments, "Hi").out == "in parts\n"


def test_an_empty_cut_answer_is_10(world: World) -> None:
    world.api.will(text("", finish="length"))
    check(world, 10, out="")


USAGE_ERRORS: list[tuple[list[str], str]] = [
    (["ask", "--tempature", "1", "Hi"], "unknown option --tempature; did you mean --temperature?"),
    (["ask", "--zzz", "Hi"], "unknown option --zzz"),
    (["ask", "-5", "+", "3"], "unknown option -5; a prompt that begins with a dash goes after --"),
    (["ask", "-Zq", "Hi"], "unknown option -Z"),
    (["ask", "Hi", "-m"], "-m needs a value"),
    (["ask", "--max-tokens"], "--max-tokens needs a value"),
    (["ask", "--json=1", "Hi"], "--json"),
    (["aks", "Hi"], "unknown command 'aks'; did you mean 'llamacli ask'?\n"),
    (["what", "is"], "unknown command 'what'; to ask the model: llamacli ask what is"),
    (["-q", "ask", "Hi"], "option -q before the command; put options after it"),
    (["models", "a", "b"], "too many arguments for models; see: llamacli help models"),
    (["config", "set-key", "sk-0123"], "set-key reads the key from a hidden prompt or stdin"),
    (["config", "sk-0123456789abcdef"], "unknown action; expected show, set, unset, set-key or check"),
    (["why", "is"], "unknown command 'why'; to ask the model: llamacli ask why is"),
    (["--nonsense"], "--nonsense"),
    (["-x", "ask"], "-x"),
    (["ask", "--request-id", "a b", "Hi"], "--request-id: 'a b' is invalid: expected 1 to 128"),
    (
        ["ask", "--timeout", "0", "Hi"],
        "--timeout: '0' is out of range: expected a number of seconds from 0.001 to 1000000",
    ),
    (["ask", "--timeout", "1e10", "Hi"], "--timeout: '1e10' is out of range"),
    (["ask", "--max-time", "1e300", "Hi"], "--max-time: '1e300' is out of range"),
    (["ask", "--max-tokens", "9" * 401, "Hi"], "--max-tokens: '999"),
    (["ask", "-p", "x=" + "9" * 5000, "Hi"], "contains a number too big to send"),
    (["ask", "--temp", "1", "Hi"], "unknown option --temp; did you mean --temperature?"),
    (["ask", "--bogus", "Hi"], "unknown option --bogus; see 'llamacli ask --help'; a prompt"),
    (["ask", "--retry", "-1", "Hi"], "--retry: '-1' is out of range"),
    (["ask", "--base-url", "example.com", "Hi"], "--base-url: 'example.com' is not an http:// or https:// URL"),
    (["ask", "--base-url", "ftp://x", "Hi"], "--base-url"),
    (["ask", "--base-url", "http://[::1", "Hi"], "--base-url"),
    (["ask", "--base-url", "http://x:99999", "Hi"], "--base-url"),
    (["ask", "--base-url", "http://u:p@x", "Hi"], "contains a user or password"),
    (["ask", "--base-url", "http://x/?k=1", "Hi"], "contains more than scheme, host, port and path"),
    (["ask", "--base-url", "http://x/a b", "Hi"], "contains more than scheme, host, port and path"),
    (["ask", "--base-url", "http://evil.example\\.localhost/v1", "Hi"], "has a host with characters other than a-z"),
    (["ask", "--base-url", "http://x/v1\\y", "Hi"], "contains more than"),
    (["ask", "--base-url", "https://bücher.example/v1", "Hi"], "begins with xn--"),
    (["ask", "--ca-bundle", "/missing", "Hi"], "CA bundle not found: /missing"),
]


def test_words_that_only_repeat_the_status_are_left_out(world: World) -> None:
    world.api.will(error(429, "Too many requests"))
    host = world.api.url.split("/")[2]
    assert f"429 Too Many Requests from {host}; wait" in world.call("ask", "Hi").err


@pytest.mark.parametrize(("arguments", "message"), USAGE_ERRORS, ids=[" ".join(a) for a, _ in USAGE_ERRORS])
def test_usage_errors_are_one_line_that_names_what_is_wrong(world: World, arguments: list[str], message: str) -> None:
    result = world.call(*arguments)
    assert (result.status, result.out) == (2, "")
    assert message in result.err
    assert result.err.startswith("llamacli: ")
    assert result.err.count("\n") == 1
    assert "sk-0" not in result.err
    assert not world.api.requests


@pytest.mark.parametrize("arguments", [[], ["--no-stream"], ["--json"], ["--yes-no"]])
@pytest.mark.parametrize("reason", ["error", "abort"])
def test_an_answer_that_the_server_aborted_is_7(world: World, arguments: list[str], reason: str) -> None:
    whole = completion("Half an ans", finish=reason)
    whole["choices"][0]["error"] = {"code": 502, "message": "upstream died"} if reason == "error" else None
    world.api.will(document(whole))
    message = "upstream died" if reason == "error" else "its finish_reason is abort"
    check(world, 7, f"the server failed: {message}", arguments=arguments)


def nested(depth: int, key: str = "error") -> Any:
    """Returns an object in an object in an object, without a key a list in a list."""
    whole: Any = {"message": "deep"}
    for _ in range(depth):
        whole = {key: whole} if key else [whole]
    return whole


ODD: dict[str, Any] = {
    "an error in errors": nested(600),
    "a choice's error in errors": {"choices": [{"finish_reason": "stop", "message": {"content": "a"}, **nested(600)}]},
    "deep logprobs": {"choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": nested(600)}]},
    "a deep tool call": {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "x": nested(600)}]}}]},
    "filters in lists": {"choices": [], "filters": nested(600, "")},
    "a cost in costs": {"choices": [], "usage": nested(600, "cost")},
    "a huge cost": {"choices": [], "usage": {"cost_in_usd_ticks": 10**400}},
    "a message that is none": {
        "choices": [{"message": {"content": "a"}, "finish_reason": "stop"}, {"delta": {}, "message": "x"}]
    },
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("arguments", [["ask"], ["ask", "--json"], ["ask", "-x"], ["batch", "-j1"]])
def test_a_malformed_answer_is_7_or_9_and_never_an_internal_error(
    world: World, name: str, arguments: list[str]
) -> None:
    world.api.will(stream([event(ODD[name])]) if "deep" in name else document(ODD[name]))
    result = world.call(*arguments, stdin="a")
    assert result.status == 13 if arguments[0] == "batch" else result.status in (7, 9), result
    assert result.err.count("\n") == 1


def test_an_internal_error_is_70_and_says_how_to_see_more(world: World) -> None:
    (world.cwd / "broken.py").write_text(
        "import sys, llamacli.main, llamacli.ask.prompt\n"
        "def fail(*args): raise KeyError('oops')\n"
        "llamacli.ask.prompt.require_content = fail\n"
        "sys.exit(llamacli.main.main(['ask', 'Hi']))\n"
    )
    script = f"{sys.executable} broken.py"
    result = world.shell(script)
    assert (result.status, result.out) == (70, "")
    assert result.err.startswith("llamacli: internal error: KeyError: 'oops'")
    assert "LLAMACLI_DEBUG=1" in result.err
    assert result.err.count("\n") == 1
    assert "Traceback" in world.shell(script, LLAMACLI_DEBUG="1").err


def test_a_broken_installation_is_70_and_not_1(world: World) -> None:
    library = world.cwd / "site-packages"
    library.mkdir()
    (library / "typer.py").write_text("raise ImportError('broken on purpose')\n")
    result = world.run("ask", "Hi", env={"PYTHONPATH": f"{library}:{world.env['PYTHONPATH']}"})
    assert (result.status, result.out) == (70, "")
    assert result.err == "llamacli: cannot start: broken on purpose; install it again\n"


#: The test that reaches each status.
REACHED = {
    ExitStatus.OK: test_whole_answers_in_all_their_forms,
    ExitStatus.NO: "tests/ask/test_formats.py",
    ExitStatus.USAGE: test_usage_errors_are_one_line_that_names_what_is_wrong,
    ExitStatus.KEY: "tests/program/test_matrix.py",
    ExitStatus.REFUSED: "tests/program/test_matrix.py",
    ExitStatus.CREDITS: "tests/program/test_matrix.py",
    ExitStatus.RATE: "tests/program/test_matrix.py",
    ExitStatus.SERVER: "tests/program/test_matrix.py",
    ExitStatus.NETWORK: "tests/program/test_matrix.py",
    ExitStatus.BROKEN: "tests/program/test_matrix.py",
    ExitStatus.CUT: test_cut_and_withheld_answers,
    ExitStatus.WITHHELD: test_cut_and_withheld_answers,
    ExitStatus.MISMATCH: "tests/ask/test_validation_loop.py",
    ExitStatus.FAILED: "tests/batch/test_output.py",
    ExitStatus.INTERNAL: test_an_internal_error_is_70_and_says_how_to_see_more,
    ExitStatus.OUTPUT: "tests/stdio/test_output.py",
    ExitStatus.HANGUP: "tests/program/test_signals.py",
    ExitStatus.INTERRUPTED: "tests/program/test_signals.py",
    ExitStatus.PIPE: "tests/program/test_signals.py",
    ExitStatus.TERMINATED: "tests/program/test_signals.py",
}


def test_every_status_is_reached() -> None:
    missing = [status.name for status in ExitStatus if status not in REACHED]
    assert not missing, f"name the test that reaches {missing[0]} in REACHED of tests/program/test_statuses.py"
