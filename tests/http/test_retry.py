"""Whether and when a request is sent again."""

import email.utils
import json
import re
import socket
import threading
import time
from types import SimpleNamespace
from typing import cast

import pytest

from llamacli.http import retry
from llamacli.http.options import NetworkOptions
from tests.support.fake_api import (
    Handler,
    answer,
    completion,
    delta,
    document,
    error,
    event,
    raw,
    stream,
    text,
)
from tests.support.world import Result, World

SLOW = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def timed(world: World, *arguments: str, **env: str) -> tuple[Result, float]:
    start = time.monotonic()
    result = world.call("ask", *arguments, "Hi", **env)
    return result, time.monotonic() - start


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
def test_a_temporary_failure_is_retried(world: World, code: int) -> None:
    world.api.will(error(code, "busy", headers=[("Retry-After", "0")]), text("second"))
    result = world.call("ask", "--retry", "1", "Hi")
    assert (result.status, result.out) == (0, "second\n")
    # A server cannot ask for less than llamacli's own wait.
    assert re.search(r": busy; retry 1 of 1 in (0\.[5-9]|1\.0) s\n$", result.err)
    assert len(world.api.requests) == 2
    ids = {request.headers["x-client-request-id"] for request in world.api.requests}
    assert len(ids) == 1
    assert world.api.requests[0].body == world.api.requests[1].body


@pytest.mark.parametrize("code", [400, 401, 402, 403, 404, 413, 422, 501])
def test_a_permanent_failure_is_not_retried(world: World, code: int) -> None:
    world.api.will(error(code, "no"))
    world.call("ask", "--retry", "5", "Hi")
    assert len(world.api.requests) == 1


def test_nothing_is_retried_once_the_answer_began(world: World) -> None:
    world.api.will(stream([event(delta("so far"))], then="cut"))
    assert world.call("ask", "--retry", "5", "Hi").status == 9
    assert len(world.api.requests) == 1


def test_retries_end_and_are_counted(world: World) -> None:
    world.api.will(error(503, "busy", headers=[("Retry-After", "0")]))
    result = world.call("ask", "--retry", "2", "Hi")
    assert result.status == 7
    assert len(world.api.requests) == 3
    assert [line for line in result.err.splitlines() if "retry" in line] == result.err.splitlines()[:2]
    assert world.call("ask", "-q", "--retry", "1", "Hi").err.count("\n") == 1


def test_retry_after_is_waited_for_in_seconds_and_as_a_date(world: World) -> None:
    for form in ("seconds", "date"):
        world.api.requests.clear()
        end = int(time.time()) + 2
        header = "1" if form == "seconds" else email.utils.formatdate(end, usegmt=True)
        world.api.will(error(429, "slow down", headers=[("Retry-After", header)]), text("second"))
        assert world.call("ask", "--retry", "1", "Hi").status == 0
        first, second = world.api.requests
        if form == "seconds":
            assert second.at - first.at >= 1
        else:
            # The wall clock when the second request arrived.
            assert time.time() - (time.monotonic() - second.at) >= end - 0.01


@pytest.mark.parametrize("arguments", [["--retry-max-time", "5"], ["--max-time", "5"]])
def test_a_retry_after_beyond_the_budget_fails_at_once(world: World, arguments: list[str]) -> None:
    world.api.will(error(429, "come back tomorrow", headers=[("Retry-After", "86400")]))
    result, seconds = timed(world, "--retry", "5", *arguments)
    assert result.status == 6
    assert "come back tomorrow" in result.err
    assert "the server asks to wait 24 hours" in result.err
    assert seconds < 4
    assert len(world.api.requests) == 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [("300", "300 s"), ("3600", "60 minutes"), ("604800", "7 days"), ("1764248400000", "years")],
)
def test_a_long_wait_is_reported_in_a_suitable_unit(world: World, seconds: str, words: str) -> None:
    world.api.will(error(429, headers=[("Retry-After", seconds)]))
    for command in (["ask", "--retry", "1", "Hi"], ["batch", "-q"]):
        assert f"the server asks to wait {words}, more than" in world.call(*command, stdin="Hi\n").err


def test_waits_double_from_one_to_thirty_seconds_with_jitter() -> None:
    for attempt, whole in enumerate([1, 2, 4, 8, 16, 30, 30, 30]):
        waits = [retry.backoff(attempt) for _ in range(200)]
        assert whole / 2 <= min(waits) < 0.6 * whole
        assert 0.9 * whole < max(waits) <= whole


