"""Asking by a forced function call, and asking again if the answer does not fit."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from llamacli.http.request import ChatRequest
from tests.support.answers import calls, refusing
from tests.support.fake_api import Behavior, Handler, answer, completion, delta, document, error, event, stream, text
from tests.support.world import ROOT, World


def test_the_request_is_a_forced_call_in_one_piece(world: World) -> None:
    world.api.will(calls({"answer": "b"}))
    asked = ["ask", "--choice", " a , b", "-t", "0", "Hi"]
    assert world.call(*asked).out == "b\n"
    body = world.api.body
    assert body["messages"] == [{"role": "user", "content": "Hi"}]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "give_answer"}}
    assert body["tools"][0]["function"]["parameters"]["properties"]["answer"]["enum"] == ["a", "b"]
    assert set(body) == {"model", "messages", "temperature", "tools", "tool_choice"}
    assert json.loads(world.call(*asked, "--dry-run").out) == body
    world.call(*asked, "--stream")
    assert world.api.body["stream"] is True
    world.call(*asked, "--no-stream")
    assert world.api.body["stream"] is False


def test_a_call_that_is_streamed_is_put_together(world: World) -> None:
    def part(arguments: str, **more: Any) -> bytes:
        return event(delta(tool_calls=[{"index": 0, "function": {"arguments": arguments, **more}}]))

    world.api.will(
        stream([part("", name="give_answer"), part('{"ans'), part('wer": "a"}'), event(delta(finish="stop"))])
    )
    assert world.call("ask", "--stream", "--choice", "a,b", "Hi").out == "a\n"


def test_an_answer_that_does_not_fit_is_asked_again_with_the_reason(world: World) -> None:
    world.api.will(calls({"name": "Ann", "age": "old"}), calls({"name": "Ann", "age": 3}))
    result = world.call("ask", "--schema", "name, age int", "-u", "Who?")
    assert (result.status, result.out) == (0, '{"name": "Ann", "age": 3}\n')
    again, usage = result.err.splitlines()
    assert again == "llamacli: the answer does not fit --schema: $.age: 'old' is not of type 'integer'; asking again"
    assert usage.startswith("llamacli: 134 tokens in, 92 out, ")
    first, *more = world.api.body["messages"]
    assert first == {"role": "user", "content": "Who?"}
    assert [message["role"] for message in more] == ["assistant", "user"]
    assert json.loads(more[0]["content"]) == {"name": "Ann", "age": "old"}
    assert "$.age: 'old' is not of type 'integer'" in more[1]["content"]
    assert world.api.body["tools"] == world.api.requests[0].json["tools"]


@pytest.mark.parametrize("retries", [0, 3])
def test_fit_retries_limits_how_often_it_is_asked_again(world: World, retries: int) -> None:
    world.api.will(answer("rubbish"))
    result = world.call("ask", "--yes-no", "--fit-retries", str(retries), "Hi")
    assert (result.status, result.out) == (12, "")
    assert len(world.api.requests) == retries + 1
    assert len(result.err.splitlines()) == retries + 1


@pytest.mark.parametrize("code", [400, 404, 422, 500])
def test_a_server_that_refuses_tools_is_asked_without_them(world: World, code: int) -> None:
    world.api.will(refusing(code, "Feature."))
    # With retries: a refusal does not cause a wait.
    result = world.call("ask", "--choice", "bug,feature", "--retry", "3", "--no-parallel-tool-calls", "Hi")
    assert (result.status, result.out) == (0, "feature\n")
    assert f"{code} " in result.err
    assert "asking without tools" in result.err
    assert len(world.api.requests) == 2
    assert set(world.api.body) == {"model", "messages"}
    assert world.api.prompt == "Hi\n\nAnswer with exactly one of these, and nothing else:\nbug\nfeature"


def test_without_tools_it_is_asked_again_too(world: World) -> None:
    world.api.will(refusing(400, "rubbish"))
    result = world.call("ask", "--schema", "name", "Hi")
    assert (result.status, result.out) == (12, "")
    assert len(world.api.requests) == 3
    assert "tools" not in world.api.body
    assert '"properties"' in world.api.prompt


@pytest.mark.parametrize(("code", "status"), [(401, 3), (403, 5), (429, 6), (503, 7), (400, 4), (500, 7)])
def test_a_failure_keeps_its_status(world: World, code: int, status: int) -> None:
    world.api.will(error(code, "words"))
    result = world.call("ask", "--yes-no", "-q", "Hi")
    assert (result.status, result.out) == (status, "")
    assert len(world.api.requests) == (2 if code in (400, 500) else 1)


@pytest.mark.parametrize(
    ("sent", "arguments", "status", "out"),
    [
        (answer("bug", finish="length"), [], 10, "bug\n"),
        (answer("bug", finish="length"), ["--allow-truncated"], 0, "bug\n"),
        (answer("b", finish="length"), [], 12, ""),
        (answer("b", finish="length"), ["--allow-truncated"], 12, ""),
        (answer("b", finish="content_filter"), [], 11, ""),
        (answer(None, refusal="No."), [], 11, ""),
        (document({"choices": []}), [], 9, ""),
    ],
)
def test_withheld_takes_precedence_over_mismatch_and_mismatch_over_cut(
    world: World, sent: Behavior, arguments: list[str], status: int, out: str
) -> None:
    world.api.will(sent)
    result = world.call("ask", "--choice", "bug,x", "--fit-retries", "0", *arguments, "Hi")
    assert (result.status, result.out) == (status, out)
    assert result.err.count("\n") == (1 if status else 0)
    assert ("raise --max-tokens" in result.err) == (status in (10, 12) and "--allow-truncated" not in arguments)


def exchange(retries: int = 1) -> tuple[Any, Callable[..., Any]]:
    from llamacli.ask.structured.formats import YesNoFormat
    from llamacli.ask.structured.loop import ValidationLoop

    return ValidationLoop(YesNoFormat(), retries), lambda said: completion(said)


@pytest.mark.parametrize(("code", "offers"), [(400, [True, False, False, False]), (500, [True, False] * 3)])
def test_a_server_that_refuses_tools_is_not_offered_them_again(code: int, offers: list[bool]) -> None:
    from llamacli.errors import ExitStatus, LlamaError

    fitting, said = exchange()
    sent: list[dict[str, Any]] = []

    def send(request: ChatRequest, no_retry: object) -> Any:
        sent.append(request.parameters)
        if "tools" in request.parameters:
            failure = LlamaError(ExitStatus.REFUSED, "no tools")
            failure.http_status = code
            raise failure
        return said("yes")

    request = ChatRequest(fitting.build_body({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}))
    for _ in range(3):
        assert fitting.run(request, send).value == "yes"
    assert ["tools" in body for body in sent] == offers


@pytest.mark.parametrize(
    ("messages", "last"),
    [
        ([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], "text"),
        ([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "So"}], "user"),
    ],
)
def test_the_instruction_is_added_to_messages_of_all_kinds(messages: list[dict[str, Any]], last: str) -> None:
    fitting, _ = exchange()
    before = json.dumps(messages)
    added = fitting._in_words(ChatRequest(fitting.build_body({"messages": messages}))).parameters["messages"]
    assert json.dumps(messages) == before
    if last == "text":
        assert added[-1]["content"][0] == {"type": "text", "text": "Hi"}
        assert "yes\nno" in added[-1]["content"][1]["text"]
    else:
        assert added[:2] == messages
        assert "yes\nno" in added[2]["content"]


def test_nothing_of_it_is_imported_without_a_format(world: World) -> None:
    from tests.program.test_startup import imported

    parts = {
        "jsonschema",
        "markdown_it",
        "llamacli.ask.structured.formats",
        "llamacli.ask.structured.schema",
        "llamacli.ask.structured.loop",
    }
    assert not imported(world, "ask", "Hi") & parts
    world.api.will(answer("a"))
    assert not imported(world, "ask", "--choice", "a,b", "Hi") & {"jsonschema", "markdown_it"}


def test_the_loop_needs_neither_requests_nor_typer() -> None:
    import subprocess
    import sys

    modules = "llamacli.ask.structured.loop, llamacli.ask.structured.schema"
    script = f"import sys, {modules}; print({{'requests', 'typer'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "set()\n"


def test_a_conversation_keeps_the_value_and_counts_every_request(world: World) -> None:
    world.api.will(calls({"answer": "maybe"}), calls({"answer": False}))
    result = world.call("chat", "-S", "s", "--yes-no", "-u", "Is it?")
    assert (result.status, result.out) == (1, "no\n")
    assert "134 tokens in, 92 out" in result.err
    path = world.home / ".local" / "state" / "llamacli" / "sessions" / "s.jsonl"
    user, assistant = map(json.loads, path.read_text().splitlines())
    assert (user["content"], assistant["content"]) == ("Is it?", "no")
    assert "tool_calls" not in assistant
    assert assistant["meta"]["usage"]["total_tokens"] == 226
    world.api.will(answer("rubbish"))
    assert world.call("chat", "-S", "s", "--choice", "a,b", "-q", "Which?").status == 12
    assert len(path.read_text().splitlines()) == 2
    world.api.will(text("Hi\n```\ncode\n```"))
    assert world.call("chat", "-S", "s", "-x", "Code?").out == "code\n"
    assert json.loads(path.read_text().splitlines()[-1])["content"] == "Hi\n```\ncode\n```"


@pytest.mark.parametrize(
    ("sent", "repeated"),
    [
        (answer("perhaps"), "perhaps"),
        (calls({"answer": "perhaps"}, content="Well,"), '{"answer":"perhaps"}'),
        (calls("{", "[]"), '"{"\n[]'),
        (answer(None), "..."),
    ],
)
def test_the_answer_that_does_not_fit_is_sent_back_as_text(world: World, sent: Behavior, repeated: str) -> None:
    world.api.will(sent)
    world.call("ask", "--yes-no", "-q", "Hi")
    _, said, complaint = world.api.body["messages"]
    assert said == {"role": "assistant", "content": repeated}
    assert complaint["content"].startswith("That answer does not fit: ")


def test_asking_again_does_not_restart_the_time_limit(world: World) -> None:
    def late(handler: Handler) -> None:
        time.sleep(0.3)
        answer("rubbish")(handler)

    world.api.will(late)
    result = world.call("ask", "--yes-no", "--fit-retries", "9", "--max-time", "0.7", "-q", "Hi")
    assert result.status in (8, 9, 12)
    assert "--max-time" in result.err
    assert len(world.api.requests) < 5
