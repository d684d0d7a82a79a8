"""TCP connections, their reuse, and HTTP/1.1 framing, as a peer sees them."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress

import pytest

from llamacli.http.connection import tcp
from llamacli.http.connection.attempt import Attempt
from llamacli.http.connection.tcp import Address
from llamacli.http.endpoint import is_loopback
from tests.support.fake_api import HELLO, Handler, respond
from tests.support.world import World


def has_ipv6() -> bool:
    with suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


# Names


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "any.thing.localhost", "a.LocalHost."])
def test_localhost_and_names_under_it_are_never_looked_up(host: str) -> None:
    assert [address[4][0] for address in tcp.resolve(host, 80, 0.001)] == ["::1", "127.0.0.1"]
    assert is_loopback(f"http://{host}:80/v1")


@pytest.mark.parametrize("host", ["localhost.example", "notlocalhost", "localhost-example.com"])
def test_other_names_are_looked_up(host: str) -> None:
    with pytest.raises((socket.gaierror, TimeoutError)):
        tcp.resolve(f"{host}.invalid", 80, 5)
    assert not is_loopback(f"http://{host}:80/v1")


def test_a_key_reaches_a_server_by_a_name_under_localhost(world: World) -> None:
    url = world.api.url.replace("127.0.0.1", "model.localhost")
    assert world.call("ask", "--base-url", url, "Hi").out == HELLO + "\n"
    assert world.api.requests[-1].headers["host"].startswith("model.localhost:")


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6")
def test_an_address_that_does_not_answer_leaves_time_for_the_next() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_server(("::1", port), family=socket.AF_INET6, backlog=0) as silent:
            fillers = []
            for _ in range(4):
                filler = socket.socket(socket.AF_INET6)
                filler.setblocking(False)
                with suppress(BlockingIOError):
                    filler.connect(silent.getsockname()[:2])
                fillers.append(filler)
            time.sleep(0.1)
            with tcp.connect("localhost", port, 4) as sock:
                assert sock.getpeername()[0] == "127.0.0.1"
            for filler in fillers:
                filler.close()


# Reuse


def test_a_connection_that_was_closed_between_two_calls_costs_no_retry(world: World) -> None:
    used: set[socket.socket] = set()

    def answer_once(handler: Handler) -> None:
        # The second request meets a server that is closing the idle connection.
        if handler.connection in used:
            handler.close_connection = True
        else:
            used.add(handler.connection)
            respond(handler)

    world.api.will(answer_once)
    result = world.call("batch", "-j", "1", "--plain", "--retry", "0", stdin="one\ntwo\nthree\n")
    assert (result.status, result.out.count("\n")) == (0, 3), result.err
    assert "retry" not in result.err
    assert world.api.connections == 3


@pytest.mark.parametrize(("connect_timeout", "is_busy"), [("0.9", False), ("1", False), ("0.9", True)])
def test_a_handshake_that_drips_has_one_limit(
    world: World, monkeypatch: pytest.MonkeyPatch, connect_timeout: str, is_busy: bool
) -> None:
    """With less than a second there is no early connection, so both ways are tried.

    On a busy machine the attempt's timer may be late, after Python's own limit of a handshake.
    """
    if is_busy:
        monkeypatch.setattr(Attempt, "connecting", lambda attempt, sock, seconds: None)

    def drip_handshake(handler: Handler) -> None:
        with suppress(OSError):
            # The header of a TLS record of 16 KiB whose content never ends.
            handler.connection.sendall(b"\x16\x03\x03\x40\x00")
            for _ in range(100):
                handler.connection.sendall(b"\0")
                time.sleep(0.1)

    world.api.greeting = drip_handshake
    url = world.api.url.replace("http:", "https:")
    started = time.monotonic()
    result = world.call("ask", "--base-url", url, "--connect-timeout", connect_timeout, "Hi")
    assert result.status == 8
    assert f"no connection within {connect_timeout} s" in result.err
    assert time.monotonic() - started < 8


def test_an_attempt_over_a_reused_connection_knows_it() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        attempt = Attempt(1, 1, float("inf"))
        attempt.reusing(ours)
        assert (attempt.is_reused, attempt.connected) == (True, True)
        attempt.close()


def test_a_call_leaves_no_connection_open(world: World) -> None:
    world.call("ask", "Hi")
    before = len(os.listdir("/dev/fd"))
    for _ in range(3):
        assert world.call("ask", "Hi").status == 0
    # The stand-in closes its end when it notices.
    deadline = time.monotonic() + 5
    while len(os.listdir("/dev/fd")) > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(os.listdir("/dev/fd")) <= before


def test_a_name_is_looked_up_without_a_thread_if_there_is_none_left(monkeypatch: pytest.MonkeyPatch) -> None:
    address: Address = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("192.0.2.1", 80))

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def look_up(name: bytes, port: int, type: int, flags: int = 0) -> list[Address]:
        if flags:
            raise socket.gaierror
        return [address]

    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert tcp.resolve("example.com", 80, 5) == [address]
