"""What a call imports: nothing that it does not need. Time itself is measured by `make bench`."""

import subprocess
import sys

import pytest

from tests.conftest import World

#: Modules that cost time, and which nothing on the way of an ask needs.
NEVER = {"rich", "pydantic", "click", "dotenv", "pygments", "asyncio", "unittest", "pkg_resources"}


def imported(world: World, *arguments: str) -> set[str]:
    """Returns the names of the modules that are loaded when the program ends."""
    script = (
        "import os, sys; from llamacli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: os.write(2, ('modules ' + ' '.join(sys.modules)).encode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=world.env,
        cwd=world.cwd,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return set(done.stderr.decode().rpartition("modules ")[2].split())


def test_ask_imports_what_it_needs_and_no_more(world: World) -> None:
    modules = imported(world, "ask", "Hi")
    assert "requests" in modules
    assert not modules & NEVER
    assert not {name for name in modules if name.startswith("llamacli.commands.")} - {"llamacli.commands.ask"}
    assert not modules & {"llamacli.manual", "llamacli.report"}


@pytest.mark.parametrize("arguments", [["ask"], ["ask", "-t", "9", "Hi"], ["ask", "-h"], ["--version"], ["-h"], []])
def test_requests_is_imported_only_where_a_call_is_made(world: World, arguments: list[str]) -> None:
    assert "requests" not in imported(world, *arguments)


def test_dotenv_is_imported_only_where_there_is_a_file(world: World) -> None:
    (world.cwd / ".env").write_text("LLAMACLI_TOP_K=3\n")
    assert "dotenv" in imported(world, "ask", "Hi")


def test_a_command_that_is_not_called_is_not_imported(world: World) -> None:
    assert not {name for name in imported(world, "--help") if name.startswith("llamacli.commands")}
