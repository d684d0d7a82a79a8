"""The line of --usage, whatever a server reports."""

import json
from typing import Any

import pytest

from tests.support.fake_api import answer, completion, delta, document, event, stream
from tests.support.world import World


@pytest.mark.parametrize(
    ("usage", "words"),
    [
        (None, "the server reported no token counts, total "),
        ({}, "the server reported no token counts, total "),
        ("many", "the server reported no token counts, total "),
        ({"prompt_tokens": 5}, "5 tokens in, ? out, total "),
        ({"prompt_tokens": 5, "completion_tokens": 0}, "5 tokens in, 0 out, total "),
        ({"prompt_tokens": 5, "completion_tokens": 10**400}, "5 tokens in, ? out, total "),
        ({"prompt_tokens": -5, "completion_tokens": True}, "? tokens in, ? out, total "),
        ({"prompt_tokens": "5", "completion_tokens": 1e3}, "? tokens in, 1000 out, total "),
        ({"prompt_tokens": [5], "completion_tokens": None}, "? tokens in, ? out, total "),
    ],
)
def test_odd_token_counts_are_not_counted(world: World, usage: Any, words: str) -> None:
    world.api.will(document({**completion("42"), "usage": usage}))
    result = world.call("ask", "-u", "Hi")
    assert (result.status, result.out) == (0, "42\n")
    assert result.err.startswith(f"llamacli: {words}")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    "last",
    [
        {"choices": [], "usage": {"input_tokens": 5, "output_tokens": 3}},
        {**delta(), "x_groq": {"usage": {"prompt_tokens": 5, "completion_tokens": 3}}},
        {"choices": [{"index": 0, "delta": {}, "usage": {"prompt_tokens": 5, "completion_tokens": 3}}]},
        delta(usage={"prompt_tokens": 5, "completion_tokens": 3}),
        {"choices": [], "usage": {"promptTokens": 5, "completionTokens": 3}},
        {"choices": [], "usage": {"prompt_tokens": 0, "input_tokens": 5, "output_tokens": 3}},
        {"choices": [], "usage": {"billed_units": {"input_tokens": 5, "output_tokens": 3}}},
        {"choices": [], "meta": {"tokens": {"input_tokens": 5, "output_tokens": 3}}},
        {"choices": [], "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 3}},
        {"choices": [], "timings": {"prompt_n": 5, "predicted_n": 3}},
    ],
)
def test_token_counts_are_found_in_other_places(world: World, last: dict[str, Any]) -> None:
    world.api.will(stream([event(delta("42", finish="stop")), event(last)]))
    log = world.cwd / "log"
    assert world.call("ask", "-u", "--usage-log", str(log), "Hi").err.startswith("llamacli: 5 tokens in, 3 out, ")
    record = json.loads(log.read_text())
    assert (record["prompt_tokens"], record["completion_tokens"]) == (5, 3)


def test_late_token_counts_complete_the_earlier_ones(world: World) -> None:
    counts = (
        {"prompt_tokens": 5, "completion_tokens": 1},
        {"completion_tokens": 3},
        dict.fromkeys(("prompt_tokens",), 0),
    )
    chunks = [{**delta("4", finish="stop"), "usage": usage} for usage in counts]
    world.api.will(stream([event(chunk) for chunk in chunks]))
    assert world.call("ask", "-u", "Hi").err.startswith("llamacli: 5 tokens in, 3 out, ")


@pytest.mark.parametrize(
    "last",
    [
        {"usage": {"cost": 0.25}},
        {"usage": {"cost": "0.25"}},
        {"usage": {"cost": {"input_tokens_cost": 0.2, "total_cost": 0.25}}},
        {"usage": {"estimated_cost": 0.25}},
        {"usage": {"cost_in_usd_ticks": 2_500_000_000}},
        {"cost": 0.25},
        {"meta": {"usage": {"usd_spent": 0.25}}, "usage": {"cost": 1}},
    ],
)
def test_a_cost_is_found_in_other_places(world: World, last: dict[str, Any]) -> None:
    world.api.will(stream([event(delta("42", finish="stop")), event({"choices": [], **last})]))
    assert ", $0.250000, " in world.call("ask", "-u", "Hi").err
    world.api.will(document({**completion("42"), **last}))
    row = json.loads(world.call("batch", "-q", stdin="Hi\n").out)
    assert row["usd"] == 0.25


@pytest.mark.parametrize("header", ["x-aimlapi-usd-spent", "x-litellm-response-cost"])
def test_a_cost_is_found_in_a_header(world: World, header: str) -> None:
    body = json.dumps(completion("42")).encode()
    world.api.will(lambda handler: handler.reply(200, body, headers=[(header, "0.25")]))
    assert ", $0.250000, " in world.call("ask", "-u", "--no-stream", "Hi").err


@pytest.mark.parametrize("usd", ["NaN", "-1", "inf", "x", [1], None, 10**400])
def test_an_odd_cost_is_left_out(world: World, usd: Any) -> None:
    world.api.will(
        stream([event(delta("42", finish="stop")), event({"choices": [], "meta": {"usage": {"usd_spent": usd}}})])
    )
    result = world.call("ask", "-u", "Hi")
    assert (result.status, result.out, "$" in result.err) == (0, "42\n", False)


def test_verbose_names_the_model_that_answered(world: World) -> None:
    world.api.will(answer("42"))
    assert f"* answered by {completion()['model']}\n" in world.call("ask", "-v", "-m", "m", "Hi").err
    world.call("ask", "--cache", "1d", "Ho")
    assert "* stored answer by " in world.call("ask", "--cache", "1d", "-v", "Ho").err
