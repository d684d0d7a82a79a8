"""-H adds headers to every command's requests, and their values stay secret."""

from __future__ import annotations

import pytest

from tests.support.fake_api import error
from tests.support.world import World

COMMANDS = {
    "ask": ["ask", "Hi"],
    "chat": ["chat", "--no-save", "Hi"],
    "raw": ["raw", '{"messages":[]}'],
    "batch": ["batch"],
    "models": ["models"],
    "config": ["config", "check"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_headers_reach_the_server(world: World, name: str) -> None:
    command, *words = COMMANDS[name]
    arguments = [command, "-H", "X-Title: one, two", "--header", "x-title:three", *words]
    world.call(*arguments, stdin="Hi\n")
    assert world.api.requests[-1].headers["x-title"] == "one, two, three"
    world.call(command, *words, stdin="Hi\n", LLAMACLI_HEADER='["X-A: 1", "X-B: 2"]')
    headers = world.api.requests[-1].headers
    assert (headers["x-a"], headers["x-b"]) == ("1", "2")


def test_headers_are_part_of_the_curl_command(world: World) -> None:
    assert "-H 'X-Title: it'\\''s'" in world.call("ask", "--curl", "-H", "X-Title: it's", "Hi").out


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("s3cret", "expected 'Name: value'"),
        ("Authorization: Bearer s3cret", "Authorization cannot be replaced"),
        ("content-LENGTH: s3cret", "content-LENGTH cannot be replaced"),
        ("X-Client-Request-Id: s3cret", "to set that header, use --request-id"),
        ("X-Key: s3cret\r\nX-Evil: 1", "the value of X-Key contains a character that a header cannot carry"),
        ("X Key: s3cret", "expected 'Name: value'"),
    ],
)
def test_a_wrong_header_is_a_usage_error_that_shows_no_value(world: World, header: str, problem: str) -> None:
    for result in (world.call("ask", "-H", header, "Hi"), world.call("ask", "Hi", LLAMACLI_HEADER=header)):
        assert result.status == 2
        assert problem in result.err
        assert "s3cret" not in result.err
    assert not world.api.requests


def test_the_values_of_secret_headers_are_shown_nowhere(world: World) -> None:
    world.api.will(error(400, "no such tenant: s3cret-of-the-proxy"))
    secret = "X-Proxy-Token: s3cret-of-the-proxy"
    result = world.call("ask", "-v", "-H", secret, "-H", "X-Title: nightly", "Hi")
    assert result.status == 4
    assert "s3cret-of" not in result.err
    assert "> X-Title: nightly" in result.err
    shown = world.call("config", "show", "--all", LLAMACLI_HEADER=secret)
    if shown.status:
        shown = world.call("config", "show", LLAMACLI_HEADER=secret)
    assert "LLAMACLI_HEADER" in shown.out
    assert "s3cret" not in shown.out + shown.err


def test_a_projects_env_sets_no_header(world: World) -> None:
    (world.cwd / ".env").write_text("LLAMACLI_HEADER='X-Title: evil'\n")
    assert "ignoring LLAMACLI_HEADER" in world.call("ask", "Hi").err
    assert "x-title" not in world.api.requests[-1].headers
