"""Signals, closed pipes and closed descriptors, on the real process."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from llamacli import signals
from llamacli.errors import Stopped
from tests.support.fake_api import HELLO, delta, error, event, hang, stream
from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, World

HALF = stream([event(delta("half an answer"))], then="hang")
LIBC = ctypes.CDLL(None)
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_call_by_itself_and_silently(world: World, number: signal.Signals) -> None:
    world.api.will(HALF)
    command = [*PROGRAM, "ask", "-I", "Hi"]
    with subprocess.Popen(command, env=world.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout
        assert running.stderr
        assert os.read(running.stdout.fileno(), 99) == b"half an answer"
        running.send_signal(number)
        # What had been printed ends with a newline.
        assert running.stdout.read() == b"\n"
        assert running.stderr.read() == b""
    assert running.returncode == -number


def test_a_signal_leaves_the_part_of_a_file(world: World) -> None:
    world.api.will(HALF)
    (world.cwd / "out").write_text("old")
    part = world.cwd / "out.part"
    with subprocess.Popen([*PROGRAM, "ask", "-I", "-o", "out", "Hi"], env=world.env, cwd=world.cwd) as running:
        while not part.exists() or not part.read_text():
            time.sleep(0.01)
        running.send_signal(signal.SIGTERM)
    assert running.returncode == -signal.SIGTERM
    assert (part.read_text(), (world.cwd / "out").read_text()) == ("half an answer\n", "old")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_wait_for_the_server_or_the_next_attempt(world: World, number: signal.Signals) -> None:
    busy = error(503, "busy", headers=[("Retry-After", "60")])
    for behavior, message in [(hang, b""), (busy, b"retry 1 of 1 in 60.0 s\n")]:
        world.api.requests.clear()
        world.api.will(behavior)
        command = [*PROGRAM, "ask", "-I", "--retry", "1", "Hi"]
        with subprocess.Popen(command, env=world.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            while not world.api.requests:
                time.sleep(0.01)
            assert running.stderr
            if message:
                assert running.stderr.readline().endswith(message)
            running.send_signal(number)
            assert running.communicate() == (b"", b"")
        assert running.returncode == -number


@pytest.mark.skipif(not hasattr(LIBC, "tgkill"), reason="no signal can be sent to one thread here")
@pytest.mark.parametrize("command", ["ask", "raw", "chat"])
def test_a_signal_that_does_not_wake_the_main_thread_is_handled(world: World, command: str) -> None:
    # Like a signal between Python's last check and the wait for the network.
    world.api.will(hang)
    words = [*PROGRAM, command, *(["--endpoint", "/models"] if command == "raw" else ["-I", "Hi"])]
    with subprocess.Popen(words, env=world.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        while not world.api.requests:
            time.sleep(0.01)
        time.sleep(0.3)
        others = [int(task) for task in os.listdir(f"/proc/{running.pid}/task") if int(task) != running.pid]
        LIBC.tgkill(running.pid, others[-1], signal.SIGTERM)
        killed = threading.Timer(10, running.kill)
        killed.start()
        assert running.communicate() == (b"", b"")
        killed.cancel()
    assert running.returncode == -signal.SIGTERM


BROKEN_IMPORT = """
import os, sys, threading, types
from llamacli import signals
from llamacli.main import run

# Python formats the names while the signal is pending, fails, and raises TypeError.
optional = sys.modules["optional"] = types.ModuleType("optional")
optional.__spec__, optional.__file__ = types.SimpleNamespace(_initializing=False), "optional.py"

def parse(arguments):
    signals.catch()
    sender = threading.Timer(0.1, os.kill, (os.getpid(), int(arguments[0])))
    sender.start()
    while True:
        try:
            from optional import missing
        except ImportError:
            pass

sys.modules["llamacli.main"].app.parse = parse
run()
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_breaks_an_import_is_not_an_internal_error(world: World, number: signal.Signals) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", BROKEN_IMPORT, str(int(number))], env=world.env, capture_output=True, timeout=20
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (-number, b"", b"")


