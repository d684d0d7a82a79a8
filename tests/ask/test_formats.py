"""The output has the requested format, or nothing is printed and the status is 12."""

import json
import shutil
from itertools import pairwise

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamacli.ask.structured.formats import layers
from tests.support.answers import calls, fenced, written_calls
from tests.support.fake_api import Behavior, answer, completion, document, text
from tests.support.world import World

RECORD = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


NUMBERS = {"type": "array", "items": {"$ref": "#/$defs/number"}, "$defs": {"number": {"type": "number"}}}


#: For --choice bug,feature,"Won't fix.": the server's answer and the output, None for no output.
CHOICES: list[tuple[Behavior, str | None]] = [
    (calls({"answer": "bug"}), "bug"),
    (calls({"answer": "BUG"}), "bug"),
    (calls({"answer": "Won't fix."}), "Won't fix."),
    (calls({"answer": "won't fix"}), "Won't fix."),
    (calls({"choice": "bug"}), "bug"),
    (calls({"answer": "bug"}, name="other"), "bug"),
    (calls({"answer": "bug"}, {"answer": "bug"}), "bug"),
    (calls({"answer": "bug"}, {"answer": "feature"}), None),
    (calls({"answer": "bugs"}), None),
    (calls({"answer": ["bug"]}), None),
    (calls({"answer": None}), None),
    (calls({"answer": 3}), None),
    (calls({}), None),
    (calls({"answer": "bug", "other": "feature"}), "bug"),
    (calls({"a": "bug", "b": "feature"}), None),
    (calls("bug"), "bug"),
    (calls('{"answer": "bug"'), None),
    (calls('"{\\"answer\\": \\"bug\\"}"'), "bug"),
    (calls(""), None),
    (answer("bug"), "bug"),
    (answer(" Bug.\n"), "bug"),
    (answer('"bug"'), "bug"),
    (answer("“Feature”."), "feature"),
    (answer("`bug`"), "bug"),
    (answer(fenced("bug")), "bug"),
    (answer(fenced("bug", "text", "~~~~")), "bug"),
    (answer('{"answer": "bug"}'), "bug"),
    (answer('{"name": "give_answer", "parameters": {"answer": "bug"}}'), "bug"),
    *((answer(text), "bug") for text in written_calls({"answer": "bug"})),
    (answer('<function=other>{"answer": "bug"}</function>'), None),
    (answer('{"name": "other", "parameters": {"answer": "bug"}}'), None),
    (answer("<|python_tag|>bug"), None),
    (answer('[give_answer(answer="bug")]'), "bug"),
    (answer("```tool_code\nprint(default_api.give_answer(answer='bug'))\n```"), "bug"),
    (answer('<|python_tag|>give_answer.call(answer="bug")'), "bug"),
    (answer("<a_" * 50_000 + "give_answer"), None),
    (answer('I would call give_answer with {"answer": "bug"}'), None),
    (answer("bug<|eot_id|>"), "bug"),
    (calls({"name": "give_answer", "parameters": {"answer": "bug"}}), "bug"),
    (answer("give_answer<parameter=a>" + "<parameter=a> " * 50_000), None),
    (answer("give_answer(a='" * 20_000), None),
    # Nothing takes longer than linear time.
    (answer("<tool_call>x" + " " * 100_000 + "y"), None),
    (answer("<function=" + "a" * 100_000), None),
    (answer("```\n" * 50_000), None),
    (answer("The answer is bug"), None),
    (answer("bug, feature"), None),
    (answer(f"Here it is:\n{fenced('bug')}"), None),
    (answer(""), None),
    (answer(None), None),
    (answer([{"type": "text", "text": "bug"}]), "bug"),  # type: ignore[arg-type]
    (answer('"' * 100_000), None),
    (text("bug"), "bug"),
]


