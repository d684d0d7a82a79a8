"""The network: limits, retries, and who sees a request."""

import json
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from llamacli.http.connection.tcp import Proxy
from llamacli.stdio.stderr import Stderr
from tests.support.fake_api import (
    HELLO,
    KEY,
    FakeApi,
    completion,
    delta,
    document,
    drip,
    event,
    hang,
    raw,
    stream,
    streamed,
    text,
)
from tests.support.world import Result, World

SLOW = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def timed(world: World, *arguments: str, **env: str) -> tuple[Result, float]:
    start = time.monotonic()
    result = world.call("ask", *arguments, "Hi", **env)
    return result, time.monotonic() - start


# Failures without a response: 8


def test_a_refused_connection_is_8(world: World, free_port: int) -> None:
    result = world.call("ask", "--base-url", f"http://127.0.0.1:{free_port}/v1", "Hi")
    assert (result.status, result.out) == (8, "")
    assert f"cannot connect to 127.0.0.1:{free_port}: Connection refused" in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".example", "xn--a-ecp.ru..x"])
def test_a_name_that_is_not_found_is_8(world: World, host: str) -> None:
    result = world.call("ask", "--base-url", f"https://{host}/v1", "--no-key", "Hi")
    assert (result.status, result.out) == (8, "")
    assert f"cannot connect to {host}" in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("behavior", [raw(b""), raw(b"", "reset")])
def test_a_connection_lost_before_the_first_byte_is_8_and_retried(world: World, behavior: object) -> None:
    world.api.will(behavior)  # type: ignore[arg-type]
    assert world.call("ask", "Hi").status == 8
    assert "lost the connection" in world.call("ask", "Hi").err
    world.api.requests.clear()
    world.api.will(behavior, text("second"))  # type: ignore[arg-type]
    result = world.call("ask", "--retry", "1", "Hi")
    assert (result.status, result.out) == (0, "second\n")
    assert len(world.api.requests) == 2


def test_silence_before_the_answer_is_8_and_never_retried(world: World) -> None:
    world.api.will(hang)
    result, seconds = timed(world, "--timeout", "0.3", "--retry", "5")
    assert result.status == 8
    assert f"no answer from {world.api.host} within 0.3 s" in result.err
    assert seconds < 5
    assert len(world.api.requests) == 1


def test_silence_in_the_middle_is_9(world: World) -> None:
    world.api.will(stream([event(delta("so far"))], then="hang"))
    result, seconds = timed(world, "--timeout", "0.3")
    assert (result.status, result.out) == (9, "so far\n")
    assert "no data for 0.3 s" in result.err
    assert seconds < 5


def test_comments_show_that_the_server_is_alive(world: World) -> None:
    world.api.will(stream([b": ping\n\n"] * 6 + streamed("alive"), pause=0.1))
    assert world.call("ask", "--timeout", "0.4", "Hi").out == "alive\n"


def test_a_complete_stream_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    import llamacli.http.reply

    monkeypatch.setattr(llamacli.http.reply, "LINGER_SECONDS", 0.2)
    world.api.will(stream([event(delta("whole", finish="stop"))], then="hang"))
    result, seconds = timed(world)
    assert (result.status, result.out, result.err) == (0, "whole\n", "")
    assert seconds < 10


def test_the_usage_that_follows_the_end_is_waited_for(world: World) -> None:
    world.api.will(stream([*map(event, [delta("x", finish="stop")]), event({"choices": [], "usage": {}})], pause=0.3))
    assert world.call("ask", "Hi").status == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_whole_call_has_a_limit_of_its_own(world: World, mute: str, scheme: str) -> None:
    result, seconds = timed(world, "--base-url", f"{scheme}:{mute}", "--no-key", "--max-time", "0.5", "--retry", "9")
    assert result.status == 8
    assert seconds < 5


