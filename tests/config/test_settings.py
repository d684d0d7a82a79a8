"""Settings and keys: where each comes from, and each attack that the rules of trust stop."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamacli.config import dotenv
from tests.support.fake_api import KEY, FakeApi, error
from tests.support.world import World

OTHER = "sk-other-9876543210fedcba"
KEYS = ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY")


def key_sent(world: World) -> str | None:
    """The key that the last request carried, None where it carried none."""
    header = world.api.requests[-1].headers.get("authorization")
    return header.removeprefix("Bearer ") if header else None


@pytest.fixture
def bare(world: World) -> World:
    """A machine without a key; the server takes any."""
    from tests.support.fake_api import text

    world.api.will(text("ok"))
    del world.env["AIMLAPI_API_KEY"]
    return world


# Precedence


def test_flag_before_environment_before_both_files_before_default(world: World) -> None:
    def model(*arguments: str, **env: str) -> str:
        world.call("ask", *arguments, "Hi", **env)
        return str(world.api.body["model"])

    assert model().startswith("meta-llama/")
    (world.config / ".env").write_text("LLAMACLI_MODEL=users\n")
    assert model() == "users"
    (world.cwd / ".env").write_text("LLAMACLI_MODEL=folders\n")
    assert model() == "folders"
    assert model(LLAMACLI_MODEL="environments") == "environments"
    assert model(LLAMACLI_MODEL="") == "folders"
    assert model("-m", "flags", LLAMACLI_MODEL="environments") == "flags"


def test_xdg_config_home_is_honoured_where_it_is_absolute(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "xdg" / "llamacli"
    folder.mkdir(parents=True)
    (folder / ".env").write_text("export LLAMACLI_MODEL='users' # comment\n")
    world.call("ask", "Hi", XDG_CONFIG_HOME=str(folder.parent))
    assert world.api.body["model"] == "users"
    world.call("ask", "Hi", XDG_CONFIG_HOME="xdg")
    assert world.api.body["model"] != "users"


def test_the_nearest_env_upwards_counts_and_none_above_the_git_root(world: World) -> None:
    deep = world.cwd / "a" / "b"
    deep.mkdir(parents=True)
    (world.cwd / ".env").write_text("LLAMACLI_MODEL=root\n")
    (world.cwd.parent / ".env").write_text("LLAMACLI_MODEL=above\n")
    world.run("ask", "Hi", cwd=deep)
    assert world.api.body["model"] == "root"
    (deep.parent / ".env").write_text("LLAMACLI_SEED=5\n")
    world.run("ask", "Hi", cwd=deep)
    assert world.api.body["model"].startswith("meta-llama/")
    assert world.api.body["seed"] == 5
    (deep / ".git").write_text("gitdir: elsewhere")
    world.run("ask", "Hi", cwd=deep)
    assert "seed" not in world.api.body


def test_none_above_the_home_directory(world: World) -> None:
    (world.home.parent / ".env").write_text("LLAMACLI_MODEL=above\n")
    inside = world.home / "project"
    inside.mkdir()
    world.run("ask", "Hi", cwd=inside)
    assert world.api.body["model"].startswith("meta-llama/")
    (world.home / ".env").write_text("LLAMACLI_MODEL=home\n")
    world.run("ask", "Hi", cwd=inside)
    assert world.api.body["model"] == "home"


def test_a_wrong_value_in_a_file_names_the_file(world: World) -> None:
    (world.config / ".env").write_text("LLAMACLI_TOP_P=7\n")
    result = world.call("ask", "Hi")
    assert result.status == 2
    assert f"LLAMACLI_TOP_P in {world.config / '.env'}: '7' is out of range" in result.err


# Keys


def test_the_key_is_found_under_three_names_in_order(bare: World) -> None:
    env: dict[str, str] = {}
    for name in reversed(KEYS):
        env[name] = f"sk-{name.lower()}-123456"
        bare.call("ask", "Hi", **env)
        assert key_sent(bare) == env[name]


def test_the_first_source_that_holds_a_key_wins(bare: World) -> None:
    (bare.config / ".env").write_text("AIMLAPI_API_KEY=sk-users-12345678\n")
    bare.call("ask", "Hi")
    assert key_sent(bare) == "sk-users-12345678"
    (bare.cwd / ".env").write_text("AIMLAPI_KEY=sk-folder-12345678\n")
    bare.call("ask", "Hi")
    assert key_sent(bare) == "sk-folder-12345678"
    (bare.cwd / "key").write_text("  sk-file-12345678\n\n")
    bare.call("ask", "Hi", LLAMACLI_KEY_FILE=str(bare.cwd / "key"))
    assert key_sent(bare) == "sk-file-12345678"
    bare.call("ask", "Hi", LLAMACLI_KEY_COMMAND="echo sk-command-12345678")
    assert key_sent(bare) == "sk-command-12345678"
    bare.call("ask", "Hi", LLAMACLI_KEY_COMMAND="exit 1", LLAMACLI_KEY_FILE=str(bare.cwd / "key"))
    assert key_sent(bare) == "sk-file-12345678"
    bare.call("ask", "Hi", LLAMACLI_KEY_FILE="/missing", AIML_API_KEY=OTHER)
    assert key_sent(bare) == OTHER
    bare.call("ask", "--key-file", "key", "Hi", AIML_API_KEY=OTHER)
    assert key_sent(bare) == "sk-file-12345678"
    bare.call("ask", "--no-key", "Hi", AIML_API_KEY=OTHER)
    assert key_sent(bare) is None


def test_the_key_command_does_not_eat_the_prompt(bare: World) -> None:
    bare.call("ask", "Hi", stdin="piped", LLAMACLI_KEY_COMMAND="cat; echo sk-command-12345678")
    assert bare.api.prompt == "Hi\n\npiped"
    assert key_sent(bare) == "sk-command-12345678"


@pytest.mark.parametrize(
    ("arguments", "env", "told"),
    [
        (["--key-file", "missing"], {}, "--key-file: missing: No such file or directory"),
        (["--key-file", "."], {}, "Is a directory"),
        (["--key-file", "empty"], {}, "is empty"),
        (["--key-file", "two"], {}, "holds a space, a line break"),
        (["--key-file", "binary"], {}, "UTF-8"),
        (["--key-file", ""], {"AIML_API_KEY": "sk-environment-1234"}, "--key-file"),
        ([], {"LLAMACLI_KEY_FILE": "/missing"}, "LLAMACLI_KEY_FILE: /missing"),
        ([], {"LLAMACLI_KEY_COMMAND": "echo sk-secret-in-here; exit 3"}, "ended with status 3"),
        ([], {"LLAMACLI_KEY_COMMAND": ":"}, "is empty"),
        ([], {"AIMLAPI_API_KEY": "sk-a\nX-Evil: 1"}, "holds a space, a line break"),
        ([], {"AIMLAPI_API_KEY": "schlüssel-1234567"}, "a character that no key has"),
        ([], {"AIMLAPI_BASE_URL": ""}, "no API key; make one at https://aimlapi.com/app/keys"),
    ],
)
def test_a_key_that_cannot_be_had_is_3(bare: World, arguments: list[str], env: dict[str, str], told: str) -> None:
    for name, content in [("empty", b" \n"), ("two", b"sk-one\nsk-two\n"), ("binary", b"\xff\xfe")]:
        (bare.cwd / name).write_bytes(content)
    result = bare.call("ask", *arguments, "Hi", **env)
    assert (result.status, result.out) == (3, "")
    assert told in result.err
    assert result.err.count("\n") == 1
    assert "sk-" not in result.err
    assert not bare.api.requests


def test_another_server_is_called_without_a_key_where_there_is_none(bare: World) -> None:
    assert bare.call("ask", "Hi").status == 0
    assert key_sent(bare) is None


# The attacks


def stranger(world: World, *lines: str) -> None:
    """Writes the working directory's .env, as a cloned repository may bring it."""
    (world.cwd / ".env").write_text("\n".join(lines) + "\n")


