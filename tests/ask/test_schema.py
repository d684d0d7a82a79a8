"""Schemas: JSON and the concise notation, checked before anything is sent."""

import json
import subprocess
import threading
import time
import warnings
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamacli.ask.structured import schema as schemas
from llamacli.ask.structured.patterns import BUDGET, PatternTimeout, _is_simple, search
from llamacli.ask.structured.schema import Schema, parse_schema
from tests.support.answers import calls
from tests.support.batches import Running, rows
from tests.support.fake_api import Handler
from tests.support.world import PROGRAM, World

PIPES: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)


@pytest.mark.parametrize(
    ("arguments", "env", "words"),
    [
        (["--choice", ""], {}, "--choice: a choice is empty"),
        (["--choice", "a,,b"], {}, "--choice: a choice is empty"),
        (["--choice", "a", "--choice", " "], {}, "--choice: a choice is empty"),
        (["--choice", "a,b", "--yes-no"], {}, "--choice and --yes-no cannot be combined"),
        (["--schema", "name", "-x"], {}, "--schema and --extract cannot be combined"),
        (
            ["--choice", "a,b", "--tools", "[]"],
            {},
            "with tools; drop --tools, LLAMACLI_TOOLS or -p tools",
        ),
        (["--choice", "a,b"], {"LLAMACLI_TOOLS": "[]"}, "cannot be combined with tools"),
        (["--choice", "a,b", "-p", "tools=[]"], {}, "cannot be combined with tools"),
        (["--choice", "a,b", "--tool-choice", "none"], {}, "cannot be combined with tool_choice"),
        (["--yes-no", "-n", "2"], {}, "--yes-no needs a single answer, not 2"),
        (["--yes-no"], {"LLAMACLI_N": "2"}, "needs a single answer"),
        (["--yes-no", "-p", "n=2"], {}, "needs a single answer"),
        (["--yes-no", "--json", "--stream"], {}, "drop --stream"),
        (["--fit-retries", "-1"], {}, "--fit-retries: '-1' is out of range"),
        (["--schema", '{"type": "arry"}'], {}, "is not a JSON Schema: $.type: 'arry'"),
        (["--schema", '{"properties": {"a": {"minimum": "x"}}}'], {}, "$.properties.a.minimum: 'x'"),
        (["--schema", '{"properties": {"a": {"pattern": "("}}}'], {}, "$.properties.a.pattern: '('"),
        (["--schema", '{"pattern": "a{99999999999999999999}"}'], {}, "has a pattern that repeats too often"),
        (["--schema", '{"$schema": 5}'], {}, "$.$schema: 5 is not of type 'string'"),
        (["--schema", '{"a": 1,}'], {}, "is not JSON: "),
        (["--schema", "[1]"], {}, "expected an object, or fields"),
        (["--schema", "name, age wood"], {}, "gives 'age' the type 'wood'"),
        (["--schema", "name, tags [[strs]]"], {}, "gives 'tags' the type 'strs'"),
        (["--schema", "name, name int"], {}, "has two fields named 'name'"),
        (["--schema", ""], {}, "neither JSON nor fields"),
        (["--schema", "name, age: int"], {}, "describes 'age' as 'int'; for a type, leave out the colon: age int"),
        (["--schema", "name, 1st int"], {}, "'1st int' is not a field"),
        (["--schema", "size int|str"], {}, "gives 'size' the type 'int|str'"),
        (["--schema", "people [name, age wood]"], {}, "gives 'age' the type 'wood'"),
        # Python cannot compile these, and only some drafts check patterns themselves.
        *(
            (["--schema", json.dumps({"$schema": f"http://json-schema.org/{draft}/schema#", **part})], {}, words)
            for draft in ("draft-03", "draft-04", "draft-06", "draft-07")
            for part, words in (
                ({"properties": {"a": {"pattern": "(b"}}}, "(b"),
                ({"patternProperties": {"(?<a>": {}}}, "(?<a>"),
                ({"items": {"pattern": "["}}, "'['"),
            )
        ),
        (["--schema", "@"], {}, "--schema: '@' needs a file name; use @FILE, or @@"),
        (["--schema", "@nowhere.json"], {}, "nowhere.json: No such file"),
        (["--schema", '{"$ref": "#/$defs/x"}'], {}, "the $ref '#/$defs/x' leads nowhere"),
        (["--schema", '{"$dynamicRef": "#/$defs/x"}'], {}, "the $ref '#/$defs/x' leads nowhere"),
        (["--schema", '{"$ref": "#"}'], {}, "refers to itself forever"),
        (["--schema", '{"items": {"$ref": "http://127.0.0.1/x.json"}}'], {}, "nothing is fetched from the network"),
        (["--schema", '{"items":' * 3000 + "{}" + "}" * 3000], {}, "nested too deeply"),
    ],
)
def test_wrong_options_are_reported_before_anything_is_sent(
    world: World, arguments: list[str], env: dict[str, str], words: str
) -> None:
    result = world.call("ask", *arguments, "Hi", **env)
    assert (result.status, result.out) == (2, "")
    assert words in result.err
    assert result.err.count("\n") == 1
    assert not world.api.requests


