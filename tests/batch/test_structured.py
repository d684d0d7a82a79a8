"""`batch` with answers of a given form: --choice, --yes-no, --schema, --extract."""

import json

import pytest

from tests.support.answers import calls, fenced
from tests.support.fake_api import Behavior, Handler, answer, completion, delta, error, event, stream
from tests.support.world import World


def by_prompt(**answers: Behavior) -> Behavior:
    """Answers each prompt in its own way."""

    def behave(handler: Handler) -> None:
        messages = handler.asked.json["messages"]
        # When asked again, the question precedes the answer that did not fit.
        answers[messages[0]["content"].split()[0]](handler)

    return behave


SCHEMA = "name, age int"
PEOPLE = by_prompt(
    ann=calls({"name": "Ann", "age": 30}),
    bob=answer(fenced('{"name": "Bob", "age": 31}', "json")),
    eve=calls({"name": "Eve"}),
    joe=error(500, "no luck"),
)


def test_schema_values_are_json_and_mismatches_are_failed_items(world: World) -> None:
    world.api.will(PEOPLE)
    result = world.run("batch", "--schema", SCHEMA, "--retry", "0", stdin="ann\nbob\neve\njoe\n")
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert [row["content"] for row in rows] == [{"name": "Ann", "age": 30}, {"name": "Bob", "age": 31}, None, None]
    assert [row["error"] and row["error"]["status"] for row in rows] == [None, None, 12, 7]
    assert "does not fit --schema" in rows[2]["error"]["message"]
    assert all("tool_calls" not in row for row in rows)
    # One that did not fit was asked again; its tokens are those of both calls.
    assert [row["attempts"] for row in rows] == [1, 1, 2, 2]
    assert rows[2]["usage"]["total_tokens"] == 2 * rows[0]["usage"]["total_tokens"]
    assert result.status == 13
    assert "2 failed" in result.err


def test_plain_prints_a_line_of_json_or_an_empty_one_for_a_mismatch(world: World) -> None:
    world.api.will(PEOPLE)
    result = world.run("batch", "--schema", SCHEMA, "--plain", stdin="ann\neve\nbob\n")
    assert result.out == '{"name": "Ann", "age": 30}\n\n{"name": "Bob", "age": 31}\n'
    world.api.will(calls({"answer": ["a", "b"]}))
    listed = world.run("batch", "--schema", '{"type": "array"}', "--plain", "-0", stdin="x\ny\n")
    assert (listed.status, listed.out) == (0, '["a", "b"]\0' * 2)


def test_choices_and_yes_or_no(world: World) -> None:
    world.api.will(by_prompt(a=calls({"answer": "bug"}), b=answer("Feature."), c=answer("neither")))
    result = world.run("batch", "--plain", "--choice", "bug,feature", stdin="a\nb\nc\n")
    assert (result.status, result.out) == (13, "bug\nfeature\n\n")
    world.api.will(by_prompt(a=calls({"answer": "yes"}), b=answer("No.")))
    result = world.run("batch", "--yes-no", stdin="a\nb\n")
    # Here a no is an answer, not a failure.
    assert (result.status, [json.loads(line)["content"] for line in result.out.splitlines()]) == (0, ["yes", "no"])


def test_extract_takes_the_block_or_fails_the_item(world: World) -> None:
    world.api.will(by_prompt(a=answer(f"Here:\n{fenced('ls -l', 'sh')}\n"), b=answer("none")))
    result = world.run("batch", "-x", stdin="a\nb\n")
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert [(row["content"], row["error"] and row["error"]["status"]) for row in rows] == [
        ("ls -l\n", None),
        (None, 12),
    ]
    assert result.status == 13


def test_a_server_without_tools_is_asked_in_plain_text(world: World) -> None:
    def wordy(handler: Handler) -> None:
        (error(400, "no tools here") if "tools" in handler.asked.json else answer("yes"))(handler)

    world.api.will(wordy)
    result = world.run("batch", "-j", "1", "--yes-no", "--plain", stdin="a\nb\nc\n")
    assert (result.status, result.out) == (0, "yes\nyes\nyes\n")
    assert len(world.api.requests) == 4


def test_a_cut_answer_that_fits_is_kept_with_its_error(world: World) -> None:
    whole = completion("yes", "length")
    world.api.will(lambda handler: handler.reply(200, json.dumps(whole).encode()))
    row = json.loads(world.run("batch", "--yes-no", stdin="a\n").out)
    assert (row["content"], row["error"]["status"]) == ("yes", 10)
    row = json.loads(world.run("batch", "--yes-no", "--allow-truncated", stdin="a\n").out)
    assert (row["content"], row["error"]) == ("yes", None)


def test_a_stream_that_breaks_off_is_not_a_mismatch(world: World) -> None:
    world.api.will(stream([event(delta("ye"))], then="cut"))
    row = json.loads(world.run("batch", "--stream", "--yes-no", stdin="a\n").out)
    assert (row["content"], row["error"]["status"]) == (None, 9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--choice", "a,b", "--yes-no"], "--choice and --yes-no cannot be combined"),
        (["--yes-no", "-n", "2"], "--yes-no needs a single answer"),
        (["--yes-no", "--tools", "[]"], "--yes-no cannot be combined with tools"),
        (["--schema", "{"], "--schema"),
    ],
)
def test_contradictory_options_are_2_before_anything_is_sent(world: World, arguments: list[str], message: str) -> None:
    result = world.run("batch", *arguments, stdin="a\n")
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert message in result.err
    assert world.api.requests == []


def test_the_format_is_part_of_the_key_and_of_the_dry_run(world: World) -> None:
    world.api.will(calls({"answer": "yes"}))
    keys = {
        json.loads(world.run("batch", *form, stdin="a\n").out)["key"]
        for form in (["--yes-no"], ["--choice", "yes,maybe"], [])
    }
    assert len(keys) == 3
    body = json.loads(world.run("batch", "--yes-no", "--dry-run", stdin="a\n").out)
    assert body["tool_choice"]["type"] == "function"


def test_content_in_parts_is_text_in_a_row_too(world: World) -> None:
    parts = [{"type": "text", "text": "```\nHel"}, {"type": "text", "text": "lo\n```"}]
    world.api.will(answer(parts))  # type: ignore[arg-type]
    assert world.call("batch", "-x", "--plain", stdin="a\n").out == "Hello\n"
    assert world.call("batch", "--plain", stdin="a\n").out == "```\nHello\n```\n"
    assert json.loads(world.call("batch", stdin="a\n").out)["content"] == "```\nHello\n```"
