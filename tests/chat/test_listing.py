"""The index of sessions: it makes a long list fast, and the list is the same without it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llamacli.chat import listing
from tests.support.world import World

#: Lists with an index, though the sessions are few and new.
INDEXED = "from llamacli.chat import listing; listing.MIN_INDEXED_SESSIONS = 3; listing.RECENT_SECONDS = -60; "
MAIN = "import sys; from llamacli.main import main; sys.exit(main(['sessions']))"


def state(world: World) -> Path:
    return world.home / ".local" / "state" / "llamacli"


def index(world: World) -> Path:
    return state(world) / "sessions.index"


def write(world: World, name: str, words: str = "How many?", turns: int = 1) -> Path:
    path = state(world) / "sessions" / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    messages = {"role": "user", "content": words}, {"role": "assistant", "content": "Three."}
    path.write_text("".join(json.dumps(message) + "\n" for message in messages) * turns)
    os.utime(path, (1e9, 1e9))
    return path


@pytest.fixture
def indexed(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Four sessions in an index, whose words show whether it is used."""
    monkeypatch.setattr(listing, "MIN_INDEXED_SESSIONS", 3)
    monkeypatch.setattr(listing, "RECENT_SECONDS", -60)
    for name in "abcd":
        write(world, name)
    assert listed(world) == dict.fromkeys("abcd", ("1", "How many?"))
    index(world).write_text(index(world).read_text().replace("How many?", "INDEX"))
    assert listed(world) == dict.fromkeys("abcd", ("1", "INDEX"))
    return world


def listed(world: World) -> dict[str, tuple[str, str]]:
    result = world.call("sessions")
    assert (result.status, result.err) == (0, "")
    return {name: (turns, words) for name, turns, _, words in (line.split("\t") for line in result.out.splitlines())}


def test_a_thousand_sessions_have_a_private_index(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "RECENT_SECONDS", -60)
    for number in range(999):
        write(world, f"many-{number}")
    assert len(listed(world)) == 999
    assert not index(world).exists()
    write(world, "secret", "x" * 59 + " that is not listed")
    assert len(listed(world)) == 1000
    assert stat.S_IMODE(index(world).stat().st_mode) == 0o600
    assert index(world).read_text().count("\n") == 1000
    assert "that is not listed" not in index(world).read_text()
    os.unlink(state(world) / "sessions" / "secret.jsonl")
    assert len(listed(world)) == 999
    assert not index(world).exists()


def _same_size(world: World) -> None:
    path = write(world, "a", "How long?")
    assert path.stat().st_size == (state(world) / "sessions" / "b.jsonl").stat().st_size


def _folder(world: World) -> None:
    path = state(world) / "sessions" / "a.jsonl"
    path.unlink()
    path.mkdir()