#: How OpenRouter quotes the headers of a provider.
QUOTED = '{"error": {"metadata": {"headers": {"X-RateLimit-Remaining": "%s", "X-RateLimit-Reset": "4"}}}}'


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({}, "", None),
        ({"Retry-After": ""}, "", None),
        ({"Retry-After": "7"}, "", 7.0),
        ({"Retry-After": " 1.9 "}, "", 1.9),
        ({"Retry-After": "2s"}, "", 2.0),
        ({"Retry-After": "2 seconds"}, "", 2.0),
        ({"Retry-After": '"2"'}, "", 2.0),
        ({"Retry-After": "2, 2"}, "", 2.0),
        ({"Retry-After": "1500ms"}, "", 1.5),
        ({"Retry-After": "-1"}, "", None),
        ({"Retry-After": "soon"}, "", None),
        ({"Retry-After": "nan"}, "", None),
        ({"Retry-After": "\u0663"}, "", None),
        ({"Retry-After": "9" * 400}, "", 1e9),
        ({"Retry-After": "1764248400"}, "", 0.0),
        ({"Retry-After": "1764248400000"}, "", 1e9),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1764248400000"}, "", 0.0),
        ({"Retry-After": "2000-01-01T00:00:00Z"}, "", 0.0),
        ({"Retry-After": "1m30s; later"}, "", 90.0),
        ({"x-ms-retry-after-ms": "1900"}, "", 1.9),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, "", 360.0),
        ({"x-ratelimit-remaining-tokens": "9", "x-ratelimit-reset-tokens": "6m0s"}, "", None),
        ({"Retry-After": "2", "ratelimit-remaining": "0", "ratelimit-reset": "9"}, "", 2.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset-after": "4"}, "", 4.0),
        ({"RateLimit": "limit=10, remaining=0, reset=4"}, "", 4.0),
        ({"RateLimit": '"default";r=0;t=4'}, "", 4.0),
        ({"RateLimit": '"default";r=5;t=4'}, "", None),
        ({"retry-after-seconds": "4"}, "", 4.0),
        ({}, QUOTED % "0", 4.0),
        ({}, QUOTED % "3", None),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, "", 0.0),
        ({"Retry-After": "Thu, 01 Jan 99999999999 00:00:00 GMT"}, "", None),
        ({"Retry-After": "9", "retry-after-ms": "1900"}, "", 1.9),
        ({}, '[{"error": {"details": [{"retryDelay": "1.9s"}]}}]', 1.9),
        ({}, '{"error": {"message": "Rate limit reached. Please try again in 20s."}}', 20.0),
        ({}, '{"error": {"message": "Please retry in 7m12s."}}', 432.0),
        ({}, "\x00" * 100, None),
        # Without a limit these take hours.
        ({"Retry-After": '"' * 1_000_000 + "x"}, "", None),
        ({"Retry-After": "1" + " " * 1_000_000 + "x"}, "", 1.0),
    ],
    ids=lambda value: str(value)[:60],
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], body: str, seconds: float | None) -> None:
    assert retry.retry_after(headers, body.encode()) == pytest.approx(seconds)


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo", "UTC"])
def test_a_date_that_names_no_zone_is_utc(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        wait = retry.retry_after({"Retry-After": time.asctime(time.gmtime(time.time() + 30))})
    finally:
        monkeypatch.undo()
        time.tzset()
    assert wait is not None
    assert 25 < wait <= 30


@pytest.mark.parametrize("code", [520, 521, 522, 523, 524, 529])
def test_gateway_failures_are_retried(world: World, code: int) -> None:
    world.api.will(raw(b"HTTP/1.1 %d \r\nContent-Length: 3\r\n\r\n%d" % (code, code)), text("second"))
    result = world.call("ask", "--retry", "1", "Hi")
    assert (result.status, result.out, len(world.api.requests)) == (0, "second\n", 2)


def test_an_unknown_name_is_tried_twice(world: World) -> None:
    result = world.call("ask", "--retry", "5", "--no-key", "Hi", AIMLAPI_BASE_URL="http://no-such-host.invalid/v1")
    assert result.status == 8
    assert result.err.count("retry ") == 1
    assert "; retry 1 of 1 in " in result.err
    assert "request id" not in result.err


QUOTA = {"message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota"}
RETRY_INFO = {"code": 429, "message": "You exceeded your current quota", "details": [{"retryDelay": "0.1s"}]}


def test_an_empty_account_is_5_and_not_retried(world: World) -> None:
    world.api.will(document({"error": QUOTA}, status=429))
    result = world.call("ask", "--retry", "3", "Hi")
    assert (result.status, len(world.api.requests)) == (5, 1)
    assert "top up the account" in result.err
    world.api.requests.clear()
    assert world.call("batch", "-q", "--retry", "3", stdin="a\nb\n").status == 5


def test_a_quota_that_comes_back_is_a_rate_limit(world: World) -> None:
    world.api.will(document([{"error": RETRY_INFO}], status=429), text("second"))
    result = world.call("ask", "--retry", "1", "Hi")
    assert (result.status, result.out, len(world.api.requests)) == (0, "second\n", 2)


@pytest.mark.parametrize(
    ("code", "words"),
    [(500, "unknown field stream_options"), (400, "Unknown: include_usage"), (403, "No streamOptions here")],
)
def test_a_refusal_of_stream_options_has_several_forms(world: World, code: int, words: str) -> None:
    world.api.will(error(code, words), text("fine"))
    result = world.call("ask", "-u", "--retry", "0", "Hi")
    assert (result.status, result.out, len(world.api.requests)) == (0, "fine\n", 2)


def refuse_stream_options(handler: Handler) -> None:
    if "stream_options" in handler.asked.json:
        error(422, "stream_options: Extra inputs are not permitted")(handler)
    else:
        text("fine")(handler)


def test_stream_options_are_left_out_once_they_were_refused(world: World) -> None:
    world.api.will(refuse_stream_options)
    result = world.call("ask", "-u", "Hi")
    assert (result.status, result.out) == (0, "fine\n")
    assert "the server reported no token counts" in result.err
    assert ["stream_options" in request.json for request in world.api.requests] == [True, False]
    world.api.requests.clear()
    options = '{"include_usage":true}'
    result = world.call("batch", "-j1", "-q", "--stream", "-p", f"stream_options={options}", stdin="a\nb\nc\n")
    assert result.status == 0
    assert ["stream_options" in request.json for request in world.api.requests] == [True, False, False, False]


@pytest.mark.parametrize(
    "arguments", [["--retry-max-time", "0.3"], ["--max-time", "0.3"], ["--retry-max-time", "0"]], ids=str
)
@pytest.mark.parametrize("command", [["ask", "Hi"], ["batch", "-q"]], ids=["ask", "batch"])
def test_the_limits_cover_the_waits_between_attempts(world: World, command: list[str], arguments: list[str]) -> None:
    world.api.will(error(500, "busy"))
    result = world.call(*command, "--retry", "5", *arguments, stdin="Hi\n")
    assert result.status in (7, 13)
    assert len(world.api.requests) == 1


def test_the_limit_of_a_call_is_that_of_all_its_requests(world: World) -> None:
    def behave(handler: Handler) -> None:
        time.sleep(0.4)
        answer("neither")(handler)

    world.api.will(behave)
    result, seconds = timed(world, "--choice", "a,b", "--fit-retries", "9", "--max-time", "1")
    assert (result.status, result.out) == (8, "")
    assert len(world.api.requests) <= 3
    assert seconds < 5
    world.api.requests.clear()
    result = world.call("batch", "-q", "--choice", "a,b", "--fit-retries", "9", "--max-time", "1", stdin="x\n")
    assert (result.status, json.loads(result.out)["error"]["status"]) == (13, 8)
    assert len(world.api.requests) <= 3


def test_time_spent_waiting_for_others_does_not_count() -> None:
    options = cast("NetworkOptions", SimpleNamespace(retry=5, retry_max_time=120.0, max_time=10.0, seconds_spent=0.0))
    policy = retry.RetryPolicy(options)
    policy.exclude(-100)
    assert policy.time_left < 0
    policy.exclude(95)
    assert 4 < policy.time_left <= 5


def test_an_idle_connection_that_the_server_closes_costs_no_retry(world: World) -> None:
    body = json.dumps(completion("hello")).encode()
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    seen: list[int] = []

    def serve(listener: socket.socket) -> None:
        for number in range(2):
            connection, _ = listener.accept()
            with connection:
                for answered in (True, False):
                    data = b""
                    while b"}]}" not in data:
                        data += connection.recv(65536) or b"}]}"
                    seen.append(number)
                    # The second request on the first connection finds it closed.
                    if not answered and number == 0:
                        break
                    connection.sendall(reply)
                    if number:
                        return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        result = world.call("batch", "-q", "-j1", "--retry", "0", stdin="a\nb\n", AIMLAPI_BASE_URL=url)
    assert result.status == 0, result.out
    assert seen == [0, 0, 1]


@pytest.mark.parametrize("wait", ["1764248400000", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
@pytest.mark.parametrize(
    "command", [["ask", "Hi"], ["batch", "-q"], ["batch", "-q", "--max-cost", "1", "--rpm", "60"]], ids=" ".join
)
def test_any_wait_can_be_refused(world: World, command: list[str], wait: str) -> None:
    world.api.will(error(429, "slow down", headers=[("Retry-After", wait)]))
    result = world.call(*command, "--retry", "2", "--retry-max-time", "1000000", stdin="Hi\n")
    assert result.status == 6
    assert len(world.api.requests) == 1
    assert "the server asks to wait" in result.err