@pytest.mark.parametrize(
    ("data", "status", "out"),
    [
        (SLOW.encode() * 100, 9, ""),
        (SLOW.encode() + b"data:" * 1000, 9, None),
        (b"HTTP/1.1 500 Oops\r\n" + b"a: b\r\n" * 1000, 9, ""),
    ],
)
def test_a_slow_drip_cannot_outlast_the_limit(world: World, data: bytes, status: int, out: str | None) -> None:
    world.api.will(drip(data, 0.02))
    result, seconds = timed(world, "--max-time", "0.7")
    assert result.status == status
    assert "--max-time 0.7 s" in result.err
    assert seconds < 5
    assert out is None or result.out == out


def test_an_error_body_that_never_ends_is_not_waited_for_long(world: World) -> None:
    world.api.will(raw(b"HTTP/1.1 400 Bad\r\nContent-Length: 99\r\n\r\nsome words", "hang"))
    result, seconds = timed(world, "--max-time", "1")
    assert result.status == 4
    assert "some words" in result.err
    assert seconds < 12


def test_a_limit_is_not_outlasted_by_what_comes_after_the_answer(world: World) -> None:
    world.api.will(stream([event(delta("whole", finish="stop"))], then="hang"))
    result, seconds = timed(world, "--max-time", "0.5")
    assert (result.status, result.out) == (0, "whole\n")
    assert seconds < 4


def test_a_slow_proxy_is_a_failure_to_connect(world: World) -> None:
    with FakeApi() as proxy:
        proxy.will(drip(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1000, 0.02))
        arguments = ["--base-url", "https://api.example/v1", "--connect-timeout", "0.5"]
        result, seconds = timed(world, *arguments, https_proxy=f"http://{proxy.host}")
    assert result.status == 8
    assert "cannot connect" in result.err
    assert seconds < 5


def test_a_tls_handshake_that_hangs_is_a_failure_to_connect(world: World, mute: str) -> None:
    result, seconds = timed(world, "--base-url", f"https:{mute}", "--no-key", "--connect-timeout", "0.3")
    assert result.status == 8
    assert "cannot connect" in result.err
    assert seconds < 5


def test_all_addresses_share_one_connect_timeout(world: World) -> None:
    # TEST-NET-1 (RFC 5737): packets to it are refused at once or lost.
    result, seconds = timed(world, "--base-url", "https://192.0.2.1/v1", "--no-key", "--connect-timeout", "0.5")
    assert result.status == 8
    assert seconds < 5


