"""`completion --install`, `completion --key` and `man --install`, in the shells themselves."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support.fake_api import text
from tests.support.terminal import Terminal
from tests.support.world import World

INTERACTIVE = {
    "bash": ["--norc", "--noprofile", "-i"],
    "zsh": ["-f", "-i"],
    "fish": ["--no-config", "-i"],
}


def shell_path(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.mark.parametrize("shell", INTERACTIVE)
@pytest.mark.parametrize(("key", "typed"), [("ctrl-g", "\x07"), ("alt-l", "\x1bl"), ("ctrl-x l", "\x18l")])
def test_a_key_puts_a_command_on_the_line_and_runs_nothing(world: World, shell: str, key: str, typed: str) -> None:
    path = shell_path(shell)
    answer = "touch ran; printf '%s\\n' 'it ran'"
    world.api.will(text(f"Try this:\n```sh\n{answer}\n```"))
    world.shell("true")
    world.env["PATH"] = f"{world.cwd / '.bin'}:{os.environ['PATH']}"
    binding = world.call("completion", shell, "--key", key)
    assert (binding.status, binding.err) == (0, "")
    (world.cwd / "binding").write_text(binding.out)
    with Terminal(world, path, *INTERACTIVE[shell]) as terminal:
        terminal.type(" source ./binding; printf '%s%s\\n' rea dy\n")
        terminal.until("ready\r\n")
        terminal.type(f"-- show that it's done{typed}")
        terminal.until("'it ran'", seconds=20)
        assert not (world.cwd / "ran").exists()
        start = len(terminal.shown)
        terminal.type("\n")
        terminal.until("it ran\r\n", start=start)
    assert (world.cwd / "ran").exists()
    messages = world.api.body["messages"]
    assert messages[-1]["content"] == "-- show that it's done"
    assert f"one {shell} command line" in messages[0]["content"]
    assert len(world.api.requests) == 1


@pytest.mark.parametrize("key", ["l", "", "ctrl-", "ctrl-xx", "shift-a", "ctrl-x ?"])
def test_an_invalid_key_sequence_is_2(world: World, key: str) -> None:
    result = world.call("completion", "bash", "--key", key)
    assert (result.status, result.out) == (2, "")
    assert "is not a key like ctrl-g, alt-l or 'ctrl-x l'" in result.err


@pytest.mark.parametrize(
    ("shell", "path"),
    [
        ("bash", ".local/share/bash-completion/completions/llamacli"),
        ("zsh", ".local/share/zsh/site-functions/_llamacli"),
        ("fish", ".config/fish/completions/llamacli.fish"),
    ],
)
def test_a_completion_is_installed_in_its_shells_folder(world: World, shell: str, path: str) -> None:
    result = world.call("completion", shell, "--install")
    file = world.home / path
    assert (result.status, result.out) == (0, f"{file}\n")
    assert file.read_text() == world.call("completion", shell).out
    assert ("fpath=(" in result.err) == (shell == "zsh")
    assert file.stat().st_mode & 0o777 == 0o644


def test_fish_finds_the_installed_completion(world: World) -> None:
    fish = shell_path("fish")
    assert world.call("completion", "fish", "--install").status == 0
    done = world.shell(f"{fish} -c 'complete -C \"llamacli mo\"'")
    assert done.out.startswith("models")


def test_man_is_installed_where_man_looks(world: World, tmp_path: Path) -> None:
    data = tmp_path / "data"
    result = world.call("man", "--install", XDG_DATA_HOME=str(data))
    file = data / "man" / "man1" / "llamacli.1"
    assert (result.status, result.out, result.err) == (0, f"{file}\n", "")
    assert file.read_text() == world.call("man").out


def test_a_failed_installation_is_74(world: World) -> None:
    (world.home / ".local").write_text("a file")
    for arguments in (["man", "--install"], ["completion", "bash", "--install"]):
        result = world.call(*arguments)
        assert result.status == 74
        assert "cannot write" in result.err


def test_install_and_key_cannot_be_combined(world: World) -> None:
    result = world.call("completion", "bash", "--install", "--key", "alt-l")
    assert (result.status, result.out) == (2, "")
    assert "--install and --key cannot be combined" in result.err


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_tab_works_with_unset_variables_as_errors(world: World, shell: str) -> None:
    path = shell_path(shell)
    (world.cwd / "script").write_text(world.call("completion", shell).out)
    start = " autoload -Uz compinit && compinit -D -u;" if shell == "zsh" else ""
    with Terminal(world, path, *INTERACTIVE[shell]) as terminal:
        terminal.type(
            f"{start} source ./script; unset XDG_CACHE_HOME XDG_CONFIG_HOME; set -u; printf '%s%s\\n' rea dy\n"
        )
        terminal.until("ready\r\n")
        terminal.type("llamacli ask -m x\t -r x\t --tem\t")
        terminal.until("--temperature")
        assert "unbound" not in terminal.shown
        assert "parameter not set" not in terminal.shown
