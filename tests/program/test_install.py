"""Installation: where make install puts files, what make uninstall leaves, and what a wheel contains."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.world import ROOT

SHARED = {
    "share/man/man1/llamacli.1": "llamacli.1",
    "share/bash-completion/completions/llamacli": "llamacli.bash",
    "share/zsh/site-functions/_llamacli": "_llamacli",
    "share/fish/vendor_completions.d/llamacli.fish": "llamacli.fish",
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy to build in, so that nothing is left in the checkout."""
    copy = tmp_path_factory.mktemp("sources") / "llamacli"
    litter = shutil.ignore_patterns(
        ".venv", ".git", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis"
    )
    shutil.copytree(ROOT, copy, ignore=litter)
    return copy


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MAKEFLAGS", "DESTDIR")}
    return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False)


def make(sources: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # The environment that the tests run in must not be rebuilt for another folder.
    venv = Path(sys.prefix)
    done = run("make", "-s", "-o", f"{venv}/run.done", f"VENV={venv}", *arguments, cwd=sources)
    if "No matching distribution" in done.stderr:
        pytest.skip("no package index is in reach")
    return done


def test_a_staged_installation_runs_and_uninstalls_completely(sources: Path, tmp_path: Path) -> None:
    stage, prefix = tmp_path / "stage", tmp_path / "stage/opt/with blank"
    where = (f"DESTDIR={stage}", "PREFIX=/opt/with blank")
    for _ in range(2):
        done = make(sources, "install", *where)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "installed /opt/with blank/bin/llamacli\n"
    for path, name in SHARED.items():
        assert (prefix / path).read_bytes() == (sources / "completions" / name).read_bytes()
        assert (prefix / path).stat().st_mode & 0o777 == 0o644
    # The program will be neither in the stage nor in the sources.
    for file in prefix.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert str(stage).encode() not in content, file
            assert str(sources).encode() not in content, file
    for program in (prefix / "bin/llamacli", tmp_path / "link"):
        if program.name == "link":
            program.symlink_to(prefix / "bin/llamacli")
        shown = run(str(program), "--version", cwd=tmp_path)
        assert (shown.returncode, shown.stderr) == (0, "")
    # Nor does it see other packages on Python's path.
    (tmp_path / "typer.py").write_text("raise SystemExit(1)")
    command = f"PYTHONPATH={tmp_path} '{prefix / 'bin/llamacli'}' --version"
    assert run("sh", "-c", command, cwd=tmp_path).returncode == 0
    failed = run(str(prefix / "bin/llamacli"), "ask", "-t", "3", "Hi", cwd=tmp_path)
    assert (failed.returncode, failed.stderr[:26]) == (2, "llamacli: --temperature: '")
    assert make(sources, "uninstall", *where).returncode == 0
    assert list(stage.iterdir()) == []
    again = make(sources, "uninstall", *where)
    assert (again.returncode, "nothing in" in again.stderr) == (0, True)


def test_what_others_installed_stays(sources: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    other = prefix / "share/man/man1/other.1"
    empty = prefix / "share/fish"
    other.parent.mkdir(parents=True)
    empty.mkdir()
    other.write_text("")
    done = make(sources, "install", f"PREFIX={prefix}")
    assert done.returncode == 0, done.stderr
    (prefix / "bin/mine").write_text("")
    assert make(sources, "uninstall", f"PREFIX={prefix}").returncode == 0
    left = {str(path.relative_to(prefix)) for path in prefix.rglob("*")}
    assert left == {"share", "share/man", "share/man/man1", "share/man/man1/other.1", "share/fish", "bin", "bin/mine"}


def test_another_installation_is_not_overwritten(sources: Path, tmp_path: Path) -> None:
    program = tmp_path / "bin/llamacli"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    done = make(sources, "install", f"PREFIX={tmp_path}")
    assert done.returncode != 0
    assert "already exists, and was not installed by make install" in done.stderr
    assert program.read_text() == "#!/bin/sh\n"
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]
    assert "is not absolute" in make(sources, "install", "PREFIX=here").stderr


def test_a_wheel_contains_man_page_and_completions(sources: Path, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    # What setuptools left of an older version, here or in any clone.
    stale = sources / "build" / "lib" / "llamacli" / "stale.py"
    stale.parent.mkdir(parents=True)
    stale.touch()
    built = run(*pip, "wheel", "-q", "--no-deps", "-w", str(tmp_path), ".", cwd=sources)
    if "No matching distribution" in built.stderr:
        pytest.skip("no package index is in reach")
    assert built.returncode == 0, built.stderr
    wheel = next(tmp_path.glob("*.whl"))
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if "stale" in name]
    # The packages that the tests run from must not be replaced.
    done = run(
        *pip,
        "install",
        "-q",
        "--ignore-installed",
        "--no-deps",
        "--prefix",
        str(tmp_path / "env"),
        str(wheel),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    for path, name in SHARED.items():
        # bash-completion looks for both names.
        path = path if path.count("llamacli") and "bash" not in path else f"{path}.bash"
        assert (tmp_path / "env" / path).read_bytes() == (sources / "completions" / name).read_bytes()
