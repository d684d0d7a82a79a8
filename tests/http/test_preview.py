"""--curl: the same call as a command for a shell."""

import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.fake_api import (
    KEY,
    answer,
    text,
)
from tests.support.world import World

MESSY = (
    b' {"a": 1e400, "a": 12345678901234567890123456789012345678901234567890,\n\t"\\u00e4": "\xc3\xa4" , "b":[ ]}\n\n'
)


def sent_by_curl(world: World, command: str, shell: str = "bash") -> None:
    if missing := [tool for tool in ("curl", shell) if not shutil.which(tool)]:
        pytest.skip(f"{missing[0]} is not installed")
    script = f"set -e\n{command}"
    subprocess.run([shell], input=script.encode(), env=world.env, cwd=world.cwd, capture_output=True, check=True)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=200))
@example("it's $HOME `id` \\n %s %% ! \" '' \x00 \x7f \u202e\n\n")
@example("'" * 50)
def test_curl_sends_the_same_bytes(world: World, prompt: str) -> None:
    if not prompt.strip():
        return
    world.api.requests.clear()
    world.api.will(text("ok"))
    assert world.call("ask", stdin=prompt).status in (0, 2)
    if not world.api.requests:
        return
    command = world.call("ask", "--curl", stdin=prompt).out
    sent_by_curl(world, command)
    ours, theirs = world.api.requests
    assert ours.body == theirs.body
    assert ours.path == theirs.path
    for name in ("authorization", "content-type"):
        assert ours.headers[name] == theirs.headers[name]


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_a_megabyte_passes_through_curl(world: World, shell: str) -> None:
    prompt = "it's a line\n" * 87_382
    command = world.run("ask", "--curl", stdin=prompt).out
    sent_by_curl(world, command, shell)
    assert world.api.prompt == prompt.rstrip("\n")


def test_curl_of_raw(world: World) -> None:
    world.api.will(answer())
    command = world.call("raw", "--curl", "--endpoint", "//v2/x?a=b", "-H", "X-A: it's", "{ }").out
    sent_by_curl(world, command)
    request = world.api.requests[0]
    assert (request.method, request.path, request.body) == ("POST", "/v2/x?a=b", b"{ }")
    assert request.headers["x-a"] == "it's"
    sent_by_curl(world, world.call("raw", "--curl", "--endpoint", "/models").out)
    assert (world.api.requests[1].method, world.api.requests[1].path) == ("GET", "/v1/models")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--endpoint", "/a?q=%7Bx%7D&r=a,b", "{}"],
        ["-H", "X-B:", "{}"],
        ["-H", "X-B: 1", "-H", "x-b: 2", "{}"],
        ["-X", "POST", "--endpoint", "/x"],
        ["-X", "DELETE", "--endpoint", "/x"],
        ["-X", "HEAD", "--endpoint", "/x"],
    ],
)
def test_curl_is_the_same_call_in_odd_cases_too(world: World, arguments: list[str]) -> None:
    world.api.will(answer())
    world.call("raw", *arguments)
    command = world.call("raw", "--curl", *arguments).out
    # Calls to loopback never use it.
    world.env["http_proxy"] = "http://127.0.0.1:9"
    sent_by_curl(world, command)
    ours, theirs = world.api.requests
    assert (ours.method, ours.path, ours.body) == (theirs.method, theirs.path, theirs.body)
    for name in ("x-b", "content-length", "content-type"):
        assert ours.headers.get(name) == theirs.headers.get(name)


def test_curl_keeps_to_the_rules_of_trust(world: World) -> None:
    assert "Authorization" not in world.call("ask", "--curl", "--base-url", "http://o.example/v1", "Hi").out
    assert "Authorization" in world.call("ask", "--curl", "--base-url", "http://o.example", "--allow-http", "Hi").out
    (world.cwd / ".env").write_text("AIMLAPI_BASE_URL=https://evil.example/v1\n")
    result = world.call("ask", "--curl", "Hi", AIMLAPI_BASE_URL="")
    assert "Authorization" not in result.out
    assert "calling https://evil.example/v1, as " in result.err
    result = world.call("ask", "--curl", "--base-url", world.api.url, "Hi", AIMLAPI_API_KEY="", AIML_API_KEY=KEY)
    assert "takes the key from AIMLAPI_API_KEY, which is not set here" in result.err


def test_curl_names_the_key_only_if_it_would_be_sent(world: World) -> None:
    assert '"Authorization: Bearer $AIMLAPI_API_KEY"' in world.call("ask", "--curl", "Hi").out
    assert "Authorization" not in world.call("ask", "--curl", "--no-key", "Hi").out
    assert "Authorization" not in world.call("ask", "--curl", "Hi", AIMLAPI_API_KEY="").out
    assert "Authorization" in world.call("ask", "--curl", "Hi", AIMLAPI_API_KEY="", AIMLAPI_BASE_URL="").out
    (world.cwd / ".env").write_text(f"AIMLAPI_BASE_URL={world.api.url}\nAIMLAPI_KEY=theirs\n")
    result = world.call("ask", "--curl", "Hi", AIMLAPI_BASE_URL="")
    assert "Authorization" not in result.out


def test_curl_takes_a_folder_of_certificates_for_one(world: World) -> None:
    assert f"--capath '{world.cwd}'" in world.call("raw", "--curl", "--ca-bundle", str(world.cwd), "{}").out


def test_curl_sends_head_with_a_body_too(world: World) -> None:
    assert " -X HEAD " in world.call("raw", "--curl", "-X", "HEAD", "{}").out


@pytest.mark.parametrize("path", ["/{a,b}", "/[1-3]", "/a[b]c"])
def test_curl_does_not_expand_a_url_as_a_pattern(world: World, path: str) -> None:
    world.api.will(answer())
    url = world.api.url + path
    sent_by_curl(world, world.call("ask", "--curl", "--base-url", url, "Hi").out)
    assert [request.path for request in world.api.requests] == [f"/v1{path}/chat/completions"]


@pytest.mark.parametrize("variable", ["LLAMACLI_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_curl_trusts_the_same_certificates(world: World, variable: str) -> None:
    bundle = world.cwd / "it's a ca.pem"
    bundle.touch()
    command = world.call("ask", "--curl", "Hi", **{variable: str(bundle)}).out
    assert f" --cacert '{world.cwd}/it'\\''s a ca.pem' " in command
    command = world.call("ask", "--curl", "Hi", REQUESTS_CA_BUNDLE=str(world.cwd)).out
    assert f" --capath '{world.cwd}' " in command
