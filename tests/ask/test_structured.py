"""Answers of a given form: what is printed fits, or nothing is and the status says so."""

import json
import shutil
import warnings
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamacli.ask.structured.formats import layers
from llamacli.ask.structured.schema import Schema
from tests.support.fake_api import Behaviour, Handler, answer, completion, delta, document, error, event, stream, text
from tests.support.world import ROOT, World

RECORD = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
NUMBERS = {"type": "array", "items": {"$ref": "#/$defs/number"}, "$defs": {"number": {"type": "number"}}}


def calls(*arguments: object, name: str = "give_answer", content: str | None = None, **more: Any) -> Behaviour:
    """Answers with calls of a function; arguments that are a string go out as they are."""
    texts = [given if isinstance(given, str) else json.dumps(given) for given in arguments]
    made = [
        {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": given}}
        for number, given in enumerate(texts)
    ]
    return document(completion(content, "tool_calls", tool_calls=made, **more))


def fenced(inside: str, tag: str = "", fence: str = "```") -> str:
    return f"{fence}{tag}\n{inside}\n{fence}"


#: For --choice bug,feature,"Won't fix." what a server answers, and what is printed, None for nothing.
CHOICES: list[tuple[Behaviour, str | None]] = [
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
RECORDS: list[tuple[Behaviour, object]] = [
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
    (answer('Sure: {"name": "Ann", "age": 3}'), None),
    (answer("{'name': 'Ann', 'age': 3}"), None),
    (answer("null"), None),
    (answer(""), None),
    (answer("Ann is 3."), None),
]


@pytest.mark.parametrize(("sent", "printed"), CHOICES)
def test_a_choice_is_printed_as_it_was_given_or_nothing_is(world: World, sent: Behaviour, printed: str | None) -> None:
    world.api.will(sent)
    result = world.call("ask", "--choice", "bug", "--choice", "feature", "--choice", "Won't fix.", "-q", "Hi")
    assert (result.status, result.out) == ((0, f"{printed}\n") if printed else (12, ""))
    assert len(world.api.requests) == (1 if printed else 2)
    if not printed:
        assert result.err.startswith("llamacli: the answer does not fit --choice: ")
        assert result.err.count("\n") == 1
        assert " [request id " in result.err


@pytest.mark.parametrize(("sent", "printed"), RECORDS)
def test_json_satisfies_its_schema_or_is_not_printed(world: World, sent: Behaviour, printed: object) -> None:
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
def test_a_schema_that_is_no_object_is_wrapped_and_unwrapped(
    world: World, sent: Behaviour, printed: str | None
) -> None:
    world.api.will(sent)
    result = world.call("ask", "--schema", json.dumps(NUMBERS), "-q", "Hi")
    assert (result.status, result.out) == ((0, f"{printed}\n") if printed else (12, ""))
    parameters = world.api.requests[0].json["tools"][0]["function"]["parameters"]
    # Its references must lead to where they did.
    jsonschema.validate({"answer": [1, 2.5]}, parameters)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"answer": ["x"]}, parameters)


def test_references_are_mended_and_data_is_not(world: World) -> None:
    schema = {
        "anyOf": [{"$ref": "#/$defs/node"}, {"const": {"$ref": "#/$defs/node"}}],
        "$defs": {"node": {"type": "array", "items": {"$ref": "#"}}},
        "properties": {"$ref": {"enum": [{"$ref": "#"}]}},
    }
    result = world.call("ask", "--schema", json.dumps(schema), "--dry-run", "Hi")
    inside = json.loads(result.out)["tools"][0]["function"]["parameters"]["properties"]["answer"]
    root = "#/properties/answer"
    assert inside["anyOf"] == [{"$ref": f"{root}/$defs/node"}, {"const": {"$ref": "#/$defs/node"}}]
    assert inside["$defs"]["node"]["items"] == {"$ref": root}
    assert inside["properties"] == {"$ref": {"enum": [{"$ref": "#"}]}}


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
def test_choices_of_all_kinds(world: World, choices: list[str], sent: str, printed: str | None) -> None:
    arguments = [word for choice in choices for word in ("--choice", choice)]
    for behaviour in (answer(sent), calls({"answer": sent})):
        world.api.will(behaviour)
        result = world.call("ask", *arguments, "-q", "Hi")
        assert (result.status, result.out) == ((0, f"{printed}\n") if printed else (12, ""))


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
def test_it_is_asked_as_often_as_fit_retries_says(world: World, retries: int) -> None:
    world.api.will(answer("rubbish"))
    result = world.call("ask", "--yes-no", "--fit-retries", str(retries), "Hi")
    assert (result.status, result.out) == (12, "")
    assert len(world.api.requests) == retries + 1
    assert len(result.err.splitlines()) == retries + 1