def test_a_remote_reference_is_never_fetched(world: World) -> None:
    schema = {"$id": f"{world.api.url}/root.json", "items": {"$ref": "other.json"}}
    assert world.call("ask", "--schema", json.dumps(schema), "Hi").status == 2
    assert not world.api.requests


def test_references_are_adjusted_and_data_is_not(world: World) -> None:
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


#: Schemas, values, and whether they fit, for cases that floats and Python's patterns get wrong.
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
def test_numbers_are_decimal_and_patterns_are_those_of_ecma(schema: dict[str, Any], value: object, fits: bool) -> None:
    for dialect in ({}, {"$schema": "http://json-schema.org/draft-07/schema#"}):
        assert (Schema({**dialect, **schema}).find_error(value) is None) == fits


@settings(deadline=None, derandomize=True)
@given(st.text(st.sampled_from(r"\$[]^dwbDW-a(|)?*+{2}:"), max_size=12), st.text("a2$\n-", max_size=4))
def test_a_pattern_that_python_compiles_never_fails(pattern: str, text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        # Others are refused.
        with suppress(ValueError):
            Schema({"pattern": pattern}).find_error(text)


def test_the_concise_notation_is_an_object_of_exactly_these_fields(world: World) -> None:
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


def concise(text: str) -> Any:
    return parse_schema(text).document


def record(optional: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


STRING, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
SIZES = {"type": "string", "enum": ["small", "very big"]}
PEOPLE = array(record(name=STRING, age=INTEGER))


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("name", record(name=STRING)),
        (
            "name: who, age int: years",
            record(name={**STRING, "description": "who"}, age={**INTEGER, "description": "years"}),
        ),
        ("name: who is it?", record(name={**STRING, "description": "who is it?"})),
        ("when: at 10:30", record(when={**STRING, "description": "at 10:30"})),
        ("name?, age int?, n", record(("name", "age"), name=STRING, age=INTEGER, n=STRING)),
        ("age int?: if known", record(("age",), age={**INTEGER, "description": "if known"})),
        ("size small|very big", record(size=SIZES)),
        ("size small | very big?: about", record(("size",), size={**SIZES, "description": "about"})),
        ("size a|a|b", record(size={"type": "string", "enum": ["a", "b"]})),
        ("[name, age int]", PEOPLE),
        ("[ name\nage int ]", PEOPLE),
        ("[name]", array(record(name=STRING))),
        ("[str]", array(STRING)),
        ("[[num]]", array(array(NUMBER))),
        ("[size small|very big]", array(record(size=SIZES))),
        ("people [name, age int], n int", record(people=PEOPLE, n=INTEGER)),
        ("people [\n  name\n  age int\n]\nn int", record(people=PEOPLE, n=INTEGER)),
        ("sizes [a|b]", record(sizes=array({"type": "string", "enum": ["a", "b"]}))),
        ("a, b int\nc [str]", record(a=STRING, b=INTEGER, c=array(STRING))),
        # If fields stand on lines, a description is the rest of its line.
        ("a: x, y [z\nb int", record(a={**STRING, "description": "x, y [z"}, b=INTEGER)),
        # llm accepts empty fields, blank lines and spaces before the colon.
        ("a,,b,", record(a=STRING, b=STRING)),
        ("\n\na : x\n\n  b float\n", record(a={**STRING, "description": "x"}, b=NUMBER)),
        ("a str, b float, c bool", record(a=STRING, b=NUMBER, c={"type": "boolean"})),
    ],
)
def test_the_concise_notation(text: str, schema: dict[str, Any]) -> None:
    assert concise(text) == schema


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.lists(st.sampled_from(["a", "b", " int", "[", "]", ",", "\n", ":", "?", "|", " "]), max_size=10).map("".join))
def test_any_notation_is_a_schema_or_an_error(text: str) -> None:
    with suppress(ValueError):
        concise(text)


