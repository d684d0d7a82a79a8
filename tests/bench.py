"""`make bench`: what the README claims of speed, measured here and now, as ratios from interleaved runs.

Each command is timed as a whole process, in turn with the one that it is compared
with, so that a machine that speeds up or slows down does so for both. The servers
run in processes of their own.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Process, Queue
from pathlib import Path
from tempfile import TemporaryDirectory

from llamacli import catalog, completions
from tests.conftest import World
from tests.fake_api import FakeApi, Handler, answer, delta, event, stream, text
from tests.shells import Shell

RUNS = 15
CHUNKS = 20_000

ASK = """
import requests
body = {"model": "meta-llama/Llama-3.3-70B-Instruct-Turbo", "messages": [{"role": "user", "content": "Hello"}]}
response = requests.post("URL/chat/completions", headers={"Authorization": "Bearer key"}, json=body)
print(response.json()["choices"][0]["message"]["content"])
"""
LOOP = """
import json, requests
body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "long"}]}
response = requests.post("URL/chat/completions", json=body, stream=True)
rest = b""
while block := response.raw.read1(65536, decode_content=True):
    *lines, rest = (rest + block).split(b"\\n")
    for line in lines:
        if line.startswith(b"data: {"):
            json.loads(line[6:])
"""


def serve(address: Queue[str]) -> None:
    """Answers `long` with many chunks, anything else briefly."""
    chunks = [event(delta(f" token{number}")) for number in range(CHUNKS)] + [event(delta(finish="stop"))]

    def behave(handler: Handler) -> None:
        body = handler.asked.json
        if body["messages"][-1]["content"] == "long":
            stream([*chunks, event("[DONE]")])(handler)
        else:
            (text("Hello.") if body.get("stream") else answer("Hello."))(handler)

    with FakeApi().will(behave) as api:
        address.put(api.url)
        time.sleep(3600)


def drip(address: Queue[str], sent: Queue[float]) -> None:
    """Sends a chunk each 200 ms and tells when."""

    def behave(handler: Handler) -> None:
        handler.reply(200, b"", "text/event-stream", chunked=True)
        for number in range(10):
            sent.put(time.monotonic())
            handler.chunk(event(delta(f"token{number}")))
            time.sleep(0.2)
        handler.chunk(event(delta(finish="stop")) + event("[DONE]"))
        handler.chunk(b"")

    with FakeApi().will(behave) as api:
        address.put(api.url)
        time.sleep(3600)


def seconds(command: list[str], env: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def compare(name: str, ours: list[str], theirs: list[str], env: dict[str, str]) -> None:
    pairs = [(seconds(ours, env), seconds(theirs, env)) for _ in range(RUNS + 1)][1:]
    our, their = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    print(f"{name:<44} {our * 1000:7.0f} ms {their * 1000:7.0f} ms {ratio:7.2f}", flush=True)


def first_token(program: str, env: dict[str, str], sent: Queue[float]) -> None:
    command = [program, "ask", "-I", "Hi"]
    late = []
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as running:
        assert running.stdout
        for _ in range(10):
            os.read(running.stdout.fileno(), 100)
            late.append(time.monotonic() - sent.get())
        running.stdout.read()
    median, worst = statistics.median(late) * 1000, max(late) * 1000
    print(f"{'a token through the pipe: median, worst':<44} {median:7.1f} ms {worst:7.1f} ms")


EXECUTOR = """
import sys, threading, requests
from concurrent.futures import ThreadPoolExecutor
local = threading.local()
def ask(line):
    if not hasattr(local, "session"):
        local.session = requests.Session()
    body = {"model": "m", "messages": [{"role": "user", "content": line}]}
    response = local.session.post("URL/chat/completions", json=body, headers={"Authorization": "Bearer key"})
    return response.json()["choices"][0]["message"]["content"]
with ThreadPoolExecutor(JOBS) as executor:
    for content in executor.map(ask, [line.rstrip("\\n") for line in sys.stdin]):
        print(content)
