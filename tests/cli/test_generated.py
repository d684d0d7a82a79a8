"""Files generated from the tables: up to date, changed everywhere by one edit, and valid."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from llamacli import config
from llamacli.cli import app
from llamacli.cli.docs import generate, help
from llamacli.errors import ExitStatus
from tests.support.world import ROOT, World

FILES = generate.files()


def need(tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")


@pytest.mark.parametrize("path", FILES)
def test_a_committed_file_is_what_the_program_makes(path: str) -> None:
    assert (ROOT / path).read_text() == FILES[path], f"{path} is stale: run `make completions` and commit it"


@pytest.mark.parametrize("name", generate.FILES)
def test_completion_prints_the_committed_script(world: World, name: str) -> None:
    odd = {"COLUMNS": "40", "HOME": "/nonexistent", "LLAMACLI_MODEL": "other", "LC_ALL": "C", "SHELL": "/bin/other"}
    path = f"completions/{generate.FILES[name]}"
    result = world.run("completion", name, env=odd)
    assert (result.status, result.err, result.out) == (0, "", FILES[path])
    assert world.run("completion", env={"SHELL": f"/usr/bin/{name}"}).out == FILES[path]


def test_man_prints_the_committed_page(world: World) -> None:
    result = world.run("man", env={"COLUMNS": "40", "XDG_CONFIG_HOME": "/nonexistent", "LC_ALL": "C"})
    assert (result.status, result.err, result.out) == (0, "", FILES["completions/llamacli.1"])


@pytest.mark.parametrize(("arguments", "env"), [(["tcsh"], {}), ([], {"SHELL": "/bin/tcsh"}), ([], {"SHELL": ""})])
def test_an_unknown_shell_is_2_and_the_known_ones_are_named(
    world: World, arguments: list[str], env: dict[str, str]
) -> None:
    result = world.run("completion", *arguments, env=env)
    assert (result.status, result.out) == (2, "")
    assert re.fullmatch(r"llamacli: .*(tcsh|SHELL).*; expected bash, zsh or fish\n", result.err)


#: What a newcomer adds to the table of request parameters: a number, and fixed words.
NEW_FLAGS = """\
    top_a: Flag[float | None] = plain(None, Number(0, 1), "Top-a sampling.")
    effort: Flag[str | None] = plain(None, Choice("low", "medium", "high"), "Reasoning effort.")
"""
#: A newcomer's command.
NEW_COMMAND = '''\
"""`llamacli context`: the context length of a model."""

from llamacli.cli.table import DisplayOptions
from llamacli.cli.spec import LoadedOptions
from llamacli.cli.table import Operand
from llamacli.cli.types import ParamType
from llamacli.errors import ExitStatus
from llamacli.http.options import EndpointOptions, NetworkOptions
from llamacli.stdio.input import Environment
from llamacli.stdio.output import Output

DESCRIPTION = "Prints the number of tokens that MODEL takes."
EXAMPLES = ("llamacli context a", "llamacli context b", "llamacli context c")
OPERANDS = (Operand("model", ParamType("MODEL", completes="model"), required=True),)
OPTIONS = (DisplayOptions, EndpointOptions, NetworkOptions)


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Prints the length."""
    with Output(None) as out:
        out.write(f"{options.operand('model')}: 4096\\n")
    return ExitStatus.OK