def test_a_signal_that_breaks_a_python_lock_is_not_an_internal_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(arguments: list[str]) -> None:
        try:
            signals.stop(signal.SIGINT)
        finally:
            threading.Lock().release()

    monkeypatch.setattr("llamacli.cli.app.parse", broken)
    monkeypatch.setattr("llamacli.signals._number", None)
    with pytest.raises(Stopped):
        world.call("ask", "Hi")


def test_ctrl_c_is_silent_from_the_first_moment_on(world: World) -> None:
    world.api.will(hang)
    command = [*PROGRAM, "ask", "-I", "Hi"]
    for milliseconds in range(0, 300, 12):
        with subprocess.Popen(command, env=world.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            # Not before the program's first line: until then the interpreter handles signals.
            while not _catches_ctrl_c(running.pid):
                pass
            # On a busy machine the moment may be missed; later ones count as well.
            late = time.monotonic() + 2
            while _catches_ctrl_c(running.pid) and time.monotonic() < late:
                pass
            time.sleep(milliseconds / 1000)
            running.send_signal(signal.SIGINT)
            out, err = running.communicate()
        assert (running.returncode, out, err) == (-signal.SIGINT, b"", b""), f"after {milliseconds} ms"


def test_a_signal_that_comes_where_python_ignores_exceptions_is_not_lost(world: World) -> None:
    script = (
        "import os, signal, time, weakref\n"
        "from llamacli import signals\n"
        "class Thing: pass\n"
        "signals.catch()\n"
        "thing = Thing()\n"
        "link = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))\n"
        "try:\n"
        "    del thing\n"
        "    time.sleep(30)\n"
        "except signals.Stopped as stopped: os.write(1, str(stopped.number).encode())"
    )
    done = subprocess.run([sys.executable, "-c", script], env=world.env, capture_output=True, timeout=20, check=False)
    assert (done.stdout, done.stderr) == (b"2", b"")


def _catches_ctrl_c(pid: int) -> bool:
    """True if a process handles SIGINT: the interpreter does, until llamacli's first line."""
    with open(f"/proc/{pid}/status") as file:
        caught = next(line for line in file if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) & 1 << (signal.SIGINT - 1))


def test_ctrl_c_stops_a_bash_loop(world: World) -> None:
    world.api.will(hang)
    script = f'for i in 1 2 3; do {" ".join(PROGRAM)} ask -I "$i"; echo "went on"; done'
    with Terminal(world, "bash", "-c", script) as terminal:
        while not world.api.requests:
            terminal.read(0.05)
        terminal.type("\x03")
        assert terminal.wait() == -signal.SIGINT
    assert len(world.api.requests) == 1
    assert "went on" not in terminal.shown
    assert "llamacli:" not in terminal.shown


def test_ctrl_c_stops_a_loop_over_a_pipe_whose_reader_it_killed_first(world: World) -> None:
    world.api.will(HALF)
    script = f'for i in 1 2 3; do {" ".join(PROGRAM)} ask -I "$i" | cat; echo "went on"; done'
    with Terminal(world, "bash", "-c", script) as terminal:
        terminal.until("half an answer")
        terminal.type("\x03")
        assert terminal.wait() == -signal.SIGINT
    assert "went on" not in terminal.shown


def test_a_signal_is_not_hidden_by_a_closed_pipe(world: World) -> None:
    world.api.will(HALF)
    with subprocess.Popen([*PROGRAM, "ask", "-I", "Hi"], env=world.env, stdout=subprocess.PIPE) as running:
        assert running.stdout
        assert os.read(running.stdout.fileno(), 99) == b"half an answer"
        running.stdout.close()
        running.send_signal(signal.SIGTERM)
    assert running.returncode == -signal.SIGTERM


def test_ctrl_c_in_the_editor_is_ctrl_c(world: World) -> None:
    # One process: a shell may get the signal between two commands and run the second.
    waits = "import signal, time; signal.signal(2, signal.SIG_DFL); print('started', flush=True); time.sleep(30)"
    with Terminal(world, *PROGRAM, "ask", "-e", EDITOR=f'{sys.executable} -c "{waits}"') as terminal:
        terminal.until("started")
        terminal.type("\x03")
        assert terminal.wait() == -signal.SIGINT
    assert not world.api.requests


