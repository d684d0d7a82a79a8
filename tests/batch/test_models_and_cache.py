"""Stored answers and fallback models in a batch."""

import json
from typing import Any

import pytest

from tests.ask.test_cache import stored
from tests.ask.test_fallback import by_model
from tests.program.test_startup import imported
from tests.support.answers import calls
from tests.support.batches import asked, rows
from tests.support.fake_api import Behavior, answer, by_prompt, echo, error
from tests.support.world import World


def without_times(text: str) -> list[dict[str, Any]]:
    own = ("seconds", "attempts", "usd", "request_id")
    return [{key: value for key, value in row.items() if key not in own} for row in rows(text)]


@pytest.mark.parametrize(
    ("flags", "behavior"),
    [
        ([], echo),
        (["--stream"], echo),
        (["--plain"], echo),
        (["-x"], answer("```\nblock\n```")),
        (["--yes-no"], calls({"answer": "no"})),
        (["--schema", "x num"], calls({"x": 1.5})),
        (["-n", "2"], answer("one")),
    ],
)
def test_a_second_batch_asks_nothing(world: World, flags: list[str], behavior: Behavior) -> None:
    world.api.will(behavior)
    command = ["batch", "--cache", "1d", *flags]
    first = world.call(*command, stdin="a\nb\nc\n")
    count = len(world.api.requests)
    # Fewer answers than requested are not complete.
    is_complete = "-n" not in flags
    assert (first.status, len(stored(world))) == (0, 3 if is_complete else 0)
    second = world.call(*command, stdin="a\nb\nc\n", AIMLAPI_API_KEY="")
    assert (len(world.api.requests) == count) == is_complete
    if "--plain" in flags:
        assert second.out == first.out
    else:
        assert without_times(second.out) == without_times(first.out)


def test_a_batch_of_stored_answers_needs_no_client(world: World) -> None:
    (world.cwd / "prompts").write_text("a\nb\n")
    command = ["batch", "--cache", "1d", "-", "prompts"]
    assert world.call(*command).status == 0
    world.env.pop("AIMLAPI_API_KEY")
    assert not imported(world, *command) & {"requests", "urllib3", "llamacli.http.client"}
    del world.env["AIMLAPI_BASE_URL"]
    # Another server: now a key is needed, and there is none.
    assert world.call(*command).status == 3


def test_only_missing_rows_are_asked(world: World) -> None:
    world.api.will(by_prompt(bad=error(400, "no")))
    assert world.call("batch", "--cache", "1d", stdin="a\nbad\n").status == 13
    offline = world.call("batch", "--offline", stdin="a\nbad\nc\n")
    assert offline.status == 13
    assert [row["error"] and row["error"]["status"] for row in rows(offline.out)] == [None, 8, 8]
    world.call("batch", "--cache", "1d", stdin="a\nbad\nc\n")
    assert asked(world) == {"a": 1, "bad": 2, "c": 1}


def test_ask_and_batch_share_the_cache(world: World) -> None:
    world.api.will(echo)
    world.call("batch", "--cache", "1d", stdin="a\n")
    assert world.call("ask", "--offline", "a").out == "re: a\n"


def test_a_model_that_does_not_exist_is_asked_once(world: World) -> None:
    world.api.will(by_model(a=error(404, "gone")))
    result = world.call("batch", "-j", "1", "-m", "a", "--fallback-model", "b", stdin="1\n2\n3\n")
    assert [row["content"] for row in rows(result.out)] == ["b"] * 3
    assert [json.loads(request.body)["model"] for request in world.api.requests] == ["a", "b", "b", "b"]


@pytest.mark.parametrize("code", [429, 500])
def test_a_model_that_only_fails_does_not_end_the_batch(world: World, code: int) -> None:
    world.api.will(by_model(a=error(code, "busy")))
    flags = ["--retry", "1", "--retry-max-time", "0.5", "-m", "a", "--fallback-model", "b"]
    result = world.call("batch", *flags, stdin="1\n2\n3\n4\n")
    assert (result.status, [row["content"] for row in rows(result.out)]) == (0, ["b"] * 4)
