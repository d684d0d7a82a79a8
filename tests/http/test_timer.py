"""One thread that keeps the time of many calls."""

import math
import queue
import threading

from llamacli.http.connection.attempt import TimerThread


def test_alarms_ring_in_the_order_of_their_times_and_need_one_thread() -> None:
    clock, rung = TimerThread(), queue.SimpleQueue[tuple[int, int]]()
    for number in (3, 1, 2):
        clock.start(number, number * 0.1, lambda number=number: rung.put((number, threading.get_ident())))  # type: ignore[misc]
    numbers, threads = zip(*(rung.get(timeout=20) for _ in range(3)), strict=True)
    assert (numbers, len(set(threads))) == ((1, 2, 3), 1)


def test_what_is_dropped_replaced_or_infinite_never_rings() -> None:
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


def test_an_alarm_that_is_due_rings_at_once_and_an_earlier_one_wakes_the_clock() -> None:
    clock, rung = TimerThread(), queue.SimpleQueue[str]()
    clock.start("late", 1000, lambda: rung.put("late"))
    clock.start("soon", 0.05, lambda: rung.put("soon"))
    clock.start("due", -1, lambda: rung.put("due"))
    assert {rung.get(timeout=20), rung.get(timeout=20)} == {"due", "soon"}
