"""Reasoning between <think> tags in the content is not part of the answer."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamacli.api.messages import ThinkingSplitter, split_thinking
from tests.support.batches import rows
from tests.support.fake_api import answer, completion, delta, document, event, stream, streamed
from tests.support.world import World

#: Content, and the reasoning and the answer in it; `whole` if an end tag without a start tag counts too.
SPLITS = [
    ("42", "", "42"),
    ("<think>hm</think>42", "hm", "42"),
    ("\n <think>\nhm\n</think>\n\n42\n", "\nhm\n", "42\n"),
    ("<thinking>hm</thinking> 42", "hm", "42"),
    ("<think></think>42", "", "42"),
    ("<think>hm</think>", "hm", ""),
    ("<think>hm</think>\n\n", "hm", ""),
    ("<think>hm", "hm", ""),
    ("<think>hm</thi", "hm</thi", ""),
    ("<think>", "", ""),
    ("<thi", "", "<thi"),
    (" \n", "", " \n"),
    (" \n<", "", " \n<"),
    ("", "", ""),
    # The end tag must match.
    ("<think>hm</thinking>42", "hm</thinking>42", ""),
    ("<thinking>hm</think>still</thinking>42", "hm</think>still", "42"),
    # The first end tag ends it; everything after it is the answer.
    ("<think>a<think>b</think>c</think>42", "a<think>b", "c</think>42"),
    ("<think>a</think><think>b</think>42", "a", "<think>b</think>42"),
    # A tag anywhere else is text.
    ("Use <think>hm</think> here", "", "Use <think>hm</think> here"),
    ("`<think>` begins it", "", "`<think>` begins it"),
    ("<b><think>hm</think>", "", "<b><think>hm</think>"),
    ("<thinker>hm</thinker>", "", "<thinker>hm</thinker>"),
    ("<think >hm</think >", "", "<think >hm</think >"),
    ("<THINK>hm</THINK>42", "", "<THINK>hm</THINK>42"),
]
#: The same for an end tag without a start tag, if the answer is held back and if it is not.
UNOPENED = [
    ("hm</think>\n42", "hm", "42"),
    ("hm</thinking>42", "hm", "42"),
    ("</think>42", "", "42"),
    ("a</think>b</think>42", "a", "b</think>42"),
    ("Write <think>hm</think> first", "", "Write <think>hm</think> first"),
]


@pytest.mark.parametrize(("text", "reasoning", "rest"), [*SPLITS, *((text, "", text) for text, _, _ in UNOPENED)])
def test_a_text_that_streams_is_split_at_its_tags(text: str, reasoning: str, rest: str) -> None:
    assert split_thinking(text, is_whole=False) == (reasoning, rest)


@pytest.mark.parametrize(("text", "reasoning", "rest"), UNOPENED)
def test_an_end_tag_alone_ends_the_reasoning_of_a_whole_text(text: str, reasoning: str, rest: str) -> None:
    assert split_thinking(text, is_whole=True) == (reasoning, rest)


PIECES = st.sampled_from(["<think>", "</think>", "<thinking>", "</thinking>", "<", "</", "think", ">", " ", "\n", "a"])


@settings(deadline=None, derandomize=True, max_examples=400)
@given(st.lists(PIECES, max_size=8).map("".join), st.data())
def test_where_a_stream_is_cut_makes_no_difference(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))) | {0, len(text)})
    splitter = ThinkingSplitter()
    parts = [splitter.feed(text[start:end]) for start, end in pairwise(cuts)]
    parts.append(splitter.finish())
    joined = tuple("".join(part) for part in zip(*parts, strict=True))
    assert joined == split_thinking(text, is_whole=False)
    assert splitter.has_answer == bool(joined[1])
    # Only the tags and the space around them are lost.
    lost = len(text) - len("".join(joined))
    assert joined == ("", text) or lost <= len("<thinking></thinking>") + text.count(" ") + text.count("\n")


@pytest.mark.parametrize(("text", "held"), [("a", 0), ("<thi", 4), ("  <", 3), ("<thx", 0), ("<think>a</th", 0)])
def test_only_what_may_be_a_tag_is_held_back(text: str, held: int) -> None:
    splitter = ThinkingSplitter()
    printed = [splitter.feed(character)[1] for character in text]
    assert len("".join(printed)) == (0 if text.startswith("<think>") else len(text) - held)


def test_reasoning_is_passed_on_as_it_arrives() -> None:
    splitter = ThinkingSplitter()
    assert [splitter.feed(piece)[0] for piece in ("<think>", "a", "b</", "b", "</think>")] == ["", "a", "b", "</b", ""]


THOUGHT = "<think>\nTry:\n```\nwrong\n```\n</think>\n\nHere:\n```\nright\n```\n"


@pytest.mark.parametrize(
    ("flags", "printed", "shown"),
    [
        ([], "Here:\n```\nright\n```\n", ""),
        (["--reasoning"], "Here:\n```\nright\n```\n", "\nTry:\n```\nwrong\n```\n"),
        (["--no-stream"], "Here:\n```\nright\n```\n", ""),
        (["--no-stream", "--reasoning"], "Here:\n```\nright\n```\n", "\nTry:\n```\nwrong\n```\n"),
        (["-x"], "right\n", ""),
        (["-x", "--reasoning"], "right\n", "\nTry:\n```\nwrong\n```\n"),
        (["-x", "--keep-thinking"], "wrong\n", ""),
        (["--keep-thinking"], THOUGHT, ""),
        (["--keep-thinking", "--reasoning"], THOUGHT, ""),
    ],
)
@pytest.mark.parametrize("is_streamed", [False, True])
def test_what_is_printed_of_an_answer_with_reasoning(
    world: World, flags: list[str], printed: str, shown: str, is_streamed: bool
) -> None:
    world.api.will(stream(streamed(THOUGHT)) if is_streamed else answer(THOUGHT))
    result = world.call("ask", *flags, "Hi")
    assert (result.status, result.out, result.err) == (0, printed, shown)


@pytest.mark.parametrize("flags", [["-x"], ["--no-stream"]])
def test_an_end_tag_alone_counts_if_the_answer_is_held_back(world: World, flags: list[str]) -> None:
    world.api.will(answer("hm\n```\nwrong\n```\n</think>\n```\nright\n```\n"))
    result = world.call("ask", *flags, "--reasoning", "Hi")
    assert (result.status, "right" in result.out, "wrong" in result.out) == (0, True, False)
    assert ("right" in result.err, "wrong" in result.err) == (False, True)


def test_a_choice_without_a_message_is_not_an_answer(world: World) -> None:
    for choice in ({"index": 0, "finish_reason": "stop", "message": None}, {"index": 0, "finish_reason": "stop"}):
        world.api.will(document({"choices": [choice]}))
        for flags in (["--no-stream"], ["-x"], ["--json"]):
            assert world.call("ask", *flags, "Hi").status in (9, 12)


@pytest.mark.parametrize(
    ("flags", "content", "printed"),
    [
        (["--yes-no"], "<think>\nIs it? Yes.\n</think>\n\nyes", "yes\n"),
        (["--yes-no"], "no? Yes.\n</think>\n\nyes", "yes\n"),
        (["--choice", "a,b"], "<thinking>b?</thinking>a", "a\n"),
        (["--schema", "age int"], '<think>{"age": 2}?</think>{"age": 3}', '{"age": 3}\n'),
        (["--schema", "age int"], '{"age": 2}?</think>```json\n{"age": 3}\n```', '{"age": 3}\n'),
    ],
)
def test_a_format_is_read_from_the_answer_alone(world: World, flags: list[str], content: str, printed: str) -> None:
    world.api.will(answer(content))
    result = world.call("ask", *flags, "Hi")
    assert (result.status, result.out, len(world.api.requests)) == (0, printed, 1)
    row = rows(world.call("batch", *flags, stdin="Hi\n").out)[0]
    assert (row["content"], row["error"]) == (json.loads(printed) if "--schema" in flags else printed.strip(), None)


def test_json_and_raw_print_the_content_as_received(world: World) -> None:
    world.api.will(answer(THOUGHT))
    for command in (["ask", "--json", "Hi"], ["raw", "-F", "model=m"]):
        result = world.call(*command)
        assert (result.status, json.loads(result.out)) == (0, completion(THOUGHT))
    assert world.call("ask", "--json", "-x", "Hi").out == world.call("ask", "--json", "Hi").out


@pytest.mark.parametrize(
    ("content", "finish", "status", "words"),
    [
        ("<think>hm", "length", 10, "cut at the token limit, while the model was still reasoning"),
        ("<think>hm</think>", "length", 10, "cut at the token limit, while the model was still reasoning"),
        ("<think>hm</think>4", "length", 10, "cut at the token limit;"),
        ("<think>hm", "stop", 9, "its reasoning but no answer"),
        ("<think>hm</think>\n", "stop", 9, "its reasoning but no answer"),
        (" <think>", "stop", 9, "empty answer"),
    ],
)
def test_reasoning_alone_is_not_an_answer(world: World, content: str, finish: str, status: int, words: str) -> None:
    world.api.will(answer(content, finish=finish))
    for flags in ([], ["--no-stream"], ["--json"], ["-o", "out"]):
        result = world.call("ask", *flags, "Hi")
        assert result.status == status
        assert words in result.err.replace(" (request id", ";")
    row = rows(world.call("batch", stdin="Hi\n").out)[0]
    assert row["error"]["status"] == status
    assert world.call("ask", "--keep-thinking", "Hi").out == content.removesuffix("\n") + "\n"


def test_reasoning_in_its_own_field_is_not_an_answer(world: World) -> None:
    world.api.will(stream([event(delta("", reasoning_content="It is 42.")), event(delta(finish="stop"))]))
    result = world.call("ask", "Hi")
    assert (result.status, result.out) == (9, "")
    assert "its reasoning but no answer" in result.err


def test_several_answers_come_without_their_reasoning(world: World) -> None:
    whole = completion("<think>a</think>1")
    second = completion("b</think>2")["choices"][0]
    world.api.will(document({**whole, "choices": [*whole["choices"], {**second, "index": 1}]}))
    result = world.call("ask", "-n", "2", "-0", "--reasoning", "Hi")
    assert (result.status, result.out) == (0, "1\x002\0")
    assert rows(world.call("batch", "-n", "2", stdin="Hi\n").out)[0]["content"] == ["1", "2"]


def test_a_conversation_is_saved_without_reasoning(world: World, tmp_path: Path) -> None:
    for content, flags in (
        ("<think>a</think>1", []),
        ("a</think>1", ["--no-stream"]),
        ("<think>a</think>1", ["--json"]),
    ):
        world.api.will(answer(content))
        assert world.call("chat", "-S", "s", *flags, "Hi").status == 0
    world.call("chat", "-S", "s", "Hi")
    said = [message["content"] for message in world.api.body["messages"] if message["role"] == "assistant"]
    assert said == ["1", "1", "1"]
    world.call("chat", "-S", "k", "--keep-thinking", "Hi")
    world.call("chat", "-S", "k", "Hi")
    assert world.api.body["messages"][1]["content"] == "<think>a</think>1"


@pytest.mark.parametrize("text", ["<thi", "  <", "<think>hm</th"])
def test_what_was_held_back_is_printed_if_the_stream_breaks_off(world: World, text: str) -> None:
    world.api.will(stream([event(delta(text))], then="cut"))
    result = world.call("ask", "Hi")
    assert (result.status, result.out) == (9, "" if "hm" in text else text + "\n")


@pytest.mark.parametrize("field", [5, ["a"], {"a": 1}, [{"type": "thinking", "thinking": "hm"}], True])
def test_a_reasoning_field_of_any_type_loses_no_answer(world: World, field: object) -> None:
    message = {"content": "<think>hm</think>42", "reasoning_content": field}
    choice = {"index": 0, "finish_reason": "stop", "delta": message}
    for behavior in (document({"choices": [{**choice, "message": message}]}), stream([event({"choices": [choice]})])):
        world.api.will(behavior)
        assert world.call("ask", "Hi").out == "42\n"
        assert world.call("ask", "--choice", "41,42", "Hi").out == "42\n"
        assert [row["content"] for row in rows(world.call("batch", stdin="Hi").out)] == ["42"]