#: Searching for it in A takes longer than anyone would wait.
ENDLESS, A = "^(a+)+$", "a" * 40 + "!"


def test_a_pattern_that_takes_too_long_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "MAX_SECONDS", 0.2)
    world.api.will(calls({"code": A}))
    schema = json.dumps({"type": "object", "properties": {"code": {"pattern": ENDLESS}}})
    result = world.call("ask", "--schema", schema, "Hi")
    assert (result.status, result.out, len(world.api.requests)) == (12, "", 1)
    assert f"the pattern '{ENDLESS}' takes too long" in result.err
    assert [row["error"]["status"] for row in rows(world.call("batch", "--schema", schema, stdin="1\n").out)] == [12]


def test_the_time_limit_applies_to_patterns_too(world: World) -> None:
    world.api.will(calls({"code": A}))
    schema = json.dumps({"type": "object", "properties": {"code": {"pattern": ENDLESS}}})
    result = world.call("ask", "--schema", schema, "--max-time", "0.6", "Hi")
    assert (result.status, result.out) == (12, "")
    assert "takes too long" in result.err
    BUDGET.seconds, BUDGET.deadline = 2, 0
    with pytest.raises(PatternTimeout):
        search("(a|b)+c", "ab")
    BUDGET.deadline = float("inf")
    assert not search("(a|b)+c", "ab")


@pytest.mark.parametrize(("command", "number"), [("ask", 15), ("batch", 2), ("ask", 2)])
def test_a_signal_ends_the_search_for_a_pattern(world: World, command: str, number: int) -> None:
    def behave(handler: Handler) -> None:
        calls({"code": A})(handler)
        sent.set()

    sent = threading.Event()
    world.api.will(behave)
    schema = json.dumps({"type": "object", "properties": {"code": {"pattern": ENDLESS}}})
    argv = [*PROGRAM, command, "--schema", schema, *(["Hi"] if command == "ask" else [])]
    with Running(argv, **PIPES, env=world.env, cwd=world.cwd) as run:
        assert run.stdin
        run.stdin.write(b"Hi\n")
        run.stdin.close()
        assert sent.wait(20)
        time.sleep(0.5)
        run.send_signal(number)
        if command == "batch":
            # The first one waits for the calls in flight.
            time.sleep(0.2)
            run.send_signal(number)
        assert run.wait(20) == -number


def test_patterns_are_searched_for_wherever_they_are_safe() -> None:
    for pattern, text, is_match in [
        ("^(a+)+$", "aaa", True),
        ("^(a|b)*c$", "abab", False),
        ("(?:x{2,3}y?)+", "\ud800xx\n", True),
        ("^[a-z]+$", "é" * 2000, False),
    ]:
        assert search(pattern, text) == is_match
    for pattern, is_simple in [
        ("^[a-z]+$", True),
        (r"^\d{4}-\d{2}$", True),
        ("a+b+", False),
        ("(a)*", False),
        ("(a|a){30}", False),
        ("a{1,}", False),
        (r"(a)\1", False),
    ]:
        assert _is_simple(pattern) == is_simple, pattern
