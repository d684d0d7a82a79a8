"""`batch`: its speed, what slows it down, and what ends it early."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from llamacli.api.completion import reported_cost
from llamacli.api.messages import Completion
from tests.support.batches import asked, contents, errors, rows
from tests.support.fake_api import (
    Handler,
    answer,
    by_prompt,
    completion,
    echo,
    error,
    hang,
    raw,
    respond,
    stream,
    streamed,
)
from tests.support.world import World

LINES = "".join(f"{number}\n" for number in range(40))


@pytest.fixture
def quick(request: pytest.FixtureRequest, world: World) -> Iterator[World]:
    """A server in its own process, with a delay and a limit of parallel calls."""
    delay, allowed = request.param
    command = [sys.executable, "-m", "tests.support.quick_api", str(delay), str(allowed)]
    with subprocess.Popen(command, env=world.env, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        world.env["AIMLAPI_BASE_URL"] = server.stdout.readline().strip()
        yield world
        server.kill()


@pytest.mark.parametrize("quick", [(0.1, 10_000)], indirect=True)
def test_every_answer_is_in_the_row_of_its_question(quick: World) -> None:
    given = "".join(f"{number}\n" for number in range(500))
    start = time.monotonic()
    result = quick.run("batch", "-j", "50", stdin=given)
    assert result.status == 0, result.err
    assert [(row["input"], row["content"]) for row in rows(result.out)] == [(x, f"re: {x}") for x in given.split()]
    # In sequence they would take 50 s; `make bench` measures how close it gets to 1 s.
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("quick", [(0.1, 20)], indirect=True)
def test_a_server_that_allows_fewer_calls_gets_fewer(quick: World) -> None:
    given = "".join(f"{number}\n" for number in range(400))
    result = quick.run("batch", "-j", "100", stdin=given)
    assert result.status == 0, result.err
    assert contents(result) == [f"re: {x}" for x in given.split()]
    # Each refusal is one more attempt: the batch has learned the limit and does not probe for each item.
    assert sum(row["attempts"] for row in rows(result.out)) < 800


def test_rejections_are_not_counted_as_retries_of_an_item(world: World) -> None:
    world.api.will(*[error(429, headers=[("Retry-After", "0")]), error(503, headers=[("Retry-After", "0")])] * 4, echo)
    result = world.run("batch", "-j", "2", "--retry", "0", stdin="a\nb\n")
    assert (result.status, contents(result)) == (0, ["re: a", "re: b"])
    assert sum(row["attempts"] for row in rows(result.out)) == 10
    assert "8 retries" in result.err


def test_other_failures_are_retried_item_by_item(world: World) -> None:
    seen: dict[str, int] = {}

    def behave(handler: Handler) -> None:
        seen[handler.prompt] = seen.get(handler.prompt, 0) + 1
        retried = {"a": 2, "b": 3, "r": 2}.get(handler.prompt, 0)
        if seen[handler.prompt] <= retried:
            return (raw(b"") if handler.prompt == "r" else error(500, headers=[("Retry-After", "0")]))(handler)
        return echo(handler)

    world.api.will(behave)
    result = world.run("batch", "-j", "1", "--retry", "2", stdin="a\nb\nc\n")
    assert result.status == 13
    assert [row["attempts"] for row in rows(result.out)] == [3, 3, 1]
    assert [error and error[0] for error in errors(result)] == [None, 7, None]


def test_an_item_that_waits_to_retry_blocks_no_other(world: World) -> None:
    waits = error(500, headers=[("Retry-After", "3")])
    world.api.will(by_prompt(bad=waits))
    result = world.run("batch", "--unordered", "-j", "1", "--retry", "1", stdin=f"bad\n{LINES}")
    assert result.status == 13
    assert rows(result.out)[-1]["input"] == "bad"
    assert asked(world)["bad"] == 2


def test_a_connection_is_kept_and_a_closed_one_is_not_an_error(world: World) -> None:
    ports = set()

    def behave(handler: Handler) -> None:
        ports.add(handler.client_address)
        # The server silently closes the connection after every tenth answer.
        handler.close_connection = len(world.api.requests) % 10 == 0
        echo(handler)

    world.api.will(behave)
    result = world.run("batch", "-j", "1", stdin=LINES)
    assert (result.status, len(rows(result.out))) == (0, 40)
    assert 4 <= len(ports) <= 5


def test_a_streams_connection_is_kept_too(world: World) -> None:
    ports = set()

    def behave(handler: Handler) -> None:
        ports.add(handler.client_address)
        respond(handler)

    world.api.will(behave)
    result = world.run("batch", "-j", "1", "--stream", stdin=LINES)
    assert (result.status, len(ports)) == (0, 1)


def test_many_jobs_get_the_descriptors_that_they_need(world: World) -> None:
    go = threading.Event()

    def behave(handler: Handler) -> None:
        if len(world.api.requests) >= 100:
            go.set()
        go.wait(10)
        echo(handler)

    world.api.will(behave)
    result = world.shell("ulimit -Sn 60; seq 100 | llamacli batch -q -j 100 --timeout 20")
    assert (result.status, result.out.count("\n"), result.err) == (0, 100, "")


def test_time_limits_apply_on_a_reused_connection_too(world: World) -> None:
    slow = stream(streamed("one two three"), pause=0.4)
    world.api.will(by_prompt(slow=slow, silent=hang))
    result = world.run("batch", "-j", "1", "--max-time", "0.7", stdin="a\nslow\nb\n")
    assert [error and error[0] for error in errors(result)] == [None, 9, None]
    result = world.run("batch", "-j", "1", "--timeout", "0.5", stdin="a\nsilent\nb\n")
    assert [error and error[0] for error in errors(result)] == [None, 8, None]
    assert asked(world)["silent"] == 1


@pytest.mark.parametrize(("code", "status"), [(401, 3), (402, 5), (403, 5)])
def test_a_refused_key_or_an_empty_account_stops_at_once(world: World, code: int, status: int) -> None:
    def behave(handler: Handler) -> None:
        (error(code, "no more") if len(world.api.requests) > 10 else echo)(handler)

    world.api.will(behave)
    result = world.run("batch", "-j", "4", "-o", "out", stdin=LINES)
    assert result.status == status
    assert "no more" in result.err
    assert result.err.endswith("; --resume asks for the rest [request id inf-1]\n")
    assert len(world.api.requests) < 20
    kept = rows(world.cwd / "out")
    assert len(kept) == 10
    assert not any(row["error"] for row in kept)
    world.api.will(echo)
    assert world.run("batch", "-o", "out", "--resume", stdin=LINES).status == 0
    assert [row["input"] for row in rows(world.cwd / "out")] == LINES.split()


@pytest.mark.parametrize(("code", "status"), [(429, 6), (503, 7)])
def test_nothing_but_rejections_for_too_long_ends_the_batch(world: World, code: int, status: int) -> None:
    def behave(handler: Handler) -> None:
        (error(code, "busy") if len(world.api.requests) > 5 else echo)(handler)

    world.api.will(behave)
    result = world.run("batch", "-j", "3", "--retry-max-time", "1", stdin=LINES)
    assert result.status == status
    assert "busy" in result.err
    assert "waiting longer would exceed --retry-max-time (1 s)" in result.err
    # On a busy machine, an item that is rejected while others still succeed may get a row of its own.
    assert [row["error"]["status"] if row["error"] else 0 for row in rows(result.out)].count(0) == 5
    assert len(world.api.requests) < 20


def test_a_retry_after_beyond_the_limit_ends_it_at_once(world: World) -> None:
    world.api.will(error(429, headers=[("Retry-After", "500")]))
    result = world.run("batch", "-j", "1", stdin=LINES)
    assert result.status == 6
    assert "the server asks to wait 500 s, more than --retry-max-time allows" in result.err
    assert len(world.api.requests) == 1


def test_rpm_spaces_the_calls(world: World) -> None:
    world.api.will(echo)
    result = world.run("batch", "-j", "8", "--rpm", "600", stdin="a\nb\nc\nd\ne\n")
    assert result.status == 0
    times = [request.at for request in world.api.requests]
    assert times[-1] - times[0] > 0.35


def test_max_cost_starts_nothing_more_once_it_is_spent(world: World) -> None:
    world.api.will(respond)
    result = world.run("batch", "-j", "1", "--max-cost", "0.0005", stdin=LINES)
    assert result.status == 13
    assert "--max-cost 0.0005 USD is spent" in result.err
    assert "$0.000615" in result.err
    assert len(rows(result.out)) == len(world.api.requests) == 5
    assert world.run("batch", "--max-cost", "1", stdin="a\nb\n").status == 0
    # Spending the budget on the last item ends nothing early.
    assert world.run("batch", "-j", "1", "--max-cost", "0.0002", stdin="a\nb\n").status == 0


def test_max_cost_is_2_if_the_server_reports_no_cost(world: World) -> None:
    world.api.will(echo)
    result = world.run("batch", "-j", "8", "--max-cost", "1", stdin=LINES)
    assert result.status == 2
    assert "the server reports no cost" in result.err
    # The paid answer is kept.
    assert len(contents(result)) == len(world.api.requests) == 1


@pytest.mark.parametrize("message", ["nan", "inf", "-1", "-inf", "much", "", None, 10**400, "1e999"])
def test_an_invalid_cost_is_ignored(message: object) -> None:
    chunk: Completion = {"meta": {"usage": {"usd_spent": message}}}
    assert reported_cost(chunk, {}) is None
    assert reported_cost({}, {"x-aimlapi-usd-spent": str(message)}) is None
    assert reported_cost(chunk, {"x-aimlapi-usd-spent": "0.5"}) == 0.5


@pytest.mark.parametrize("message", ["nan", "-5"])
def test_an_invalid_cost_does_not_turn_max_cost_off(world: World, message: str) -> None:
    def behave(handler: Handler) -> None:
        usd = message if len(world.api.requests) == 2 else "0.1"
        handler.reply(200, json.dumps(completion()).encode(), headers=[("x-aimlapi-usd-spent", usd)])

    world.api.will(behave)
    result = world.run("batch", "-j", "1", "--max-cost", "0.5", stdin=LINES)
    assert (result.status, len(world.api.requests)) == (2, 2)
    assert "the server reports no cost" in result.err
    assert "$0.100000" in result.err


def test_fail_fast_ends_it_at_the_first_failure(world: World) -> None:
    world.api.will(by_prompt(**{"3": error(400, "words")}))
    result = world.run("batch", "-j", "1", "--fail-fast", stdin=LINES)
    assert result.status == 13
    assert "item 3 failed: 400 Bad Request" in result.err
    assert len(rows(result.out)) == 4
    assert len(world.api.requests) == 4


def test_failed_items_have_their_status_and_others_are_complete(world: World) -> None:
    """One in ten fails, one in twenty drops in mid-answer, one in a hundred hangs."""
    cut = raw(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"choices": [')

    def behave(handler: Handler) -> None:
        number = int(handler.prompt)
        kind = {3: hang} if number % 100 == 3 else {}
        (kind.get(3) or (error(500) if number % 10 == 1 else cut if number % 20 == 5 else echo))(handler)

    world.api.will(behave)
    given = "".join(f"{number}\n" for number in range(300))
    result = world.run("batch", "-j", "20", "--timeout", "2", stdin=given)
    assert result.status == 13
    found = rows(result.out)
    assert [row["input"] for row in found] == given.split()
    for row in found:
        number = row["index"]
        status = 8 if number % 100 == 3 else 7 if number % 10 == 1 else 9 if number % 20 == 5 else None
        assert (row["error"] or {}).get("status") == status
        assert row["content"] == (None if status else f"re: {number}")


def test_each_item_has_a_request_id_of_its_own(world: World) -> None:
    world.api.will(echo)
    world.run("batch", stdin="a\nb\n")
    world.run("batch", "--request-id", "job-7", stdin="a\nb\n")
    ids = [request.headers["x-client-request-id"] for request in world.api.requests]
    assert len(set(ids)) == 4
    assert sorted(ids[2:]) == ["job-7-0", "job-7-1"]


def test_a_slow_stdin_uses_no_processor_time(world: World) -> None:
    """While nothing arrives, no processor time is used."""
    world.api.will(answer("x"))
    with subprocess.Popen(
        [sys.executable, "-m", "llamacli", "batch", "-q"], env=world.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(b"a\n")
        running.stdin.flush()
        running.stdout.readline()

        def used() -> int:
            with open(f"/proc/{running.pid}/stat") as file:
                return sum(map(int, file.read().split()[13:15]))

        before = used()
        threading.Event().wait(1)
        assert used() - before <= 5
        running.communicate(b"")


def test_any_number_of_items_can_be_the_limit(world: World) -> None:
    world.api.will(echo)
    result = world.call("batch", "--plain", "--limit", "9" * 30, stdin="1\n2\n")
    assert (result.status, result.out) == (0, "re: 1\nre: 2\n")


#: Runs the program in a system that allows six threads besides the first.
FEW_THREADS = """
import _thread, threading
begin, alive = _thread.start_new_thread, []
def begin_few(function, *arguments):
    def run(*arguments, **keywords):
        try:
            function(*arguments, **keywords)
        finally:
            alive.pop()
    if len(alive) == 6:
        raise RuntimeError("can't start new thread")
    alive.append(1)
    return begin(run, *arguments)
_thread.start_new_thread = threading._start_new_thread = begin_few
from llamacli.__main__ import program
program()
"""


@pytest.mark.parametrize("flags", [[], ["--max-time", "60"], ["--rpm", "60000"]])
def test_a_system_with_few_threads_loses_no_answer(world: World, flags: list[str]) -> None:
    def reject_some(handler: Handler) -> None:
        is_new = sum(request.body == handler.asked.body for request in world.api.requests) == 1
        (error(429) if is_new and handler.prompt.endswith("0") else echo)(handler)

    world.api.will(reject_some)
    command = [sys.executable, "-c", FEW_THREADS, "batch", "--plain", "-j", "20", *flags]
    done = subprocess.run(command, input=LINES, env=world.env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "".join(f"re: {number}\n" for number in range(40))), done.stderr
