"""A call imports nothing that it does not need. Time itself is measured by `make bench`."""

import subprocess
import sys
from collections.abc import KeysView

import pytest

from llamacli.cli import app, spec
from tests.support.world import World

#: Modules that take time to import, and that an ask does not need.
NEVER = {"rich", "pydantic", "click", "dotenv", "pygments", "asyncio", "unittest", "pkg_resources"}
#: Modules that requests imports if they are installed.
NEVER |= {"chardet", "charset_normalizer"}

#: Modules that only a call needs.
CALLING = {
    "requests",
    "urllib3",
    "ssl",
    "socket",
    "certifi",
    "llamacli.http.client",
    "llamacli.http.connection.preconnect",
}


def imported(world: World, *arguments: str) -> KeysView[str]:
    """Returns the names of the modules that are loaded when the program ends, in the order in which they were
    loaded."""
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
    return dict.fromkeys(done.stderr.decode().rpartition("modules ")[2].split()).keys()


def test_ask_imports_what_it_needs_and_no_more(world: World) -> None:
    modules = imported(world, "ask", "Hi")
    assert "requests" in modules
    assert not modules & (NEVER - {"dotenv"})
    assert not {name for name in modules if name.startswith("llamacli.commands.")} - {"llamacli.commands.ask"}
    assert not modules & {"llamacli.cli.docs.help"}


@pytest.mark.parametrize(
    "arguments",
    [
        *(["ask"], ["ask", "-t", "9", "Hi"], ["ask", "--dry-run", "Hi"], ["ask", "--curl", "Hi"], ["ask", "-h"]),
        *(["raw", "--dry-run", "{}"], ["config", "show"], ["help", "exit-codes"], ["--version"], ["-h"], []),
    ],
)
def test_modules_that_make_a_call_are_imported_only_for_a_call(world: World, arguments: list[str]) -> None:
    assert not imported(world, *arguments) & CALLING


def test_what_connects_early_is_imported_only_over_tls(world: World) -> None:
    assert "llamacli.http.connection.preconnect" not in imported(world, "ask", "Hi")
    modules = list(imported(world, "ask", "--base-url", "https://127.0.0.1:1/v1", "--retry", "0", "Hi"))
    assert modules.index("llamacli.http.connection.preconnect") < modules.index("requests")


def built(name: str, *words: str) -> set[str]:
    """Returns the forms of the flags that Typer is given for a command line."""
    command = app.LlamaCommand(app.command(name), words)
    return {form for param in command.params for form in (*param.opts, *param.secondary_opts)}


@pytest.mark.parametrize("name", app.COMMANDS)
def test_each_flag_is_built_if_a_command_line_may_contain_it(name: str) -> None:
    command = app.LlamaCommand(app.command(name), None)
    everything = {form for param in command.params for form in (*param.opts, *param.secondary_opts)}
    for entry in app.command(name).flags:
        if entry.group is spec.HelpOptions:
            continue
        for form in entry.names:
            assert form in everything
            assert form in built(name, form)
            assert form in built(name, f"-q{form[1:]}" if len(form) == 2 else f"{form}=x")
            assert form in built(name, "--", form, "more")


def test_a_flag_that_no_word_names_is_not_built() -> None:
    flags = {form for form in built("ask", "why", "-t.5", "--seed=3") if form.startswith("-")}
    assert flags == {"--temperature", "-t", "--seed"}


def test_the_dotenv_parser_is_imported_only_if_there_is_a_file(world: World) -> None:
    assert "dotenv" not in imported(world, "ask", "Hi")
    (world.cwd / ".env").write_text("LLAMACLI_TOP_K=3\n")
    modules = imported(world, "ask", "Hi")
    assert "dotenv" in modules
    assert not modules & (NEVER - {"dotenv"})


def test_a_command_that_is_not_called_is_not_imported(world: World) -> None:
    assert not {name for name in imported(world, "--help") if name.startswith("llamacli.commands")}
