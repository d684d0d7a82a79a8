"""How the body of a response is read."""

import gzip
import json
import os
import re
import socket
import subprocess
import threading
import time

import pytest

from llamacli.http import reply as http_reply
from tests.support.fake_api import (
    Handler,
    completion,
    delta,
    document,
    error,
    event,
    raw,
    stream,
    streamed,
)
from tests.support.faults import bomb
from tests.support.world import PROGRAM, Result, World

SLOW = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def timed(world: World, *arguments: str, **env: str) -> tuple[Result, float]:
    start = time.monotonic()
    result = world.call("ask", *arguments, "Hi", **env)
    return result, time.monotonic() - start


def test_a_compressed_stream_is_read_as_it_arrives(world: World) -> None:
    def squeezed(handler: Handler) -> None:
        handler.reply(200, b"", "text/event-stream", [("Content-Encoding", "gzip")], chunked=True)
        data = gzip.compress(b"".join(streamed("squeezed")))
        for start in range(0, len(data), 7):
            handler.chunk(data[start : start + 7])
        handler.chunk(b"")

    world.api.will(squeezed)
    assert world.call("ask", "Hi").out == "squeezed\n"


def test_a_chunk_is_not_held_back_until_the_next_is_complete(world: World) -> None:
    seen = threading.Event()
    first, second = event(delta("first ")), event(delta("second", finish="stop"))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    together = head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (first, second)) + b"0\r\n\r\n"
    # The second chunk is cut in its size, before its data, inside of it, and before its end.
    whole = len(head) + len(first) + 6
    for place in (whole - 2, whole, whole + 1, whole + 4, whole + 40, len(together) - 6, len(together) - 1):
        seen.clear()

        def halves(handler: Handler, place: int = place) -> None:
            handler.wfile.write(together[:place])
            handler.wfile.flush()
            seen.wait(10)
            handler.wfile.write(together[place:])

        world.api.will(halves)
        with subprocess.Popen([*PROGRAM, "ask", "-I", "Hi"], env=world.env, stdout=subprocess.PIPE) as running:
            assert running.stdout
            assert os.read(running.stdout.fileno(), 6) == b"first "
            seen.set()
            assert running.stdout.read() == b"second\n"
        assert running.returncode == 0


def test_chunks_of_any_size_come_out_whole_and_in_order(world: World) -> None:
    texts = ["x" * size for size in (1, 2, 9000, 1, 70_000, 3, 200_000, 1)] + [f"{number} " for number in range(3000)]
    world.api.will(stream([*(event(delta(piece)) for piece in texts), event("[DONE]")]))
    assert world.call("ask", "Hi").out == "".join(texts) + "\n"
    data = b"".join(streamed("a b c d"))
    world.api.will(stream([data[at : at + 3] for at in range(0, len(data), 3)]))
    assert world.call("ask", "Hi").out == "a b c d\n"


