"""The request parameters: every row of the table reaches the body, keeps its range and has its default."""

import json
import os
from typing import Any

import pytest

from llamacli.ask.params import Params
from llamacli.cli.types import Number, ParamType, Switch
from tests.support.parameters import RANGES
from tests.support.world import World

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
#: For each parameter, what is typed and what must be sent.
GOOD: dict[str, list[tuple[list[str], Any]]] = {
    "model": [(["some/model"], "some/model")],
    "max_tokens": [(["1"], 1), (["4096"], 4096)],
    "temperature": [(["0"], 0), (["2"], 2), ([".5"], 0.5), (["0.70"], 0.7), (["1e-1"], 0.1)],
    "top_p": [(["0.01"], 0.01), (["1"], 1)],
    "top_k": [(["40"], 40)],
    "min_p": [(["0.001"], 0.001), (["0.999"], 0.999)],
    "n": [(["1"], 1), (["3"], 3)],
    "stop": [(["a"], ["a"]), (["a", "b,c", "\n", "d"], ["a", "b,c", "\n", "d"])],
    "seed": [(["1"], 1), (["123456789012345678901234567890"], 123456789012345678901234567890)],
    "frequency_penalty": [(["-2"], -2), (["1.5"], 1.5)],
    "presence_penalty": [(["-1.5"], -1.5), (["2"], 2)],
    "repetition_penalty": [(["1.1"], 1.1)],
    "logit_bias": [(["42=-100"], {"42": -100}), (["1=2.5", "7=100"], {"1": 2.5, "7": 100})],
    "tools": [([json.dumps(TOOLS)], TOOLS), (["@tools.json"], TOOLS), ([" []\n"], [])],
    "tool_choice": [
        (["auto"], "auto"),
        (["none"], "none"),
        (["required"], "required"),
        (["f"], {"type": "function", "function": {"name": "f"}}),
        (['{"type": "function", "function": {"name": "g"}}'], {"type": "function", "function": {"name": "g"}}),
    ],
    "prediction": [
        (["mostly this"], {"type": "content", "content": "mostly this"}),
        (["@tools.json"], {"type": "content", "content": json.dumps(TOOLS)}),
    ],
}
BAD: dict[str, list[str]] = {
    "max_tokens": ["0", "-1", "1.5", "many", "", "１"],
    "temperature": ["-0.1", "2.01", "nan", "inf", "-inf", "infinity", "1_0", "0x1", "1e400", "warm", " 1"],
    "top_p": ["0", "1.1", "nan"],
    "top_k": ["x", "1.5"],
    "min_p": ["0", "1"],
    "n": ["0", "1.0"],
    "seed": ["0", "-5", "9" * 401],
    "frequency_penalty": ["-2.1", "2.1"],
    "presence_penalty": ["-3", "3"],
    "repetition_penalty": ["nan", "-inf", "x"],
    "logit_bias": ["1", "1=", "1=101", "=5", "1=x", "1=nan"],
    "top_logprobs": ["-1", "21"],
    "tools": ["{}", "[1]", "[", "nan", "[1e400]", "[NaN]", json.dumps(TOOLS * 129)],
    "tool_choice": ["{", '{"a": NaN}', "two words", '"auto"', "", "x" * 65],
    "param": ["x", "=1", "x=1e400"],
}
FLAGS = Params.flags()
#: Parameters that have their own tests below.
SPECIAL = {"stream", "top_logprobs", "param"}
SWITCHES = [name for name, flag in FLAGS.items() if isinstance(flag.type, Switch) and name not in SPECIAL]


def of_kind(kind: ParamType, many: bool) -> list[tuple[list[str], Any]]:
    """Returns what is typed and sent for a parameter without a row above: any value of its type."""
    typed = kind.values[0] if kind.values else "text"
    if isinstance(kind, Number):
        typed = str(next((bound for bound in (kind.low, kind.high) if bound), 1))
    value = kind.parse(typed)
    return [([typed], kind.join([value]) if many else value)]


GOOD |= {
    name: of_kind(flag.type, flag.multiple) for name, flag in FLAGS.items() if name not in {*GOOD, *SWITCHES, *SPECIAL}
}


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def test_the_rows_are_those_of_the_table() -> None:
    assert set(FLAGS) == {*GOOD, *SWITCHES, *SPECIAL}
    assert set(BAD) < set(FLAGS)


@pytest.mark.parametrize(("name", "given", "sent"), [(name, *case) for name in GOOD for case in GOOD[name]])
def test_a_parameter_is_sent_under_its_own_name(world: World, name: str, given: list[str], sent: Any) -> None:
    (world.cwd / "tools.json").write_text(json.dumps(TOOLS) + "\n")
    arguments = [word for value in given for word in (flag(name), value)]
    result = world.call("ask", *arguments, "Hi")
    assert result.status == 0, result.err
    body = world.api.body
    assert body.pop(name) == sent
    assert json.dumps(sent) in world.api.requests[0].body.decode() or not isinstance(sent, int)
    assert set(body) <= {"model", "messages", "stream"}


@pytest.mark.parametrize(
    ("name", "given", "sent"), [(name, *case) for name in GOOD for case in GOOD[name] if "@tools.json" not in case[0]]
)
def test_a_parameter_has_a_default_in_the_environment(world: World, name: str, given: list[str], sent: Any) -> None:
    value = given[0] if len(given) == 1 else json.dumps(given)
    result = world.call("ask", "Hi", **{f"LLAMACLI_{name.upper()}": value})
    assert result.status == 0, result.err
    assert world.api.body[name] == sent


