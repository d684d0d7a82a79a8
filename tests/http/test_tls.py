"""The shared TLS context: configured like urllib3's, loaded once, and strict for every connection."""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from llamacli.http.connection import tls as own
from tests.support.fake_api import FakeApi, Handler, respond
from tests.support.world import World


@pytest.mark.parametrize("log", ["", "keys.log"])
def test_the_handshake_has_the_settings_that_urllib3_gives_it(
    log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from urllib3.util.ssl_ import create_urllib3_context

    if log:
        monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / log))
    context, model = own.Context(ssl.PROTOCOL_TLS_CLIENT), create_urllib3_context()
    assert own.configure_like_urllib3(context)
    readable = [name for name in dir(model) if not name.startswith("_") and not callable(getattr(model, name))]
    assert {"minimum_version", "options", "verify_flags", "check_hostname"} <= set(readable)
    for name in readable:
        assert getattr(context, name) == getattr(model, name), name
    assert bool(log) == os.path.exists(tmp_path / "keys.log")


def test_settings_that_other_threads_may_be_reading_are_set_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def note(context: ssl.SSLContext, alpn_protocols: Sequence[str]) -> None:
        seen.append(list(alpn_protocols))

    monkeypatch.setattr(ssl.SSLContext, "set_alpn_protocols", note)
    context = own.Context(ssl.PROTOCOL_TLS_CLIENT)
    for protocols in (["http/1.1"], ["http/1.1"], ["h2"]):
        context.set_alpn_protocols(protocols)
    assert seen == [["http/1.1"], ["h2"]]


def answer_and_hang_up(handler: Handler) -> None:
    handler.close_connection = True
    respond(handler)


@pytest.mark.parametrize("jobs", [1, 8])
def test_a_batch_loads_its_certificates_once(world: World, tls: FakeApi, tmp_path: Path, jobs: int) -> None:
    bundle = tmp_path / "ca.pem"

    def empty_and_answer(handler: Handler) -> None:
        # If they were loaded again, no server would be trusted.
        bundle.write_text("")
        answer_and_hang_up(handler)

    world.env["AIMLAPI_BASE_URL"] = tls.url.replace("127.0.0.1", "localhost")
    tls.will(empty_and_answer)
    done = world.run("batch", "-j", str(jobs), "--ca-bundle", str(bundle), "--plain", "--retry", "0", stdin="Hi\n" * 20)
    assert done.status == 0, done
    assert tls.connections == 20


def test_a_chat_continues_with_the_certificates_that_it_loaded(world: World, tls: FakeApi, tmp_path: Path) -> None:
    """The same holds if the early connection loaded them."""
    bundle = tmp_path / "ca.pem"

    def empty_and_fail(handler: Handler) -> None:
        bundle.write_text("")
        handler.close_connection = True
        handler.reply(503, b"{}", headers=[("Retry-After", "0")])

    world.env["AIMLAPI_BASE_URL"] = tls.url.replace("127.0.0.1", "localhost")
    tls.will(empty_and_fail, respond)
    done = world.run("ask", "--retry", "1", "--ca-bundle", str(bundle), "Hi")
    assert done.status == 0, done
    assert tls.connections == 2


def test_a_shared_context_still_checks_each_server(tls: FakeApi, tmp_path: Path) -> None:
    from urllib3.connection import HTTPSConnection
    from urllib3.exceptions import SSLError

    contexts = own.ContextCache()
    seen = set()
    for host, is_named in (("localhost", True), ("localhost", True), ("127.0.0.1", False)):
        connection = HTTPSConnection(
            host, tls.server.server_address[1], cert_reqs="CERT_REQUIRED", ca_certs=str(tmp_path / "ca.pem")
        )
        contexts.apply(connection)
        seen.add(connection.ssl_context)
        if is_named:
            connection.connect()
            assert connection.is_verified
        else:
            with pytest.raises((ssl.SSLCertVerificationError, SSLError), match="IP address mismatch"):
                connection.connect()
        connection.close()
    assert len(seen) == 1
    assert None not in seen


@pytest.mark.parametrize(
    "more",
    [
        {"cert_reqs": "CERT_NONE"},
        {"ca_certs": "/dev/null"},
        {"ca_certs": None},
        {"assert_hostname": False},
        {"assert_fingerprint": "00" * 32},
        {"ca_cert_data": b"x"},
        {"ssl_context": ssl.create_default_context()},
    ],
    ids=lambda more: next(iter(more)),
)
def test_a_connection_with_special_settings_does_not_share_the_context(
    more: dict[str, object], tls: FakeApi, tmp_path: Path
) -> None:
    from urllib3.connection import HTTPSConnection

    contexts = own.ContextCache()
    wishes = {"cert_reqs": "CERT_REQUIRED", "ca_certs": str(tmp_path / "ca.pem")}
    contexts.apply(HTTPSConnection("localhost", **wishes))  # type: ignore[arg-type]
    connection = HTTPSConnection("localhost", **{**wishes, **more})  # type: ignore[arg-type]
    before = own.settings(connection)
    contexts.apply(connection)
    assert own.settings(connection) == before