def refusing(code: int, said: str) -> Behaviour:
    def behave(handler: Handler) -> None:
        (error(code, "no tools here") if "tools" in handler.asked.json else answer(said))(handler)

    return behave


@pytest.mark.parametrize("code", [400, 404, 422, 500])
def test_a_server_that_refuses_tools_is_asked_in_words_alone(world: World, code: int) -> None:
    world.api.will(refusing(code, "Feature."))
    # With retries: a refusal is no reason to wait.
    result = world.call("ask", "--choice", "bug,feature", "--retry", "3", "--no-parallel-tool-calls", "Hi")
    assert (result.status, result.out) == (0, "feature\n")
    assert f"{code} " in result.err
    assert "asking in words alone" in result.err
    assert len(world.api.requests) == 2
    assert set(world.api.body) == {"model", "messages"}
    assert world.api.prompt == "Hi\n\nAnswer with exactly one of these, and nothing else:\nbug\nfeature"


def test_in_words_alone_it_is_asked_again_too(world: World) -> None:
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
def test_withheld_goes_before_a_misfit_and_that_before_a_cut(
    world: World, sent: Behaviour, arguments: list[str], status: int, out: str
) -> None:
    world.api.will(sent)
    result = world.call("ask", "--choice", "bug,x", "--fit-retries", "0", *arguments, "Hi")
    assert (result.status, result.out) == (status, out)
    assert result.err.count("\n") == (1 if status else 0)
    assert ("raise --max-tokens" in result.err) == (status in (10, 12) and "--allow-truncated" not in arguments)


def test_yes_no_in_an_if(world: World) -> None:
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


def test_files_nul_and_reasoning_work_with_a_form(world: World) -> None:
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


