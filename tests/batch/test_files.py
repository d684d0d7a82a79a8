"""`batch --input files`: files as items, and answers that are written to files."""

import json
import os
import random
import shutil
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.support.batches import asked, errors, kill, rows, start, until
from tests.support.fake_api import Handler, answer, error
from tests.support.world import POWERLESS, PROGRAM, World

PROMPT = "Shout:"


def shout(handler: Handler) -> None:
    answer(handler.prompt.removeprefix(f"{PROMPT}\n\n").upper())(handler)


@pytest.fixture(autouse=True)
def docs(world: World) -> Path:
    world.api.will(shout)
    folder = world.cwd / "docs"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.md").write_text(f"text of {name}\n")
    return folder


def edit(world: World, *arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    """Runs a batch over files, and returns its status, its output and its notes."""
    result = world.call("batch", "--input", "files", *arguments, stdin=stdin)
    return result.status, result.out, result.err


def test_a_file_is_an_item_with_its_text_and_the_parts_of_its_path(world: World) -> None:
    result = world.call("batch", "--input", "files", "{path} {dir} {name} {stem} {ext} {}", "docs/a.md", "docs/b.md")
    found = rows(result.out)
    assert [row["input"] for row in found] == ["docs/a.md", "docs/b.md"]
    assert found[0]["content"] == "DOCS/A.MD DOCS A.MD A MD TEXT OF A\n"


@pytest.mark.parametrize("names", ["docs/a.md\ndocs/c.md\n", "docs/a.md\0docs/c.md\0", "docs/a.md\0docs/c.md"])
@pytest.mark.parametrize("operands", [[], ["-"]])
def test_names_come_from_stdin(world: World, names: str, operands: list[str]) -> None:
    result = world.call("batch", "--input", "files", "{name}", *operands, stdin=names)
    assert [row["input"] for row in rows(result.out)] == ["docs/a.md", "docs/c.md"]


def test_a_file_that_cannot_be_read_is_an_error_of_its_item(world: World, docs: Path) -> None:
    (docs / "latin.md").write_bytes(b"gr\xfc\xdfe\n")
    (docs / "utf16.md").write_text("grüße\n", "utf-16")
    (docs / "empty.md").write_text(" \n")
    names = ["a.md", "latin.md", "missing.md", "utf16.md", "empty.md", ".", "b.md"]
    result = world.call("batch", "--input", "files", PROMPT, *(f"docs/{name}" for name in names))
    message = [error and error[1] for error in errors(result)]
    # An empty file is not an item, like a blank line.
    assert [row["index"] for row in rows(result.out)] == list(range(6))
    assert message[0] is message[5] is None
    assert "docs/latin.md is not UTF-8: byte 0xfc on line 1" in str(message[1])
    assert "docs/missing.md: No such file or directory" in str(message[2])
    assert "docs/utf16.md is UTF-16, not UTF-8" in str(message[3])
    assert "docs/.: not a regular file" in str(message[4])
    assert result.status == 13


def test_in_place_keeps_mode_link_newline_and_bom(world: World, docs: Path) -> None:
    (docs / "a.md").chmod(0o640)
    (docs / "b.md").write_bytes(b"\xef\xbb\xbfno newline")
    (world.cwd / "real.md").write_text("linked\n\n")
    (docs / "link.md").symlink_to("../real.md")
    status, out, err = edit(world, "--in-place", PROMPT, "docs/a.md", "docs/b.md", "docs/link.md")
    assert (status, out) == (0, ""), err
    assert err.startswith("llamacli: 3 answered, 0 failed")
    assert (docs / "a.md").read_text() == "TEXT OF A\n"
    assert stat.S_IMODE((docs / "a.md").stat().st_mode) == 0o640
    assert (docs / "b.md").read_bytes() == b"\xef\xbb\xbfNO NEWLINE"
    assert (docs / "link.md").is_symlink()
    assert (world.cwd / "real.md").read_text() == "LINKED\n"
    assert (docs / "c.md").read_text() == "text of c\n"
    assert sorted(os.listdir(docs)) == ["a.md", "b.md", "c.md", "link.md"]


def test_nothing_is_sent_for_an_answer_that_could_not_be_written(world: World, docs: Path) -> None:
    (world.cwd / "out").write_text("not a folder")
    flags = ["--write", "out/{stem}/{name}", "-o", "rows", "--resume", PROMPT, "docs/a.md"]
    # A process: when it ends, it releases the file of rows.
    result = world.run("batch", "--input", "files", *flags)
    assert (result.status, world.api.requests) == (74, [])
    assert f"cannot write {world.cwd}/out/a/a.md: {world.cwd}/out is not a folder" in result.err
    (world.cwd / "out").unlink()
    status, _, err = edit(world, *flags)
    assert status == 0, err
    assert (world.cwd / "out/a/a.md").read_text() == "TEXT OF A\n"


@pytest.mark.parametrize(
    ("name", "backup", "problem"),
    [
        ("n" * 252, "", "File name too long"),
        ("a", "folder", "it is not a regular file"),
        ("a", "link", "it is not a regular file"),
    ],
)
def test_nothing_is_sent_without_room_for_the_backup(world: World, name: str, backup: str, problem: str) -> None:
    (world.cwd / name).write_text("text\n")
    if backup == "folder":
        (world.cwd / "a.old").mkdir()
    elif backup:
        (world.cwd / "a.old").symlink_to("nowhere")
    status, _, err = edit(world, "--in-place=.old", PROMPT, name, "docs/a.md")
    assert (status, asked(world)) == (13, {f"{PROMPT}\n\ntext of a\n": 1})
    assert f"cannot write {world.cwd}/{name}.old: {problem}; it was not sent" in err
    assert (world.cwd / name).read_text() == "text\n"


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="nothing keeps root from writing")
def test_nothing_is_sent_if_the_folder_takes_no_backup(world: World, docs: Path) -> None:
    docs.chmod(0o500)
    command = [*POWERLESS, *PROGRAM, "batch", "--input", "files", "--in-place=.old", PROMPT, "docs/a.md"]
    done = subprocess.run(command, env=world.env, cwd=world.cwd, capture_output=True, text=True, check=False)
    docs.chmod(0o700)
    assert (done.returncode, world.api.requests) == (74, [])
    assert f"cannot write {docs}/a.md.old: {docs} is not a folder that can be written to" in done.stderr


