"""Inputs that are too long: estimated, cut to a part of them, or asked part by part."""

import os
import random
import re
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamacli.ask.overflow import estimate_tokens, split, truncate
from tests.support.fake_api import MODEL, Handler, answer, document, error, respond
from tests.support.world import World

LINES = "".join(f"this is line number {number}\n" for number in range(1, 1001))

TEXTS = st.lists(st.text(alphabet="ab ,.9ü語\n", max_size=200), min_size=1, max_size=4)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(texts=TEXTS, limit=st.integers(1, 60))
def test_the_parts_are_the_text_and_short_enough(texts: list[str], limit: int) -> None:
    parts = list(split(texts, limit))
    for number, text in enumerate(texts):
        assert "".join(part[number] or "" for part in parts) == text
    for part in parts:
        pieces = [piece for piece in part if piece]
        # A single character may be estimated as more than one token.
        assert sum(map(estimate_tokens, pieces)) <= limit or max(map(len, pieces)) == 1
    sequence = [number for part in parts for number, piece in enumerate(part) if piece]
    assert sequence == sorted(sequence)


def test_parts_end_at_blank_lines_else_at_lines_else_anywhere() -> None:
    paragraphs = [f"{'word ' * 30}{number}.\n{'more ' * 30}\n\n" for number in range(40)]
    assert all((part[0] or "").endswith("\n\n") for part in split(["".join(paragraphs)], 400))
    assert all((part[0] or "").endswith("\n") for part in split([LINES], 400))
    parts = list(split(["x" * 10_000], 400))
    assert len(parts) > 10
    assert "".join(part[0] or "" for part in parts) == "x" * 10_000


@settings(deadline=None, derandomize=True, max_examples=150)
@given(texts=TEXTS, limit=st.integers(60, 120), side=st.sampled_from(["head", "tail", "middle"]))
def test_the_kept_text_is_short_enough_and_from_the_input(texts: list[str], limit: int, side: str) -> None:
    kept, note = truncate(texts, limit, side)
    assert (note == "") == (estimate_tokens("".join(texts)) <= limit)
    if not note:
        assert kept == texts
        return
    for text, part in zip(texts, kept, strict=True):
        lines = [line for line in part.split("\n") if "lines left out ...]" not in line]
        assert "\n".join(lines).strip("\n") in text


@pytest.mark.parametrize(
    ("side", "first", "last"),
    [
        ("head", "this is line number 1", "[... 976 lines left out ...]"),
        ("tail", "[... 980 lines left out ...]", "this is line number 1000"),
    ],
)
def test_head_and_tail_keep_whole_lines_and_say_what_is_left_out(
    world: World, side: str, first: str, last: str
) -> None:
    result = world.call("ask", "--overflow", side, "--max-input", "180", "What went wrong?", stdin=LINES)
    assert result.status == 0
    assert re.search(rf"kept the {side} of the text, left out 9\d\d of 1000 lines: .*estimated", result.err)
    prompt, _, text = world.api.prompt.partition("\n\n")
    lines = text.split("\n")
    assert (prompt, lines[0], lines[-1]) == ("What went wrong?", first, last)
    assert all(f"{line}\n" in LINES for line in lines if "left out" not in line)
    assert world.call("ask", "-q", "--overflow", side, "--max-input", "180", "Hi", stdin=LINES).err == ""


def test_middle_applies_to_files_and_stdin_together(world: World) -> None:
    (world.cwd / "a").write_text("first\n")
    (world.cwd / "b").write_text(LINES)
    result = world.call("ask", "-f", "a", "-f", "b", "--overflow", "middle", "--max-input", "300", "Q", stdin="end")
    assert "left out 97" in result.err
    prompt = world.api.prompt
    assert '<file name="a">\n[... 1 lines left out ...]\n</file>' in prompt
    assert prompt.count("lines left out") == 4
    assert "this is line number 500\n" in prompt
    assert prompt.endswith("[... 1 lines left out ...]")


def test_a_text_that_fits_is_sent_as_it_is_and_fail_refuses_nothing(world: World) -> None:
    for arguments in (["--overflow", "tail", "--max-input", "20000"], ["--max-input", "1"], []):
        result = world.call("ask", *arguments, "Q", stdin=LINES)
        assert (result.status, result.err) == (0, "")
        assert world.api.prompt == f"Q\n\n{LINES.rstrip()}"


