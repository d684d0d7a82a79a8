"""`config set`, `config unset` and `config show`: one setting at a time, checked as its flag would be."""

import json
import os
import stat

import pytest

from llamacli.cli import app
from llamacli.cli.docs.help import variables
from llamacli.cli.spec import FlagSpec, all_groups
from tests.support.world import World

FLAGS = variables(all_groups(app.commands()))
#: A valid value for each type of flag, by its placeholder in the help.
VALUES = {
    "": "true",
    "N": "1",
    "NUMBER": "0.5",
    "SECONDS": "3",
    "TEXT": "some text",
    "JSON": "[]",
    "ID=BIAS": "7=1",
    "KEY=VALUE": "a=1",
    "NAME|JSON": "auto",
    "URL": "http://localhost:8080/v1",
    "MODEL": "some/model",
    "ID": "one",
    "FILE": "/dev/null",
    "USD": "1",
    "AGE": "30d",
    "'NAME: VALUE'": "X-Tag: one",
}


def example(flag: FlagSpec) -> str:
    values = flag.flag.type.values
    return values[0] if values else VALUES[flag.flag.type.metavar]


@pytest.mark.parametrize("variable", FLAGS)
def test_every_setting_can_be_set_and_unset(world: World, variable: str) -> None:
    flag = FLAGS[variable]
    world.env = {name: value for name, value in world.env.items() if name not in (variable, "LLAMACLI_RETRY")}
    file = world.config / ".env"
    file.write_text("# mine\nLLAMACLI_OTHER=1\n")
    for name in (variable, flag.long.removeprefix("--")):
        result = world.call("config", "set", name, example(flag))
        assert (result.status, result.err) == (0, "")
        assert f"set {variable}" in result.out
        assert file.read_text().startswith(f"# mine\nLLAMACLI_OTHER=1\n{variable}=")
        assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
        assert f"{variable}\t" in world.call("config", "show").out
        removed = world.call("config", "unset", name)
        assert (removed.status, removed.out) == (0, f"removed {variable} from {file}\n")
        assert file.read_text() == "# mine\nLLAMACLI_OTHER=1\n"


def test_show_prints_one_setting(world: World) -> None:
    for name in ("temperature", "LLAMACLI_TEMPERATURE"):
        assert world.call("config", "show", name).out == "LLAMACLI_TEMPERATURE\t\tdefault\n"
    assert world.call("config", "show", "key").out.startswith("key\t")


@pytest.mark.parametrize("name", ["key-command", "KEY_COMMAND", "LLAMACLI_KEY_COMMAND"])
def test_the_key_command_has_a_short_name_too(world: World, name: str) -> None:
    assert "set LLAMACLI_KEY_COMMAND in" in world.call("config", "set", name, "pass show llama").out
    assert "removed LLAMACLI_KEY_COMMAND" in world.call("config", "unset", name).out


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["set", "temperature", "9"], "temperature: '9' is out of range: expected a number from 0 to 2"),
        (["set", "base-url", "localhost"], "base-url: 'localhost' is not an http"),
        (["set", "quiet", "maybe"], "quiet: 'maybe' is not"),
        (["set", "modle", "x"], "unknown setting 'modle'; did you mean 'model'?"),
        (["set", "LLAMACLI_MODLE", "x"], "unknown setting 'LLAMACLI_MODLE'; did you mean 'LLAMACLI_MODEL'?"),
        (["set", "output", "x"], "unknown setting 'output'; see 'llamacli help environment'"),
        (["set", "NO_COLOR", "1"], "NO_COLOR is read from the environment only"),
        (["set", "model"], "'config set' needs a NAME and a VALUE"),
        (["set", "model", ""], "LLAMACLI_MODEL: the value is empty; 'config unset model' removes it"),
        (["set", "model", "two", "words"], "LLAMACLI_MODEL takes one VALUE"),
        (["set"], "'config set' needs a NAME and a VALUE"),
        (["unset"], "'config unset' needs one NAME"),
        (["unset", "model", "x"], "'config unset' needs one NAME"),
        (["show", "model", "x"], "'config show' takes one NAME"),
        (["show", "modle"], "unknown setting 'modle'; did you mean 'model'?"),
        (["show", "sk-0123456789abcdef"], "unknown setting; see 'llamacli help environment'"),
        (["unset", "sk-0123456789abcdef"], "unknown setting; see 'llamacli help environment'"),
        (["check", "--all"], "--all is for 'config show'"),
    ],
)
def test_an_invalid_setting_is_2_and_changes_nothing(world: World, arguments: list[str], error: str) -> None:
    result = world.call("config", *arguments)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith(f"llamacli: {error}")
    assert not (world.config / ".env").exists()


