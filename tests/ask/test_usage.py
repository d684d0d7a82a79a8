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
    ],
)
def test_token_counts_are_found_in_other_places(world: World, last: dict[str, Any]) -> None:
    world.api.will(stream([event(delta("42", finish="stop")), event(last)]))
    log = world.cwd / "log"
    assert world.call("ask", "-u", "--usage-log", str(log), "Hi").err.startswith("llamacli: 5 tokens in, 3 out, ")
    record = json.loads(log.read_text())
    assert (record["prompt_tokens"], record["completion_tokens"]) == (5, 3)


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
