"""A conversation on disk: its content, and that neither a kill nor a second writer damages it."""

import codecs
import errno
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamacli.chat.messages import SavedMessage, encode_lines
from llamacli.chat.session import Session
from llamacli.config import SESSIONS
from llamacli.errors import UsageError
from llamacli.stdio.files import LockedFile, remove
from tests.support.fake_api import HELLO
from tests.support.world import PROGRAM, World


def turn(number: int) -> list[SavedMessage]:
    meta = {"turn": f"id-{number}"}
    return [
        {"role": "user", "content": f"question {number} \u4e2d\u2028", "meta": meta},
        {"role": "assistant", "content": f"answer {number}", "meta": meta},
    ]


@pytest.fixture(autouse=True, scope="module")
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # For the property test, which cannot have a fixture of its own for each example.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "llamacli" / "sessions"


def test_a_session_is_private_and_has_one_message_per_line(state: Path) -> None:
    session = Session("work")
    session.save(turn(1), {"role": "system", "content": "Be brief."})
    session.save(turn(2))
    lines = [json.loads(line) for line in (state / "work.jsonl").read_bytes().splitlines()]
    assert lines == [{"role": "system", "content": "Be brief."}, *turn(1), *turn(2)] == Session("work").messages()
    assert stat.S_IMODE((state / "work.jsonl").stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_the_system_message_can_be_replaced_and_removed(state: Path) -> None:
    session = Session("work")
    session.save(turn(1), {"role": "system", "content": "One."})
    session.save(turn(2), {"role": "system", "content": "Two."})
    assert session.messages() == [{"role": "system", "content": "Two."}, *turn(1), *turn(2)]
    session.save(turn(3), {"role": "system", "content": ""})
    assert session.messages() == [*turn(1), *turn(2), *turn(3)]
    assert stat.S_IMODE((state / "work.jsonl").stat().st_mode) == 0o600


def test_any_turn_can_be_removed_or_replaced(state: Path) -> None:
    session = Session("work")
    for number in (1, 2, 3):
        session.save(turn(number))
    session.save([], without="id-2")
    assert session.messages() == [*turn(1), *turn(3)]
    session.save(turn(4), without="id-1")
    assert session.messages() == [*turn(3), *turn(4)]


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 400))
def test_a_truncated_file_keeps_all_complete_turns(cut: int) -> None:
    whole = b"".join(json.dumps(entry, ensure_ascii=False).encode() + b"\n" for entry in turn(1) + turn(2) + turn(3))
    ends = [0]
    for line in whole.splitlines(keepends=True):
        ends.append(ends[-1] + len(line))
    path = SESSIONS.path("torn")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(whole[:cut])
    # A line is complete even without its newline.
    complete = sum(min(cut, len(whole)) >= end - 1 for end in ends[2::2])
    expected = [entry for number in range(1, complete + 1) for entry in turn(number)]
    assert Session("torn").messages() == expected
    Session("torn").save(turn(9))
    assert Session("torn").messages() == [*expected, *turn(9)]
    assert [json.loads(line)["role"] for line in path.read_bytes().splitlines()] == ["user", "assistant"] * (
        complete + 1
    )


@pytest.mark.parametrize(
    "line",
    [
        b"no JSON\n",
        b"[1]\n",
        b'{"content": "no role"}\n',
        b'{"role": 1}\n',
        b"\xff\n",
        b'{"role": "user", "content": 7}\n',
        b'{"role": "user", "content": ["x"]}\n',
        b'{"role": "assistant", "tool_calls": "x"}\n',
        b'{"role": "assistant", "tool_calls": ["x"]}\n',
        b'{"role": "assistant", "function_call": "x"}\n',
        b'{"role": "user", "content": "x", "deep": ' + b"[" * 900 + b"]" * 900 + b"}\n",
        b'{"role": "user", "content": ' + b"[" * 100000 + b"\n",
        b'{"role": "user", "content": "x", "meta": ' + b"1" * 5000 + b"}\n",
        b'{"role": "assistant", "refusal": 1}\n',
        b'{"role": "assistant", "content": "x", "meta": NaN}\n',
        b'{"role": "assistant", "content": "x", "score": 1e999}\n',
    ],
)
def test_a_line_that_is_not_a_message_is_skipped_named_and_kept(state: Path, line: bytes) -> None:
    state.mkdir(parents=True)
    before = b'{"role": "user", "content": "x"}\n' + line + b'{"role": "assistant", "content": "y"}\n'
    (state / "bad.jsonl").write_bytes(before)
    warnings: list[str] = []
    session = Session("bad", warn=warnings.append)
    assert [entry["content"] for entry in session.messages()] == ["x", "y"]
    session.save(turn(1))
    assert (state / "bad.jsonl").read_bytes().startswith(before)
    # If the system message changes, the whole file is rewritten.
    session.save(turn(2), {"role": "system", "content": "Be brief."})
    assert line in (state / "bad.jsonl").read_bytes()
    assert [entry["role"] for entry in session.messages()] == ["system", *["user", "assistant"] * 3]
    assert warnings == [f"{state / 'bad.jsonl'}: skipped line {n}: not a message" for n in (2, 3)]