@pytest.mark.parametrize(
    ("arguments", "env", "told"),
    [
        (["--choice", ""], {}, "--choice: there is an empty choice"),
        (["--choice", "a,,b"], {}, "--choice: there is an empty choice"),
        (["--choice", "a", "--choice", " "], {}, "--choice: there is an empty choice"),
        (["--choice", "a,b", "--yes-no"], {}, "--choice and --yes-no each ask"),
        (["--schema", "name", "-x"], {}, "--schema and --extract each ask"),
        (["--choice", "a,b", "--tools", "[]"], {}, "takes no tools; drop --tools, LLAMACLI_TOOLS or -p tools"),
        (["--choice", "a,b"], {"LLAMACLI_TOOLS": "[]"}, "takes no tools"),
        (["--choice", "a,b", "-p", "tools=[]"], {}, "takes no tools"),
        (["--choice", "a,b", "--tool-choice", "none"], {}, "takes no tool_choice"),
        (["--yes-no", "-n", "2"], {}, "--yes-no takes one answer, and 2 are asked for"),
        (["--yes-no"], {"LLAMACLI_N": "2"}, "takes one answer"),
        (["--yes-no", "-p", "n=2"], {}, "takes one answer"),
        (["--yes-no", "--json", "--stream"], {}, "drop --stream"),
        (["--fit-retries", "-1"], {}, "--fit-retries: '-1' is out of range"),
        (["--schema", '{"type": "arry"}'], {}, "is no JSON Schema: $.type: 'arry'"),
        (["--schema", '{"properties": {"a": {"minimum": "x"}}}'], {}, "$.properties.a.minimum: 'x'"),
        (["--schema", '{"properties": {"a": {"pattern": "("}}}'], {}, "$.properties.a.pattern: '('"),
        (["--schema", '{"pattern": "a{99999999999999999999}"}'], {}, "holds a pattern that repeats too often"),
        (["--schema", '{"$schema": 5}'], {}, "$.$schema: 5 is not of type 'string'"),
        (["--schema", '{"a": 1,}'], {}, "is not JSON: "),
        (["--schema", "[1]"], {}, "give an object, or fields"),
        (["--schema", "name, age wood"], {}, "gives 'age' the type 'wood'"),
        (["--schema", "name, tags [[strs]]"], {}, "gives 'tags' the type 'strs'"),
        (["--schema", "name, name int"], {}, "names the field 'name' twice"),
        (["--schema", "name,"], {}, "neither JSON nor fields"),
        (["--schema", ""], {}, "neither JSON nor fields"),
        (["--schema", "@"], {}, "--schema: '@' names no file; give @FILE, or @@ for an @ that is text"),
        (["--schema", "@nowhere.json"], {}, "nowhere.json: No such file"),
        (["--schema", '{"$ref": "#/$defs/x"}'], {}, "the $ref '#/$defs/x' leads nowhere"),
        (["--schema", '{"$ref": "#"}'], {}, "refers to itself without end"),
        (["--schema", '{"items": {"$ref": "http://127.0.0.1/x.json"}}'], {}, "nothing is fetched from the network"),
        (["--schema", '{"items":' * 3000 + "{}" + "}" * 3000], {}, "nested too deeply"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_sent(
    world: World, arguments: list[str], env: dict[str, str], told: str
) -> None:
    result = world.call("ask", *arguments, "Hi", **env)
    assert (result.status, result.out) == (2, "")
    assert told in result.err
    assert result.err.count("\n") == 1
    assert not world.api.requests


def test_a_remote_reference_is_never_fetched(world: World) -> None:
    schema = {"$id": f"{world.api.url}/root.json", "items": {"$ref": "other.json"}}
    assert world.call("ask", "--schema", json.dumps(schema), "Hi").status == 2
    assert not world.api.requests


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"next": {"$ref": "#"}}},
        {"$id": "https://example.com/a", "properties": {"b": {"$ref": "a#/$defs/b"}}, "$defs": {"b": {}}},
        {"$schema": "http://json-schema.org/draft-07/schema#", "items": {"$ref": "#/definitions"}, "definitions": {}},
        {"$dynamicAnchor": "n", "properties": {"c": {"$dynamicRef": "#n"}}},
        {"properties": {"s": {"$ref": "https://json-schema.org/draft/2020-12/schema"}}},
        {"properties": {"when": {"format": "date-time"}}},
    ],
)  # fmt: skip
def test_references_inside_of_a_schema_are_followed_and_format_is_an_annotation(
    world: World, schema: dict[str, Any]
) -> None:
    world.api.will(calls({"when": "no date"}))
    result = world.call("ask", "--schema", json.dumps(schema), "Hi")
    assert (result.status, result.out, result.err) == (0, '{"when": "no date"}\n', "")


WORDS = {"patternProperties": {"^[a-z]+$": {"type": "string"}}}
#: Schemas, values, and whether they fit: where binary fractions and Python's patterns have it otherwise.
VERDICTS: list[tuple[dict[str, Any], object, bool]] = [
    *(({"multipleOf": 0.01}, value, True) for value in (19.99, 0.07, 0.29, -0.03, 5, 1e300, 10**30)),
    *(({"multipleOf": 0.01}, value, False) for value in (19.995, 0.075, 1e-7)),
    ({"multipleOf": 3}, 9.0, True),
    ({"multipleOf": 3}, 10, False),
    ({"pattern": "^[a-z]+$"}, "abc", True),
    ({"pattern": "^[a-z]+$"}, "abc\n", False),
    ({"pattern": "a$|b"}, "a\n", False),
    ({"pattern": r"^\$[$]$"}, "$$", True),
    ({"pattern": r"^[]$]$"}, "$", True),
    ({"pattern": r"^\\$"}, "\\\n", False),
    ({"pattern": r"^\d\D$"}, "3\u0663", True),
    ({"pattern": r"^[\d]$"}, "\u0663", False),
    ({"pattern": r"^\w[\W]$"}, "eé", True),
    ({"pattern": r"^\s$"}, "\u2003", True),
    (WORDS, {"a\n": 1}, True),
    (WORDS, {"a": 1}, False),
    ({**WORDS, "additionalProperties": False}, {"a": "", "b\n": ""}, False),
    ({**WORDS, "additionalProperties": False}, {"a": "", "b": ""}, True),
    ({**WORDS, "additionalProperties": {"type": "number"}}, {"a": "", "B": 1}, True),
    ({**WORDS, "additionalProperties": {"type": "number"}}, {"a": "", "B": ""}, False),
    ({"items": {"$ref": "#"}, "multipleOf": 0.01}, [0.29], True),
]