@pytest.mark.parametrize(("name", "given"), [(name, value) for name in BAD for value in BAD[name]])
def test_a_value_out_of_range_is_refused_and_named(world: World, name: str, given: str) -> None:
    result = world.call("ask", f"{flag(name)}={given}", "--logprobs", "Hi")
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith(f"llamacli: {flag(name)}: ")
    assert result.err.count("\n") == 1
    if name in RANGES and "\u0020" not in given:
        assert all(str(bound) in result.err for bound in RANGES[name] if bound is not None)
    if given:
        result = world.call("ask", "--logprobs", "Hi", **{f"LLAMACLI_{name.upper()}": given})
        assert result.status == 2
        assert f"LLAMACLI_{name.upper()} in the environment" in result.err
    assert not world.api.requests


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_is_sent_true_false_or_not_at_all(world: World, name: str) -> None:
    off = flag(name).replace("--", "--no-", 1)
    variable = f"LLAMACLI_{name.upper()}"
    for arguments, env, sent in [
        ([], {}, None),
        ([flag(name)], {}, True),
        ([off], {}, False),
        ([], {variable: "yes"}, True),
        ([], {variable: "0"}, False),
        ([off], {variable: "1"}, False),
        ([], {variable: ""}, None),
    ]:
        assert world.call("ask", *arguments, "Hi", **env).status == 0
        assert world.api.body.get(name) is sent
    assert world.call("ask", "Hi", **{variable: "maybe"}).status == 2


def test_top_logprobs_needs_logprobs(world: World) -> None:
    result = world.call("ask", "--top-logprobs", "3", "Hi")
    assert (result.status, result.err) == (
        2,
        "llamacli: --top-logprobs (or LLAMACLI_TOP_LOGPROBS) needs --logprobs\n",
    )
    for arguments in (["--logprobs"], ["-p", "logprobs=true"]):
        assert world.call("ask", "--top-logprobs", "3", *arguments, "Hi").status == 0
        assert world.api.body["top_logprobs"] == 3


def test_five_stop_sequences_are_too_many(world: World) -> None:
    result = world.call("ask", *["--stop=x"] * 5, "Hi")
    assert result.status == 2
    assert "--stop" in result.err


@pytest.mark.parametrize(
    ("given", "key", "sent"),
    [
        ("reasoning_effort=low", "reasoning_effort", "low"),
        ("temperature=9", "temperature", 9),
        ("n=null", "n", None),
        ('response_format={"type": "json_object"}', "response_format", {"type": "json_object"}),
        ("x=NaN", "x", "NaN"),
        ("x=", "x", ""),
        ("x=a=b", "x", "a=b"),
        ("x=@file", "x", "@file"),
        ('x="\\ud800"', "x", "\ud800"),
        ("messages=[]", "messages", []),
    ],
)
def test_param_puts_anything_into_the_body(world: World, given: str, key: str, sent: Any) -> None:
    from tests.support.fake_api import text

    world.api.will(text("ok"))
    assert world.call("ask", "-p", given, "-p", "other=1", "Hi").status == 0
    assert world.api.body[key] == sent
    assert list(world.api.body)[-1] == "other"


def test_param_comes_last_and_wins(world: World) -> None:
    from tests.support.fake_api import text

    world.api.will(text("ok"))
    world.call("ask", "-t", "1", "-p", "temperature=7", "-m", "a", "--param", "model=b", "Hi")
    assert (world.api.body["temperature"], world.api.body["model"]) == (7, "b")


def test_short_and_joined_forms_work(world: World) -> None:
    for arguments in (["-t.5"], ["-t", ".5"], ["-qt", ".5"], ["-qt.5"], ["--temperature=.5"]):
        assert world.call("ask", *arguments, "Hi").status == 0
        assert world.api.body["temperature"] == 0.5


@pytest.mark.skipif("LLAMACLI_API_SPEC" not in os.environ, reason="LLAMACLI_API_SPEC names no OpenAPI file")
def test_every_body_fits_the_providers_openapi_file(world: World) -> None:
    import jsonschema

    with open(os.environ["LLAMACLI_API_SPEC"], encoding="utf-8") as file:
        operation = next(iter(json.load(file)["paths"].values()))["post"]
    schema = _nullable(operation["requestBody"]["content"]["application/json"]["schema"])
    cases = [(name, given) for name in GOOD if name != "model" for given, _ in GOOD[name]]
    cases += [("top_logprobs", ["5"])] + [(name, []) for name in SWITCHES]
    (world.cwd / "tools.json").write_text(json.dumps(TOOLS))
    for name, given in cases:
        arguments = [word for value in given for word in (flag(name), value)] or [flag(name)]
        world.call("ask", *arguments, *(["--logprobs"] if name == "top_logprobs" else []), "Hi")
        jsonschema.validate(world.api.body, schema)
    world.call("ask", "-u", "-s", "Be brief", "Hi")
    jsonschema.validate(world.api.body, schema)


def _nullable(schema: Any) -> Any:
    """Turns OpenAPI 3.0's `nullable` into JSON Schema's null."""
    if isinstance(schema, list):
        return [_nullable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _nullable(value) for key, value in schema.items() if key != "nullable"}
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") is True else made