def test_a_strangers_base_url_on_loopback_is_announced_and_gets_no_key(world: World) -> None:
    stranger(world, f"AIMLAPI_BASE_URL={world.api.url}")
    del world.env["AIMLAPI_BASE_URL"]
    (world.config / ".env").write_text(f"AIMLAPI_API_KEY={OTHER}\n")
    (world.cwd / "key").write_text(OTHER)
    for arguments in ([], ["--key-file", "key"], ["--no-key"]):
        result = world.call("ask", *arguments, "Hi")
        assert result.status == 0
        assert result.err == f"llamacli: calling {world.api.url}, as {world.cwd / '.env'} says\n"
        assert key_sent(world) is None


def test_a_401_without_a_key_says_that_none_was_sent_and_why(world: World) -> None:
    stranger(world, f"AIMLAPI_BASE_URL={world.api.url}")
    del world.env["AIMLAPI_BASE_URL"]
    world.api.will(error(401, "no"))
    result = world.call("ask", "Hi")
    assert result.status == 3
    assert (
        f"no key was sent: {world.cwd / '.env'} names the server and holds none; --base-url sends yours" in result.err
    )
    assert "no key was sent, as --no-key wants it" in world.call("ask", "--no-key", "Hi").err
    result = world.call("ask", "--base-url", world.api.url, "Hi", AIMLAPI_API_KEY="")
    assert result.err.endswith("; no key was sent: set AIMLAPI_API_KEY\n")