def test_a_placeholder_gets_what_is_kept(world: World) -> None:
    arguments = ["--overflow", "tail", "--max-input", "60"]
    assert world.call("ask", *arguments, "Before {stdin} after", stdin=LINES).status == 0
    assert world.api.prompt.startswith("Before [... ")
    assert world.api.prompt.endswith("number 1000 after")


def test_the_default_limit_comes_from_the_list_of_models(world: World) -> None:
    def models(handler: Handler) -> None:
        document({"data": [{"id": MODEL, "info": {"contextLength": 1000}}]})(handler)

    world.api.will(models, answer())
    assert world.call("models").status == 0
    tail = ["--overflow", "tail"]
    assert "and 783 are allowed" in world.call("ask", *tail, "--max-tokens", "200", "Q", stdin=LINES).err
    assert "allowed" in world.call("ask", *tail, "--max-tokens", "200", "-s", "x " * 300, "Q", stdin=LINES).err
    assert "and 8192 are allowed" in world.call("ask", *tail, "-m", "other", "Q", stdin=LINES * 2).err
    world.api.requests.clear()
    result = world.call("ask", "--overflow", "map", "--max-tokens", "990", "Q", stdin=LINES)
    assert (result.status, world.api.requests) == (2, [])
    assert "leaves no room for the parts of a text; lower --max-tokens, or pass --max-input" in result.err
    [cached] = world.home.rglob("context-lengths")
    cached.unlink()
    os.mkfifo(cached)
    assert world.call("ask", *tail, "Q", stdin=LINES).status == 0


@pytest.mark.parametrize("side", ["head", "middle", "tail"])
def test_one_line_that_is_too_long_is_one_line(side: str) -> None:
    assert "left out 1 of 1 lines" in truncate(["w\u00f6rd " * 4000], 200, side)[1]


def test_a_context_error_names_the_flag(world: World) -> None:
    world.api.will(error(400, "This model's maximum context length is 8192 tokens"))
    result = world.call("ask", "Q", stdin=LINES)
    assert result.status == 4
    assert "--overflow" in result.err


class Library:
    """A server that answers parts and keeps their texts."""

    def __init__(self, limit: int = 10**9, **special: int) -> None:
        self.limit, self.special = limit, special
        self.prompts: list[str] = []
        self.lock = threading.Lock()

    def __call__(self, handler: Handler) -> None:
        prompt = handler.prompt
        with self.lock:
            self.prompts.append(prompt)
        if len(prompt) / 4 > self.limit:
            error(400, "maximum context length exceeded")(handler)
            return
        status = next((status for word, status in self.special.items() if f"\n{word}\n" in prompt), 0)
        if status > 99:
            error(status, "no")(handler)
        else:
            text = f"answer {len(prompt)}" if "\n\nanswer" not in prompt and "\n\nfinal" not in prompt else "final"
            answer(text, finish="length" if status == 10 else "stop")(handler)


def test_map_asks_each_part_and_then_the_answers(world: World) -> None:
    library = Library()
    world.api.will(library)
    text = LINES * 3
    result = world.call("ask", "--overflow", "map", "--max-input", "3000", "-j", "3", "Sum up:", stdin=text)
    assert (result.status, result.out) == (0, "final\n")
    *parts, last = library.prompts
    assert len(parts) > 5
    pieces = [part.removeprefix("Sum up:\n\n") for part in parts]
    assert sorted(pieces, key=lambda piece: text.find(piece)) != []
    assert sum(map(len, pieces)) == len(text.rstrip("\n"))
    assert last.startswith("Sum up:\n\nanswer ")
    assert last.count("answer") == len(parts)


def test_map_prints_the_bodies_of_the_parts_with_dry_run(world: World) -> None:
    import json

    arguments = ["ask", "--overflow", "map", "--max-input", "1000", "--dry-run", "-f", "b", "Q {stdin}"]
    (world.cwd / "b").write_text(LINES)
    result = world.call(*arguments, stdin="short")
    bodies = [json.loads(line) for line in result.out.splitlines()]
    assert len(bodies) > 5
    contents = [body["messages"][-1]["content"] for body in bodies]
    pieces = [content.partition('<file name="b">\n')[2].removesuffix("\n</file>") for content in contents]
    assert "".join(pieces) == LINES
    assert [content.startswith("Q short") for content in contents] == [False] * (len(contents) - 1) + [True]
    assert not world.api.requests