def test_a_byte_order_mark_costs_no_line(state: Path) -> None:
    state.mkdir(parents=True)
    (state / "bom.jsonl").write_bytes(codecs.BOM_UTF8 + encode_lines(turn(1)))
    assert Session("bom").messages() == turn(1)


def test_half_a_turn_whose_other_half_is_unreadable_is_not_sent(state: Path) -> None:
    state.mkdir(parents=True)
    lines = [json.dumps(entry).encode() for number in (1, 2, 3) for entry in turn(number)]
    lines[1], lines[4] = b"{torn", b"{torn"
    (state / "bad.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    session = Session("bad")
    assert session.messages() == turn(2)
    session.save(turn(4))
    assert session.messages() == [*turn(2), *turn(4)]


def test_a_message_that_another_program_left_without_an_answer_stays(state: Path) -> None:
    state.mkdir(parents=True)
    (state / "own.jsonl").write_text('{"role": "user", "content": "mine"}\n\n')
    Session("own").save(turn(1))
    assert Session("own").messages()[0]["content"] == "mine"


def test_a_full_disk_leaves_the_session_as_it_was(world: World) -> None:
    assert world.run("chat", "-I", "-S", "full", "Hi").status == 0
    path = world.home / ".local" / "state" / "llamacli" / "sessions" / "full.jsonl"
    before = path.read_bytes()
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 100}, {len(before) + 100})); "
    script = limit + "import os, sys; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    done = subprocess.run(
        [sys.executable, "-c", script, *PROGRAM[1:], "chat", "-I", "-S", "full", "Ho"],
        env=world.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 74
    assert done.stdout.decode() == HELLO + "\n"
    assert b"cannot save the turn in" in done.stderr
    assert path.read_bytes() == before


def test_a_save_that_fails_leaves_no_empty_session(world: World) -> None:
    for arguments in ("-S named", ""):
        result = world.shell(f"(ulimit -f 0; llamacli chat -I {arguments} Hi 2>&1) | cat; exit ${{PIPESTATUS[0]}}")
        assert result.status == 74
        assert world.run("sessions").out == ""


def test_a_session_that_is_not_a_regular_file_is_an_error(world: World) -> None:
    folder = world.home / ".local" / "state" / "llamacli" / "sessions"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "fifo.jsonl")
    (folder / "loop.jsonl").symlink_to("loop.jsonl")
    (folder / "folder.jsonl").mkdir()
    for name in ("fifo", "loop", "folder"):
        for arguments in (["sessions", "show", name], ["chat", "-I", "-S", name, "Hi"]):
            result = world.run(*arguments)
            assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert world.run("chat", "-I", "-S", "good", "Hi").status == 0
    assert world.run("sessions").out.startswith("good\t1\t")


def test_a_file_that_is_too_long_is_an_error(world: World) -> None:
    assert world.call("chat", "-I", "-S", "good", "Hi").status == 0
    path = world.home / ".local" / "state" / "llamacli" / "sessions" / "long.jsonl"
    path.touch()
    os.truncate(path, 1 << 40)
    for arguments in (["sessions", "show", "long"], ["chat", "-I", "-S", "long", "Hi"]):
        result = world.call(*arguments)
        assert (result.status, result.out, result.err) == (2, "", f"llamacli: cannot read {path}: File too large\n")
    listed = world.call("sessions")
    assert (listed.status, listed.err) == (0, f"llamacli: cannot read {path}: File too large\n")
    assert "good\t1\t" in listed.out


def test_what_a_killed_writer_left_goes_with_the_session(state: Path) -> None:
    session = Session("work")
    session.save(turn(1))
    draft = state / "work.jsonl.new"
    draft.write_text("the draft of a process that was killed")
    session.save([], without="id-1")
    assert list(state.iterdir()) == []
    # One that is being written stays.
    session.save(turn(1))
    with LockedFile(draft):
        session.save([], without="id-1")
    assert list(state.iterdir()) == [draft]
    # Another process may have removed it.
    remove(session.path)
    assert list(state.iterdir()) == []