def test_a_compressed_document_is_read(world: World) -> None:
    data = gzip.compress(json.dumps(completion("squeezed")).encode())
    world.api.will(
        raw(b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
    )
    assert world.call("ask", "Hi").out == "squeezed\n"


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream", "text/html"])
def test_the_content_type_decides_nothing(world: World, kind: str) -> None:
    world.api.will(document(completion("whole"), kind=kind))
    assert world.call("ask", "Hi").out == "whole\n"


def test_headers_and_a_short_body_are_one_packet(world: World) -> None:
    got: list[bytes] = []
    answer = json.dumps(completion()).encode()

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            got.append(client.recv(1 << 16))
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        assert world.run("ask", "--base-url", url, "Hi").status == 0
        thread.join()
    head, _, body = got[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat/completions ")
    assert json.loads(body)["messages"][-1]["content"] == "Hi"


def test_a_request_without_a_body_may_take_longer_than_connecting(world: World) -> None:
    def late(handler: Handler) -> None:
        time.sleep(1.5)
        document({"object": "list", "data": []})(handler)

    world.api.will(late)
    result = world.run("raw", "--endpoint", "/models", "--connect-timeout", "1")
    assert (result.status, json.loads(result.out)) == (0, {"object": "list", "data": []}), result.err


def test_cookies_are_not_sent_back(world: World) -> None:
    answer = json.dumps(completion()).encode()
    head = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nContent-Length: %d\r\n\r\n"
    world.api.will(raw(head % len(answer) + answer))
    assert world.run("batch", "-j", "1", stdin="one\ntwo\nthree\n").status == 0
    assert [request.headers.get("Cookie") for request in world.api.requests] == [None] * 3


def test_every_requested_choice_must_finish(world: World) -> None:
    first = [delta("a", index=0), delta(finish="stop", index=0)]
    world.api.will(stream([event(chunk) for chunk in first]))
    result = world.call("ask", "-n", "2", "Hi")
    assert result.status == 9
    assert "ended before the answer did" in result.err
    world.api.will(stream([event(chunk) for chunk in [*first, delta("b", "stop", index=1)]]))
    result = world.call("ask", "-n", "2", "Hi")
    assert (result.status, result.out) == (0, "a\nb\n")


def test_text_is_read_for_as_long_as_it_keeps_coming(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_reply, "LINGER_SECONDS", 0.4)
    words = [event(delta(f"w{number} ", "stop")) for number in range(6)]
    world.api.will(stream(words, pause=0.15, then="hang"))
    expected = "".join(f"w{number} " for number in range(6)) + "\n"
    result = world.call("ask", "Hi")
    assert (result.status, result.out) == (0, expected)
    result = world.call("raw", '{"stream": true}')
    assert (result.status, result.out.count("w")) == (0, 6)


def test_the_rate_does_not_count_the_wait_for_token_counts(world: World) -> None:
    usage = event({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 11}})
    words = [event(delta("a")), event(delta("b", "stop"))]

    def behave(handler: Handler) -> None:
        handler.reply(200, b"", "text/event-stream", [], True)
        for part in (*words, usage):
            handler.chunk(part)
            time.sleep(0.1 if part is words[0] else 0.6 if part is words[1] else 0)
        handler.chunk(b"")

    world.api.will(behave)
    result = world.call("ask", "-u", "Hi")
    assert result.out == "ab\n"
    rate, total = re.search(r"total ([\d.]+) s, ([\d.]+) tokens/s", result.err).group(2, 1)  # type: ignore[union-attr]
    # 10 tokens in a tenth of a second, on a machine that may be busy.
    assert float(rate) > 25
    assert float(total) >= 0.7


@pytest.mark.parametrize("command", [["ask", "Hi"], ["models"], ["raw", "{}"]], ids=lambda command: command[0])
def test_an_error_that_unpacks_to_gigabytes_is_cut_off(world: World, command: list[str]) -> None:
    world.api.will(lambda handler: handler.reply(500, bomb(), headers=[("Content-Encoding", "gzip")]))
    result = world.call(*command)
    assert result.status == 7
    assert len(result.err) < 1000
    assert len(result.stdout) <= (8 << 20) + 1


def test_a_batch_reads_compressed_streams(world: World) -> None:
    def squeezed(handler: Handler) -> None:
        handler.reply(200, b"", "text/event-stream", [("Content-Encoding", "gzip")], chunked=True)
        handler.chunk(gzip.compress(b"".join(streamed("squeezed"))))
        handler.chunk(b"")

    world.api.will(squeezed)
    result = world.call("batch", "-q", "-j1", "--stream", "--plain", stdin="a\nb\n")
    assert (result.status, result.out) == (0, "squeezed\nsqueezed\n")
    # The connection is used again.
    assert world.api.connections == 1


def test_raw_prints_no_line_for_an_event_without_data(world: World) -> None:
    world.api.will(stream([b"data:\n\n", event(delta("a", "stop")), b"data\n\n", event("[DONE]")]))
    result = world.call("raw", '{"stream": true}')
    assert result.status == 0
    assert [json.loads(line)["choices"][0]["delta"] for line in result.out.splitlines()] == [{"content": "a"}]
    world.api.will(stream([b"data:\n\n" * 3]))
    result = world.call("raw", '{"stream": true}')
    assert (result.status, result.out) == (9, "")


def test_a_finish_reason_before_any_text_ends_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_reply, "LINGER_SECONDS", 0.1)
    world.api.will(stream([event(delta("", "stop")), event(delta("late", "stop"))], pause=0.4))
    result = world.call("ask", "Hi")
    assert (result.status, result.out) == (0, "late\n")


def test_both_ids_are_named_with_v(world: World) -> None:
    world.api.will(error(400, "no"))
    assert world.call("ask", "--request-id", "ours", "Hi").err.endswith("no; correct the request [request id inf-1]\n")
    result = world.call("ask", "-v", "--request-id", "ours", "Hi")
    assert result.err.endswith(" [request id inf-1, sent as ours]\n")


@pytest.mark.parametrize("odd", [{"index": 1.5}, {"index": [0]}, {"message": {"tool_calls": 5}}, {"message": 5}])
def test_an_odd_choice_is_a_broken_answer(world: World, odd: dict[str, object]) -> None:
    choice = completion("whole")["choices"][0]
    world.api.will(document({"choices": [choice, {**choice, "index": 1, **odd}, {**choice, "index": 2}]}))
    for flags in (["-n", "3"], ["--json"], ["-x"]):
        result = world.call("ask", *flags, "Hi")
        assert result.status == 9
        assert "a chunk of an unexpected shape" in result.err