def test_a_write_only_stdin_is_ignored(world: World) -> None:
    result = world.shell("llamacli ask Hi 0>/dev/null")
    assert (result.status, result.out) == (0, HELLO + "\n")


def test_ctrl_c_clears_the_spinner(world: World) -> None:
    world.api.will(hang)
    with Terminal(world, *PROGRAM, "ask", "-I", "Hi") as terminal:
        terminal.until("waiting for")
        terminal.type("\x03")
        assert terminal.wait() == -signal.SIGINT
    assert terminal.shown.endswith("\r\x1b[K")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_an_ignored_signal_stays_ignored(world: World, number: signal.Signals) -> None:
    script = (
        f"import os, signal, sys; signal.signal({int(number)}, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    world.api.will(hang)
    command = [sys.executable, "-c", script, *PROGRAM, "ask", "-I", "--timeout", "1.5", "Hi"]
    with subprocess.Popen(command, env=world.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        while not world.api.requests:
            time.sleep(0.01)
        running.send_signal(number)
        running.communicate()
    assert running.returncode == 8


def test_a_closed_pipe_is_141_and_silent(world: World) -> None:
    world.api.will(stream([event(delta(f"line {number}\n")) for number in range(2000)], pause=0.002))
    result = world.shell("llamacli ask -I Hi | head -n 1; echo ${PIPESTATUS[0]}")
    assert (result.out, result.err) == ("line 0\n141\n", "")


def test_help_into_a_closed_pipe_is_141(world: World) -> None:
    result = world.shell("{ sleep 0.5; llamacli ask --help; echo $? >status; } | true; cat status")
    assert (result.out, result.err) == ("141\n", "")


@pytest.mark.parametrize("command", ["ask -I Hi", "--version", "ask --help"])
@pytest.mark.parametrize("where", [">/dev/full", ">&-"])
def test_an_output_that_cannot_be_written_is_74(world: World, command: str, where: str) -> None:
    result = world.shell(f"llamacli {command} {where}")
    assert (result.status, result.out) == (74, "")
    assert result.err.startswith("llamacli: cannot write stdout: ")
    assert result.err.count("\n") == 1


def test_nothing_is_sent_if_stdout_is_closed(world: World) -> None:
    world.shell("llamacli ask -I Hi >&-")
    assert not world.api.requests


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_closed_descriptors_change_nothing_else(world: World, closed: str) -> None:
    result = world.shell(f"llamacli ask -u Hi {closed}")
    assert (result.status, result.out) == (0, HELLO + "\n")
    assert world.api.prompt == "Hi"


def test_all_closed_and_a_file_to_write(world: World) -> None:
    result = world.shell("llamacli ask -o out Hi <&- >&- 2>&-; echo $?")
    assert result.out == "0\n"
    assert (world.cwd / "out").read_text() == HELLO + "\n"


def test_an_unwritable_stderr_does_not_affect_the_answer(world: World) -> None:
    assert world.shell("llamacli ask -Iuv Hi 2>/dev/full").out == HELLO + "\n"


def test_an_answer_needs_neither_working_directory_nor_home(world: World) -> None:
    del world.env["HOME"]
    result = world.shell('mkdir gone; cd gone; rmdir "$PWD"; llamacli ask -I Hi')
    assert (result.status, result.out, result.err) == (0, HELLO + "\n", "")


def test_a_nonblocking_stdout_gets_every_byte(world: World) -> None:
    world.api.will(stream([event(delta("x" * 300_000)), event(delta(finish="stop"))]))
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with subprocess.Popen([*PROGRAM, "ask", "-I", "Hi"], env=world.env, stdout=writer) as running:
        os.close(writer)
        with open(reader, "rb") as pipe:
            time.sleep(0.2)
            assert len(pipe.read()) == 300_001
    assert running.returncode == 0
