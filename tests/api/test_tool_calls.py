"""Deltas of tool calls, as servers send them, to whole calls."""

from __future__ import annotations

from typing import Any

import pytest

from llamacli.api.accumulator import Accumulator
from llamacli.api.completion import find_problem
from llamacli.api.tool_calls import tool_calls
from llamacli.errors import ExitStatus
from tests.support.fake_api import delta


def part(name: str | None = None, arguments: Any = None, **more: Any) -> dict[str, Any]:
    values = {"name": name, "arguments": arguments}
    return {**more, "function": {key: value for key, value in values.items() if value is not None}}


def call(name: str | None, arguments: object, id: str | None = "c") -> dict[str, Any]:
    return {"id": id, "name": name, "arguments": arguments}


ONE = {"a": 1}
PIECES = ('{"a":', "1}")

#: What a server does -> its deltas, and the calls that they stand for.
CALLS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "OpenAI": (
        [part("f", "", index=0, id="c", type="function"), *(part(None, text, index=0) for text in PIECES)],
        [call("f", ONE)],
    ),
    "empty ids and names": (
        [part("f", "", index=0, id="c"), *(part("", text, index=0, id="", type="") for text in PIECES)],
        [call("f", ONE)],
    ),
    "empty ids and names without an index": (
        [part("f", "", id="c"), *(part("", text, id="") for text in PIECES)],
        [call("f", ONE)],
    ),
    "an id for each delta": (
        [part("f", "", index=0, id="c"), *(part("", text, index=0, id=f"x{text}") for text in PIECES)],
        [call("f", ONE)],
    ),
    "an index for each delta": (
        [part("f", "", index=0, id="c"), *(part(None, text, index=index) for index, text in enumerate(PIECES, 1))],
        [call("f", ONE)],
    ),
    "the index of the call before": (
        [part("f", "{}", index=0, id="c"), part("g", PIECES[0], index=0, id="d"), part(None, PIECES[1], index=1)],
        [call("f", {}), call("g", ONE, "d")],
    ),
    "an id and the name with each delta": (
        [part("f", text, index=0, id=f"c{number}") for number, text in enumerate(PIECES)],
        [call("f", ONE, "c0")],
    ),
    "null as a word for no id": (
        [part("f", '{"a":1}', id="null"), part("g", "{}", id="null"), part("g", '{"a":1}', id="null")],
        [call("f", ONE, "null"), call("g", {}, "null"), call("g", ONE, "null")],
    ),
    "a newline that is not escaped": ([part("f", '{"a":"x\ny"}', index=0, id="c")], [call("f", {"a": "x\ny"})]),
    "an index as a string": (
        [part("f", PIECES[0], index="0", id="c"), part(None, PIECES[1], index=0)],
        [call("f", ONE)],
    ),
    "the name in pieces": (
        [part("get_", '{"a"', index=0, id="c"), part("weather", ":1}", index=0)],
        [call("get_weather", ONE)],
    ),
    "the name grows": ([part("get_", PIECES[0], id="c"), part("get_it", PIECES[1], id="c")], [call("get_it", ONE)]),
    "the name with each delta": ([part("f", text, index=0, id="c") for text in PIECES], [call("f", ONE)]),
    "the name with each delta, no id": ([part("f", text, index=0) for text in PIECES], [call("f", ONE, None)]),
    "the name at the end again": (
        [part("f", '{"a":1}', index=0), part("f", "", index=0)],
        [call("f", ONE, None)],
    ),
    "the arguments at the end again": (
        [part("f", '{"a":1}', index=0, id="c"), part(None, '{"a":1}', index=0)],
        [call("f", ONE)],
    ),
    "all arguments so far with each delta": (
        [part("f", "", index=0, id="c"), *(part(None, text, index=0) for text in ("{", '{"a":', '{"a":1}'))],
        [call("f", ONE)],
    ),
    "the whole call at the end again": (
        [part("f", PIECES[0], index=0), part(None, PIECES[1], index=0), part("f", '{"a":1}', index=0)],
        [call("f", ONE, None)],
    ),
    "an empty object first": (
        [part("f", "{}", index=0, id="c"), *(part(None, text, index=0) for text in PIECES)],
        [call("f", ONE)],
    ),
    "an object in the arguments": (
        [part("f", '{"a":', index=0, id="c"), *(part(None, text, index=0) for text in ('{"a":1}', "}"))],
        [call("f", {"a": ONE})],
    ),
    "arguments encoded twice": ([part("f", r'"{\"a\":1}"', index=0, id="c")], [call("f", ONE)]),
    "one id for all": (
        [part("f", '{"a":1}', index=0, id="c"), part("g", PIECES[0], index=1, id="c"), part("", PIECES[1], index=1)],
        [call("f", ONE), call("g", ONE)],
    ),
    "an empty call at the end": (
        [part("f", '{"a":1}', index=0, id="c"), part("", "", index=1, id="", type="function")],
        [call("f", ONE)],
    ),
    "a custom call in pieces": (
        [{"id": "c", "type": "custom", "custom": {"name": "f", "input": "a"}}, {"custom": {"input": "b"}}],
        [call("f", "ab")],
    ),
    "a late id": ([part("f", "", index=0, id=None), part(None, '{"a":1}', index=0, id="c")], [call("f", ONE)]),
    "a late name": ([part("", "", index=0, id="c"), part("f", '{"a":1}', index=0, id="c")], [call("f", ONE)]),
    "a late index": ([part("f", "", id="c"), part(None, '{"a":1}', index=0)], [call("f", ONE)]),
    "a late index and many deltas": (
        [part("f", "", id="c"), *(part(None, text, index=0) for text in PIECES)],
        [call("f", ONE)],
    ),
    "an index at first alone": ([part("f", "", index=0, id="c"), part(None, '{"a":1}', id="c")], [call("f", ONE)]),
    "ids alone": (
        [part("f", '{"a":1}', id="c"), part("g", '{"a":1}', id="d"), part("f", "{}", id="e")],
        [call("f", ONE), call("g", ONE, "d"), call("f", {}, "e")],
    ),
    "one index for all": (
        [part("f", '{"a":1}', index=0, id="c"), part("f", "{}", index=0, id="d")],
        [call("f", ONE), call("f", {}, "d")],
    ),
    "one index for all and no ids": (
        [part("f", '{"a":1}', index=0), part("g", "{}", index=0), part("g", '{"a":1}', index=0)],
        [call("f", ONE, None), call("g", {}, None), call("g", ONE, None)],
    ),
    "neither ids nor indices": (
        [part("f"), part(None, '{"a":1}'), part("g"), part(None, "{}")],
        [call("f", ONE, None), call("g", {}, None)],
    ),
    "in turns": (
        [part("f", "", index=0, id="c"), part("g", "", index=1, id="d")]
        + [part(None, text, index=index) for text in PIECES for index in (1, 0)],
        [call("f", ONE), call("g", ONE, "d")],
    ),
    "objects for arguments": ([part("f", {"a": 1}, index=0, id="c")], [call("f", ONE)]),
    "null between them": ([part("f", "", index=0, id="c"), None, part(None, '{"a":1}', index=0)], [call("f", ONE)]),  # type: ignore[list-item]
    "out of order": (
        [part("g", "{}", index=1, id="d"), part("f", '{"a":1}', index=0, id="c")],
        [call("f", ONE), call("g", {}, "d")],
    ),
    "no function object": (
        [{"index": 0, "id": "c", "name": "f", "arguments": PIECES[0]}, {"index": 0, "arguments": PIECES[1]}],
        [call("f", ONE)],
    ),
    "the name alone outside of the function": (
        [{"index": 0, "id": "c", "name": "f", "function": {"arguments": '{"a":1}'}}],
        [call("f", ONE)],
    ),
    "the function is its name": ([{"id": "c", "function": "f", "arguments": '{"a":1}'}], [call("f", ONE)]),
    "parameters for arguments": ([{"id": "c", "function": {"name": "f", "parameters": ONE}}], [call("f", ONE)]),
    "arguments cut short": ([part("f", '{"a":', index=0, id="c")], [call("f", '{"a":')]),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("together", [False, True], ids=["one by one", "in one delta"])
