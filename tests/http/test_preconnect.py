"""The early connection over TLS: it is opened, and changes nothing but the timing."""

from __future__ import annotations

import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.fake_api import HELLO, FakeApi, Handler, error, raw, respond
from tests.support.world import PROGRAM, Result, World

#: Runs the program, but lets it import requests only once the file of the first argument exists.
GATED = """
# What looks for a module holds a lock that a handshake would wait for, which wants to import this.
import encodings.idna
import os, sys, time

class Gate:
    def find_spec(self, name, path=None, target=None):
        while name == "requests" and not os.path.exists(sys.argv[1]):
            time.sleep(0.005)

sys.meta_path.insert(0, Gate())
from llamacli.main import main
sys.exit(main(sys.argv[2:]))
"""
#: With less than a second there is no early connection: the same call without one.
WITHOUT = ("--connect-timeout", "0.99")


class Place:
    """A TLS server that lets the program continue importing after its first handshake."""

    def __init__(self, world: World, api: FakeApi, folder: Path) -> None:
        self.world, self.api, self.gate = world, api, folder / "gate"
        world.env["AIMLAPI_BASE_URL"] = api.url.replace("https://127.0.0.1", "https://localhost")
        world.env["REQUESTS_CA_BUNDLE"] = str(folder / "ca.pem")
        (folder / "ca.pem").touch()
        self.first: Callable[[Handler], None] = shake_hands
        api.greeting = self._greet

    def _greet(self, handler: Handler) -> None:
        with suppress(OSError):
            (self.first if self.api.connections == 1 else shake_hands)(handler)
        self.gate.touch()

    def ask(self, *arguments: str) -> Result:
        done = subprocess.run(
            [sys.executable, "-c", GATED, str(self.gate), "ask", *arguments, "Hi"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=self.world.env,
            cwd=self.world.cwd,
            timeout=30,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)


def shake_hands(handler: Handler) -> None:
    if isinstance(handler.connection, ssl.SSLSocket):
        handler.connection.do_handshake()


def hang_up(handler: Handler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def shake_hands_and_hang_up(handler: Handler) -> None:
    shake_hands(handler)
    hang_up(handler)


def speak_unasked(handler: Handler) -> None:
    # Otherwise this data would wait until the session tickets are acknowledged.
    handler.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    shake_hands(handler)
    handler.connection.sendall(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")


@pytest.fixture
def place(world: World, tls: FakeApi, tmp_path: Path) -> Place:
    return Place(world, tls, tmp_path)


def test_the_connection_is_open_before_requests_is_imported_and_is_the_only_one(place: Place) -> None:
    result = place.ask()
    assert (result.status, result.out, result.err) == (0, HELLO + "\n", "")
    assert (place.api.connections, len(place.api.requests)) == (1, 1)


def test_tls_1_3_with_its_session_tickets_makes_no_second_connection(
    world: World, tls: FakeApi, tmp_path: Path
) -> None:
    place, versions = Place(world, tls, tmp_path), []

    def look(handler: Handler) -> None:
        shake_hands(handler)
        versions.append(handler.connection.version())

    place.first = look
    assert place.ask().out == HELLO + "\n"
    # OpenSSL's servers send two tickets with the end of the handshake, hence before the gate is open.
    assert (versions, place.api.connections) == (["TLSv1.3"], 1)


@pytest.mark.parametrize("first", [hang_up, shake_hands_and_hang_up, speak_unasked])
def test_a_connection_that_has_died_meanwhile_is_replaced_silently(
    place: Place, first: Callable[[Handler], None]
) -> None:
    place.first = first
    result = place.ask()
    assert (result.status, result.out, result.err) == (0, HELLO + "\n", "")
    assert (place.api.connections, len(place.api.requests)) == (2, 1)


def test_each_retry_opens_a_new_connection(place: Place) -> None:
    place.api.will(raw(b""), error(503, headers=[("Retry-After", "0"), ("Connection", "close")]), respond)
    result = place.ask("--retry", "2")
    assert (result.status, result.out) == (0, HELLO + "\n")
    assert re.findall("retry . of .", result.err) == ["retry 1 of 2", "retry 2 of 2"]
    assert (place.api.connections, len(place.api.requests)) == (3, 3)


def test_an_error_of_the_early_connection_is_reported_like_any_other_and_once(
    world: World, tls: FakeApi, free_port: int, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    right, bundle = tls.url.replace("127.0.0.1", "localhost"), str(tmp_path / "ca.pem")
    expected = 0
    for url, trusted, connections in [
        (right, [], 1),
        (right, ["--ca-bundle", str(tmp_path / "empty")], 1),
        (right, ["--ca-bundle", str(Path(__file__))], 1),
        (right, ["--ca-bundle", str(tmp_path / "missing")], 0),
        (tls.url, ["--ca-bundle", bundle], 1),
        (world.api.url.replace("http:", "https:"), [], 1),
        (f"http://127.0.0.1:{free_port}/v1", [], 0),
        (f"https://127.0.0.1:{free_port}/v1", [], 0),
        ("https://no-such-host.invalid/v1", [], 0),
        (f"https://{'a' * 64}.example/v1", [], 0),
    ]:
        arguments = ["ask", "--base-url", url, "--request-id", "one", *trusted, "Hi"]
        result = world.run(*arguments)
        assert result.status in (2, 8)
        assert result == world.run(*arguments, *WITHOUT)
        expected += 2 * connections
        # A server may accept a client that has already gone.
        until = time.monotonic() + 10
        while tls.connections + world.api.connections < expected and time.monotonic() < until:
            time.sleep(0.01)
        assert tls.connections + world.api.connections == expected, url
    assert not tls.requests


def test_a_handshake_that_hangs_ends_at_the_connect_timeout(world: World, mute: str) -> None:
    arguments = ["ask", "--base-url", f"https:{mute}", "--no-key", "Hi"]
    result = world.run(*arguments, "--connect-timeout", "1")
    assert result.status == 8
    assert f"cannot connect to {mute.split('/')[2]}: no connection within 1 s" in result.err
    result = world.run(*arguments, "--max-time", "1")
    assert result.status == 8
    assert "no complete answer within --max-time 1 s" in result.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_handshake_that_hangs_and_silently(world: World, number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}/v1"
        command = [*PROGRAM, "ask", "-I", "--base-url", url, "--no-key", "Hi"]
        with subprocess.Popen(command, env=world.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            client, _ = server.accept()
            with client:
                # The ClientHello, which the handshake's thread sends.
                assert client.recv(1)
                running.send_signal(number)
                assert running.communicate() == (b"", b"")
    assert running.returncode == -number


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_with_a_proxy_nothing_bypasses_it(world: World, variable: str) -> None:
    # It does not look like a loopback address, so a proxy is used.
    url = world.api.url.replace("127.0.0.1", "0.0.0.0")
    with FakeApi() as proxy:
        result = world.run("ask", "--base-url", url, "--allow-http", "Hi", env={variable: f"http://{proxy.host}"})
        assert result.out == HELLO + "\n"
        assert (proxy.connections, len(proxy.requests), world.api.connections) == (1, 1, 0)
    assert world.run("ask", "--base-url", url, "--allow-http", "Hi").out == HELLO + "\n"
    assert world.api.connections == 1


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [(["--dry-run", "Hi"], b""), (["--curl", "Hi"], b""), ([], b""), ([], b"\xff"), (["-t", "9", "Hi"], b"")],
)
def test_over_plain_http_nothing_connects_until_there_is_something_to_send(
    world: World, arguments: list[str], stdin: bytes
) -> None:
    world.run("ask", *arguments, stdin=stdin)
    assert world.api.connections == 0


def test_a_connection_that_no_request_claims_is_closed(world: World, tls: FakeApi) -> None:
    from llamacli.http.connection.preconnect import Preconnect

    early = Preconnect(tls.url, 10)
    handle = early.duplicate_fd(10)
    early.close()
    assert handle.fileno() == -1
    with socket.create_server(("127.0.0.1", 0)) as listening:
        early = Preconnect(f"https://127.0.0.1:{listening.getsockname()[1]}", 10)
        client, _ = listening.accept()
        with client:
            early.close()
            assert client.recv(1) == b""


#: Runs the program as its script does, but imports typer only once the file of the first argument exists.
GATED_SCRIPT = GATED.replace(
    '"requests" and not os.path.exists(sys.argv[1])', '"typer" and not os.path.exists(gate)'
).replace(
    """from llamacli.main import main
sys.exit(main(sys.argv[2:]))""",
    """from llamacli.__main__ import program
program()""",
)
GATED_SCRIPT = GATED_SCRIPT.replace("class Gate", "gate = sys.argv.pop(1)\n\nclass Gate")


def start_at(api: FakeApi, world: World, folder: Path) -> Path:
    """Points the program to a server over TLS; returns the file that its first handshake creates."""
    gate = folder / "gate"

    def greet(handler: Handler) -> None:
        shake_hands(handler)
        gate.touch()

    api.greeting = greet
    world.env["AIMLAPI_BASE_URL"] = api.url.replace("127.0.0.1", "localhost")
    world.env["REQUESTS_CA_BUNDLE"] = str(folder / "ca.pem")
    return gate


@pytest.mark.parametrize("arguments", [["Hi"], ["-m", "x", "--json", "Hi"]])
def test_over_tls_it_is_ready_before_the_command_line_is_parsed(
    world: World, tls: FakeApi, tmp_path: Path, arguments: list[str]
) -> None:
    gate = start_at(tls, world, tmp_path)
    command = [sys.executable, "-c", GATED_SCRIPT, str(gate), "ask", *arguments]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, env=world.env, cwd=world.cwd, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tls.connections, len(tls.requests)) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        *((arguments, {}) for arguments in (["-h"], ["--dry-run", "Hi"], ["--curl", "Hi"], ["-P", "missing"])),
        (["--base-url", "https://localhost:1/v1", "--connect-timeout", "0.1", "Hi"], {}),
        (["-t", "9", "Hi"], {"AIMLAPI_API_KEY": "", "LLAMACLI_KEY_FILE": ""}),
        (["-t", "9", "Hi"], {"LLAMACLI_MAX_TIME": "5"}),
        (["-t", "9", "Hi"], {"LLAMACLI_CA_BUNDLE": "ca.pem"}),
        (["-t", "9", "Hi"], {"ALL_PROXY": "http://127.0.0.1:1"}),
        (["-t", "9", "Hi"], {"AIMLAPI_BASE_URL": "https://localhost:99999/v1"}),
    ],
)
def test_it_does_not_begin_for_a_call_that_may_not_be_made(
    world: World, tls: FakeApi, tmp_path: Path, arguments: list[str], env: dict[str, str]
) -> None:
    start_at(tls, world, tmp_path)
    world.run("ask", *arguments, env=env)
    assert tls.connections == 0


def test_it_does_not_begin_for_a_server_that_a_projects_env_names(world: World, tls: FakeApi, tmp_path: Path) -> None:
    start_at(tls, world, tmp_path)
    (world.cwd / ".env").write_text(f"AIMLAPI_BASE_URL={world.env.pop('AIMLAPI_BASE_URL')}\n")
    world.run("ask", "-t", "9", "Hi")
    assert tls.connections == 0


def test_a_connection_that_turns_out_to_be_unneeded_is_closed(world: World, tls: FakeApi, tmp_path: Path) -> None:
    start_at(tls, world, tmp_path)
    assert world.run("ask", "-t", "9", "Hi").status == 2
    assert not tls.requests


def test_the_connection_never_becomes_a_closed_standard_descriptor(world: World, tls: FakeApi, tmp_path: Path) -> None:
    start_at(tls, world, tmp_path)
    assert world.shell("llamacli ask Hi >&-").status == 74
    assert not tls.requests or tls.requests[0].path == "/v1/chat/completions"
