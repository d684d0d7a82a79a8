"""429 and 503: the limiter that slows a batch down, and items that alone are rejected."""

import math
import random
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from llamacli.batch.calls.limiter import Limiter
from llamacli.batch.calls.pool import WorkerPool
from llamacli.batch.calls.worker import Worker
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.retry import Retryable
from tests.support.batches import asked, contents, errors, rows
from tests.support.fake_api import Handler, by_prompt, echo, error, hang, raw
from tests.support.world import World


class Server:
    """Serves a number of calls at once, each for 100 ms, and rejects the others."""

    def __init__(self, pace: Limiter, allowed: int) -> None:
        self.pace, self.allowed = pace, allowed
        self.now = 0.0
        self.ends: list[float] = []
        self.served = self.refused = 0

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            at = self.pace.ready_at(len(self.ends), self.now)
            if at <= self.now:
                self.pace.started(self.now)
                if len(self.ends) < self.allowed:
                    self.ends.append(self.now + 0.1)
                else:
                    self.refused += 1
                    self.pace.throttled(len(self.ends), self.now, self.now, None)
                continue
            if self.ends and self.ends[0] <= at:
                self.now = self.ends.pop(0)
                self.served += 1
                self.pace.succeeded()
            else:
                self.now = at


def test_the_limiter_finds_the_servers_capacity() -> None:
    server = Server(Limiter(100), 20)
    server.run(10)
    assert server.served > 0.9 * 2000
    assert server.refused < 50
    server.allowed = 5
    server.run(10)
    assert server.pace.limit <= 6
    server.allowed, server.served = 60, 0
    server.run(60)
    assert server.pace.limit > 40


def test_a_rejection_halves_the_limit_and_success_restores_it() -> None:
    pace = Limiter(16)
    assert pace.throttled(in_flight=15, started=0, now=1, retry_after=None)
    assert pace.limit == 8
    # Other rejections of the same wave do not halve the limit again.
    assert pace.throttled(in_flight=14, started=0.5, now=1.1, retry_after=None)
    assert pace.limit == 8
    assert pace.throttled(in_flight=7, started=1.5, now=2, retry_after=None)
    assert pace.limit == 4
    for _ in range(3):
        pace.succeeded()
    assert pace.limit == 7


def test_a_pause_applies_to_all_and_grows_until_something_succeeds() -> None:
    pace = Limiter(4, give_up_after=100)
    pauses = []
    now = 0.0
    for _ in range(5):
        assert pace.throttled(0, now, now, None)
        pauses.append(pace.ready_at(0, now) - now)
        now += pauses[-1]
    assert all(low <= pause <= 2 * low for low, pause in zip([0.5, 1, 2, 4, 8], pauses, strict=True))
    pace.throttled(0, now, now, 7.0)
    assert pace.ready_at(0, now) == now + 7
    assert pace.ready_at(1, now) == math.inf
    pace.succeeded()
    assert pace.throttled(0, now, now, 90.0)
    assert not pace.throttled(0, now + 90, now + 90, 11.0)


def test_a_server_that_asks_for_no_pause_is_not_flooded() -> None:
    pace = Limiter(4, give_up_after=100)
    pauses = []
    for now in range(0, 500, 100):
        pace.throttled(0, now, now, 0.0)
        pauses.append(pace.ready_at(0, now) - now)
    assert pauses[:3] == [0, 0, 0]
    assert all(low <= pause <= 2 * low for low, pause in zip([0.5, 1], pauses[3:], strict=True))


def test_the_rate_holds_whatever_the_server_answers() -> None:
    pace = Limiter(100, rpm=60)
    starts = []
    now = 0.0
    for _ in range(5):
        now = pace.ready_at(0, now)
        starts.append(now)
        pace.started(now)
    assert starts == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("lasts", [0.01, 0.5, 1])
def test_a_burst_of_rejections_is_soon_forgotten(lasts: float) -> None:
    server = Server(Limiter(100), 0)
    server.run(lasts)
    assert server.served == 0
    server.allowed = 100
    server.run(5)
    # All of them at once would be 5,000 calls.
    assert server.served > 2500
    assert server.pace.limit == 100