CHANGES: dict[str, tuple[Callable[[World], object], tuple[str, str] | None]] = {
    "a turn is added": (lambda world: write(world, "a", turns=2), ("2", "How many?")),
    "the file has the same size and time": (_same_size, ("1", "How long?")),
    "it is removed": (lambda world: os.unlink(state(world) / "sessions" / "a.jsonl"), None),
    "it becomes a folder": (_folder, None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_read_again_and_no_old_word_stays(indexed: World, change: str) -> None:
    act, expected = CHANGES[change]
    act(indexed)
    new = listed(indexed)
    assert new.get("a") == expected
    assert {name: new[name] for name in "bcd"} == dict.fromkeys("bcd", ("1", "INDEX"))
    assert index(indexed).read_text().count("INDEX") == 3
    assert index(indexed).read_text().count("\n") == len(new)


def _replace(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.unlink()
        make(path)

    return replace


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "text": lambda path: path.write_bytes(b"a\tb\nc\n"),
    "not UTF-8": lambda path: path.write_bytes(path.read_bytes() + b"\xff\t1\t2\n"),
    "torn": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "a link to nothing": _replace(lambda path: path.symlink_to("none")),
    "a link to a device": _replace(lambda path: path.symlink_to("/dev/zero")),
    "a FIFO": _replace(os.mkfifo),
    "a folder": _replace(os.mkdir),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_index_is_ignored(indexed: World, damage: str) -> None:
    DAMAGE[damage](index(indexed))
    new = listed(indexed)
    assert set(new) == set("abcd")
    # A torn index has lost its last line, others everything.
    assert list(new.values()).count(("1", "How many?")) == (1 if damage == "torn" else 4)
    if damage not in ("a FIFO", "a folder"):
        assert index(indexed).read_text().count("\n") == 4


def test_a_file_that_may_change_at_the_same_time_is_read_each_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MIN_INDEXED_SESSIONS", 0)
    monkeypatch.setattr(listing, "RECENT_SECONDS", 60)
    write(world, "new")
    assert listed(world) == {"new": ("1", "How many?")}
    assert not index(world).exists()


def test_a_damaged_session_is_reported_each_time(indexed: World) -> None:
    (state(indexed) / "sessions" / "bad.jsonl").write_text("rubbish\n")
    for _ in range(2):
        result = indexed.call("sessions")
        assert "bad.jsonl: skipped line 1: not a message" in result.err
        assert "a\t1\t" in result.out


def test_rm_leaves_nothing_of_a_session(indexed: World) -> None:
    draft = index(indexed).with_name("sessions.index.new")
    draft.write_text("the draft of a process that was killed")
    assert indexed.call("sessions", "rm", "a").status == 0
    assert [path.name for path in state(indexed).iterdir()] == ["sessions"]
    assert listed(indexed) == dict.fromkeys("bcd", ("1", "How many?"))


def test_a_session_may_have_the_name_of_the_index(indexed: World) -> None:
    before = index(indexed).read_text()
    assert indexed.call("chat", "-I", "-S", "sessions.index", "Hi").status == 0
    assert index(indexed).read_text() == before
    assert listed(indexed)["sessions.index"] == ("1", "Hi")
    assert set(listed(indexed)) == {*"abcd", "sessions.index"}


def test_a_kill_while_the_index_is_written_costs_nothing(world: World) -> None:
    for name in "abcd":
        write(world, name)
    killing = "import os; os.{} = lambda *words: os.kill(os.getpid(), 9); "
    for moment in ("ftruncate", "replace"):
        done = subprocess.run(
            [sys.executable, "-c", killing.format(moment) + INDEXED + MAIN],
            env=world.env,
            capture_output=True,
            check=False,
        )
        assert done.returncode == -9
        assert not index(world).exists()
    done = subprocess.run([sys.executable, "-c", INDEXED + MAIN], env=world.env, capture_output=True, check=True)
    assert done.stdout.count(b"How many?") == 4
    assert sorted(path.name for path in state(world).iterdir()) == ["sessions", "sessions.index"]


def test_two_lists_at_once_are_both_whole(world: World) -> None:
    for number in range(100):
        write(world, f"many-{number}")
    command = [sys.executable, "-c", INDEXED + MAIN]
    for _ in range(3):
        write(world, "many-1", "Changed?")
        running = [subprocess.Popen(command, env=world.env, stdout=subprocess.PIPE) for _ in "ab"]
        outs = [process.communicate(timeout=60)[0] for process in running]
        assert [out.count(b"\n") for out in outs] == [100, 100]
        assert all(b"Changed?" in out for out in outs)
        assert index(world).read_text().count("\n") == 100


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="nothing keeps root from writing")
def test_a_read_only_folder_is_listed_without_an_index(world: World) -> None:
    for name in "abcd":
        write(world, name)
    state(world).chmod(0o500)
    powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*powerless, sys.executable, "-c", INDEXED + MAIN], env=world.env, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout.count(b"How many?"), done.stderr) == (0, 4, b"")
    assert not index(world).exists()