def test_deltas_become_the_right_calls(name: str, together: bool) -> None:
    parts, expected = CALLS[name]
    accumulator = Accumulator()
    for group in [parts] if together else [[part] for part in parts]:
        accumulator.add(delta(tool_calls=group))
    accumulator.add(delta(finish="tool_calls"))
    assert tool_calls(accumulator.completion()["choices"][0]["message"]) == expected


@pytest.mark.parametrize("key", ["delta", "message"])
@pytest.mark.parametrize(
    "calls",
    [
        part("f", '{"a":1}', id="c", type="function"),
        {"id": "c", "name": "f", "arguments": '{"a":1}'},
        {"0": part("f", '{"a":1}', id="c")},
        [{"id": "c", "type": "function", "name": "f", "arguments": ONE}],
    ],
)
def test_calls_in_another_place_are_kept_in_the_form_of_the_api(key: str, calls: Any) -> None:
    accumulator = Accumulator()
    accumulator.add({"choices": [{key: {"content": None, "tool_calls": calls}, "finish_reason": "tool_calls"}]})
    message = accumulator.completion()["choices"][0]["message"]
    assert tool_calls(message) == [call("f", ONE)]
    assert message["tool_calls"][0]["function"]["name"] == "f"


def test_calls_among_the_parts_of_the_content_are_calls() -> None:
    content = [{"type": "text", "text": "Look:"}, {"type": "tool_use", "id": "c", "name": "f", "input": ONE}]
    accumulator = Accumulator()
    accumulator.add({"choices": [{"message": {"content": content}, "finish_reason": "tool_use"}]})
    message = accumulator.completion()["choices"][0]["message"]
    assert (message["content"], tool_calls(message)) == ("Look:", [call("f", ONE)])