@pytest.mark.parametrize("name", ["key", "AIMLAPI_API_KEY", "AIMLAPI_KEY"])
def test_a_key_is_never_an_argument(world: World, name: str) -> None:
    for arguments in (["set", name, "sk-0123456789"], ["set-key", "sk-0123456789"]):
        result = world.call("config", *arguments)
        assert result.status == 2
        assert "set-key reads the key from a hidden prompt or stdin" in result.err
        assert "sk-0123456789" not in result.err


def test_a_repeated_flag_takes_several_values(world: World) -> None:
    assert world.call("config", "set", "stop", "END", "a b").status == 0
    body = json.loads(world.call("ask", "--dry-run", "Hi").out)
    assert body["stop"] == ["END", "a b"]


def test_show_lists_what_is_set_and_all_the_rest(world: World) -> None:
    shown = world.call("config", "show").out.splitlines()
    every = world.call("config", "show", "--all").out.splitlines()
    assert [line.split("\t")[0] for line in shown] == ["key", "LLAMACLI_RETRY", "AIMLAPI_BASE_URL"] or len(shown) == 3
    assert set(shown) < set(every)


def test_a_setting_that_does_not_apply_is_noted(world: World) -> None:
    result = world.call("config", "set", "model", "mine", LLAMACLI_MODEL="other")
    assert (result.status, result.err) == (0, "llamacli: LLAMACLI_MODEL in the environment takes precedence\n")
    assert "LLAMACLI_SEED is not set in" in world.call("config", "unset", "seed").err


@pytest.mark.parametrize("action", ["show", "check"])
def test_a_name_that_is_not_a_setting_is_noted(world: World, action: str) -> None:
    (world.config / ".env").write_text("LLAMACLI_TIMOUT=3\nOTHER=1\n")
    result = world.call("config", action, LLAMACLI_MODLE="x", LLAMACLI_BASE_URL="x", LLAMACLI_DEBUG="1")
    assert result.status == 0
    assert result.err.splitlines() == [
        "llamacli: LLAMACLI_MODLE in the environment is not a setting; did you mean 'LLAMACLI_MODEL'?",
        "llamacli: LLAMACLI_BASE_URL in the environment is not a setting; did you mean 'AIMLAPI_BASE_URL'?",
        f"llamacli: LLAMACLI_TIMOUT in {world.config / '.env'} is not a setting; did you mean 'LLAMACLI_TIMEOUT'?",
    ]


@pytest.mark.parametrize(
    "text",
    ["{}", '"{}"', "'{}'", "AIMLAPI_API_KEY={}", 'export OPENAI_API_KEY="{}"', " export SOME_TOKEN='{}' \n"],
)
def test_a_key_is_stored_without_what_was_copied_along(world: World, text: str) -> None:
    key = "sk-0123456789abcdef"
    assert world.call("config", "set-key", stdin=text.format(key)).status == 0
    stored = world.call("config", "show", AIMLAPI_API_KEY="").out.splitlines()[0]
    assert (world.config / ".env").read_text() == f"AIMLAPI_API_KEY={key}\n"
    assert str(world.config / ".env") in stored


def test_a_file_that_would_not_be_read_again_is_left_alone(world: World) -> None:
    path = world.config / ".env"
    for size, problem in ((1 << 16, "it would be longer than 64 KiB"), (1 << 40, "longer than 64 KiB")):
        path.write_bytes(b"#" * (1 << 16))
        os.truncate(path, size)
        result = world.call("config", "set", "model", "m", "-q")
        assert (result.status, path.stat().st_size) == (2, size)
        assert f"cannot change {path}: {problem}" in result.err