@pytest.mark.parametrize(("schema", "value", "fits"), VERDICTS)
def test_numbers_are_decimal_and_patterns_are_ecmas(schema: dict[str, Any], value: object, fits: bool) -> None:
    for dialect in ({}, {"$schema": "http://json-schema.org/draft-07/schema#"}):
        assert (Schema({**dialect, **schema}).find_error(value) is None) == fits


@given(st.text(st.sampled_from(r"\$[]^dwbDW-a(|)?*+{2}:"), max_size=12), st.text("a2$\n-", max_size=4))
def test_a_pattern_that_python_takes_is_never_a_fault(pattern: str, text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        # One that it does not take is refused.
        with suppress(ValueError):
            Schema({"pattern": pattern}).find_error(text)


def test_the_short_form_is_a_record_of_exactly_these_fields(world: World) -> None:
    (world.cwd / "fields").write_text("name\nage int\ntags [str]\nscores [[num]], is_ok bool\n")
    for form in ("name, age int, tags [str], scores [[num]], is_ok bool", "@fields"):
        body = json.loads(world.call("ask", "--schema", form, "--dry-run", "Hi").out)
        assert body["tools"][0]["function"]["parameters"] == {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "age": {"type": "integer"},
                "tags": {"type": "array", "items": {"type": "string"}},
                "scores": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
                "is_ok": {"type": "boolean"},
            },
            "required": ["name", "age", "tags", "scores", "is_ok"],
            "additionalProperties": False,
        }


@pytest.mark.skipif(shutil.which("script") is None, reason="script(1) is not installed")
def test_json_is_indented_and_harmless_on_a_terminal(world: World) -> None:
    world.api.will(calls({"name": "\x1b[31m"}))
    shown = world.shell("script -qec \"llamacli ask -I --schema name 'Hi'\" /dev/null").out
    assert shown.replace("\r", "") == '{\n  "name": "\\u001b[31m"\n}\n'


@given(st.text(max_size=20), st.lists(st.sampled_from(['"', "'", "`", ".", " ", "\n", "```\n"]), max_size=6))
def test_taking_layers_off_ends_and_takes_nothing_else(inside: str, around: list[str]) -> None:
    whole = "".join(around) + inside + "".join(reversed(around))
    found = list(layers(whole))
    assert found[0] == whole
    assert all(inner in outer and inner != outer for outer, inner in pairwise(found))


# What a colleague's command builds on: the loop without a terminal, a file or a flag.


def exchange(retries: int = 1) -> tuple[Any, Callable[..., Any]]:
    from llamacli.ask.structured.formats import YesNoFormat
    from llamacli.ask.structured.loop import ValidationLoop

    return ValidationLoop(YesNoFormat(), retries), lambda said: completion(said)


def test_a_server_that_refuses_tools_is_not_offered_them_again() -> None:
    from llamacli.errors import ExitStatus, LlamaError

    fitting, said = exchange()
    sent: list[dict[str, Any]] = []

    def send(body: dict[str, Any], final: object) -> Any:
        sent.append(body)
        if "tools" in body:
            failure = LlamaError(ExitStatus.REFUSED, "no tools")
            failure.http_status = 400
            raise failure
        return said("yes")

    body = fitting.build_body({"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
    for _ in range(3):
        assert fitting.run(body, send).value == "yes"
    assert ["tools" in body for body in sent] == [True, False, False, False]


@pytest.mark.parametrize(
    ("messages", "last"),
    [
        ([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], "text"),
        ([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "So"}], "user"),
    ],
)
def test_words_are_added_to_messages_of_all_kinds(messages: list[dict[str, Any]], last: str) -> None:
    fitting, _ = exchange()
    before = json.dumps(messages)
    added = fitting._in_words(fitting.build_body({"messages": messages}))["messages"]
    assert json.dumps(messages) == before
    if last == "text":
        assert added[-1]["content"][0] == {"type": "text", "text": "Hi"}
        assert "yes\nno" in added[-1]["content"][1]["text"]
    else:
        assert added[:2] == messages
        assert "yes\nno" in added[2]["content"]


def test_nothing_of_it_is_imported_where_no_form_is_asked_for(world: World) -> None:
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