'''


def test_a_command_is_one_module_and_one_row(tmp_path: Path) -> None:
    for part in ("llamacli", "tests", "completions"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in (".env.example", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / part, tmp_path / part)
    (tmp_path / "llamacli" / "commands" / "context.py").write_text(NEW_COMMAND)
    table = tmp_path / "llamacli" / "cli" / "app.py"
    table.write_text(
        table.read_text().replace('    "man": ', '    "context": "Print a context length.",\n    "man": ', 1)
    )
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "80"}

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )

    assert python("-m", "llamacli", "context", "tiny").stdout == "tiny: 4096\n"
    missing = python("-m", "llamacli", "context")
    assert (missing.returncode, missing.stderr) == (2, "llamacli: context needs MODEL; see: llamacli context -h\n")
    assert "Usage: llamacli context [OPTION]... MODEL\n" in python("-m", "llamacli", "context", "-h").stdout
    assert "  context     Print a context length." in python("-m", "llamacli", "-h").stdout
    assert python("-m", "llamacli.cli.docs.generate", ".").returncode == 0
    follows = python(
        "-m", "pytest", "tests/cli/test_generated.py", "tests/cli/test_help.py", "-k", "committed or context"
    )
    assert follows.returncode == 0, follows.stdout[-3000:]


def test_one_edit_changes_everything_and_stale_files_are_reported(tmp_path: Path) -> None:
    for part in ("llamacli", "tests", "completions"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in (".env.example", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / part, tmp_path / part)
    table = tmp_path / "llamacli" / "ask" / "params.py"
    text = table.read_text()
    text = text.replace("    top_k: Flag", f"{NEW_FLAGS}    top_k: Flag", 1)
    text = text.replace("import AtFile,", "import AtFile, Choice,", 1)
    text = text.replace("Sampling temperature.", "Set how warm it is.")
    table.write_text(text)
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "80"}

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )

    same = "tests/cli/test_generated.py::test_a_committed_file_is_what_the_program_makes"
    stale = python("-m", "pytest", same)
    assert stale.returncode == 1
    assert "run `make completions` and commit it" in stale.stdout
    assert python("-m", "llamacli.cli.docs.generate", ".").returncode == 0
    for path in FILES:
        made = (tmp_path / path).read_text()
        assert "top-a" in made.replace("\\-", "-"), path
        assert "medium" in made, path
        assert "Set how warm it is." in made or path.endswith(".bash"), path
    shown = python("-m", "llamacli", "ask", "--help").stdout
    assert "--top-a NUMBER" in shown
    assert "--effort low|medium|high" in shown
    assert "Set how warm it is." in shown
    follows = python(
        "-m",
        "pytest",
        same,
        "tests/cli/test_params.py",
        "tests/cli/test_help.py",
        "-k",
        "committed or rows or top_a or effort or (help and ask)",
    )
    assert follows.returncode == 0, follows.stdout[-3000:]


def test_the_man_page_lints(tmp_path: Path) -> None:
    need("mandoc")
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "all", "completions/llamacli.1"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_man_shows_the_page_without_a_warning(world: World) -> None:
    need("man")
    environ = {**world.env, "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MANROFFSEQ": "", "PAGER": "cat"}
    for arguments in (["-l", "completions/llamacli.1"], ["./completions/llamacli.1"]):
        done = subprocess.run(
            ["man", "--warnings", *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        shown = " ".join(done.stdout.replace("‐\n", "").split())
        for heading in ("SYNOPSIS", "COMMANDS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"):
            assert heading in shown
        # Examples are printed as they are typed.
        for command in app.commands():
            for example in command.examples:
                assert " ".join(example.split()) in shown, example


def test_the_man_page_has_everything() -> None:
    page = FILES["completions/llamacli.1"].replace("\\-", "-").replace("\\(ti", "~")
    commands = app.commands()
    for command in commands:
        assert f".SS llamacli {command.name}\n" in page
        for entry in command.flags:
            names = ", ".join(f"\\fB{form}\\fR" for form in entry.names)
            assert page.count(f"\n{names}") >= 1, entry.long
        for group in command.groups:
            assert group.note.replace("`", "") in re.sub(r"\\\(ga|\n", " ", page).replace("  ", " "), group.note
    assert "\\fB--in-place\\fR[=\\fISUFFIX\\fR]\n" in page
    for status in ExitStatus:
        assert f".TP\n\\fB{status.value}\\fR\n" in page
    for topic in ("environment", "files"):
        for name, _ in help.topic_rows(topic, commands, lambda folder: f"~/{folder.default}/llamacli"):
            assert f"\\fB{name}\\fR" in page


def test_env_example_names_every_setting_and_sets_none() -> None:
    text = FILES[".env.example"]
    assert config.parse_env(text.encode()) == {}
    tables = [table for command in app.commands() for table in command.groups]
    for name, _ in help.topic_rows("environment", app.commands(), lambda folder: folder.default):
        assert name in text
    for name in help.KEYS | help.variables(tables):
        assert len(re.findall(rf"^#{name}=", text, re.MULTILINE)) == 1
    # Without the #, the file can be read.
    everything = re.sub(r"^#(\w+=)", r"\1", text, flags=re.MULTILINE)
    assert set(config.parse_env(everything.encode())) == set(help.KEYS | help.variables(tables))


@pytest.mark.parametrize("tool", ["shellcheck"])
def test_shellcheck_accepts_the_bash_script(tool: str) -> None:
    need(tool)
    done = subprocess.run([tool, "completions/llamacli.bash"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
