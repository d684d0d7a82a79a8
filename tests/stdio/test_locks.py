"""The functions that lock, sync and replace files."""

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llamacli.stdio.files import AtomicWriter, LockedFile, neighbor, write_atomically
from tests.support.fake_api import Handler, answer, error
from tests.support.world import ROOT, World


def test_what_a_killed_process_left_is_gone_after_the_next_write(tmp_path: Path) -> None:
    path, draft = tmp_path / ".env", tmp_path / ".env.new"
    draft.write_text("a killed process left this, which is long")
    draft.chmod(0o666)
    assert write_atomically(path, b"new", 0o600, follow=True)
    assert (path.read_bytes(), path.stat().st_mode & 0o777, os.listdir(tmp_path)) == (b"new", 0o600, [".env"])


@pytest.mark.parametrize(
    "name", ["n" * 251, "n" * 255, "日" * 85, os.fsdecode(b"\xff" * 255)], ids=["251", "255", "CJK", "bytes"]
)
def test_the_longest_names_have_neighbors(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name)
    new, part, other = neighbor(path, ".new"), neighbor(path, ".part"), neighbor(path[:-1] + "x", ".new")
    assert len({path, new, part, other}) == 4
    assert (new[-4:], part[-5:]) == (".new", ".part")
    assert write_atomically(Path(path), b"new", 0o600, follow=False)
    writer = AtomicWriter(path)
    writer.begin()
    os.write(writer.fd, b"half")
    assert writer.close() == part
    assert sorted(os.listdir(os.fsencode(tmp_path))) == sorted(
        os.fsencode(os.path.basename(file)) for file in (path, part)
    )


@pytest.mark.parametrize("follow", [True, False])
def test_a_link_is_followed_or_replaced(tmp_path: Path, follow: bool) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_atomically(tmp_path / "link", b"new", 0o600, follow=follow)
    assert (tmp_path / "link").is_symlink() is follow
    assert (tmp_path / "real").read_text() == ("new" if follow else "old")
    assert (tmp_path / "link").read_text() == "new"


def test_concurrent_writers_leave_one_whole_file(tmp_path: Path) -> None:
    contents = [bytes([65 + number]) * 100_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            list(pool.map(lambda data: write_atomically(tmp_path / "f", data, 0o600, follow=True), contents))
            assert (tmp_path / "f").read_bytes() in contents
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir], ids=["fifo", "folder"])
def test_only_a_regular_file_is_opened_and_without_waiting(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "f")
    for write in (LockedFile, lambda path: write_atomically(path, b"", 0o600, follow=True)):
        with pytest.raises(OSError, match=r"regular file|directory"):
            write(tmp_path / "f")


def test_a_locked_file_is_the_one_of_its_name(tmp_path: Path) -> None:
    """A process that waited for the lock of a file that was then replaced opens the new one."""
    path = tmp_path / "f"
    with LockedFile(path) as first:
        first.append(b"old\n", 0)
        with pytest.raises(OSError, match="another process is writing it"):
            LockedFile(path, wait=False)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(LockedFile, path)
            time.sleep(0.1)
            write_atomically(path, b"new\n", 0o600, follow=True)
            os.close(first.fd)
            with waiting.result(10) as second:
                assert second.read() == b"new\n"
        first.fd = os.open(os.devnull, os.O_RDONLY)


def test_lines_of_many_processes_stay_whole(tmp_path: Path) -> None:
    script = "import sys; from llamacli.stdio.files import *; fd = open_log('log'); n = sys.argv[1].encode()\n"
    script += "for _ in range(200): append_line(fd, n * 300 + b'\\n')"
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(n)], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
        for n in range(4)
    ]
    assert [process.wait(30) for process in running] == [0] * 4
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert sorted(lines) == sorted(str(n).encode() * 300 for n in range(4) for _ in range(200))


@pytest.mark.parametrize("name", ["file", "folder"])
def test_a_file_is_synced_before_it_replaces_the_old_one(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test cannot cause a power failure, but it can check the order of the calls."""
    calls: list[str] = []

    def fsync(fd: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")

    replace = os.replace

    def replacing(old: str, new: str) -> None:
        calls.append("replace")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replacing)
    if name == "file":
        write_atomically(tmp_path / "f", b"x", 0o600, follow=True)
    else:
        writer = AtomicWriter(str(tmp_path / "f"))
        writer.commit()
        writer.close()
    assert calls == ["file", "replace", "folder"]
    with LockedFile(tmp_path / "g") as file:
        file.append(b"x", 0)
    assert calls[3:] == ["file"]


@pytest.mark.parametrize("old", ["old", None])
def test_an_answer_survives_the_removal_of_its_part(world: World, old: str | None) -> None:
    out = world.cwd / "out"
    if old:
        out.write_text(old)
        out.chmod(0o640)

    def remove_part(handler: Handler) -> None:
        out.with_name("out.part").unlink()
        (error(400, "no") if handler.prompt == "no" else answer("paid"))(handler)

    world.api.will(remove_part)
    assert world.call("ask", "-o", "out", "no").status == 4
    assert os.path.exists(out) == bool(old)
    result = world.call("ask", "-o", "out", "Hi")
    assert (result.status, out.read_text(), list(world.cwd.glob("out*"))) == (0, "paid\n", [out])
    assert not old or stat.S_IMODE(out.stat().st_mode) == 0o640
