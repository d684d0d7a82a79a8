"""--fallback-model: the next model is asked if the first one is not available."""

import json

import pytest

from tests.support.batches import rows
from tests.support.fake_api import Behavior, Handler, answer, completion, delta, error, event, stream, text
from tests.support.world import World


def by_model(**behaviors: Behavior) -> Behavior:
    """Behaves as the entry for the model says; any other model answers with its name."""

    def behave(handler: Handler) -> None:
        model = handler.asked.json["model"]
        default = text(model) if handler.asked.json.get("stream") else answer(model)
        behaviors.get(model, default)(handler)

    return behave


def models(world: World) -> list[str]:
    return [request.json["model"] for request in world.api.requests]


ASK = ["ask", "-m", "a", "--fallback-model", "b", "--fallback-model", "c"]


@pytest.mark.parametrize("code", [404, 429, 500, 503, 529])
@pytest.mark.parametrize(
    ("flags", "printed"),
    [
        ([], "```\nb\n```\n"),
        (["--no-stream"], "```\nb\n```\n"),
        (["-x"], "b\n"),
        (["--json"], json.dumps(completion("```\nb\n```"), ensure_ascii=False) + "\n"),
    ],
)
def test_the_next_model_is_asked(world: World, code: int, flags: list[str], printed: str) -> None:
    world.api.will(by_model(a=error(code, "gone"), b=answer("```\nb\n```")))
    result = world.call(*ASK, *flags, "Hi")
    assert (result.status, result.out) == (0, printed)
    assert result.err.startswith(f"llamacli: {code} ")
    assert result.err.endswith("gone; asking b instead\n")
    assert models(world) == ["a", "b"]


@pytest.mark.parametrize(
    ("behavior", "status"),
    [
        (error(400, "no"), 4),
        (error(401, "no"), 3),
        (error(402, "no"), 5),
        (error(403, "no"), 5),
        (error(413, "no"), 4),
        (stream([event(delta("half "))], then="cut"), 9),
        (stream([event({"error": {"message": "no", "code": 500}})]), 7),
        (text("cut", finish="length"), 10),
        (text("", finish="content_filter"), 11),
    ],
)
def test_other_failures_do_not_ask_another_model(world: World, behavior: Behavior, status: int) -> None:
    world.api.will(by_model(a=behavior))
    assert world.call(*ASK, "Hi").status == status
    assert models(world) == ["a"]


def test_the_last_models_error_is_the_status(world: World) -> None:
    world.api.will(by_model(a=error(404, "one"), b=error(429, "two"), c=error(503, "three")))
    result = world.call(*ASK, "Hi")
    assert (result.status, models(world)) == (7, ["a", "b", "c"])
    *notes, last = result.err.splitlines()
    assert ["instead" in note for note in notes] == [True, True]
    assert "three" in last


def test_retries_come_first(world: World) -> None:
    world.api.will(by_model(a=error(503, "busy", headers=[("Retry-After", "0")])))
    assert world.call(*ASK, "--retry", "1", "-q", "Hi").out == "b\n"
    assert models(world) == ["a", "a", "b"]


def test_an_exhausted_quota_affects_every_model(world: World) -> None:
    world.api.will(by_model(a=error(429, "no", error={"code": "insufficient_quota", "message": "no"})))
    assert world.call(*ASK, "Hi").status == 5
    assert models(world) == ["a"]


def test_usage_and_session_name_the_model_that_answered(world: World) -> None:
    world.api.will(by_model(a=error(404, "gone")))
    result = world.call("chat", "-S", "s", *ASK[1:], "-qu", "Hi")
    assert (result.status, result.out) == (0, "b\n")
    assert "answered by b, " in result.err
    path = world.home / ".local" / "state" / "llamacli" / "sessions" / "s.jsonl"
    assert json.loads(path.read_text().splitlines()[-1])["meta"]["model"] == "b"


def test_a_format_is_asked_of_the_next_model_too(world: World) -> None:
    world.api.will(by_model(a=error(404, "gone"), b=answer("yes")))
    result = world.call("ask", "-m", "a", "--fallback-model", "b", "--yes-no", "Hi")
    assert (result.status, result.out) == (0, "yes\n")
    # A 404 may also be a server's way to refuse tools.
    assert models(world) == ["a", "a", "b"]
    assert "tools" in world.api.body


def test_the_environment_names_models_too(world: World) -> None:
    world.api.will(by_model(a=error(404, "gone"), b=error(404, "gone")))
    assert world.call("ask", "-m", "a", "-q", "Hi", LLAMACLI_FALLBACK_MODEL="c").out == "c\n"
    assert world.call("ask", "-m", "a", "-q", "Hi", LLAMACLI_FALLBACK_MODEL='["b", "c"]').out == "c\n"


def test_in_a_batch_each_item_falls_back_to_the_next_model(world: World) -> None:
    world.api.will(by_model(a=error(404, "gone")))
    result = world.call("batch", *ASK[1:], stdin="1\n2\n")
    assert (result.status, [row["content"] for row in rows(result.out)]) == (0, ["b", "b"])


@pytest.mark.parametrize("model", [["a"], {"a": 1}, 5, None])
def test_a_model_of_any_type_has_a_next_one(world: World, model: object) -> None:
    world.api.will(lambda handler: (answer("b") if handler.asked.json["model"] == "b" else error(404))(handler))
    field = f"model={json.dumps(model)}"
    assert world.call("ask", "-p", field, "--fallback-model", "b", "Hi").out == "b\n"
    items = "".join(
        json.dumps({"body": {"model": model, "messages": [{"role": "user", "content": text}]}}) + "\n" for text in "xy"
    )
    result = world.call("batch", "-j", "1", "--plain", "--input", "jsonl", "--fallback-model", "b", "-", stdin=items)
    assert (result.status, result.out) == (0, "b\nb\n"), result.err
    assert len(world.api.requests) == 5