@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "en_US.ISO-8859-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_a_file_of_settings_is_utf8_whatever_the_locale(world: World, locale: dict[str, str]) -> None:
    (world.config / ".env").write_text("LLAMACLI_STOP=é\n", encoding="utf-8")
    assert world.run("ask", "Hi", env={"PYTHONCOERCECLOCALE": "0", **locale}).err == ""
    assert world.api.body["stop"] == ["é"]


def test_half_a_character_that_json_escapes_is_no_fault(world: World) -> None:
    assert world.call("ask", "Hi", LLAMACLI_STOP='["\\ud800"]').status == 0
    assert world.api.body["stop"] == ["\ud800"]


def test_a_key_file_that_never_ends_is_no_key(world: World) -> None:
    result = world.call("ask", "--key-file", "/dev/zero", "Hi")
    assert result.status == 3
    assert not world.api.requests


def test_a_strangers_base_url_elsewhere_is_refused(world: World) -> None:
    stranger(world, "AIMLAPI_BASE_URL=https://evil.example/v1")
    del world.env["AIMLAPI_BASE_URL"]
    result = world.call("ask", "Hi")
    assert (result.status, result.out) == (2, "")
    assert "your key is not sent where a working directory's .env says" in result.err
    assert "--base-url https://evil.example/v1" in result.err
    assert world.call("ask", "Hi", AIMLAPI_API_KEY="").status == 2


def test_a_strangers_base_url_gets_the_key_of_its_own_file(world: World) -> None:
    stranger(world, f"AIMLAPI_BASE_URL={world.api.url}", f"AIML_API_KEY={KEY}")
    del world.env["AIMLAPI_BASE_URL"]
    world.call("ask", "Hi", AIMLAPI_API_KEY=OTHER)
    assert key_sent(world) == KEY
    result = world.call("ask", "--curl", "Hi", AIMLAPI_API_KEY=OTHER)
    assert "Authorization" not in result.out
    assert f"the command sends no key, and the call itself would: the one in {world.cwd / '.env'}" in result.err


def test_a_strangers_file_may_name_the_default_server(world: World) -> None:
    stranger(world, "AIMLAPI_BASE_URL=https://api.aimlapi.com/v1/")
    del world.env["AIMLAPI_BASE_URL"]
    assert world.call("ask", "Hi", AIMLAPI_API_KEY="").status == 3


@pytest.mark.parametrize("home", ["~", ".", "relative"])
def test_without_a_home_the_working_directory_is_not_taken_for_it(bare: World, home: str) -> None:
    # "~" is what a user without HOME and without an entry in passwd has, as in many a container.
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
def test_a_host_that_only_looks_like_loopback_is_none(world: World, host: str) -> None:
    stranger(world, f"AIMLAPI_BASE_URL=http://{host}/v1")
    del world.env["AIMLAPI_BASE_URL"]
    assert world.call("ask", "Hi").status == 2


def test_interpolation_does_not_fetch_the_real_key(world: World) -> None:
    stranger(world, f"AIMLAPI_BASE_URL={world.api.url}", "AIML_API_KEY=${AIMLAPI_API_KEY}")
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
def test_what_names_a_file_or_a_command_does_not_count_from_a_stranger(bare: World, line: str) -> None:
    stranger(bare, line)
    result = bare.call("ask", "Hi")
    name = line.partition("=")[0]
    assert result.status == 0
    assert f"{name} is not taken from {bare.cwd / '.env'}" in result.err
    assert not (bare.cwd / "pwned").exists()
    assert key_sent(bare) is None
    assert set(bare.api.body) == {"model", "messages", "stream"}
    assert bare.api.body["model"] != "evil"
    assert bare.api.requests[-1].headers["x-client-request-id"] != "theirs"


