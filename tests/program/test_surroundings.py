"""Odd environments: no home, no space, no descriptors, no folder. Each ends as documented, with one line at most."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llamacli.errors import ExitStatus
from llamacli.main import report_internal_error
from llamacli.stdio.stderr import Stderr
from tests.support.fake_api import HELLO, KEY, Handler, delta, event, respond, stream, streamed, text
from tests.support.world import POWERLESS, PROGRAM, Result, World

CAN_MOUNT = os.geteuid() == 0 and shutil.which("mount") is not None
BODY = '{"model": "m", "messages": [{"role": "user", "content": "Hi"}]}'
#: The commands that do something, and their stdin.
COMMANDS: dict[str, tuple[list[str], str]] = {
    "ask": (["ask", "Hi"], ""),
    "ask -o": (["ask", "-o", "out", "Hi"], ""),
    "chat": (["chat", "-S", "talk", "Hi"], ""),
    "chat --no-save": (["chat", "--no-save", "Hi"], ""),
    "sessions": (["sessions"], ""),
    "raw": (["raw", BODY], ""),
    "batch": (["batch", "-q"], "Hi\n"),
    "models": (["models"], ""),
    "config show": (["config", "show"], ""),
    "config check": (["config", "check"], ""),
    "config set-key": (["config", "set-key"], KEY),
}


#: The commands that must store something.
STORING = ("config set-key", "chat")


def anything(handler: Handler) -> None:
    """Lists models, and answers any other request."""
    if handler.asked.path.endswith("/models"):
        handler.reply(200, b'{"data": [{"id": "m"}]}')
    else:
        respond(handler)


@pytest.fixture(autouse=True)
def willing(world: World) -> None:
    world.api.will(anything)


def run(world: World, name: str, before: list[str] | None = None, env: dict[str, str] | None = None) -> Result:
    arguments, stdin = COMMANDS[name]
    environ = {**world.env, **(env or {})}
    done = subprocess.run(
        [*(before or []), *PROGRAM, *arguments],
        input=stdin.encode(),
        capture_output=True,
        env=environ,
        cwd=world.cwd,
        timeout=30,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def check(result: Result, status: int) -> None:
    assert result.status == status, result
    lines = result.err.splitlines()
    notes = [line for line in lines if "takes precedence" in line]
    assert len(lines) - len(notes) == (1 if status else 0), result.err
    assert all(line.startswith("llamacli: ") for line in lines)


HOMES: dict[str, Callable[[World], dict[str, str]]] = {
    "no such folder": lambda world: {"HOME": str(world.home / "file" / "home")},
    "empty": lambda world: {"HOME": ""},
    "relative": lambda world: {"HOME": "home"},
    "a device": lambda world: {"HOME": os.devnull},
    "folders that are files": lambda world: {
        f"XDG_{kind}_HOME": str(world.home / "file") for kind in ("CONFIG", "CACHE", "STATE", "DATA", "RUNTIME")
    },
}


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize("name", COMMANDS)
def test_without_a_home_only_storing_fails(world: World, name: str, home: str) -> None:
    (world.home / "file").write_text("")
    result = run(world, name, env=HOMES[home](world))
    check(result, 74 if name in STORING else 0)
    assert not (world.cwd / "home").exists()


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="nothing keeps root from writing")
@pytest.mark.parametrize("name", COMMANDS)
def test_in_a_read_only_home_only_storing_fails(world: World, name: str) -> None:
    world.home.chmod(0o500)
    check(run(world, name, POWERLESS), 74 if name in STORING else 0)
    assert not list(world.home.iterdir())
    world.home.chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="nothing keeps root from reading")
@pytest.mark.parametrize("name", COMMANDS)
def test_unreadable_settings_are_skipped(world: World, name: str) -> None:
    (world.config / ".env").write_text("LLAMACLI_SEED=5\n")
    (world.config / ".env").chmod(0)
    result = run(world, name, POWERLESS)
    assert (": Permission denied" in result.err) is ("-q" not in COMMANDS[name][0])
    assert result.status == (74 if name == "config set-key" else 0)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_deleted_working_directory_affects_nothing_else(world: World, name: str) -> None:
    gone = world.cwd / "gone"
    gone.mkdir()
    script = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    check(run(world, name, ["sh", "-c", script, "sh", str(gone)]), 74 if name == "ask -o" else 0)


def test_what_needs_the_working_directory_says_that_it_was_removed(world: World) -> None:
    calls = ("ask -f 0 Hi", "ask --usage-log log Hi", "batch -o rows", "batch --input files --in-place Hi a")
    script = "; ".join(["mkdir gone", "cd gone", "rmdir ../gone", *(f"llamacli {call}; echo $?" for call in calls)])
    result = world.shell(script)
    assert result.out == "2\n" * len(calls)
    assert result.err == "llamacli: the working directory was removed; change to another one\n" * len(calls)
    assert not world.api.requests


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1", "none.such"])
@pytest.mark.parametrize("utf8", ["", "0", "1"])
def test_every_byte_passes_in_every_locale(world: World, locale: str, utf8: str) -> None:
    nasty = "Grüße 日本語 🦙 \u2028\x85\ufeff"
    world.api.will(text(nasty))
    (world.cwd / "näme 🦙").write_text(nasty)
    env = {"LC_ALL": locale, "LANG": locale, "PYTHONCOERCECLOCALE": "0", **({"PYTHONUTF8": utf8} if utf8 else {})}
    result = world.run("ask", "-s", nasty, "-f", "näme 🦙", "-o", "äus", nasty, stdin=nasty, env=env)
    assert (result.status, result.err) == (0, "")
    assert (world.cwd / "äus").read_text() == nasty + "\n"
    assert world.api.prompt == f'{nasty}\n\n<file name="näme 🦙">\n{nasty}\n</file>\n\n{nasty}'
    assert world.api.body["messages"][0]["content"] == nasty
    result = world.run("ask", "-f", "fehlt ü", env=env)
    assert (result.status, result.err) == (2, "llamacli: fehlt ü: No such file or directory; nothing was sent\n")


# Descriptors

CLOSED = [tuple(number for number in range(3) if mask >> number & 1) for mask in range(8)]


@pytest.mark.parametrize("closed", CLOSED, ids=str)
@pytest.mark.parametrize("name", COMMANDS)
def test_any_standard_descriptors_may_be_closed(world: World, name: str, closed: tuple[int, ...]) -> None:
    closing = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in closed)
    script = f'"$@" {closing}'
    result = run(world, name, ["sh", "-c", script, "sh"])
    wanted = 0
    if name == "config set-key" and 0 in closed:
        wanted = 3
    if 1 in closed and name != "ask -o":
        wanted = 74
    assert result.status == wanted, result
    # With two closed, nothing can be reported.
    assert len(result.err.splitlines()) == (1 if wanted and 2 not in closed else len(notes_of(result)))
    if 1 in closed and name != "ask -o":
        assert not world.api.requests
    if name == "ask -o":
        assert (world.cwd / "out").read_text() == HELLO + "\n"


def notes_of(result: Result) -> list[str]:
    return [line for line in result.err.splitlines() if "takes precedence" in line]


def test_a_directory_as_stdin_ends_before_the_program_begins(world: World) -> None:
    """The help topic exit-codes names it: Python does not start."""
    folder = os.open("/", os.O_RDONLY)
    done = subprocess.run([*PROGRAM, "ask", "Hi"], stdin=folder, capture_output=True, env=world.env, check=False)
    os.close(folder)
    assert done.returncode in (1, 2)
    assert b"directory" in done.stderr.lower()
    assert done.returncode == 2 or not done.stderr.startswith(b"llamacli")


# Room


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few kilobytes."""
    folder = tmp_path / "full"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    if not CAN_MOUNT or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    with open(folder / "filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 512)
        except OSError:
            pass


def test_a_full_disk_is_74_and_keeps_the_old_answer(world: World, full: Path) -> None:
    (full / "out").write_text("old")
    world.api.will(text("word " * 10_000))
    for arguments in (["ask", "-o", str(full / "out"), "Hi"], ["raw", "-o", str(full / "out"), '{"stream": true}']):
        result = world.run(*arguments)
        check(result, 74)
        assert f"cannot write {full}/out: No space left on device" in result.err
        assert (full / "out").read_text() == "old"
        (full / "out.part").unlink()
    with open(full / "redirected", "wb") as file:
        done = subprocess.run(
            [*PROGRAM, "ask", "-I", "Hi"], stdout=file, stderr=subprocess.PIPE, env=world.env, check=False
        )
    check(Result(done.returncode, b"", done.stderr), 74)


def test_a_full_disk_loses_no_stored_key_and_models_still_works(world: World, full: Path) -> None:
    (full / "llamacli").mkdir()
    (full / "llamacli" / ".env").write_text("AIMLAPI_API_KEY=old\n# kept\n")
    (full / "llamacli" / "models").write_text("old\n")
    fill(full)
    env = {"XDG_CONFIG_HOME": str(full), "XDG_CACHE_HOME": str(full)}
    result = world.run("config", "set-key", stdin=KEY, env=env)
    check(result, 74)
    assert (full / "llamacli" / ".env").read_text() == "AIMLAPI_API_KEY=old\n# kept\n"
    check(world.run("models", env=env), 0)
    assert (full / "llamacli" / "models").read_text() == "old\n"
    assert {path.name for path in (full / "llamacli").iterdir()} == {".env", "models"}


def limited(world: World, *arguments: str, **limits: int) -> Result:
    """Runs the program under the kernel's limits: nofile, data, fsize."""

    def limit() -> None:
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), (value, value))

    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "preexec_fn": limit}
    done = subprocess.run([*PROGRAM, *arguments], env=world.env, cwd=world.cwd, timeout=30, check=False, **options)
    return Result(done.returncode, done.stdout, done.stderr)