def test_a_session_is_renamed_without_links(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*words: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    # As on a FAT file system.
    monkeypatch.setattr(os, "link", refuse)
    session = Session(None)
    session.save(turn(1))
    before = b"damaged\n" + session.path.read_bytes()
    session.path.write_bytes(before)
    session.save_as("named")
    assert [path.name for path in state.iterdir()] == ["named.jsonl"]
    assert (state / "named.jsonl").read_bytes() == before
    assert stat.S_IMODE((state / "named.jsonl").stat().st_mode) == 0o600


def test_a_session_can_be_renamed_after_its_file_was_removed(state: Path) -> None:
    session = Session(None)
    session.save(turn(1))
    session.path.unlink()
    session.save_as("named")
    assert [path.name for path in state.iterdir()] == ["named.jsonl"]
    assert Session("named").messages() == turn(1)


def test_a_name_for_what_has_no_turns_yet_creates_no_file(state: Path) -> None:
    session = Session(None)
    session.save_as("named")
    assert list(state.iterdir()) == []
    session.save(turn(1))
    assert Session("named").messages() == turn(1)
    with pytest.raises(UsageError):
        Session(None).save_as("named")
    assert Session("named").messages() == turn(1)


def test_a_removed_session_leaves_no_empty_file(state: Path) -> None:
    session = Session("work")
    session.save(turn(1))
    assert session.messages() == turn(1)
    (state / "work.jsonl").unlink()
    session.save([], without="id-1")
    assert list(state.iterdir()) == []


def test_a_session_without_turns_is_removed(state: Path) -> None:
    session = Session("work")
    session.save(turn(1))
    session.save([], without="id-1")
    assert not (state / "work.jsonl").exists()
    assert session.messages() == []
    session.save(turn(2))
    assert session.messages() == turn(2)


def test_two_writers_of_fifty_turns_each_lose_nothing(world: World) -> None:
    script = (
        "import sys; from llamacli.chat.session import Session\n"
        "for n in range(50):\n"
        "    s = Session('both'); s.messages()\n"
        "    text = sys.argv[1] + str(n) + 'x' * 5000\n"
        "    meta = {'turn': sys.argv[1] + str(n)}\n"
        "    s.save([{'role': r, 'content': text, 'meta': meta} for r in ('user', 'assistant')],\n"
        "           {'role': 'system', 'content': text} if n % 10 == 5 else None)\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, who], env=world.env) for who in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    path = world.home / ".local" / "state" / "llamacli" / "sessions" / "both.jsonl"
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert [entry["role"] for entry in entries] == ["system", *["user", "assistant"] * 100]
    turns = [entry["meta"]["turn"] for entry in entries[1:]]
    assert turns[::2] == turns[1::2]
    assert sorted(turns[::2]) == sorted(f"{who}{number}" for who in "ab" for number in range(50))


def test_two_processes_of_twenty_turns_each_in_one_session(world: World) -> None:
    def turns(who: str) -> set[int]:
        return {world.run("chat", "-I", "-S", "both", f"{who}{n}").status for n in range(20)}

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(turns, "ab")) == [{0}, {0}]
    entries = json.loads(world.run("sessions", "show", "both", "--json").out)
    assert [entry["role"] for entry in entries] == ["user", "assistant"] * 40
    asked = [entry["content"] for entry in entries[::2]]
    assert sorted(asked) == sorted(f"{who}{n}" for who in "ab" for n in range(20))
    assert all(entry["content"] == HELLO for entry in entries[1::2])


def test_a_kill_at_any_moment_leaves_a_session_with_every_completed_turn(world: World) -> None:
    completed = []
    for number in range(24):
        command = [*PROGRAM, "chat", "-I", "-S", "killed", f"turn {number}"]
        with subprocess.Popen(
            command, env=world.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as running:
            assert running.stdout
            # Most of them around the moment when the turn is written.
            running.stdout.read(1)
            time.sleep(random.uniform(0, 0.012))
            running.send_signal(signal.SIGKILL)
        if running.returncode == 0:
            completed.append(f"turn {number}")
    shown = world.run("sessions", "show", "killed", "--json")
    entries = json.loads(shown.out) if shown.status == 0 else []
    assert [entry["role"] for entry in entries] == ["user", "assistant"] * (len(entries) // 2)
    assert set(completed) <= {entry["content"] for entry in entries[::2]}
    assert world.run("chat", "-I", "-S", "killed", "and on").status == 0
    assert world.api.body["messages"][-1]["content"] == "and on"
    assert len(world.api.body["messages"]) == len(entries) + 1
