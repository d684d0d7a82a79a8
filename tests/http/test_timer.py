"""One thread enforces the deadlines of many calls."""

import math
import queue
import threading

from llamacli.http.connection.attempt import TimerThread


def test_timers_call_back_in_order_from_one_thread() -> None:
    clock, rung = TimerThread(), queue.SimpleQueue[tuple[int, int]]()
    for number in (3, 1, 2):
        clock.start(number, number * 0.1, lambda number=number: rung.put((number, threading.get_ident())))  # type: ignore[misc]
    numbers, threads = zip(*(rung.get(timeout=20) for _ in range(3)), strict=True)
    assert (numbers, len(set(threads))) == ((1, 2, 3), 1)


def test_canceled_replaced_and_infinite_timers_never_call_back() -> None:
    clock, rung = TimerThread(), queue.SimpleQueue[str]()
    clock.start("dropped", 0.05, lambda: rung.put("dropped"))
    clock.cancel("dropped")
    clock.cancel("unknown")
    clock.start("replaced", 0.05, lambda: rung.put("replaced"))
    clock.start("replaced", 0.1, lambda: rung.put("second"))
    clock.start("no more", 0.05, lambda: rung.put("no more"))
    clock.start("no more", math.inf, lambda: rung.put("no more"))
    clock.start("last", 0.2, lambda: rung.put("last"))
    assert [rung.get(timeout=20) for _ in range(2)] == ["second", "last"]


def test_a_timer_that_is_due_calls_back_at_once_and_before_later_ones() -> None:
    clock, rung = TimerThread(), queue.SimpleQueue[str]()
    clock.start("late", 1000, lambda: rung.put("late"))
    clock.start("soon", 0.05, lambda: rung.put("soon"))
    clock.start("due", -1, lambda: rung.put("due"))
    assert {rung.get(timeout=20), rung.get(timeout=20)} == {"due", "soon"}