def starved(world: World, *arguments: str, size: int) -> bytes | None:
    """Runs the program with this many MB of address space; returns its output if it succeeded.

    Where memory runs out before or below our first line, CPython ends as it can: with a signal, a traceback
    of its own, or (3.11) by unwinding forever.
    """
    try:
        result = limited(world, *arguments, **{"as": size << 20})
    except subprocess.TimeoutExpired:
        assert sys.version_info < (3, 12)
        return None
    assert KEY.encode() not in result.stderr
    return result.stdout if result.status == 0 else None


def test_the_file_size_limit_is_74(world: World) -> None:
    (world.cwd / "out").write_text("old")
    world.api.will(stream([event(delta("x" * 9000)), *streamed("more")]))
    result = limited(world, "ask", "-o", "out", "Hi", fsize=4096)
    check(result, 74)
    assert "File too large" in result.err
    assert (world.cwd / "out").read_text() == "old"


def ends_as_documented(result: Result) -> bool:
    if b"Fatal Python error" in result.stderr or b"error while loading shared libraries" in result.stderr:
        # Python itself did not start.
        return False
    assert result.status in list(ExitStatus), result
    assert b"Traceback" not in result.stderr
    assert result.err.count("\n") == (0 if result.status == 0 else 1), result.err
    assert "please report it" not in result.err, result.err
    return result.status == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count differently")
