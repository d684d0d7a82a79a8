"""`raw`, `--dry-run` and `--curl`: nothing between the user and the wire."""

import json
import subprocess
from typing import Any

import pytest

from llamacli.ask.params import Params
from tests.cli.test_params import GOOD, TOOLS, flag
from tests.support.fake_api import (
    KEY,
    Handler,
    answer,
    completion,
    delta,
    document,
    error,
    event,
    raw,
    stream,
    streamed,
)
from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, World

MESSY = (
    b' {"a": 1e400, "a": 12345678901234567890123456789012345678901234567890,\n\t"\\u00e4": "\xc3\xa4" , "b":[ ]}\n\n'
)


@pytest.mark.parametrize("way", ["argument", "file", "dash", "stdin", "at dash"])
def test_a_body_is_sent_byte_for_byte(world: World, way: str) -> None:
    (world.cwd / "body.json").write_bytes(MESSY)
    arguments = {"argument": [MESSY], "file": [b"@body.json"], "dash": [b"-"], "stdin": [], "at dash": [b"@-"]}[way]
    world.api.will(answer())
    result = world.run(b"raw", *arguments, stdin=MESSY)
    assert result.status == 0
    assert world.api.requests[0].body == MESSY
    assert world.api.requests[0].headers["content-type"] == "application/json"
    assert world.api.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_million_bytes_pass(world: World) -> None:
    body = json.dumps({"text": "x" * 1_000_000})
    world.api.will(document(body.encode()))
    result = world.run("raw", stdin=body)
    assert world.api.requests[0].body.decode() == body
    assert result.out == body + "\n"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{'a': 1}", "BODY is not JSON: Expecting property name enclosed in double quotes at line 1 column 2"),
        ('{"a": 1,\n "b" 2}', "at line 2 column 6"),
        ("[NaN]", "NaN is not a JSON value"),
        ('"\x01"', "Invalid control character at line 1 column 2"),
        ("\ufeff{}", "BODY is not JSON: it begins with a byte order mark; remove that"),
        ("[" * 100_000, "BODY is nested too deeply"),
        ("", "nothing to send: the BODY is empty"),
        (" \n", "nothing to send: the BODY is empty"),
        ("@", "BODY: "),
        ("@missing", "missing: No such file"),
    ],
)
def test_invalid_json_is_refused_with_its_position(world: World, body: str, message: str) -> None:
    arguments = [body] if body.startswith("@") else []
    result = world.call("raw", *arguments, stdin=body)
    assert (result.status, result.out) == (2, "")
    assert message in result.err
    assert result.err.count("\n") == 1
    assert not world.api.requests


def test_bytes_that_are_not_utf8_are_refused(world: World) -> None:
    for arguments, stdin in [([], b'"\xff"'), ([b'"\xff"'], b""), ([b"-F", b"a=\xff"], b"")]:
        result = world.run(b"raw", *arguments, stdin=stdin)
        assert result.status == 2
        assert "is not UTF-8: byte 0xff" in result.err
        assert "--lossy" not in result.err


def test_fields_make_or_change_a_body(world: World) -> None:
    (world.cwd / "v").write_text("from a file\n")
    world.api.will(answer())
    fields = ["a=true", "b=null", "c=-1.5e3", "d=@v", "e=x=y", "f=007", "g=@@x", "h=", 'i={"j":1}', "k=NaN"]
    arguments = [word for field in fields for word in ("-F", field)]
    world.call("raw", *arguments, stdin='{"not": "read"}')
    made = {"a": True, "b": None, "c": -1500.0, "d": "from a file", "e": "x=y", "f": "007", "g": "@x", "h": ""}
    made |= {"i": '{"j":1}', "k": "NaN"}
    assert world.api.body == made
    world.call("raw", "-F", "b=2", '{"a": 1, "b": 1}')
    assert world.api.body == {"a": 1, "b": 2}
    for arguments in (
        ["-F", "a=1", "[1]"],
        ["-F", "=1"],
        ["-F", "a"],
        ["-F", "a=1e999"],
        ["-F", "a=1", '{"b": 1e999}'],
    ):
        assert world.call("raw", *arguments).status == 2


