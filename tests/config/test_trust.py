"""Each attack that the rules of trust stop."""

from __future__ import annotations

import pytest

from tests.config.projects import OTHER, key_sent, project
from tests.support.fake_api import KEY, FakeApi, error
from tests.support.world import World


def test_a_strangers_base_url_on_loopback_is_announced_and_gets_no_key(world: World) -> None:
    project(world, f"AIMLAPI_BASE_URL={world.api.url}")
    del world.env["AIMLAPI_BASE_URL"]
    (world.config / ".env").write_text(f"AIMLAPI_API_KEY={OTHER}\n")
    (world.cwd / "key").write_text(OTHER)
    for arguments in ([], ["--key-file", "key"], ["--no-key"]):
        result = world.call("ask", *arguments, "Hi")
        assert result.status == 0
        assert result.err == f"llamacli: calling {world.api.url}, as set in {world.cwd / '.env'}\n"
        assert key_sent(world) is None


def test_a_401_without_a_key_says_why_none_was_sent(world: World) -> None:
    project(world, f"AIMLAPI_BASE_URL={world.api.url}")
    del world.env["AIMLAPI_BASE_URL"]
    world.api.will(error(401, "no"))
    result = world.call("ask", "Hi")
    assert result.status == 3
    assert (
        f"no key was sent: {world.cwd / '.env'} sets the server but no key; to send yours, pass --base-url"
        in result.err
    )
    assert "no key was sent (--no-key)" in world.call("ask", "--no-key", "Hi").err
    result = world.call("ask", "--base-url", world.api.url, "Hi", AIMLAPI_API_KEY="")
    assert "; no key was sent: set AIMLAPI_API_KEY" in result.err


def test_a_strangers_base_url_elsewhere_is_refused(world: World) -> None:
    project(world, "AIMLAPI_BASE_URL=https://evil.example/v1")
    del world.env["AIMLAPI_BASE_URL"]
    result = world.call("ask", "Hi")
    assert (result.status, result.out) == (2, "")
    assert "your key is never sent to a server that a project's .env names" in result.err
    assert "--base-url https://evil.example/v1" in result.err
    assert world.call("ask", "Hi", AIMLAPI_API_KEY="").status == 2


def test_a_strangers_base_url_gets_the_key_of_its_own_file(world: World) -> None:
    project(world, f"AIMLAPI_BASE_URL={world.api.url}", f"AIML_API_KEY={KEY}")
    del world.env["AIMLAPI_BASE_URL"]
    world.call("ask", "Hi", AIMLAPI_API_KEY=OTHER)
    assert key_sent(world) == KEY
    result = world.call("ask", "--curl", "Hi", AIMLAPI_API_KEY=OTHER)
    assert "Authorization" not in result.out
    assert f"the command sends no key, but the call itself would send the one in {world.cwd / '.env'}" in result.err


def test_a_strangers_file_may_name_the_default_server(world: World) -> None:
    project(world, "AIMLAPI_BASE_URL=https://api.aimlapi.com/v1/")
    del world.env["AIMLAPI_BASE_URL"]
    assert world.call("ask", "Hi", AIMLAPI_API_KEY="").status == 3


@pytest.mark.parametrize("home", ["~", ".", "relative"])
def test_without_a_home_the_working_directory_is_not_taken_for_it(bare: World, home: str) -> None:
    # "~" is the home of a user without HOME or a passwd entry, as in many containers.
    folder = bare.cwd / home / ".config" / "llamacli"
    folder.mkdir(parents=True)
    (folder / ".env").write_text("LLAMACLI_KEY_COMMAND=touch pwned; echo sk-123456789\n")
    assert bare.call("ask", "Hi", HOME=home).status == 0
    assert not (bare.cwd / "pwned").exists()
    assert key_sent(bare) is None


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1.evil.example", "127.0.0.2\\x.localhost", "localhost.evil.example", "2130706433", "127.0.0.1@evil"],
)
def test_a_host_that_only_looks_like_loopback_is_not_trusted(world: World, host: str) -> None:
    project(world, f"AIMLAPI_BASE_URL=http://{host}/v1")
    del world.env["AIMLAPI_BASE_URL"]
    assert world.call("ask", "Hi").status == 2


def test_interpolation_does_not_fetch_the_real_key(world: World) -> None:
    project(world, f"AIMLAPI_BASE_URL={world.api.url}", "AIML_API_KEY=${AIMLAPI_API_KEY}")
    del world.env["AIMLAPI_BASE_URL"]
    world.call("ask", "Hi")
    assert key_sent(world) == "${AIMLAPI_API_KEY}"


