"""Settings: the order of the sources, and what is ignored."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.config.projects import project
from tests.support.world import World


def test_flag_then_environment_then_both_files_then_default(world: World) -> None:
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


def test_xdg_config_home_is_used_if_it_is_absolute(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "xdg" / "llamacli"
    folder.mkdir(parents=True)
    (folder / ".env").write_text("export LLAMACLI_MODEL='users' # comment\n")
    world.call("ask", "Hi", XDG_CONFIG_HOME=str(folder.parent))
    assert world.api.body["model"] == "users"
    world.call("ask", "Hi", XDG_CONFIG_HOME="xdg")
    assert world.api.body["model"] != "users"


def test_the_nearest_dotenv_is_read_but_none_above_the_git_root(world: World) -> None:
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


@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "en_US.ISO-8859-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_a_file_of_settings_is_utf8_whatever_the_locale(world: World, locale: dict[str, str]) -> None:
    (world.config / ".env").write_text("LLAMACLI_STOP=é\n", encoding="utf-8")
    assert world.run("ask", "Hi", env={"PYTHONCOERCECLOCALE": "0", **locale}).err == ""
    assert world.api.body["stop"] == ["é"]


def test_an_escaped_half_of_a_surrogate_pair_is_accepted(world: World) -> None:
    assert world.call("ask", "Hi", LLAMACLI_STOP='["\\ud800"]').status == 0
    assert world.api.body["stop"] == ["\ud800"]


def test_a_fifo_named_env_does_not_hang(world: World) -> None:
    os.mkfifo(world.cwd / ".env")
    assert world.run("ask", "Hi", timeout=10).status == 0


def test_a_folder_named_env_is_ignored(world: World) -> None:
    (world.cwd / ".env").mkdir()
    assert world.call("ask", "Hi").err == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_users_env_is_ignored(world: World) -> None:
    project(world, "LLAMACLI_MODEL=theirs")
    shutil.chown(world.cwd / ".env", user=12345)
    result = world.call("ask", "Hi")
    assert "belongs to another user" in result.err
    assert world.api.body["model"] != "theirs"


@pytest.mark.parametrize("content", [b"this is no line of a .env\n", b"A=\xff\n", b"A='open\n"])
def test_an_unreadable_dotenv_is_ignored_without_quoting_it(world: World, content: bytes) -> None:
    (world.cwd / ".env").write_bytes(b"LLAMACLI_MODEL=no\nSECRET=sk-in-the-file\n" + content)
    result = world.call("ask", "Hi")
    assert result.status == 0
    assert result.err.startswith(f"llamacli: ignoring {world.cwd / '.env'}: ")
    assert result.err.count("\n") == 1
    assert "this" not in result.err
    assert "sk-" not in result.err
    assert world.api.body["model"] != "no"
    assert world.call("ask", "-q", "Hi").err == ""


@pytest.mark.parametrize("place", ["project", "user"])
def test_a_file_that_is_not_a_dotenv_is_ignored_at_once(world: World, place: str) -> None:
    path = (world.cwd if place == "project" else world.config) / ".env"
    for content, reason in [
        (b"LLAMACLI_MODEL=no\n#" + b"x" * (1 << 16), "longer than 64 KiB"),
        (b"LLAMACLI_MODEL=no\nA=b" + b" " * 60_000 + b"c\n'", "line 2 has more than 1000 spaces in a row"),
    ]:
        path.write_bytes(content)
        result = world.call("ask", "--dry-run", "Hi")
        assert result.err == f"llamacli: ignoring {path}: {reason}\n"
        assert "no" not in result.out.split('"messages"')[0]
    path.unlink()
    os.mkfifo(path)
    result = world.run("ask", "--dry-run", "Hi", timeout=10)
    assert (result.status, result.err) == (0, f"llamacli: ignoring {path}: not a regular file\n")