@pytest.mark.parametrize(
    ("arguments", "stdin", "method", "path", "body"),
    [
        (["--endpoint", "/models"], "", "GET", "/v1/models", b""),
        (["--endpoint", "//v2/billing"], "", "GET", "/v2/billing", b""),
        (["--endpoint", "//evil.example/x"], "", "GET", "/evil.example/x", b""),
        (["-X", "GET", "--endpoint", "/models?a=b"], "{}", "GET", "/v1/models?a=b", b""),
        (["--endpoint", "/embeddings", "{}"], "", "POST", "/v1/embeddings", b"{}"),
        (["-X", "POST", "--endpoint", "/embeddings"], "{}", "POST", "/v1/embeddings", b"{}"),
        (["-X", "GET"], "{}", "GET", "/v1/chat/completions", b""),
    ],
)
def test_endpoint_and_method(
    world: World, arguments: list[str], stdin: str, method: str, path: str, body: bytes
) -> None:
    world.api.will(answer())
    assert world.call("raw", *arguments, stdin=stdin).status == 0
    request = world.api.requests[0]
    assert (request.method, request.path, request.body) == (method, path, body)


@pytest.mark.parametrize(
    "path", ["models", "https://evil.example/x", "/a b", "/a\\b", "/ä", "", "/{x}", "/[1]", "/a#b"]
)
def test_an_endpoint_cannot_lead_elsewhere(world: World, path: str) -> None:
    assert world.call("raw", "--endpoint", path, "{}").status == 2
    assert not world.api.requests


def test_headers_are_added_and_own_ones_stay(world: World) -> None:
    world.api.will(answer())
    world.call("raw", "-H", "X-A: b c", "--header", "content-type: application/vnd.x+json", "{}")
    headers = world.api.requests[0].headers
    assert (headers["x-a"], headers["content-type"]) == ("b c", "application/vnd.x+json")
    for header in (
        "Authorization: Bearer x",
        "authorization:x",
        "Host: evil",
        "X-Client-Request-Id: a",
        "a",
        ": b",
        "a b: c",
    ):
        assert world.call("raw", "-H", header, "{}").status == 2
    assert world.run(b"raw", b"-H", "X-A: ä\r\nX-B: c".encode(), b"{}").status == 2
    assert len(world.api.requests) == 1


@pytest.mark.parametrize("body", [b'{"a":1}', b'{"a":1}\n', b"\xff\xfe\x00binary", b'{"a": 1e400, "a": 2}', b""])
def test_a_response_is_printed_byte_for_byte(world: World, body: bytes) -> None:
    world.api.will(document(body, kind="application/octet-stream"))
    result = world.call("raw", "{}")
    assert result.status == 0
    assert result.stdout == (body if body.endswith(b"\n") or not body else body + b"\n")


def test_a_field_may_hold_any_text_in_any_locale(world: World) -> None:
    (world.cwd / "é").write_text("from a file")
    for locale in ("C.UTF-8", "en_US.ISO-8859-1"):
        world.run("raw", "-F", "x=日本é", "-F", "y=@é", env={"LC_ALL": locale})
        assert world.api.body == {"x": "日本é", "y": "from a file"}


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream", "text/plain", ""])
def test_the_first_bytes_show_the_kind_of_a_response(world: World, kind: str) -> None:
    world.api.will(document(completion("x"), kind=kind))
    assert json.loads(world.call("raw", "{}").out) == completion("x")
    world.api.will(stream(streamed("x"), kind=kind))
    assert world.call("raw", "{}").out.count("\n") == len(streamed("x")) - 1
    world.api.will(stream([event(delta("x"))], kind=kind))
    assert world.call("raw", "{}").status == 9
    assert world.call("raw", "--sse", "{}").status == 9


def test_a_deep_answer_is_an_answer(world: World) -> None:
    world.api.will(document(b"[" * 50_000 + b"]" * 50_000))
    assert world.call("raw", "{}").status == 0


def test_an_empty_answer_replaces_the_file(world: World) -> None:
    (world.cwd / "out").write_text("old")
    world.api.will(document(b""))
    assert world.call("raw", "-o", "out", "{}").status == 0
    assert (world.cwd / "out").read_text() == ""