@pytest.mark.parametrize("arguments", [["ask", "Hi"], ["ask", "-o", "out", "Hi"], ["models"], ["config", "show"]])
def test_few_descriptors_end_as_documented(world: World, arguments: list[str]) -> None:
    results = [limited(world, *arguments, nofile=count) for count in range(4, 18)]
    assert [ends_as_documented(result) for result in results][-1]
    # Nothing that comes after a whole answer needs one more.
    assert all(result.status == 0 for result in results if HELLO in result.out)
    assert not (world.cwd / "out.part").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count differently")
@pytest.mark.parametrize("arguments", [["ask", "Hi"], ["raw", BODY], ["models"]])
def test_with_little_memory_no_half_answer_looks_whole(world: World, arguments: list[str]) -> None:
    whole = starved(world, *arguments, size=1024)
    assert whole
    assert {starved(world, *arguments, size=size) for size in range(14, 60, 5)} <= {whole, None}


def test_an_answer_too_big_for_memory_is_one_line(world: World) -> None:
    world.api.will(stream(event(delta("x" * (1 << 20))) for _ in range(300)))
    result = limited(world, "ask", "-o", "out", "Hi", **{"as": 150 << 20})
    assert result.status in (9, 70)
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.err


def test_a_process_that_cannot_be_started_is_not_a_bug(capfd: pytest.CaptureFixture[str]) -> None:
    # Root may start as many as it likes, so no limit helps here.
    error = BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    assert report_internal_error(error, Stderr()) == ExitStatus.INTERNAL
    shown = capfd.readouterr().err
    assert shown.startswith("llamacli: out of memory, processes or file descriptors: ")
    assert "please report it" not in shown
