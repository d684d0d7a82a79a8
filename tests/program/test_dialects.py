"""Every server dialect with every command. The rows are in tests/support/dialects.py."""

from __future__ import annotations

import json

import pytest

from tests.support.dialects import DONE, FINISH_REASONS, HELLO, STREAMS, Dialect, sent
from tests.support.documents import DOCUMENTS
from tests.support.fake_api import delta
from tests.support.world import World

DIALECTS: dict[str, Dialect] = {**STREAMS, **{f"document: {name}": row for name, row in DOCUMENTS.items()}}
#: Statuses with which an answer is complete enough to be kept.
KEPT = (0, 10)


def line(text: str) -> str:
    return text + "\n" if text else ""


def check(world: World, row: Dialect, *arguments: str) -> None:
    """Runs ask in every form, chat and batch, and checks what each prints and saves."""
    world.api.will(row.behavior)
    (world.cwd / "out.txt").write_text("the old answer\n")

    result = world.call("ask", *arguments, "Hi")
    assert (result.status, result.out) == (row.status, line(row.text)), result.err
    assert row.words in result.err
    assert result.err.count("\n") == (1 if row.status else 0)

    result = world.call("ask", "--json", *arguments, "Hi")
    assert result.status == row.status
    if row.status == 0:
        message = json.loads(result.out)
        message = (message[0] if isinstance(message, list) else message)["choices"][0]["message"]
        assert json.dumps(row.text)[1:-1] in json.dumps(message)

    result = world.call("ask", "--json", "--stream", *arguments, "Hi")
    assert result.status == row.status
    assert all(isinstance(json.loads(chunk), dict) for chunk in result.out.splitlines())

    result = world.call("ask", "-o", "out.txt", *arguments, "Hi")
    assert (result.status, result.out) == (row.status, "")
    is_kept = row.status in KEPT and bool(row.text)
    assert (world.cwd / "out.txt").read_text() == (line(row.text) if is_kept else "the old answer\n")
    assert (world.cwd / "out.txt.part").exists() is bool(row.text and not is_kept)

    result = world.call("chat", "-S", "talk", *arguments, "Hi")
    assert (result.status, result.out) == (row.status, line(row.text))
    assert world.call("sessions", "show", "talk").status == (0 if is_kept else 2)

    result = world.call("batch", "-q", "--stream", *arguments, stdin="Hi\n")
    assert result.status == (13 if row.status else 0)
    answer = json.loads(result.out)
    assert (answer["error"] or {"status": 0})["status"] == row.status
    if row.status == 0:
        assert answer["content"] == row.text

    result = world.call("raw", '{"stream": true}')
    assert result.status == row.raw, result.err


@pytest.mark.parametrize("name", DIALECTS)
def test_every_command_with_every_dialect(world: World, name: str) -> None:
    check(world, DIALECTS[name])


@pytest.mark.parametrize("reason", FINISH_REASONS)
def test_every_command_with_every_finish_reason(world: World, reason: str) -> None:
    check(world, Dialect(sent(*HELLO, delta(finish=reason), DONE), status=FINISH_REASONS[reason]))


@pytest.mark.parametrize("reason", [reason for reason, status in FINISH_REASONS.items() if status])
def test_resume_asks_again_for_what_is_neither_complete_nor_cut(world: World, reason: str) -> None:
    world.api.will(sent(*HELLO, delta(finish=reason), DONE), sent(*HELLO, delta(finish="stop"), DONE))
    assert world.call("batch", "-q", "-o", "rows", stdin="Hi\n").status == 13
    result = world.call("batch", "-q", "-o", "rows", "--resume", stdin="Hi\n")
    asked_again = FINISH_REASONS[reason] == 7
    assert (result.status, len(world.api.requests)) == ((0, 2) if asked_again else (13, 1))


def test_only_verbose_names_an_unknown_finish_reason(world: World) -> None:
    world.api.will(sent(*HELLO, delta(finish="pigeon"), DONE))
    assert world.call("ask", "Hi").err == ""
    assert "* unknown finish_reason 'pigeon'; taken as a complete answer\n" in world.call("ask", "-v", "Hi").err


@pytest.mark.parametrize("reason", ["FINISH_REASON_STOP", "stop: <|eot_id|>", "Tool-Calls", None])
def test_a_known_finish_reason_is_not_named(world: World, reason: str | None) -> None:
    world.api.will(sent(*HELLO, delta(finish=reason), DONE))
    assert "finish_reason" not in world.call("ask", "-v", "Hi").err


def test_an_empty_finish_reason_never_replaces_a_real_one(world: World) -> None:
    for late in ("", None, "stop", "pigeon"):
        world.api.will(sent(*HELLO, delta(finish="length"), delta(finish=late), DONE))
        result = world.call("ask", "Hi")
        assert (result.status, result.out) == (10, "hello\n"), late


def test_reasoning_in_parts_is_shown_as_reasoning(world: World) -> None:
    world.api.will(DIALECTS["thinking parts"].behavior)
    result = world.call("ask", "--reasoning", "Hi")
    assert (result.out, result.err) == ("hello\n", "HM\n")