"""


def batches(program: str, python: str, env: dict[str, str]) -> None:
    """Measures `batch`: its rate against the ideal and against a bare executor, its manners, its memory."""
    with quick_api(0.1) as url:
        taken = run_batch([program, "batch", "-q", "-j", "50"], 2000, {**env, "AIMLAPI_BASE_URL": url})[0]
        print(f"{'2,000 items of 100 ms, -j 50: share of the ideal':<52} {4 / taken:7.1%}", flush=True)
    with quick_api(0.1, 20) as url:
        there = {**env, "AIMLAPI_BASE_URL": url}
        of_20, of_100 = (run_batch([program, "batch", "-q", "-j", jobs], 1000, there)[0] for jobs in ("20", "100"))
        print(f"{'20 allowed at once, 1,000 of 100 ms: -j 100 / -j 20':<52} {of_100 / of_20:7.2f}", flush=True)
    with quick_api(0) as url:
        there = {**env, "AIMLAPI_BASE_URL": url}
        bare = [python, "-c", EXECUTOR.replace("URL", url).replace("JOBS", "8")]
        ours = [program, "batch", "-q", "--plain"]
        ratios = [run_batch(ours, 2000, there)[0] / run_batch(bare, 2000, there)[0] for _ in range(6)][1:]
        print(f"{'no latency: time / that of a bare executor':<52} {statistics.median(ratios):7.2f}", flush=True)
        few, many = run_batch(ours, 2_000, there)[1], run_batch(ours, 200_000, there)[1]
        print(f"{'peak memory, 200,000 lines / 2,000':<52} {many / few:7.2f}", flush=True)


def run_batch(command: list[str], count: int, env: dict[str, str]) -> tuple[float, int]:
    """Pipes so many lines through, and returns the seconds and the peak memory in KB."""
    with subprocess.Popen(["seq", str(count)], stdout=subprocess.PIPE) as source:
        begun = time.perf_counter()
        running = subprocess.Popen(command, env=env, stdin=source.stdout, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(running.pid, 0)
    assert status == 0
    return time.perf_counter() - begun, usage.ru_maxrss


@contextmanager
def quick_api(delay: float, allowed: int = 1 << 30) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.quick_api", str(delay), str(allowed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def tabs() -> None:
    """Prints how long a Tab takes in each shell, with 10,000 sessions and 400 models to choose from."""
    for name in completions.SHELLS:
        if not shutil.which(name):
            print(f"a Tab in {name}: it is not installed")
            continue
        with TemporaryDirectory() as folder, FakeApi() as api:
            home, work = Path(folder, "home"), Path(folder, "work")
            sessions, cache = home / ".local/state/llamacli/sessions", home / ".cache/llamacli"
            for each in (work, sessions, cache):
                each.mkdir(parents=True)
            for number in range(10_000):
                (sessions / f"session-{number}.jsonl").touch()
            (cache / "models").write_text("".join(f"vendor{number % 20}/model-{number}\n" for number in range(400)))
            shell = Shell(name, World(api, home, work), completions.SHELLS[name](catalog.commands()))
            shell.env["COLLECT"] = ""
            for line in (
                "ask ",
                "ask --",
                "ask -m ",
                "ask --model=vendor1/",
                "sessions show ",
                "sessions show session-99",
            ):
                spent = shell.spent(f"llamacli {line}", RUNS)
                print(f"{f'a Tab in {name} after {line!r}: median, worst':<60} {spent[0]:7.1f} ms {spent[1]:7.1f} ms")


def start(target: Callable[..., None], *extra: Queue[float]) -> tuple[Process, str]:
    address: Queue[str] = Queue()
    server = Process(target=target, args=(address, *extra), daemon=True)
    server.start()
    return server, address.get(timeout=10)


def main() -> None:
    program = sys.argv[1]
    python = str(Path(program).parent / "python")
    server, url = start(serve)
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AIMLAPI_BASE_URL": url, "AIMLAPI_API_KEY": "key"}
    print(f"{'median of ' + str(RUNS):<44} {'llamacli':>10} {'other':>10} {'ratio':>7}")
    compare(
        "one ask / the same POST by requests", [program, "ask", "Hello"], [python, "-c", ASK.replace("URL", url)], env
    )
    compare(
        f"{CHUNKS} chunks / read1, split, json.loads",
        [program, "ask", "long"],
        [python, "-c", LOOP.replace("URL", url)],
        env,
    )
    for name in ("-h", "ask -h"):
        compare(f"{name} / import requests", [program, *name.split()], [python, "-c", "import requests"], env)
    server.kill()
    tabs()
    sent: Queue[float] = Queue()
    server, url = start(drip, sent)
    first_token(program, {**env, "AIMLAPI_BASE_URL": url}, sent)
    server.kill()
    batches(program, python, env)


if __name__ == "__main__":
    main()