def test_plain_parameters_do_count_from_a_stranger(world: World) -> None:
    stranger(world, "LLAMACLI_TEMPERATURE=0.3", "LLAMACLI_STOP=@end", "LLAMACLI_ECHO=true", "LLAMACLI_MODEL=@m")
    assert world.call("ask", "Hi").err == ""
    body = world.api.body
    assert (body["temperature"], body["stop"], body["echo"], body["model"]) == (0.3, ["@end"], True, "@m")


@pytest.mark.parametrize("content", [b"this is no line of a .env\n", b"A=\xff\n", b"A='open\n"])
def test_an_unreadable_env_is_passed_over_with_a_note_that_shows_nothing_of_it(world: World, content: bytes) -> None:
    (world.cwd / ".env").write_bytes(b"LLAMACLI_MODEL=no\nSECRET=sk-in-the-file\n" + content)
    result = world.call("ask", "Hi")
    assert result.status == 0
    assert result.err.startswith(f"llamacli: {world.cwd / '.env'} is passed over: ")
    assert result.err.count("\n") == 1
    assert "this" not in result.err
    assert "sk-" not in result.err
    assert world.api.body["model"] != "no"
    assert world.call("ask", "-q", "Hi").err == ""


def test_a_fifo_named_env_does_not_hang(world: World) -> None:
    os.mkfifo(world.cwd / ".env")
    assert world.run("ask", "Hi", timeout=10).status == 0


def test_a_folder_named_env_is_no_setting(world: World) -> None:
    (world.cwd / ".env").mkdir()
    assert world.call("ask", "Hi").err == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_users_env_is_passed_over(world: World) -> None:
    stranger(world, "LLAMACLI_MODEL=theirs")
    shutil.chown(world.cwd / ".env", user=12345)
    result = world.call("ask", "Hi")
    assert "belongs to another user" in result.err
    assert world.api.body["model"] != "theirs"


def test_a_key_does_not_go_over_plain_http_to_another_host(world: World) -> None:
    result = world.call("ask", "--base-url", "http://192.0.2.1/v1", "Hi")
    assert (result.status, result.out) == (2, "")
    assert "plain http to 192.0.2.1" in result.err
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
        from tests.support.fake_api import error

        world.api.will(error(307, headers=[("Location", elsewhere.url + "/chat/completions")]))
        result = world.call("ask", "Hi")
        assert result.status == 4
        assert f"a redirect to {elsewhere.url}/chat/completions, not followed" in result.err
        assert not elsewhere.requests


def test_a_short_key_is_not_shown_either(bare: World) -> None:
    from tests.support.fake_api import error

    bare.api.will(error(401, "bad key: Bearer abc1234"))
    result = bare.call("ask", "-v", "Hi", AIMLAPI_API_KEY="abc1234")
    assert result.status == 3
    assert "abc1234" not in result.err


def test_the_key_is_nowhere_but_in_the_header(world: World) -> None:
    world.call("ask", "-v", "-u", "-o", "out", "Hi")
    assert KEY not in world.api.requests[-1].body.decode()
    for path in [*world.cwd.rglob("*"), *world.home.rglob("*")]:
        assert path.is_dir() or KEY not in path.read_text()


# The format

ASSIGNED = ["A=1", "export B='x y' # note", "E=a#b", "F='it\\'s'", 'D="two\nlines"']
NAMED = ["NAME=old", "export NAME = 'o#ld' # keep", "'NAME'=quoted", "NAME"]
LINES = st.sampled_from([*ASSIGNED, *NAMED, '# C="d"', "", "  ", '"x', "N AME=1"])
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


@given(st.lists(LINES, max_size=6), VALUES)
def test_a_value_that_is_put_into_a_file_comes_back_and_moves_no_other(lines: list[str], value: str) -> None:
    content = "\n".join(lines).encode()
    try:
        before = dotenv.values(content)
    except ValueError:
        with pytest.raises(ValueError, match="is not NAME=value"):
            dotenv.with_value(content, "NAME", value)
        return
    made = dotenv.with_value(content, "NAME", value)
    assert dotenv.values(made) == {**before, "NAME": value}
    assert [line for line in lines if line.startswith("#")] == [
        line for line in made.decode().splitlines() if line.startswith("#")
    ]