@pytest.mark.parametrize("text", [None, "some text"])
def test_a_call_without_a_name_is_a_broken_answer(text: str | None) -> None:
    accumulator = Accumulator()
    accumulator.add(delta(text, tool_calls=[part(None, "{}", index=0, id="c")]))
    accumulator.add(delta(finish="tool_calls"))
    problem = find_problem(accumulator.completion())
    assert problem
    assert (problem.status, problem.message) == (9, "the server sent a tool call without a name")


def test_repeated_names_take_time_in_proportion_to_their_number() -> None:
    accumulator = Accumulator()
    for _ in range(20_000):
        accumulator.add(delta(tool_calls=[part("f", "xxxxxxxxxx", index=0)]))
    message = accumulator.completion()["choices"][0]["message"]
    assert len(message["tool_calls"][0]["function"]["arguments"]) == 200_000


@pytest.mark.parametrize(("index", "problem"), [(0, None), (1, "the server sent an empty answer")])
def test_an_empty_choice_beside_its_calls_is_no_empty_answer(index: int, problem: str | None) -> None:
    calling = {"content": None, "tool_calls": [part("f", "{}", id="c", type="function")]}
    choices = [{"index": 0, "message": {"content": ""}}, {"index": index, "message": calling}]
    accumulator = Accumulator()
    accumulator.add({"choices": choices})
    error = find_problem(accumulator.completion())
    assert (error and error.message) == problem


@pytest.mark.parametrize("place", [{"index": 1}, {"id": "c"}])
def test_too_many_calls_are_refused_at_once(place: dict[str, object]) -> None:
    """Without a limit a document of 64 MiB takes a day."""

    def calls(count: int) -> list[dict[str, object]]:
        numbered = ({key: f"{value}{number}" for key, value in place.items()} for number in range(count))
        return [{**part, "function": {"name": "f", "arguments": "{}"}} for part in numbered]

    whole = Accumulator()
    whole.add({"choices": [{"message": {"tool_calls": calls(1000)}}]})
    assert len(tool_calls(whole.completion()["choices"][0]["message"])) == 1000
    for key in ("message", "delta"):
        with pytest.raises(ValueError, match="unexpected shape"):
            Accumulator().add({"choices": [{key: {"tool_calls": calls(1001)}}]})


@pytest.mark.parametrize(
    "parts",
    [
        [{"finish_reason": "stop"}, {"finish_reason": "length"}],
        [{"finish_reason": "length"}, {"finish_reason": "stop"}],
        [{"finish_reason": "length", "native_finish_reason": "STOP"}],
        [{"finish_reason": "stop", "native_finish_reason": "MAX_TOKENS"}],
    ],
)
def test_an_answer_is_cut_if_any_of_its_reasons_says_so(parts: list[dict[str, str]]) -> None:
    whole = Accumulator()
    for part in parts:
        whole.add({"choices": [{"index": 0, "delta": {"content": "x"}, **part}]})
    problem = find_problem(whole.completion())
    assert problem
    assert problem.status == ExitStatus.CUT