def test_the_longest_names_are_edited_and_resumed(world: World) -> None:
    name, rows_name = "n" * 255, "r" * 255
    (world.cwd / name).write_text("text\n")
    for prompt, old in ((PROMPT, 0), ("Other:", 1)):
        (world.cwd / name).write_text("text\n")
        # A process: when it ends, it releases the file of rows.
        result = world.run("batch", "-q", "--input", "files", "--in-place", "-o", rows_name, "--resume", prompt, name)
        assert result.status == 0, result.err
        assert len(list(world.cwd.glob("r*.old"))) == old
    assert not [*world.cwd.glob("*.new"), *world.cwd.glob("*.part")]


def test_in_place_with_a_suffix_keeps_the_old_file(world: World, docs: Path) -> None:
    (docs / "a.md").chmod(0o600)
    assert edit(world, "--in-place=.orig", PROMPT, "docs/a.md")[0] == 0
    assert (docs / "a.md").read_text() == "TEXT OF A\n"
    assert (docs / "a.md.orig").read_text() == "text of a\n"
    assert stat.S_IMODE((docs / "a.md.orig").stat().st_mode) == 0o600


def test_in_place_without_a_suffix_consumes_no_operand(world: World, docs: Path) -> None:
    assert edit(world, PROMPT, "--in-place", "docs/a.md")[0] == 0
    assert (docs / "a.md").read_text() == "TEXT OF A\n"


def test_write_names_a_file_for_each_answer(world: World, docs: Path) -> None:
    (docs / "b.md").write_text("no newline")
    status, _, err = edit(world, "--write", "out/{dir}/{stem}.de.{ext}", PROMPT, "docs/a.md", "docs/b.md")
    assert status == 0, err
    assert (world.cwd / "out/docs/a.de.md").read_text() == "TEXT OF A\n"
    assert (world.cwd / "out/docs/b.de.md").read_text() == "NO NEWLINE"
    assert (docs / "a.md").read_text() == "text of a\n"