#: The same for --schema RECORD: what is printed, parsed.
RECORDS: list[tuple[Behavior, object]] = [
    (calls({"name": "Ann", "age": 3}), {"name": "Ann", "age": 3}),
    (calls({"name": "Ann", "age": 10**30}), {"name": "Ann", "age": 10**30}),
    (calls({"name": "Ann", "age": 3.0}), {"name": "Ann", "age": 3.0}),
    (calls({"name": "日本\u2028\x1b", "age": 3}), {"name": "日本\u2028\x1b", "age": 3}),
    (calls({"name": "Ann", "age": "3"}), None),
    (calls({"name": "Ann"}), None),
    (calls({"name": "Ann", "age": 3, "more": 1}), None),
    (calls('{"name": "Ann", "age": NaN}'), None),
    (calls('{"name": "Ann", "age": 1e999}'), None),
    (calls('{"name": "Ann", "age": 3'), None),
    (calls("[" * 100_000), None),
    (calls(json.dumps(json.dumps({"name": "Ann", "age": 3}))), {"name": "Ann", "age": 3}),
    (answer('{"name": "Ann", "age": 3}'), {"name": "Ann", "age": 3}),
    (answer(fenced('{"name": "Ann",\n "age": 3}', "json")), {"name": "Ann", "age": 3}),
    (answer('{"name": "Ann", "age": 3}.'), {"name": "Ann", "age": 3}),
    (answer('{"name": "give_answer", "arguments": {"name": "Ann", "age": 3}}'), {"name": "Ann", "age": 3}),
    *((answer(text), {"name": "Ann", "age": 3}) for text in written_calls({"name": "Ann", "age": 3})),
    *((answer(text), None) for text in written_calls({"name": "Ann", "age": "three"})),
    (answer('Sure: {"name": "Ann", "age": 3}'), None),
    (answer("{'name': 'Ann', 'age': 3}"), None),
    (answer("null"), None),
    (answer(""), None),
    (answer("Ann is 3."), None),
]


@pytest.mark.parametrize(("sent", "printed"), CHOICES)
def test_a_choice_is_printed_as_it_was_given_or_nothing_is(world: World, sent: Behavior, printed: str | None) -> None:
    world.api.will(sent)
    result = world.call("ask", "--choice", "bug", "--choice", "feature", "--choice", "Won't fix.", "-q", "Hi")
    assert (result.status, result.out) == ((0, f"{printed}\n") if printed else (12, ""))
    assert len(world.api.requests) == (1 if printed else 2)
    if not printed:
        assert result.err.startswith("llamacli: the answer does not fit --choice: ")
        assert result.err.count("\n") == 1
        assert " [request id " in result.err


@pytest.mark.parametrize(("sent", "printed"), RECORDS)
def test_json_satisfies_its_schema_or_is_not_printed(world: World, sent: Behavior, printed: object) -> None:
    world.api.will(sent)
    result = world.call("ask", "--schema", json.dumps(RECORD), "-q", "Hi")
    if printed is None:
        assert (result.status, result.out, result.err.count("\n")) == (12, "", 1)
        return
    assert (result.status, result.err) == (0, "")
    assert result.out == json.dumps(printed, ensure_ascii=False) + "\n"
    jsonschema.validate(json.loads(result.out), RECORD)


@pytest.mark.parametrize(
    ("sent", "printed"),
    [
        (calls({"answer": [1, 2.5]}), "[1, 2.5]"),
        (calls("[1]"), "[1]"),
        (answer("[1.0, 1]"), "[1.0, 1]"),
        (answer('{"answer": [1]}'), "[1]"),
        (calls({"answer": ["x"]}), None),
    ],
)
def test_a_schema_that_is_not_an_object_is_wrapped_and_unwrapped(
    world: World, sent: Behavior, printed: str | None
) -> None:
    world.api.will(sent)
    result = world.call("ask", "--schema", json.dumps(NUMBERS), "-q", "Hi")
    assert (result.status, result.out) == ((0, f"{printed}\n") if printed else (12, ""))
    parameters = world.api.requests[0].json["tools"][0]["function"]["parameters"]
    # Its references must still lead to the same places.
    jsonschema.validate({"answer": [1, 2.5]}, parameters)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"answer": ["x"]}, parameters)


@pytest.mark.parametrize(
    ("choices", "sent", "printed"),
    [
        (["a,b", "c"], "a,b", "a,b"),
        (['say "hi"', "x"], 'say "hi"', 'say "hi"'),
        (['"a"', "a"], '"a"', '"a"'),
        (["Bug", "bug"], "bug", "bug"),
        (["Bug", "bug"], "BUG", None),
        (["two\nlines", "x"], "two\nlines", "two\nlines"),
        (["Grüße", "x"], "GRÜSSE", "Grüße"),
        (["é", "x"], "e\u0301", "é"),
        (["日本", "x"], "日本。", "日本"),
        (["only"], "Only.", "only"),
        (["a", "a", "b"], "a", "a"),
        (["1", "2"], "2", "2"),
        (["{}", "x"], "{}", "{}"),
        (['{"answer": "x"}', "x"], '{"answer": "x"}', '{"answer": "x"}'),
    ],
)
def test_all_kinds_of_choices(world: World, choices: list[str], sent: str, printed: str | None) -> None:
    arguments = [word for choice in choices for word in ("--choice", choice)]
    for behavior in (answer(sent), calls({"answer": sent})):
        world.api.will(behavior)
        result = world.call("ask", *arguments, "-q", "Hi")
        assert (result.status, result.out) == ((0, f"{printed}\n") if printed else (12, ""))


