"""One thread that keeps the time of many calls."""

import math
import queue
import threading

from llamacli.http.connection.timer import Clock


def test_alarms_ring_in_the_order_of_their_times_and_need_one_thread() -> None:
    clock, rung = Clock(), queue.SimpleQueue[tuple[int, int]]()
    for number in (3, 1, 2):
        clock.set(number, number * 0.1, lambda number=number: rung.put((number, threading.get_ident())))  # type: ignore[misc]
    numbers, threads = zip(*(rung.get(timeout=20) for _ in range(3)), strict=True)
    assert (numbers, len(set(threads))) == ((1, 2, 3), 1)


def test_what_is_dropped_replaced_or_infinite_never_rings() -> None:
    clock, rung = Clock(), queue.SimpleQueue[str]()
    clock.set("dropped", 0.05, lambda: rung.put("dropped"))
    clock.drop("dropped")
    clock.drop("unknown")
    clock.set("replaced", 0.05, lambda: rung.put("replaced"))
    clock.set("replaced", 0.1, lambda: rung.put("second"))
    clock.set("no more", 0.05, lambda: rung.put("no more"))
    clock.set("no more", math.inf, lambda: rung.put("no more"))
    clock.set("last", 0.2, lambda: rung.put("last"))
    assert [rung.get(timeout=20) for _ in range(2)] == ["second", "last"]


def test_an_alarm_that_is_due_rings_at_once_and_an_earlier_one_wakes_the_clock() -> None:
    clock, rung = Clock(), queue.SimpleQueue[str]()
    clock.set("late", 1000, lambda: rung.put("late"))
    clock.set("soon", 0.05, lambda: rung.put("soon"))
    clock.set("due", -1, lambda: rung.put("due"))
    assert {rung.get(timeout=20), rung.get(timeout=20)} == {"due", "soon"}