def test_only_a_complete_answer_replaces_a_file(world: World, docs: Path) -> None:
    kinds = {"A": answer("half", finish="length"), "B": error(400, "no")}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    kinds["C"] = answer(None, finish="tool_calls", tool_calls=[call])
    world.api.will(lambda handler: kinds[handler.prompt.strip()[-1].upper()](handler))
    status, out, err = edit(world, "--in-place", PROMPT, "docs/a.md", "docs/b.md", "docs/c.md")
    assert (status, out) == (13, "")
    assert "docs/a.md: the answer was cut" in err
    assert "docs/b.md: 400 Bad Request" in err
    assert "docs/c.md: the answer has no text" in err
    assert [(docs / f"{name}.md").read_text() for name in "abc"] == [f"text of {name}\n" for name in "abc"]
    assert sorted(os.listdir(docs)) == ["a.md", "b.md", "c.md"]


@pytest.mark.parametrize("saves_rows", [False, True])
def test_a_file_that_changed_in_the_meantime_is_left_alone(world: World, docs: Path, saves_rows: bool) -> None:
    def behave(handler: Handler) -> None:
        (docs / "a.md").write_text("mine\n")
        shout(handler)

    world.api.will(behave)
    status, _, err = edit(world, "--in-place", *(["-o", "rows"] if saves_rows else []), PROMPT, "docs/a.md")
    assert status == 13
    assert "docs/a.md has changed since it was read" in err
    assert (docs / "a.md").read_text() == "mine\n"
    if saves_rows:
        [row] = rows(world.cwd / "rows")
        assert (row["error"]["status"], row["content"]) == (2, "TEXT OF A\n")
    else:
        # The paid answer is not lost.
        assert f"its answer is in {docs / 'a.md.part'}" in err
        assert (docs / "a.md.part").read_text() == "TEXT OF A\n"