def test_an_earlier_failures_body_is_not_the_last_ones(world: World) -> None:
    world.api.will(error(503, "first", headers=[("Retry-After", "0")]), raw(b"", "reset"))
    result = world.call("raw", "--retry", "1", "{}")
    assert (result.status, result.out) == (8, "")


def test_repeated_headers_are_shown_each(world: World) -> None:
    world.api.will(raw(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\n{}"))
    assert "Set-Cookie: a=1\nSet-Cookie: b=2\n" in world.call("raw", "-i", "{}").out


def test_include_prints_the_headers_first(world: World) -> None:
    world.api.will(document(b"{}"))
    out = world.call("raw", "-i", "{}").out
    assert out.startswith("HTTP/1.1 200 OK\n")
    assert "\nx-inference-id: inf-1\n" in out
    assert out.endswith("\n\n{}\n")


def test_a_stream_is_printed_event_by_event_or_as_received(world: World) -> None:
    events = [b": ping\n\n", *streamed("one two")]
    world.api.will(stream(events))
    lines = world.call("raw", '{"stream": true}').out.splitlines()
    assert lines == [block.decode().removeprefix("data: ").strip() for block in streamed("one two")[:-1]]
    assert world.call("raw", "--sse", '{"stream": true}').stdout == b"".join(events)


def test_the_words_of_a_stream_that_is_no_answer_are_printed(world: World) -> None:
    words = ["end", "complete", "finished", "ok", "1", "true", "12:30", "ping", ": x"]
    world.api.will(stream([event(word) for word in words]))
    assert world.call("raw", "--endpoint", "/events").out.splitlines() == words


@pytest.mark.parametrize(("code", "status"), [(400, 4), (401, 3), (402, 5), (404, 4), (429, 6), (500, 7), (307, 4)])
def test_an_http_error_prints_its_body_and_has_its_status(world: World, code: int, status: int) -> None:
    world.api.will(error(code, "words " * 30_000))
    result = world.call("raw", "{}")
    assert result.status == status
    assert json.loads(result.out)["message"] == "words " * 30_000
    assert result.err.startswith(f"llamacli: {code} ")
    assert result.err.count("\n") == 1
    assert world.call("raw", "-i", "{}").out.startswith(f"HTTP/1.1 {code} ")


@pytest.mark.parametrize(
    ("behavior", "out"),
    [
        (stream([event(delta("a"))]), True),
        (stream([event(delta("a"))], then="reset"), True),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"), True),
        (raw(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"a": '), True),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"), True),
    ],
)
def test_a_body_that_is_cut_short_is_9(world: World, behavior: Any, out: bool) -> None:
    world.api.will(behavior)
    result = world.call("raw", "{}")
    assert result.status == 9
    assert bool(result.out) is out
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    "value", [completion("x", finish="length"), completion("x", finish="content_filter"), {"error": "x"}, [], 5]
)
def test_a_2xx_is_0_whatever_it_says(world: World, value: Any) -> None:
    world.api.will(document(value))
    assert world.call("raw", "{}").status == 0


def test_a_stream_of_another_kind_is_whole_by_its_end(world: World) -> None:
    world.api.will(stream([event({"type": "response.done"}), event("text"), event({"choices": 5})]))
    assert world.call("raw", "{}").status == 0


def test_a_terminal_is_not_waited_for(world: World) -> None:
    with Terminal(world, *PROGRAM, "raw") as terminal:
        assert terminal.wait() == 2
    assert "nothing to send; give a BODY, -F, or JSON on stdin" in terminal.shown
    assert not world.api.requests


def test_output_goes_to_a_file(world: World) -> None:
    world.api.will(answer("x"))
    assert world.call("raw", "-o", "out.json", "{}").out == ""
    assert json.loads((world.cwd / "out.json").read_text())["choices"]


# --dry-run


def test_dry_run_needs_no_key_and_sends_nothing(world: World) -> None:
    result = world.run("ask", "--dry-run", "Hello", env={"AIMLAPI_API_KEY": "", "AIMLAPI_BASE_URL": ""})
    assert (result.status, result.err) == (0, "")
    assert json.loads(result.out) == {
        "model": Params.model,
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
    }
    assert world.run("raw", "--dry-run", MESSY.decode(), env={"AIMLAPI_API_KEY": ""}).stdout == MESSY
    assert not world.api.requests


CASES = [(name, given) for name in GOOD for given, _ in GOOD[name]] + [("echo", []), ("logprobs", []), ("n", ["2"])]


@pytest.mark.parametrize(("name", "given"), CASES)
def test_raw_sends_what_dry_run_prints(world: World, name: str, given: list[str]) -> None:
    (world.cwd / "tools.json").write_text(json.dumps(TOOLS))
    arguments = ["ask", "--json", *(word for value in given for word in (flag(name), value)), "It's \u2028 \\ $x 🦙"]
    arguments[2:2] = [] if given else [flag(name)]
    direct = world.call(*arguments)
    dry = world.call(*arguments, "--dry-run")
    again = world.call("raw", stdin=dry.out)
    assert (direct.status, dry.status, again.status) == (0, 0, 0)
    assert json.loads(again.out) == json.loads(direct.out)
    first, second = world.api.requests
    assert first.body == second.body.removesuffix(b"\n")


# --curl


def test_neither_fetches_a_key(world: World) -> None:
    for switch in ("--curl", "--dry-run"):
        result = world.call("ask", switch, "Hi", AIMLAPI_API_KEY="", LLAMACLI_KEY_COMMAND="touch fetched")
        assert result.status == 0
        assert KEY not in result.out
    assert not (world.cwd / "fetched").exists()


def test_the_request_id_is_shown_where_it_was_given(world: World) -> None:
    assert "X-Client-Request-Id: my-own" in world.call("ask", "--curl", "--request-id", "my-own", "Hi").out


def test_slow_tokens_of_a_stream_are_passed_on_at_once(world: World) -> None:
    def slowly(handler: Handler) -> None:
        handler.reply(200, b"", "text/event-stream", chunked=True)
        handler.chunk(event(delta("first")))
        handler.server.api.over.wait(20)

    world.api.will(slowly)
    with subprocess.Popen([*PROGRAM, "raw", "{}"], env=world.env, stdout=subprocess.PIPE) as running:
        assert running.stdout
        assert b"first" in running.stdout.readline()
        running.kill()


def test_headers_of_one_name_are_one_list(world: World) -> None:
    world.api.will(answer())
    world.call("raw", "-H", "X-A: 1", "-H", "x-a: 2", "{}")
    assert world.api.requests[0].headers["x-a"] == "1, 2"


def test_head_has_no_body_to_miss(world: World) -> None:
    world.api.will(raw(b"HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\n"))
    result = world.call("raw", "-i", "-X", "HEAD", "--endpoint", "/x")
    assert (result.status, result.err) == (0, "")
    assert "X-A: 1" in result.out


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        *[
            (kind, b'{"a":1}\n{"a":2}\n')
            for kind in ("application/x-ndjson", "application/jsonl", "application/json-seq")
        ],
        ("application/yaml", b"id: 5\nname: x\n"),
        ("text/csv", b"data\n1\n2\n"),
        ("text/plain", b"data: 1\n"),
        ("application/octet-stream", b"id\rx"),
    ],
)
def test_a_body_that_is_neither_json_nor_a_stream_is_passed_on(world: World, kind: str, body: bytes) -> None:
    world.api.will(document(body, kind=kind))
    result = world.call("raw", "--endpoint", "/x")
    assert (result.status, result.err) == (0, "")
    assert result.stdout == body + (b"" if body.endswith(b"\n") else b"\n")


def test_a_fields_name_is_utf8(world: World) -> None:
    result = world.run(b"raw", b"--dry-run", b"-F", b"\xff=1")
    assert (result.status, result.out) == (2, "")
    assert "--field is not UTF-8" in result.err


def test_an_answer_is_known_by_its_path_whatever_the_query(world: World) -> None:
    world.api.will(document(b'data: {"choices": [{"delta": {"content": "x"}}]}\n\n', kind="text/plain"))
    result = world.call("raw", "--endpoint", "/chat/completions?api-version=1", "{}")
    assert result.status == 9
    assert result.out.startswith('{"choices"')


def test_cookies_are_a_list_of_their_own_kind(world: World) -> None:
    world.api.will(answer())
    world.call("raw", "-H", "Cookie: a=1", "-H", "cookie: b=2", "{}")
    assert world.api.requests[0].headers["cookie"] == "a=1; b=2"
