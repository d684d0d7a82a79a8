"""Files: the old one stays until the new one is complete, and nothing paid for is lost."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.fake_api import HELLO, delta, error, event, hang, stream, text
from tests.support.world import PROGRAM, World


def test_output_goes_to_a_file_that_appears_when_it_is_complete(world: World) -> None:
    result = world.call("ask", "-o", "out.txt", "Hi")
    assert (result.status, result.out, result.err) == (0, "", "")
    assert (world.cwd / "out.txt").read_text() == HELLO + "\n"
    assert not (world.cwd / "out.txt.part").exists()
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((world.cwd / "out.txt").stat().st_mode) == 0o666 & ~umask


def test_a_broken_answer_leaves_the_old_file_and_a_named_part(world: World) -> None:
    out, part = world.cwd / "out.txt", world.cwd / "out.txt.part"
    out.write_text("old")
    out.chmod(0o640)
    world.api.will(stream([event(delta("half"))], then="cut"))
    result = world.call("ask", "-o", "out.txt", "Hi")
    assert result.status == 9
    assert str(part) in result.err
    assert result.err.count("\n") == 1
    assert (out.read_text(), part.read_text()) == ("old", "half\n")
    assert stat.S_IMODE(part.stat().st_mode) == 0o640
    # A call that gets nothing at all leaves what came before.
    world.api.will(error(500, "down"))
    assert world.call("ask", "-o", "out.txt", "Hi").status == 7
    assert (out.read_text(), part.read_text()) == ("old", "half\n")
    world.api.will(text("new"))
    assert world.call("ask", "-o", "out.txt", "Hi").status == 0
    assert out.read_text() == "new\n"
    assert stat.S_IMODE(out.stat().st_mode) == 0o640
    assert not part.exists()


def test_a_call_that_gets_nothing_leaves_no_part(world: World) -> None:
    world.api.will(error(500, "down"))
    assert world.call("ask", "-o", "out.txt", "Hi").status == 7
    assert list(world.cwd.glob("out*")) == []


@pytest.mark.parametrize(("finish", "status", "there"), [("length", 10, True), ("content_filter", 11, False)])
def test_a_cut_answer_is_complete_enough_and_a_withheld_one_is_not(
    world: World, finish: str, status: int, there: bool
) -> None:
    world.api.will(text("some", finish=finish))
    result = world.call("ask", "-o", "out.txt", "Hi")
    assert result.status == status
    assert ("the partial output is in" in result.err) is not there
    assert (world.cwd / "out.txt").exists() is there
    assert (world.cwd / "out.txt.part").exists() is not there


def test_symbolic_links_are_followed(world: World) -> None:
    (world.cwd / "real").write_text("old")
    (world.cwd / "link").symlink_to("real")
    (world.cwd / "dangling").symlink_to("new")
    for name, target in [("link", "real"), ("dangling", "new")]:
        assert world.call("ask", "-o", name, "Hi").status == 0
        assert (world.cwd / name).is_symlink()
        assert (world.cwd / target).read_text() == HELLO + "\n"


def test_a_file_may_be_called_stdout(world: World) -> None:
    assert world.call("ask", "-o", "stdout", "Hi").out == ""
    assert (world.cwd / "stdout").read_text() == HELLO + "\n"


def test_anything_but_a_regular_file_is_written_directly(world: World) -> None:
    assert world.call("ask", "-o", "/dev/null", "Hi").status == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    os.mkfifo(world.cwd / "fifo")
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append((world.cwd / "fifo").read_text()))
    reader.start()
    assert world.call("ask", "-o", "fifo", "Hi").status == 0
    reader.join()
    assert got == [HELLO + "\n"]
    assert world.call("ask", "-o", "-", "Hi").out == HELLO + "\n"
    assert world.call("ask", "-o", "/dev/stdout", "Hi").out == HELLO + "\n"


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/stderr"])
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc")
def test_a_descriptor_is_written_at_its_position(world: World, path: str) -> None:
    (world.cwd / "log").write_text("before, and longer than the answer that follows: " + "x" * 99 + "\n")
    before = (world.cwd / "log").read_text()
    redirected = "2>>log" if path == "/dev/stderr" else ">>log"
    assert world.shell(f"llamacli ask -o {path} Hi {redirected}").status == 0
    assert (world.cwd / "log").read_text() == before + HELLO + "\n"


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="there is no /dev/shm")
def test_a_file_below_dev_is_a_file(world: World) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        path = Path(folder, "answer")
        assert world.call("ask", "-o", str(path), "Hi").status == 0
        path.write_text("old and long " * 99)
        assert world.call("ask", "-o", str(path), "Hi").status == 0
        assert path.read_text() == HELLO + "\n"
        world.api.will(text("{}"))
        rows = str(Path(folder, "rows"))
        assert world.call("batch", "-o", rows, stdin="a\n").status == 0
        assert json.loads(Path(rows).read_text())["content"] == "{}"


@pytest.mark.parametrize("path", [".", "missing/out.txt", "new/", "/dev/fd/999999999", "loop", "n" * 256])
def test_an_unwritable_file_is_reported_before_anything_is_sent(world: World, path: str) -> None:
    (world.cwd / "loop").symlink_to("loop")
    result = world.call("ask", "-o", path, "Hi")
    assert (result.status, result.out) == (74, "")
    assert result.err.startswith(f"llamacli: cannot write {path}: ")
    assert not world.api.requests


def test_a_private_file_stays_private_whatever_part_was_left(world: World) -> None:
    out, part = world.cwd / "out", world.cwd / "out.part"
    part.write_text("left")
    part.chmod(0o644)
    out.write_text("old")
    out.chmod(0o600)
    world.api.will(stream([event(delta("half"))], then="cut"))
    assert world.call("ask", "-o", "out", "Hi").status == 9
    assert stat.S_IMODE(part.stat().st_mode) == 0o600
    world.api.will(text("whole"))
    for mode in (0o600, 0o666):
        out.chmod(mode)
        assert world.call("ask", "-o", "out", "Hi").status == 0
        assert stat.S_IMODE(out.stat().st_mode) == mode


def hard_link(path: Path) -> None:
    path.write_text("left")
    os.link(path, path.with_name("other"))


def of_another_user(path: Path) -> None:
    path.write_text("left")
    path.chmod(0o666)
    os.chown(path, 12345, 12345)


@pytest.mark.parametrize("is_complete", [True, False])
@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.symlink_to("elsewhere"),
        os.mkfifo,
        Path.mkdir,
        hard_link,
        pytest.param(
            of_another_user,
            marks=pytest.mark.skipif("os.geteuid() != 0", reason="only root can make another user's file"),
        ),
    ],
    ids=["link", "fifo", "folder", "hard link", "another user's"],
)
def test_what_somebody_else_put_in_place_of_the_part_is_left_alone(
    world: World, make: Callable[[Path], object], is_complete: bool
) -> None:
    part = world.cwd / "out.part"
    make(part)
    before = os.lstat(part)
    if not is_complete:
        world.api.will(stream([event(delta("half"))], then="cut"))
    result = world.call("ask", "-o", "out", "Hi")
    after = os.lstat(part)
    assert (after.st_mode, after.st_size, after.st_uid) == (before.st_mode, before.st_size, before.st_uid)
    others = list(world.cwd.glob("out.*.part"))
    if is_complete:
        assert (result.status, others) == (0, [])
        assert (world.cwd / "out").read_text() == HELLO + "\n"
    else:
        assert result.status == 9
        assert others[0].read_text() == "half\n"
        assert str(others[0]) in result.err


@pytest.mark.skipif("os.geteuid() != 0", reason="only root can write another user's file")
def test_the_owner_of_a_file_is_kept(world: World) -> None:
    (world.cwd / "out").write_text("old")
    os.chown(world.cwd / "out", 12345, 23456)
    (world.cwd / "out").chmod(0o640)
    assert world.call("ask", "-o", "out", "Hi").status == 0
    status = (world.cwd / "out").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (12345, 23456, 0o640)


IN_A_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
needs_mounts = pytest.mark.skipif(
    subprocess.run([*IN_A_NAMESPACE, "true"], capture_output=True, check=False).returncode != 0
    if shutil.which("unshare")
    else True,
    reason="this system makes no user namespaces, in which a test may mount",
)
#: A file that can be written but not replaced.
MOUNTS = {
    "a bind mount": "mount --bind real folder/target",
    "a read-only folder": "mount --bind folder folder && mount -o remount,bind,ro folder"
    " && mount --bind real folder/target",
}
PROGRAM_WORDS = " ".join(PROGRAM)


@needs_mounts
@pytest.mark.parametrize("mount", MOUNTS)
@pytest.mark.parametrize("old", ["", "old and longer than the answer that follows " * 9])
def test_a_file_that_cannot_be_replaced_is_written_in_place(world: World, mount: str, old: str) -> None:
    (world.cwd / "folder").mkdir()
    (world.cwd / "folder" / "target").touch()
    real = world.cwd / "real"
    real.write_text(old)
    script = f"{MOUNTS[mount]} && cd folder && {PROGRAM_WORDS} ask -I -o target Hi && cat target"
    result = run([*IN_A_NAMESPACE, script], world)
    assert (result.returncode, result.stdout) == (0, HELLO + "\n")
    assert "target was written in place, not replaced: " in result.stderr
    assert real.read_text() == HELLO + "\n"
    assert not list(world.cwd.rglob("*.part"))
    # A broken answer also leaves the old file.
    real.write_text(old)
    world.api.will(stream([event(delta("half"))], then="cut"))
    result = run([*IN_A_NAMESPACE, script], world)
    assert result.returncode == 9
    assert real.read_text() == old
    part = re.search("the partial output is in (.*part)", result.stderr)
    assert part
    assert Path(part[1]).read_text() == "half\n"


@needs_mounts
def test_a_new_file_in_a_read_only_folder_is_found_before_anything_is_sent(world: World) -> None:
    script = f"mount --bind . . && mount -o remount,bind,ro $PWD && cd $PWD && {PROGRAM_WORDS} ask -I -o new Hi"
    result = run([*IN_A_NAMESPACE, script], world)
    assert (result.returncode, result.stderr) == (
        74,
        f"llamacli: cannot write new: Read-only file system ({world.cwd}/new.part)\n",
    )
    assert not world.api.requests


def has_chattr(folder: Path) -> bool:
    """True if files in this folder can be made immutable: only by root, and not in every file system."""
    (folder / "try").touch()
    command = f"chattr +i {folder}/try && chattr -i {folder}/try"
    return subprocess.run(["sh", "-c", command], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("flag", ["i", "a"])
def test_an_immutable_file_is_found_before_anything_is_sent(world: World, flag: str) -> None:
    if not has_chattr(world.cwd):
        pytest.skip("only root can make files immutable, and not everywhere")
    out = world.cwd / "out"
    out.write_text("old")
    subprocess.run(["chattr", f"+{flag}", out], check=True)
    try:
        result = world.call("ask", "-o", "out", "Hi")
    finally:
        subprocess.run(["chattr", f"-{flag}", out], check=True)
    assert result.status == 74
    assert result.err.startswith("llamacli: cannot write out: Operation not permitted")
    assert not world.api.requests
    assert out.read_text() == "old"


def test_a_file_in_an_immutable_folder_is_written_in_place(world: World) -> None:
    if not has_chattr(world.cwd):
        pytest.skip("only root can make folders immutable, and not everywhere")
    folder = world.cwd / "folder"
    folder.mkdir()
    (folder / "out").write_text("old")
    subprocess.run(["chattr", "+i", folder], check=True)
    try:
        result = world.call("ask", "-o", "folder/out", "Hi")
    finally:
        subprocess.run(["chattr", "-i", folder], check=True)
    assert result.status == 0
    assert "folder/out was written in place, not replaced: Operation not permitted" in result.err
    assert (folder / "out").read_text() == HELLO + "\n"


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root has files of other users")
def test_somebody_elses_file_in_a_sticky_folder_is_written_in_place(world: World) -> None:
    folder = world.cwd / "sticky"
    folder.mkdir()
    (folder / "out").write_text("old")
    folder.chmod(0o1777)
    for path in folder, folder / "out":
        os.chown(path, 4321, 4321)
    # Without these capabilities, root is an ordinary user here.
    script = f"exec setpriv --bounding-set=-fowner,-chown {PROGRAM_WORDS} ask -I -o sticky/out Hi"
    result = run(["sh", "-c", script], world)
    assert (result.returncode, (folder / "out").read_text()) == (0, HELLO + "\n"), result.stderr
    assert "sticky/out was written in place, not replaced: Operation not permitted" in result.stderr
    assert os.listdir(folder) == ["out"]


@needs_mounts
def test_a_full_disk_loses_neither_the_old_file_nor_what_arrived(world: World) -> None:
    (world.cwd / "disk").mkdir()
    world.api.will(text("x" * 300_000))
    script = f"""
    mount -t tmpfs -o size=128k none disk && cd disk && echo old >out
    {PROGRAM_WORDS} ask -I -o out Hi; echo $?; cat out; wc -c <out.part | tr -d ' '
    """
    result = run([*IN_A_NAMESPACE, script], world)
    status, old, size = result.stdout.split()
    assert (status, old, int(size) > 60_000) == ("74", "old", True)
    assert "No space left on device; the partial output is in " in result.stderr


@needs_mounts
def test_settings_that_cannot_be_replaced_are_written_in_place(world: World) -> None:
    (world.config / ".env").write_text("# mine\nLLAMACLI_SEED=1\n")
    script = f"""
    mount --bind {world.config}/.env {world.config}/.env
    echo sk-0123456789abcdef | {PROGRAM_WORDS} config set-key
    """
    result = run([*IN_A_NAMESPACE, script], world)
    assert result.returncode == 0
    assert (world.config / ".env").read_text() == "# mine\nLLAMACLI_SEED=1\nAIMLAPI_API_KEY=sk-0123456789abcdef\n"
    assert os.listdir(world.config) == [".env"]
    assert ".env was written in place, not replaced: " in result.stderr


def run(command: list[str], world: World) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, env=world.env, cwd=world.cwd, check=False)


def test_an_empty_answer_that_was_cut_replaces_nothing(world: World) -> None:
    (world.cwd / "out").write_text("old")
    world.api.will(text("", finish="length"))
    assert world.call("ask", "-o", "out", "Hi").status == 10
    assert (world.cwd / "out").read_text() == "old"
    assert not (world.cwd / "out.part").exists()


def test_a_closed_stdout_is_one_by_its_other_name_too(world: World) -> None:
    assert world.shell("llamacli ask -I -o /dev/stdout Hi >&-").status == 74


def test_two_calls_do_not_write_one_part(world: World) -> None:
    world.api.will(hang)
    with subprocess.Popen([*PROGRAM, "ask", "-I", "-o", "out", "Hi"], env=world.env, cwd=world.cwd) as running:
        while not world.api.requests:
            time.sleep(0.01)
        result = world.call("ask", "-o", "out", "Hi")
        assert result.status == 74
        assert "another process is writing it" in result.err
        running.kill()


def test_kill_9_leaves_the_old_file(world: World) -> None:
    (world.cwd / "out").write_text("old")
    world.api.will(stream([event(delta("half"))], then="hang"))
    with subprocess.Popen([*PROGRAM, "ask", "-I", "-o", "out", "Hi"], env=world.env, cwd=world.cwd) as running:
        part = world.cwd / "out.part"
        while not part.exists() or part.read_text() != "half":
            time.sleep(0.01)
        running.kill()
    assert (world.cwd / "out").read_text() == "old"


def test_a_full_disk_is_reported(world: World) -> None:
    result = world.shell("llamacli ask -I Hi >/dev/full")
    assert (result.status, result.err) == (74, "llamacli: cannot write stdout: No space left on device\n")