def test_the_diff_is_what_the_edit_does(world: World, docs: Path) -> None:
    (docs / "b.md").write_text("no newline")
    (docs / "c d.md").write_text("one\ntwo\x85\r\nTHREE\n" + "SAME\n" * 20 + "four\n")
    names = ["docs/a.md", "docs/b.md", "docs/c d.md"]
    status, diff, err = edit(world, "--diff", "-o", "rows", PROMPT, *names)
    assert status == 0, err
    assert [(docs / name).read_text() for name in ("a.md", "b.md")] == ["text of a\n", "no newline"]
    copy = world.cwd / "copy"
    subprocess.run(["cp", "-r", "docs", "copy"], cwd=world.cwd, check=True)
    done = subprocess.run(["patch", "-p2", "-d", copy], input=diff.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    world.api.requests.clear()
    # The answers are paid for already, and a file that was edited is not edited again.
    for _ in range(2):
        status, out, err = edit(world, "--in-place", "-o", "rows", "--resume", PROMPT, *names)
        assert (status, out, world.api.requests) == (0, "", []), err
    for name in os.listdir(docs):
        assert (docs / name).read_bytes() == (copy / name).read_bytes(), name
    assert (docs / "a.md").read_text() == "TEXT OF A\n"


def test_resume_recognizes_an_edited_file(world: World, docs: Path) -> None:
    names = ["docs/a.md", "docs/b.md"]
    for count in (2, 0, 0):
        world.api.requests.clear()
        assert edit(world, "--in-place", "-o", "rows", "--resume", PROMPT, *names)[0] == 0
        assert len(world.api.requests) == count
        assert (docs / "a.md").read_text() == "TEXT OF A\n"
    # A changed file and a changed prompt are asked again.
    (docs / "a.md").write_text("new text\n")
    assert edit(world, "--in-place", "-o", "rows", "--resume", PROMPT, *names)[0] == 0
    assert asked(world) == {f"{PROMPT}\n\nnew text\n": 1}
    world.api.requests.clear()
    assert edit(world, "--in-place", "-o", "rows", "--resume", "Other:", *names)[0] == 0
    assert len(world.api.requests) == 2


def test_resume_writes_paid_answers_but_not_over_manual_changes(world: World) -> None:
    flags = ["--write", "{stem}.de", "-o", "rows", "--resume", PROMPT, "docs/a.md", "docs/b.md"]
    assert edit(world, *flags)[0] == 0
    (world.cwd / "a.de").unlink()
    (world.cwd / "b.de").write_text("by hand")
    world.api.requests.clear()
    status, _, err = edit(world, *flags)
    assert (status, world.api.requests) == (13, [])
    assert "b.de differs from its saved answer" in err
    assert (world.cwd / "a.de").read_text() == "TEXT OF A\n"
    assert (world.cwd / "b.de").read_text() == "by hand"


def test_a_folder_that_cannot_be_written_ends_it_and_loses_nothing(world: World, docs: Path) -> None:
    def behave(handler: Handler) -> None:
        (world.cwd / "out").write_text("a file\n")
        shout(handler)

    world.api.will(behave)
    flags = ["--write", "out/{stem}", "-o", "rows", "--resume", PROMPT, "docs/a.md"]
    status, _, err = edit(world, *flags)
    assert status == 74
    assert f"cannot write {world.cwd}/out/a: " in err
    (world.cwd / "out").unlink()
    world.api.requests.clear()
    assert edit(world, *flags)[0] == 0
    assert (world.api.requests, (world.cwd / "out/a").read_text()) == ([], "TEXT OF A\n")


USAGE: list[tuple[list[str], str]] = [
    (["--in-place", PROMPT, "docs/a.md", "./docs/a.md"], "docs/a.md and ./docs/a.md would both be written to"),
    (["--write", "{dir}.out", PROMPT, "docs/a.md", "docs/b.md"], "use {dir} or {path} in --write; nothing was sent"),
    (["--write", "{dir}/b.md", PROMPT, "docs/a.md", "docs/b.md"], "would replace another input"),
    (["--write", "{dir}", PROMPT, "docs/a.md"], "docs is not a regular file"),
    (["--write", "rows{name}", "-o", "rowsa.md", PROMPT, "docs/a.md"], "rowsa.md and docs/a.md would both be"),
    (["--in-place=.b", PROMPT, "docs/a.md", "docs/a.md.b"], "the backup of docs/a.md would replace another input"),
    (["--write", "out", PROMPT, "docs/a.md"], "--write: 'out' must contain a field; use {path}, {dir}"),
    (["--write", "{x}", PROMPT, "docs/a.md"], "--write: unknown field {x}; expected {path}, {dir}"),
    (["--write", "{", PROMPT, "docs/a.md"], "--write has a single { at character 1"),
    (["--write", "{path}.x", "--in-place", PROMPT, "docs/a.md"], "--write and --in-place cannot be combined"),
    (["--in-place=/x", PROMPT, "docs/a.md"], "--in-place: '/x' must not contain a /"),
    (["--in-place", "-n", "2", PROMPT, "docs/a.md"], "--in-place needs one answer, but --n is 2"),
    (["--in-place", ".bak", PROMPT, "docs/a.md"], "the suffix of --in-place; use --in-place=.bak"),
    (["--in-place", "", PROMPT, "docs/a.md"], "'' would be the prompt, not the suffix of --in-place"),
    (["--diff", "--plain", PROMPT, "docs/a.md"], "--diff cannot be combined with --plain"),
    (["--diff", "-o", "-", PROMPT, "docs/a.md"], "--diff cannot be combined with -o -"),
    (["--diff", "--input", "lines", PROMPT, "docs/a.md"], "--diff needs --input files"),
    (["--in-place", "docs/a.md", "docs/b.md"], "no prompt: 'docs/a.md' is a file"),
    (["-o", "docs/a.md", "--resume", PROMPT, "docs/a.md"], "the input is also the output: docs/a.md"),
    (["{city}", "docs/a.md"], "a file has no field 'city'; use {} for its text, or {path}"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE, ids=[" ".join(arguments) for arguments, _ in USAGE])
def test_options_that_do_not_fit_are_2_before_anything_is_sent(
    world: World, arguments: list[str], message: str
) -> None:
    (world.cwd / "docs/a.md.b").write_text("a backup\n")
    status, out, err = edit(world, *arguments)
    assert (status, out, world.api.requests) == (2, "", [])
    assert message in err
    assert err.count("\n") == 1
    assert (world.cwd / "docs/a.md").read_text() == "text of a\n"


def test_limit_takes_the_first_items(world: World) -> None:
    result = world.call("batch", "--input", "files", "--limit", "2", PROMPT, "docs/a.md", "docs/b.md", "docs/c.md")
    assert [row["input"] for row in rows(result.out)] == ["docs/a.md", "docs/b.md"]
    # It waits for nothing more.
    with start(world, "--limit", "1") as running:
        assert running.stdin
        running.stdin.write(b"x\n")
        running.stdin.flush()
        assert running.wait(10) == 0


def test_limit_keeps_the_rows_of_later_items(world: World) -> None:
    given = "a\nb\nc\n"
    for arguments, count in (([], 3), (["--limit", "1"], 0), ([], 0)):
        world.api.requests.clear()
        assert world.call("batch", "-o", "out", "--resume", *arguments, stdin=given).status == 0
        assert len(world.api.requests) == count
        assert [row["input"] for row in rows(world.cwd / "out")] == ["a", "b", "c"]


KILLS, FILES = 8, 100


def test_killed_and_resumed_every_file_is_old_or_new_and_none_is_edited_twice(world: World) -> None:
    """Random delays and faults; each answer appends a word, so that a second edit would show."""
    draw, lock = random.Random(3), threading.Lock()

    def behave(handler: Handler) -> None:
        with lock:
            delay, fault = draw.uniform(0, 0.1), draw.random()
        time.sleep(delay)
        text = handler.prompt.removeprefix(f"{PROMPT}\n\n")
        failing = error(429 if fault < 0.05 else 500, headers=[("Retry-After", "0")])
        (failing if fault < 0.1 else answer(text.rstrip("\n") + " edited"))(handler)

    world.api.will(behave)
    folder = world.cwd / "many"
    folder.mkdir()
    names = [f"many/{number}.md" for number in range(FILES)]
    for name in names:
        (world.cwd / name).write_text(f"{name}\n" if int(name[5:-3]) % 2 else name)

    def check() -> int:
        states = [(world.cwd / name).read_text().removesuffix("\n") for name in names]
        assert all(state in (name, f"{name} edited") for name, state in zip(names, states, strict=True))
        return sum(state.endswith(" edited") for state in states)

    command = ["-q", "-j", "20", "--retry", "9", "--input", "files", "--in-place", "-o", "rows", "--resume", PROMPT]
    for _ in range(KILLS):
        with start(world, *command, *names) as running:
            until(lambda: (world.cwd / "rows").exists() or running.poll() is not None)
            time.sleep(draw.uniform(0, 0.3))
            kill(running)
        check()
    result = world.run("batch", *command, *names, timeout=120)
    assert result.status == 0, result.err
    assert check() == FILES
    # No answer was paid for twice, except those in flight at a kill.
    paid = json.loads((world.cwd / "rows").read_text().splitlines()[0])
    assert paid["edit"]
    assert len(rows(world.cwd / "rows")) == FILES


def test_memory_does_not_grow_with_the_number_of_files(world: World) -> None:
    world.api.will(answer("x"))
    peaks = []
    for count in (100, 2_000):
        folder = world.cwd / f"many{count}"
        folder.mkdir()
        for number in range(count):
            (folder / f"{number}.md").write_text(f"{number}\n")
        script = f"printf '%s\\n' {folder.name}/*.md | /usr/bin/env python3 -c 'import resource, subprocess, sys; " + (
            "subprocess.run(sys.argv[1:]); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "
            "llamacli batch -q --input files --in-place Shout:"
        )
        peaks.append(int(world.shell(script, timeout=300).out))
    assert peaks[1] < 1.2 * peaks[0], peaks
