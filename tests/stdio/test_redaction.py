"""No key reaches stderr, however it arrives there."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamacli.stdio.stderr import Stderr
from tests.support.fake_api import delta, document, event, stream
from tests.support.world import World

KEY = "sk-0123456789abcdef"


@pytest.mark.parametrize("cut", range(1, len(KEY)))
def test_a_key_that_reasoning_spells_in_pieces_is_masked(world: World, cut: int) -> None:
    parts = ["think ", KEY[:cut], KEY[cut:], " on"]
    events = [event(delta(reasoning=part)) for part in parts]
    world.api.will(stream([*events, event(delta("42", finish="stop"))], pause=0.002))
    result = world.call("ask", "--reasoning", "Hi", AIMLAPI_API_KEY=KEY)
    assert (result.out, result.err) == ("42\n", "think sk-0...cdef on\n")


def test_what_only_begins_like_a_key_is_shown(world: World) -> None:
    events = [event(delta(reasoning=part)) for part in ("ask-0123", "45")]
    world.api.will(stream([*events, event(delta("42", finish="stop"))], pause=0.002))
    assert world.call("ask", "--reasoning", "Hi", AIMLAPI_API_KEY=KEY).err == "ask-012345\n"


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(["s", "k-", "01234", "56789", "abcdef", KEY, "x", "\n"]), max_size=20))
def test_text_in_pieces_is_the_same_as_in_one(parts: list[str]) -> None:
    read, write = os.pipe()
    saved = os.dup(2)
    os.dup2(write, 2)
    try:
        stderr = Stderr()
        stderr.redact(KEY)
        for part in parts:
            stderr.write(part)
        stderr.clear_status()
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(write)
    with open(read, "rb") as file:
        shown = file.read().decode()
    whole = "".join(parts).replace(KEY, "sk-0...cdef")
    assert shown == whole + ("" if whole.endswith("\n") or not whole else "\n")


def test_a_short_key_is_masked_only_in_its_header(world: World) -> None:
    world.api.will(document({"error": {"message": "Bearer none is not one of none"}}, 400))
    result = world.call("ask", "-v", "Hi", AIMLAPI_API_KEY="none")
    assert "> Authorization: Bearer ...\n" in result.err
    assert "Bearer ... is not one of none" in result.err