def test_a_burst_in_the_middle_is_soon_forgotten() -> None:
    server = Server(Limiter(100), 100)
    server.run(1)
    server.allowed = 0
    server.run(0.3)
    server.allowed, server.served = 100, 0
    server.run(6)
    assert server.served > 2500


def test_no_retry_after_value_overflows() -> None:
    pace = Limiter(4, give_up_after=120)
    for seconds in (1.7e12, math.inf, 1e308):
        assert not pace.throttled(0, 0, 0, seconds)
        assert pace.ready_at(0, 0) <= 120


@pytest.mark.parametrize(
    ("start", "counts", "alone"),
    [
        # Successes and rejections of the whole batch at each rejection of the item, its own among the latter.
        ((0, 0), [(0, 0), (1, 1)], [False, True]),
        ((0, 0), [(0, 0), (0, 1), (0, 2)], [False, False, False]),
        ((0, 0), [(1, 3), (2, 9), (9, 20)], [False, False, False]),
        ((0, 50), [(0, 50), (12, 51)], [False, True]),
        ((9, 50), [(9, 50), (10, 51)], [False, False]),
        ((200, 0), [(200, 0), (200, 1), (201, 2)], [False, False, True]),
    ],
)
def test_a_rejection_concerns_only_the_item_if_others_succeed(
    start: tuple[int, int], counts: list[tuple[int, int]], alone: list[bool]
) -> None:
    network = SimpleNamespace(retry=0, retry_max_time=120, max_time=None)
    batch: Any = SimpleNamespace(network=network, pool=SimpleNamespace(counts=iter(counts).__next__))
    worker = Worker(batch, 0, 0)
    worker._counts = start
    failure = Retryable(LlamaError(ExitStatus.RATE, "no"), None, 429)
    assert [worker._is_own_problem(failure) for _ in counts] == alone


@pytest.mark.parametrize("successes", [0, 1000])
def test_a_probe_comes_after_as_many_successes_as_its_rounds_ask_for(successes: int) -> None:
    limiter = Limiter(8)
    # With all jobs running, a success starts no probe.
    for _ in range(successes):
        limiter.succeeded()
    assert limiter.throttled(3, 0.0, 1.0, None)
    # 3 calls at once, and 16 rounds of them: 4 at first, times 4 after a rejection.
    for _ in range(47):
        limiter.succeeded()
    assert limiter.limit == 3
    limiter.succeeded()
    assert limiter.limit == 4


def test_the_lowest_task_gets_the_next_free_slot() -> None:
    pool: WorkerPool[int] = WorkerPool(9, Limiter(1), lambda task: None, lambda: False)
    pool.acquire(0)
    granted: list[int] = []

    def work(order: int) -> None:
        pool.acquire(order)
        granted.append(order)
        pool.release(succeeded=True)

    orders = [5, 3, 8, 1, 7, 2]
    threads = [threading.Thread(target=work, args=[order], daemon=True) for order in orders]
    for count, thread in enumerate(threads, 1):
        thread.start()
        while len(pool._waiting) < count:
            time.sleep(0.001)
    pool.release()
    for thread in threads:
        thread.join(10)
    assert granted == sorted(orders)


