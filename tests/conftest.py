"""Fixtures: a server on loopback, and a fresh machine that has a key for it."""

from __future__ import annotations

import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.support.fake_api import FakeApi
from tests.support.world import World

# A job in the background, nohup, and some CI runners have these ignored, and children inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGQUIT, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """A server that answers as the API does, unless told otherwise."""
    with FakeApi() as server:
        yield server


@pytest.fixture
def world(api: FakeApi, tmp_path: Path) -> World:
    """A fresh machine with a key for the server."""
    home, cwd = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    cwd.mkdir()
    (cwd / ".git").mkdir()  # so that no .env above the test's folder is found
    return World(api, home, cwd)


@pytest.fixture
def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def mute() -> Iterator[str]:
    """A base URL whose server accepts connections and never sends anything."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(16)
        yield f"//127.0.0.1:{sock.getsockname()[1]}/v1"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA, tmp_path: Path) -> Iterator[FakeApi]:
    """A server with a certificate for localhost; its authority is in tmp_path/ca.pem."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with FakeApi(tls=context) as server:
        yield server