def test_a_long_prompt_may_take_longer_to_send_than_to_connect(world: World) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)

        def slowly() -> None:
            connection, _ = listener.accept()
            time.sleep(1)
            got = 0
            with connection:
                while got < 8 << 20:
                    got += len(connection.recv(1 << 20))
                    time.sleep(0.05)
                body = json.dumps(completion("got it")).encode()
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        threading.Thread(target=slowly, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        result = world.call("ask", "--base-url", url, "--connect-timeout", "0.2", stdin="x" * (8 << 20))
    assert (result.status, result.out) == (0, "got it\n")


# Who sees the request


def test_loopback_never_uses_a_proxy(world: World) -> None:
    with FakeApi() as proxy:
        variables = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"), proxy.url)
        for host in ("127.0.0.1", "localhost"):
            url = world.api.url.replace("127.0.0.1", host)
            assert world.call("ask", "--base-url", url, "Hi", **variables).out == HELLO + "\n"
        assert not proxy.requests


def test_other_hosts_use_a_proxy(world: World) -> None:
    with FakeApi() as proxy:
        arguments = ["--base-url", "http://api.example/v1", "--allow-http"]
        result = world.call("ask", *arguments, "Hi", http_proxy=f"http://{proxy.host}")
        assert (result.status, result.out) == (0, HELLO + "\n")
        assert proxy.requests[0].path == "http://api.example/v1/chat/completions"
        result = world.call("ask", *arguments, "Hi", http_proxy=f"http://{proxy.host}", NO_PROXY="*")
        assert result.status == 8
        assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    ("host", "exempting", "others"),
    [
        (
            "api.example",
            "api.example .example *.example example. API.example api.example:80 a,* a,api.example",
            "xample pi.example api.example:81",
        ),
        ("api.example.:8000", "api.example example:8000", "example:80"),
        ("192.0.2.9", "192.0.2.9 192.0.2.9:80 192.0.2.0/24 10.0.0.0/8,192.0.2.8/31", "192.0.3.0/24 192.0.2.0/99 ::/0"),
        (
            "[2001:db8::1]",
            "2001:db8::1 [2001:db8::1] 2001:DB8:0::1 [2001:db8::1]:80 2001:db8::/32",
            "2001:db9::/32 [2001:db8::1]:81",
        ),
    ],
)
def test_no_proxy_names_hosts_addresses_and_networks(
    monkeypatch: pytest.MonkeyPatch, host: str, exempting: str, others: str
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example")
    for entries, proxy in ((exempting, None), (others, "proxy.example")):
        for entry in entries.split(" "):
            monkeypatch.setenv("no_proxy", entry)
            assert (entry, Proxy(f"http://{host}/v1", Stderr()).host) == (entry, proxy)


def test_a_proxy_that_is_down_or_refuses_is_8(world: World, free_port: int) -> None:
    result = world.call(
        "ask", "--base-url", "https://api.example/v1", "Hi", https_proxy=f"http://127.0.0.1:{free_port}"
    )
    assert result.status == 8
    assert "through the proxy 127.0.0.1: Connection refused" in result.err
    with FakeApi() as proxy:
        # It does not support CONNECT.
        result = world.call("ask", "--base-url", "https://api.example/v1", "Hi", https_proxy=f"http://{proxy.host}")
        assert result.status == 8
        assert "through the proxy 127.0.0.1: Tunnel connection failed: 501" in result.err
        assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    "proxy",
    [
        *("http://[::1", "http://u:sekret-1@h:port", "http://u:sekret-1@", "http://", "::", "socks9://u:sekret-1@h"),
        *("http://u:sekret-1@h:99999", "http://u:sek ret-1@h", "ftp://h", "http://h\nevil", "http://u:sek\ret-1@h"),
        "h:0",
    ],
)
def test_an_invalid_proxy_is_8_and_not_shown(world: World, proxy: str) -> None:
    arguments = ["ask", "-v", "--retry", "3", "--base-url", "https://api.example/v1", "Hi"]
    result = world.call(*arguments, https_proxy=proxy)
    assert result.status == 8
    assert result.err.startswith("llamacli: invalid proxy URL for https; check https_proxy")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_proxys_password_goes_to_the_proxy_and_nowhere_else(world: World, scheme: str) -> None:
    with FakeApi() as proxy:
        proxy.will(document(b"user:sekret-1", 407))
        arguments = ["ask", "-v", "--base-url", "http://api.example/v1", "--allow-http", "Hi"]
        result = world.call(*arguments, http_proxy=f"{scheme}user:sekret-1@{proxy.host}")
        assert result.status == 4
        assert "sekret" not in result.err
        assert proxy.requests[0].headers["proxy-authorization"] == "Basic dXNlcjpzZWtyZXQtMQ=="
        assert "dXNlcjpzZWtyZXQtMQ" not in result.err


@pytest.fixture
def socks() -> Iterator[str]:
    """A SOCKS5 proxy (RFC 1928) that supports CONNECT to an IPv4 address, and its URL."""

    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            client.recv(262)
            client.sendall(b"\x05\x00")
            request = client.recv(262)
            address, port = socket.inet_ntoa(request[4:8]), int.from_bytes(request[8:10], "big")
            # Not select, which takes no descriptor above 1023: a long test run has more.
            with socket.create_connection((address, port)) as server, selectors.DefaultSelector() as selector:
                client.sendall(b"\x05\x00\x00\x01" + request[4:10])
                selector.register(client, selectors.EVENT_READ, (client, server))
                selector.register(server, selectors.EVENT_READ, (server, client))
                while ready := selector.select():
                    for key, _ in ready:
                        source, target = key.data
                        if not (data := source.recv(65536)):
                            return
                        target.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"socks5://127.0.0.1:{listener.getsockname()[1]}"