def test_yes_no_works_in_an_if(world: World) -> None:
    (world.cwd / "mail").write_text("Buy now!")
    script = "if llamacli ask --yes-no 'Is this spam?' <mail; then echo spam; else echo \"not, $?\"; fi"
    for said, shown in [(True, "yes\nspam\n"), (False, "no\nnot, 1\n"), ("perhaps", "not, 12\n")]:
        world.api.will(calls({"answer": said}))
        result = world.shell(script, LLAMACLI_QUIET="1")
        assert (result.status, result.out) == (0, shown)
        assert result.err.count("\n") == (1 if said == "perhaps" else 0)
    assert world.api.requests[0].json["messages"][-1]["content"] == "Is this spam?\n\nBuy now!"
    dead = world.shell(script, AIMLAPI_BASE_URL="http://127.0.0.1:9/v1")
    assert (dead.out, dead.err.count("\n")) == ("not, 8\n", 1)


def test_json_prints_the_whole_response_and_keeps_the_status(world: World) -> None:
    for sent, status in [(calls({"answer": "no"}), 1), (calls({"answer": "yes"}), 0), (answer("rubbish"), 12)]:
        world.api.will(sent)
        result = world.call("ask", "--yes-no", "--json", "-q", "Hi")
        assert result.status == status
        assert json.loads(result.out)["object"] == "chat.completion"
        assert result.out.count("\n") == 1


def test_files_nul_and_reasoning_work_with_a_format(world: World) -> None:
    world.api.will(calls({"answer": "yes"}, reasoning="thinking"))
    result = world.call("ask", "--yes-no", "-o", "out", "-0", "--reasoning", "Hi")
    assert (result.status, result.out, result.err) == (0, "", "thinking\n")
    assert (world.cwd / "out").read_bytes() == b"yes\0"
    world.api.will(answer("rubbish"))
    assert world.call("ask", "--yes-no", "-o", "out", "Hi").status == 12
    assert (world.cwd / "out").read_bytes() == b"yes\0"
    assert [path.name for path in world.cwd.iterdir() if path.name.startswith("out")] == ["out"]
    world.api.will(calls({"name": "x"}))
    assert world.call("ask", "--schema", "name", "-0", "Hi").stdout == b'{"name": "x"}\0'


@pytest.mark.skipif(shutil.which("script") is None, reason="script(1) is not installed")
def test_json_is_indented_and_harmless_on_a_terminal(world: World) -> None:
    world.api.will(calls({"name": "\x1b[31m"}))
    shown = world.shell("script -qec \"llamacli ask -I --schema name 'Hi'\" /dev/null").out
    assert shown.replace("\r", "") == '{\n  "name": "\\u001b[31m"\n}\n'


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=20), st.lists(st.sampled_from(['"', "'", "`", ".", " ", "\n", "```\n"]), max_size=6))
def test_stripping_layers_ends_and_removes_nothing_else(inside: str, around: list[str]) -> None:
    whole = "".join(around) + inside + "".join(reversed(around))
    found = list(layers(whole))
    assert found[0] == whole
    assert all(inner in outer and inner != outer for outer, inner in pairwise(found))


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (b'{"x": NaN}', None),
        (b'{"x": -Infinity}', None),
        (b'{"x": 1e999}', None),
        (b'{"x": 1e308}', "1e+308"),
        (b'{"y": [[1e999]]}', None),
        (b'{"x": 1, "y": "\\ud800"}', '1, "y": "\ufffd"'),
        (b'{"x": 1, "y": "\\ud83d\\ude00"}', '1, "y": "\U0001f600"'),
    ],
)
@pytest.mark.parametrize("as_text", [False, True])
def test_values_that_json_cannot_express_are_never_printed(
    world: World, arguments: bytes, printed: str | None, as_text: bool
) -> None:
    whole = json.dumps(completion(None, "tool_calls", tool_calls=[{"id": "1", "function": {"arguments": 5}}]))
    text = json.dumps(arguments.decode()).encode() if as_text else arguments
    world.api.will(document(whole.encode().replace(b'"arguments": 5', b'"arguments": ' + text)))
    result = world.call("ask", "--schema", '{"type": "object", "properties": {"x": {"type": "number"}}}', "-q", "Hi")
    assert (result.status, result.out) == ((0, f'{{"x": {printed}}}\n') if printed else (12, ""))
