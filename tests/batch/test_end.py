"""`batch`: signals, kills, closed pipes, and programs that distribute it."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from tests.support.batches import asked, kill, rows, start, until
from tests.support.fake_api import Behavior, Handler, by_prompt, echo, error, hang
from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, World

LINES = "".join(f"{number}\n" for number in range(60))


class Held:
    """Answers at once, except prompts that are held until `go`."""

    def __init__(self, world: World, *prompts: str) -> None:
        self.go = threading.Event()
        world.api.will(lambda handler: self.behave(handler, prompts))

    def behave(self, handler: Handler, prompts: tuple[str, ...]) -> None:
        if handler.prompt in prompts:
            self.go.wait(10)
        echo(handler)


def feed(running: subprocess.Popen[bytes], text: str = LINES) -> None:
    assert running.stdin
    running.stdin.write(text.encode())
    running.stdin.close()
    running.stdin = None


def test_the_first_ctrl_c_lets_calls_in_flight_finish(world: World) -> None:
    held = Held(world, "10", "11")
    with start(world, "-j", "2") as running:
        feed(running)
        until(lambda: asked(world)["11"] == 1)
        running.send_signal(signal.SIGINT)
        assert running.stderr
        assert b"finishing 2 in flight; Ctrl-C again stops at once" in running.stderr.readline()
        held.go.set()
        out, err = running.communicate()
    assert running.returncode == -signal.SIGINT
    assert [row["input"] for row in rows(out.decode())] == [str(number) for number in range(12)]
    assert err.startswith(b"llamacli: 12 answered, 0 failed")
    assert len(world.api.requests) == 12


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_stops_and_received_answers_are_written(world: World, second: signal.Signals) -> None:
    Held(world, "10")
    with start(world, "-j", "2") as running:
        feed(running)
        # Nothing is written after the one that hangs, and everything that waits for it has arrived.
        until(lambda: len(world.api.requests) == 60)
        time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        assert running.stderr
        running.stderr.readline()
        running.send_signal(second)
        out, err = running.communicate()
    assert (running.returncode, err) == (-second, b"")
    assert [row["input"] for row in rows(out.decode())] == [x for x in LINES.split() if x != "10"]


def test_ctrl_c_while_stdin_is_silent_ends_it(world: World) -> None:
    world.api.will(echo)
    with start(world) as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(b"a\n")
        running.stdin.flush()
        running.stdout.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == -signal.SIGINT


def test_ctrl_c_ends_the_wait_for_a_retry(world: World) -> None:
    for code in (500, 503):
        world.api.requests.clear()
        world.api.will(by_prompt(a=error(code, headers=[("Retry-After", "60")])))
        with start(world, "--retry", "3") as running:
            # After a 503, nothing more is sent.
            assert running.stdin
            running.stdin.write(b"b\n")
            running.stdin.flush()
            until(lambda: len(world.api.requests) == 1)
            feed(running, "a\n")
            until(lambda: len(world.api.requests) == 2)
            time.sleep(0.2)
            running.send_signal(signal.SIGINT)
            out, _ = running.communicate(timeout=10)
        assert running.returncode == -signal.SIGINT
        assert [row["input"] for row in rows(out.decode())] == ["b"]


def test_a_closed_pipe_is_141_and_silent(world: World) -> None:
    world.api.will(echo)
    result = world.shell("seq 3000 | llamacli batch --plain | head -n 1; echo ${PIPESTATUS[1]}")
    assert (result.out, result.err) == ("re: 1\n141\n", "")
    assert len(world.api.requests) < 3000


def test_a_reader_that_does_not_read_delays_the_batch_but_not_its_end(world: World) -> None:
    world.api.will(echo)
    with start(world, "--plain", "-s", "x" * 1000, "{}" + "y" * 5000) as running:
        feed(running, LINES)
        time.sleep(1)
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == -signal.SIGTERM


def test_twenty_kills_lose_nothing_and_ask_nothing_twice(world: World) -> None:
    pause = threading.Event()

    def behave(handler: Handler) -> None:
        pause.wait(0.02)
        echo(handler)

    world.api.will(behave)
    path, jobs, kills = world.cwd / "out", 8, 0
    given = "".join(f"{number}\n" for number in range(600))
    (world.cwd / "in").write_text(given)
    draw = random.Random(7)
    while kills < 20:
        before = set(written(world))
        world.api.requests.clear()
        running = start(world, "-q", "-j", str(jobs), "-o", "out", "--resume", "-", "in", stdin=subprocess.DEVNULL)
        with running:
            # From the program's first moments to the middle of its work.
            time.sleep(draw.uniform(0.1, 0.6))
            kill(running)
        kills += 1
        again = set(asked(world)) & before
        assert not again, "what was in the file was asked again"
        # What was asked and is not in the file was in flight.
        assert len(set(asked(world)) - set(written(world))) <= jobs
        assert set(written(world)) >= before
    result = world.run("batch", "-j", str(jobs), "-o", "out", "--resume", "-", "in")
    assert result.status == 0, result.err
    assert [row["content"] for row in rows(path)] == [f"re: {x}" for x in given.split()]
    assert sorted(os.listdir(world.cwd)) == [".git", "in", "out"]


def written(world: World) -> list[str]:
    """Returns the inputs of all whole rows in the file; each must be there once."""
    path = world.cwd / "out"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    found = [json.loads(line)["input"] for line in lines]
    assert len(found) == len(set(found))
    return found


def test_progress_is_shown_on_a_terminal_and_nowhere_else(world: World) -> None:
    held = Held(world, "50")
    (world.cwd / "in").write_text(LINES)
    command = f"{' '.join(PROGRAM)} batch -o out - in"
    with Terminal(world, "bash", "-c", command) as terminal:
        terminal.until("59/60 done, ")
        terminal.until("/s, ")
        terminal.until(" left")
        held.go.set()
        assert terminal.wait() == 0
    assert "━" in terminal.shown
    shown = re.sub(r"\x1b\[[0-9;]*m", "", terminal.shown)
    # The bar is gone, and the summary is there.
    assert re.search(r"\r\x1b\[Kllamacli: 60 answered, 0 failed, [^\n]*\n$", shown)
    held.go.clear()
    with Terminal(world, "bash", "-c", command.replace("-o out", "-q -o out2")) as terminal:
        until(lambda: asked(world)["50"] == 2)
        time.sleep(1)
        held.go.set()
        assert terminal.wait() == 0
    assert terminal.shown == ""


def test_rows_and_the_bar_share_a_terminal(world: World) -> None:
    held = Held(world, "x")
    with Terminal(world, "bash", "-c", f"printf 'a\\nx\\nb\\n' | {' '.join(PROGRAM)} batch --plain -j 1") as terminal:
        terminal.until("1/3 done")
        held.go.set()
        assert terminal.wait() == 0
    lines = [line.rpartition("\x1b[K")[2] for line in terminal.shown.replace("\r\n", "\n").split("\n")]
    assert [line for line in lines if line.startswith("re: ")] == ["re: a", "re: x", "re: b"]


needs_parallel = pytest.mark.skipif(shutil.which("parallel") is None, reason="GNU parallel is not installed")


@needs_parallel
def test_parallel_spreads_it_over_processes(world: World) -> None:
    world.api.will(echo)
    alone = world.shell("seq 1000 | llamacli batch --plain -q 'Say {}'")
    # Without -I, parallel would replace the {} itself.
    parallel = "parallel --will-cite -I,, --pipe -N100 -j4 -k"
    spread = world.shell(f"seq 1000 | {parallel} llamacli batch --plain -q \"'Say {{}}'\"")
    assert alone.status == spread.status == 0, spread.err
    assert alone.out == spread.out
    assert alone.out.count("\n") == 1000


def test_a_hanging_server_does_not_outlast_the_limit(world: World) -> None:
    world.api.will(hang)
    result = world.run("batch", "--timeout", "0.5", stdin="a\nb\n")
    assert result.status == 13
    assert [row["error"]["status"] for row in rows(result.out)] == [8, 8]


# Paid answers are kept, however a batch ends


def test_a_later_file_that_cannot_be_read_keeps_what_was_sent(world: World) -> None:
    gone = world.cwd / "gone"
    gone.write_text("x\n")
    (world.cwd / "first").write_text("".join(f"{number}\n" for number in range(40)))

    def behave(handler: Handler) -> None:
        gone.unlink(missing_ok=True)
        echo(handler)

    world.api.will(behave)
    for arguments in (["-o", "out"], []):
        gone.write_text("x\n")
        world.api.requests.clear()
        result = world.call("batch", *arguments, "-", "first", "gone")
        assert result.status == 2
        assert "llamacli: gone: No such file or directory" in result.err
        assert "nothing was sent" not in result.err
        found = rows(world.cwd / "out") if arguments else rows(result.out)
        assert len(found) == len(world.api.requests) > 0
        assert f"llamacli: {len(found)} answered, 0 failed" in result.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_the_calls_in_flight_time_to_finish(world: World, number: signal.Signals) -> None:
    held = Held(world, "10", "11")
    with start(world, "-j", "2", "-o", "out") as running:
        feed(running)
        until(lambda: asked(world)["11"] == 1)
        running.send_signal(number)
        time.sleep(0.3)
        held.go.set()
        _, err = running.communicate(timeout=10)
    assert running.returncode == -number
    assert len(rows(world.cwd / "out")) == len(world.api.requests) == 12
    assert b"12 answered, 0 failed" in err
    assert err.endswith(b"; --resume asks for the rest\n")


def test_a_second_ctrl_c_works_during_a_pause(world: World) -> None:
    """The first one waits for calls in flight, but not for items that wait for a slot."""
    world.api.will(echo, error(429, headers=[("Retry-After", "60")]))
    with start(world, "-j", "1") as running:
        feed(running)
        until(lambda: len(world.api.requests) == 2)
        time.sleep(0.3)
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=10)
    assert running.returncode == -signal.SIGINT
    assert len(rows(out.decode())) == 1


@pytest.mark.parametrize(
    ("status", "arguments", "failing"),
    [(5, [], error(402, "no credits")), (13, ["--fail-fast"], error(400, "bad")), (3, [], error(401, "no key"))],
)
def test_plain_has_a_line_for_each_item_however_it_ends(
    world: World, status: int, arguments: list[str], failing: Behavior
) -> None:
    world.api.will(by_prompt(**{"3": failing}))
    given = "".join(f"{number}\n" for number in range(30))
    (world.cwd / "in").write_text(given)
    for inputs in (["-", "in"], []):
        result = world.shell(f"llamacli batch --plain -j 1 {' '.join([*arguments, *inputs])} <in")
        assert result.status == status
        lines = result.out.split("\n")
        assert lines[:5] == ["re: 0", "re: 1", "re: 2", "", ""]
        assert len(lines) == 31
        assert set(lines[3:]) <= {"", *(f"re: {number}" for number in range(30))}
    # Answers that came after the one that failed stay on their own lines.
    held = threading.Event()

    def behave(handler: Handler) -> None:
        if handler.prompt == "3":
            held.wait(10)
            failing(handler)
        else:
            echo(handler)
            if handler.prompt == "20":
                held.set()

    world.api.will(behave)
    result = world.shell(f"llamacli batch --plain -0 -j 3 {' '.join(arguments)} <in")
    answers = result.out.split("\0")
    assert len(answers) == 31
    assert all(answer in ("", f"re: {number}") for number, answer in enumerate(answers[:30]))
    assert answers[20] == "re: 20"


def test_plain_keeps_its_lines_in_a_pipe_that_stays_open(world: World) -> None:
    world.api.will(by_prompt(sun=error(402, "no credits")))
    with start(world, "--plain", "-j", "1") as running:
        assert running.stdin
        running.stdin.write(b"moon\nsun\nstar\n")
        running.stdin.flush()
        assert running.wait(10) == 5
        assert running.stdout
        assert running.stdout.read().startswith(b"re: moon\n\n")


def test_the_summary_names_the_most_frequent_error_and_what_is_left(world: World) -> None:
    by = {"moon": error(404, "no model nope"), "sun": error(404, "no model nope"), "x": error(400, "other")}
    world.api.will(by_prompt(**by))
    result = world.call("batch", "--plain", stdin="moon\nsun\n")
    assert (result.status, result.out) == (13, "\n\n")
    assert "0 answered, 2 failed (404 Not Found from " in result.err
    assert "no model nope" in result.err
    result = world.call("batch", stdin="x\nmoon\nsun\na\n")
    assert "1 answered, 3 failed (most often: 404 Not Found" in result.err
    assert "[" not in result.err
    missing = world.call("batch", "--input", "files", "x", "no", "such", "file")
    assert "3 failed (No such file or directory)" in missing.err
    assert "1 failed (no: No such file or directory)" in world.call("batch", "--input", "files", "x", "no").err
    world.api.will(by_prompt(**{"5": error(402, "empty")}))
    result = world.call("batch", "-j", "1", "-o", "out", stdin=LINES)
    assert result.status == 5
    assert "5 answered, 0 failed, 55 left" in result.err
    assert "; --resume asks for the rest" in result.err


def test_the_bar_has_a_total(world: World) -> None:
    held = Held(world, "2")
    for name in ("a", "b", "c"):
        (world.cwd / name).write_text(name)
    script = f"{' '.join(PROGRAM)} batch -o out --input files '{{}}' a b c"
    world.api.will(lambda handler: held.behave(handler, ("b",)))
    with Terminal(world, "bash", "-c", script) as terminal:
        terminal.until("2/3 done")
        held.go.set()
        assert terminal.wait() == 0
    held.go.clear()
    # The number of lines in a file is an estimate until all are read.
    (world.cwd / "in").write_text("".join(f"{number:09}\n" for number in range(20_000)))
    world.api.will(hang)
    with Terminal(world, "bash", "-c", f"{' '.join(PROGRAM)} batch -o out2 - in") as terminal:
        terminal.until("/~20000 done")
