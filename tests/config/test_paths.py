"""A `~/` that the shell leaves in a word, and paths in the settings."""

from __future__ import annotations

import pytest

from tests.support.world import World


@pytest.mark.parametrize(
    "arguments",
    [["--file=~/x"], ["-f~/x"], ["-s@~/x"], ["--files-from=~/names"], ["-P", "~/p.md"], ["-P", "./q.md"]],
    ids=str,
)
def test_a_home_folder_that_the_shell_left_is_replaced(world: World, arguments: list[str]) -> None:
    (world.home / "x").write_text("from home")
    (world.home / "names").write_text(f"{world.home}/x\n")
    (world.home / "p.md").write_text("from home")
    (world.cwd / "q.md").write_text("---\nfile: ~/x\n---\nHi\n")
    assert world.call("ask", *arguments, "Hi").status == 0
    assert "from home" in str(world.api.body["messages"])
    assert world.call("ask", "--output=~/out", "Hi").status == 0
    assert (world.home / "out").exists()


def test_a_path_in_the_settings_is_the_same_in_every_folder(world: World) -> None:
    settings = world.config / ".env"
    for given, stored in {"log": f"{world.cwd}/log", "~/log": f"{world.home}/log", "/dev/null": "/dev/null"}.items():
        assert world.call("config", "set", "usage-log", given).status == 0
        assert settings.read_text() == f"LLAMACLI_USAGE_LOG={stored}\n"
    settings.write_text("LLAMACLI_USAGE_LOG=~/log\n")
    assert world.call("ask", "Hi").status == 0
    assert (world.home / "log").exists()
    settings.unlink()
    assert world.call("config", "set", "key-file", "k").status == 0
    assert settings.read_text() == f"LLAMACLI_KEY_FILE={world.cwd}/k\n"