def test_map_asks_again_until_the_answers_fit(world: World) -> None:
    library = Library()
    world.api.will(library)
    result = world.call("ask", "--overflow", "map", "--max-input", "60", "Sum up:", stdin=LINES)
    assert (result.status, result.out) == (0, "final\n")
    assert len([prompt for prompt in library.prompts if "\n\nanswer" in prompt]) > 1


@pytest.mark.parametrize(("limit", "rounds"), [("3000", 1), ("60", 2), ("1000000", 0)])
def test_usage_sums_the_parts_and_the_last_call(world: World, limit: str, rounds: int) -> None:
    library = Library()
    world.api.will(library)
    result = world.call("ask", "-u", "-q", "--overflow", "map", "--max-input", limit, "Sum up:", stdin=LINES)
    calls = len(library.prompts)
    assert (result.status, calls > 1) == (0, rounds > 0)
    assert result.err.startswith(f"llamacli: {67 * calls} tokens in, {46 * calls} out, total ")


def test_usage_adds_up_the_cost_of_the_parts(world: World) -> None:
    world.api.will(respond)
    arguments = ["--overflow", "map", "--max-input", "3000", "Sum up:"]
    result = world.call("ask", "-u", "-q", *arguments, stdin=LINES)
    calls = len(world.api.requests)
    assert calls > 1
    assert f" out, ${0.000123 * calls:.6f}, total " in result.err


def test_map_keeps_answers_that_are_no_shorter_than_the_parts(world: World) -> None:
    def parrot(handler: Handler) -> None:
        answer("all of it" if handler.prompt.count("a long answer") > 500 else "a long answer " * 300)(handler)

    world.api.will(parrot)
    result = world.call("ask", "--overflow", "map", "--max-input", "1000", "Sum up:", stdin=LINES)
    assert (result.status, result.out) == (0, "all of it\n")
    assert "the answers to the parts are as long as the parts" in result.err


@pytest.mark.parametrize(
    ("special", "arguments", "status", "out"),
    [
        ({"marker": 10}, [], 10, "final\n"),
        ({"marker": 10}, ["--allow-truncated"], 0, "final\n"),
        ({"marker": 500}, [], 7, ""),
        ({"marker": 401}, [], 3, ""),
        ({"marker": 404}, [], 4, ""),
    ],
)
def test_map_ends_with_the_worst_status_of_a_part(
    world: World, special: dict[str, int], arguments: list[str], status: int, out: str
) -> None:
    world.api.will(Library(**special))
    text = LINES + "marker\n" + LINES
    result = world.call("ask", "--overflow", "map", "--max-input", "3000", *arguments, "Sum up:", stdin=text)
    assert (result.status, result.out) == (status, out)


def test_map_asks_no_more_parts_after_one_has_failed(world: World) -> None:
    library = Library(marker=404)
    world.api.will(library)
    text = "first\nmarker\n" + LINES * 2
    assert world.call("ask", "--overflow", "map", "--max-input", "500", "-j", "1", "Q", stdin=text).status == 4
    assert len(library.prompts) <= 2


@pytest.mark.parametrize("arguments", [["-n", "2"], ["--tools", "[{}]"], ["-p", "n=2"]])
def test_map_cannot_be_combined_with_several_answers_or_tools(world: World, arguments: list[str]) -> None:
    result = world.call("ask", "--overflow", "map", *arguments, "Q", stdin="x")
    assert result.status == 2
    assert "--overflow map cannot be combined with" in result.err
    assert "conversation" in world.call("chat", "--overflow", "map", "Q", stdin="x").err
    assert not world.api.requests


def test_the_estimate_grows_with_the_text_and_knows_its_kinds() -> None:
    words = "the quick brown fox jumps over the lazy dog " * 100
    digits = "".join(random.Random(0).choices("0123456789", k=4000))
    unbroken = "".join(random.Random(0).choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", k=4000))
    assert 900 <= estimate_tokens(words) <= 1300
    assert estimate_tokens(digits) == 4000
    assert 2500 <= estimate_tokens(unbroken) <= 3500
    assert 700 <= estimate_tokens("人人生而自由" * 100) <= 900
    assert estimate_tokens("") == 0