def test_successes_count_from_when_the_item_was_first_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six others succeed while each attempt is rejected, in a batch with many other rejections."""
    failure = Retryable(LlamaError(ExitStatus.RATE, "no"), None, 429)
    counts, slowed = [0, 1000], [True] * 9 + [False]

    def attempt(*_: object) -> None:
        counts[0] += 6
        raise failure

    def throttled(*_: object) -> bool:
        counts[1] += 1
        return slowed.pop(0)

    pool = SimpleNamespace(
        acquire=lambda order: 1.0,
        counts=lambda: tuple(counts),
        throttled=throttled,
        release=lambda: None,
        sleep=lambda seconds: None,
    )
    network = SimpleNamespace(retry=0, retry_max_time=120, max_time=None, request_id=None)
    stderr = SimpleNamespace(verbose=lambda text: None)
    batch: Any = SimpleNamespace(network=network, pool=pool, stderr=stderr)
    worker = Worker(batch, 0, 0)
    monkeypatch.setattr(worker, "_attempt", attempt)
    request: Any = None
    with pytest.raises(LlamaError, match="no"):
        worker.send(request)
    assert len(slowed) == 9


# Whole batches


def test_an_item_with_a_retry_after_beyond_all_limits_fails_alone(world: World) -> None:
    world.api.will(by_prompt(**{"5": error(429, headers=[("Retry-After", "1764248400000")])}))
    result = world.run("batch", "-j", "1", stdin="".join(f"{number}\n" for number in range(9)))
    assert result.status == 13
    assert [row["index"] for row in rows(result.out) if row["error"]] == [5]
    assert asked(world)["5"] == 1


@pytest.mark.parametrize("after", ["1764248400000", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT", "-1", "x"])
def test_an_absurd_retry_after_is_not_an_internal_error(world: World, after: str) -> None:
    world.api.will(error(429, headers=[("Retry-After", after)]))
    for arguments in (["--max-cost", "1"], ["--retry-max-time", "1000000000"], ["-j", "3"]):
        result = world.run("batch", *arguments, "--retry-max-time", "0.2", stdin="a\nb\n")
        assert result.status == 6, result.err


def test_bad_items_fail_and_others_do_not_wait(world: World) -> None:
    """Of 200 items, one always gets 429, one always 503, one hangs and one gets garbage."""
    bad = {"20": error(429), "60": error(503), "100": hang, "140": raw(b"garbage")}
    world.api.will(by_prompt(**bad))
    given = [str(number) for number in range(200)]
    start = time.monotonic()
    result = world.run("batch", "--timeout", "5", stdin="\n".join(given), timeout=60)
    assert time.monotonic() - start < 40
    assert result.status == 13
    found = rows(result.out)
    assert [row["input"] for row in found] == given
    failed = {row["input"]: row["error"]["status"] for row in found if row["error"]}
    assert {name: failed[name] for name in ("20", "60", "100")} == {"20": 6, "60": 7, "100": 8}
    assert list(failed) == list(bad)
    # Even with --retry 0: an item's first rejections may be about the whole batch.
    assert asked(world)["20"] >= 4


def test_a_busy_server_fails_no_item(world: World) -> None:
    """A third of all calls are rejected."""
    draw = random.Random(5)

    def behave(handler: Handler) -> None:
        (error(429, headers=[("Retry-After", "0")]) if draw.random() < 0.33 else echo)(handler)

    world.api.will(behave)
    result = world.run("batch", "-j", "4", stdin="".join(f"{number}\n" for number in range(200)))
    assert (result.status, len(contents(result)), set(errors(result))) == (0, 200, {None})


def test_a_signal_cannot_lose_a_slot() -> None:
    """A signal may interrupt the main thread anywhere, so it grants no slots."""
    threads: list[str] = []

    class Watched(Limiter):
        def started(self, now: float) -> None:
            threads.append(threading.current_thread().name)
            super().started(now)

    def work(order: int) -> None:
        pool.acquire(order)
        pool.release(succeeded=True)

    pool: WorkerPool[int] = WorkerPool(4, Watched(4, rpm=6000), work, lambda: False)
    pool.run(iter(range(20)))
    assert len(threads) == 20
    assert threading.main_thread().name not in threads
    pool.close()


def test_the_retries_of_an_item_end_with_their_time(world: World) -> None:
    world.api.will(by_prompt(bad=error(500)))
    result = world.run("batch", "-j", "2", "--retry", "9", "--retry-max-time", "2", stdin="a\nbad\n")
    assert result.status in (7, 13)
    # Waits of 1 and 2 s at most, half of that at least: a third would be over.
    assert 2 <= asked(world)["bad"] <= 3