def test_a_socks_proxy_is_used_within_the_time_limits(
    world: World, socks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The server is on loopback, which never uses a proxy, so the test pretends that it is not.
    monkeypatch.setattr("llamacli.http.connection.tcp.is_loopback", lambda url: False)
    result = world.call("ask", "Hi", ALL_PROXY=socks)
    assert (result.status, result.out) == (0, HELLO + "\n")
    for behavior, arguments, status, out in [
        (stream([event(delta("so far"))], then="cut"), [], 9, "so far\n"),
        (stream([event(delta("so far"))], then="hang"), ["--timeout", "0.3"], 9, "so far\n"),
        (stream([event(delta("so far"))], then="hang"), ["--max-time", "0.5"], 9, "so far\n"),
        (hang, ["--timeout", "0.3", "--retry", "3"], 8, ""),
    ]:
        world.api.will(behavior)
        world.api.requests.clear()
        result = world.call("ask", *arguments, "Hi", ALL_PROXY=socks)
        assert (result.status, result.out) == (status, out), result.err
        assert len(world.api.requests) == 1


def test_a_socks_proxy_without_its_library_says_what_is_missing(world: World) -> None:
    (world.cwd / "socks.py").write_text("raise ImportError\n")
    path = f"{world.cwd}:{world.env['PYTHONPATH']}"
    arguments = ["ask", "--base-url", "https://api.example/v1", "Hi"]
    result = world.run(*arguments, env={"ALL_PROXY": "socks5://127.0.0.1:1", "PYTHONPATH": path})
    assert result.status == 8
    assert "SOCKS" in result.err
    assert result.err.count("\n") == 1


# TLS


def test_tls_needs_a_known_authority_and_the_right_name(world: World, tls: FakeApi, tmp_path: Path) -> None:
    right = tls.url.replace("127.0.0.1", "localhost")
    bundle = str(tmp_path / "ca.pem")
    for arguments, env in [
        (["--ca-bundle", bundle], {}),
        ([], {"REQUESTS_CA_BUNDLE": bundle, "CURL_CA_BUNDLE": "/missing"}),
        ([], {"CURL_CA_BUNDLE": bundle, "SSL_CERT_FILE": "/missing"}),
        ([], {"SSL_CERT_FILE": bundle}),
        ([], {"LLAMACLI_CA_BUNDLE": bundle, "REQUESTS_CA_BUNDLE": "/missing"}),
    ]:
        assert world.call("ask", "--base-url", right, *arguments, "Hi", **env).out == HELLO + "\n"
    assert tls.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    tls.requests.clear()
    for url, arguments, message in [
        (right, [], "TLS: unable to get local issuer certificate;"),
        (right, ["--ca-bundle", str(Path(__file__))], "check --base-url and --ca-bundle"),
        (tls.url, ["--ca-bundle", bundle], "TLS: IP address mismatch"),
        (world.api.url.replace("http:", "https:"), [], "TLS: "),
    ]:
        result = world.call("ask", "--base-url", url, "--retry", "3", *arguments, "Hi")
        assert result.status == 8
        assert message in result.err
        assert result.err.count("\n") == 1
        assert "request id" not in result.err
    assert not tls.requests


@pytest.mark.parametrize("variable", ["LLAMACLI_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_missing_certificates_are_2_and_name_the_variable(world: World, variable: str) -> None:
    result = world.call("ask", "--base-url", "https://localhost:1/v1", "Hi", **{variable: "/missing"})
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith(f"llamacli: CA bundle not found: /missing; check {variable}")


def test_the_limit_applies_inside_tls(world: World, tls: FakeApi, tmp_path: Path) -> None:
    tls.will(stream([event(delta("so far"))], then="hang"))
    url = tls.url.replace("127.0.0.1", "localhost")
    result, seconds = timed(world, "--base-url", url, "--ca-bundle", str(tmp_path / "ca.pem"), "--max-time", "0.7")
    assert (result.status, result.out) == (9, "so far\n")
    assert seconds < 5