@pytest.mark.parametrize(
    "line",
    [
        "LLAMACLI_KEY_COMMAND=touch pwned; echo sk-stranger-12345",
        "LLAMACLI_KEY_FILE=/etc/hostname",
        "LLAMACLI_TOOLS=@/etc/hostname",
        "LLAMACLI_PREDICTION=@/etc/hostname",
        "LLAMACLI_TOOL_CHOICE=@/etc/hostname",
        "LLAMACLI_PARAM=model=evil",
        "LLAMACLI_CA_BUNDLE=/etc/hostname",
        "LLAMACLI_QUIET=1",
        "LLAMACLI_MAX_TIME=0.001",
        "LLAMACLI_REQUEST_ID=theirs",
    ],
)
def test_a_project_cannot_name_a_file_or_a_command(bare: World, line: str) -> None:
    project(bare, line)
    result = bare.call("ask", "Hi")
    name = line.partition("=")[0]
    assert result.status == 0
    assert f"ignoring {name} from {bare.cwd / '.env'}" in result.err
    assert not (bare.cwd / "pwned").exists()
    assert key_sent(bare) is None
    assert set(bare.api.body) == {"model", "messages", "stream"}
    assert bare.api.body["model"] != "evil"
    assert bare.api.requests[-1].headers["x-client-request-id"] != "theirs"


def test_plain_parameters_are_taken_from_a_project(world: World) -> None:
    project(world, "LLAMACLI_TEMPERATURE=0.3", "LLAMACLI_STOP=@end", "LLAMACLI_ECHO=true", "LLAMACLI_MODEL=@m")
    assert world.call("ask", "Hi").err == ""
    body = world.api.body
    assert (body["temperature"], body["stop"], body["echo"], body["model"]) == (0.3, ["@end"], True, "@m")


def test_a_key_does_not_go_over_plain_http_to_another_host(world: World) -> None:
    result = world.call("ask", "--base-url", "http://192.0.2.1/v1", "Hi")
    assert (result.status, result.out) == (2, "")
    assert "refusing to send the key unencrypted to 192.0.2.1" in result.err
    assert "--allow-http" in result.err
    for spelled in ("HTTP://192.0.2.1/v1", "Http://192.0.2.1/v1"):
        assert world.call("ask", "--base-url", spelled, "Hi").status == 2
        assert "Authorization" not in world.call("ask", "--curl", "--base-url", spelled, "Hi").out
    for arguments in (["--allow-http"], ["--no-key"]):
        quick = ["--connect-timeout", "0.1", "--max-time", "0.2"]
        assert world.call("ask", "--base-url", "http://192.0.2.1/v1", *arguments, *quick, "Hi").status == 8


def test_netrc_neither_replaces_nor_adds_a_key(world: World) -> None:
    netrc = world.home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login evil password evil\ndefault login evil password evil\n")
    netrc.chmod(0o600)
    world.call("ask", "Hi", NETRC=str(netrc))
    assert key_sent(world) == KEY
    world.call("ask", "--no-key", "Hi", NETRC=str(netrc))
    assert key_sent(world) is None


def test_a_redirect_is_not_followed_and_gets_no_key(world: World) -> None:
    with FakeApi() as elsewhere:
        world.api.will(error(307, headers=[("Location", elsewhere.url + "/chat/completions")]))
        result = world.call("ask", "Hi")
        assert result.status == 4
        assert f"a redirect to {elsewhere.url}/chat/completions, not followed" in result.err
        assert not elsewhere.requests


def test_what_goes_to_a_strangers_server_is_announced_even_with_quiet(world: World) -> None:
    project(world, f"AIMLAPI_BASE_URL={world.api.url}")
    del world.env["AIMLAPI_BASE_URL"]
    assert world.call("ask", "-q", "Hi").err.startswith(f"llamacli: calling {world.api.url}, as set in")


def test_a_projects_key_that_replaces_the_users_own_is_announced(bare: World) -> None:
    project(bare, "AIML_API_KEY=sk-project-12345678")
    assert bare.call("ask", "Hi").err == ""
    for line in (f"AIMLAPI_API_KEY={OTHER}", "LLAMACLI_KEY_COMMAND=echo sk-command-12345678"):
        (bare.config / ".env").write_text(f"{line}\n")
        result = bare.call("ask", "-q", "Hi")
        assert result.err == f"llamacli: using the key from {bare.cwd / '.env'} instead of your own\n"
        assert key_sent(bare) == "sk-project-12345678"
    assert bare.call("ask", "Hi", AIMLAPI_API_KEY=OTHER).err == ""


def test_settings_that_multiply_the_cost_are_announced(world: World) -> None:
    project(world, "LLAMACLI_N=5", "LLAMACLI_MAX_TOKENS=9000")
    (world.config / ".env").write_text("LLAMACLI_N=2\n")
    result = world.call("ask", "-q", "--dry-run", "Hi")
    assert sorted(result.err.splitlines()) == [
        f"llamacli: {world.cwd / '.env'} sets --max-tokens to 9000",
        f"llamacli: {world.cwd / '.env'} sets --n to 5",
    ]
    assert world.call("ask", "--dry-run", "-n1", "--max-tokens", "9", "Hi").err == ""
    (world.cwd / ".env").unlink()
    assert world.call("ask", "--dry-run", "Hi").err == ""
