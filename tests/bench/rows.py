"""The rows of the table: the commands of each, and what they must print."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time

from tests.bench.measure import Command, Costs, interleaved
from tests.bench.peers import ASK, MARKDOWN, POOL, STREAM, Peers
from tests.bench.ready import ready
from tests.bench.servers import CERTIFICATE, CHUNKS, Urls, quick_api
from tests.bench.table import PROGRAMS, Table, Target
from tests.bench.tabs import tabs

MB = 10**6
#: For batch: items, calls in flight, and seconds per answer.
ITEMS, JOBS, LATENCY = 2_000, 50, 0.1
#: The same with many calls in flight: a long run, and one round.
MANY, MANY_JOBS, MANY_LATENCY = (5_000, 500), 500, 1.0


class Rows:
    """All rows, each a method that measures and prints."""

    def __init__(self, peers: Peers, urls: Urls, table: Table) -> None:
        self.peers, self.urls, self.table = peers, urls, table
        #: Times the usual number of rounds.
        self.effort = float(os.environ.get("EFFORT", "1"))

    def all(self) -> None:
        self.ask()
        self.far()
        self.stream()
        self.piped()
        self.help()
        self.batch()
        self.first_token()
        self.markdown()
        self.stored()
        command = self.peers.ours(self.urls.plain, "ask")
        ready(command.words[0], {**self.peers.env, **command.env}, self.table)
        tabs(self.table)

    def ask(self) -> None:
        costs = self._run(self._asking(self.urls.plain, "plain"), 30)
        self._times("a  one ask, plain http", costs, Target(costs.ratio("llamacli", "script", "wall"), 1), 0.2)
        self._cpu(costs)
        self._peaks(costs, Target(costs.ratio("llamacli", "script", "peak"), 1.06))

    def far(self) -> None:
        costs = self._run(self._asking(self.urls.far, "far"), 30)
        self._times(
            "b  one ask, TLS, 40 ms there and back", costs, Target(costs.ratio("llamacli", "script", "wall"), 0.78)
        )
        self._cpu(costs)
        self._peaks(costs)

    def stream(self) -> None:
        url, peers = self.urls.plain, self.peers
        commands = {
            "llamacli": peers.ours(url, "ask", "long"),
            "script": peers.script(STREAM, url, "long"),
            **peers.by_curl(url, "long", stream=True),
            **peers.by_llm("-m", "plain", "long"),
        }
        costs = self._run(commands, 15)
        target = Target(costs.ratio("llamacli", "script", "wall"), 0.8)
        self._times(f"c  a stream of {CHUNKS:,} chunks", costs, target, 0.1)
        self._cpu(costs)
        self._peaks(costs)

    def piped(self) -> None:
        text, url, peers = self._text(10 * MB), self.urls.plain, self.peers
        stdin = self._file(text)
        commands = {
            "llamacli": peers.ours(url, "ask", stdin=stdin),
            "script": peers.script(ASK, url, "", stdin=stdin),
            **peers.by_curl(url, text),
            **peers.by_llm("-m", "plain", stdin=stdin),
        }
        costs = self._run(commands, 9)
        self._times("d  10 MB piped in", costs)
        self._cpu(costs)
        self._peaks(costs)
        sizes = {f"{size} MB": self._file(self._text(size * MB)) for size in (0, 10, 20)}
        costs = self._run({name: peers.ours(url, "ask", stdin=file) for name, file in sizes.items()}, 15)
        times, peaks = ([costs.median(name, kind) or 0 for name in sizes] for kind in ("cpu", "peak"))
        growth = (times[2] - times[0]) / (times[1] - times[0])
        self.table.line("   20 MB for 10, times the time", {"llamacli": growth}, Target(growth, 2.3))
        more = (peaks[1] - peaks[0]) / 10
        self.table.line("   memory for it, times the input", {"llamacli": more}, Target(more, 4))

    def _text(self, size: int) -> str:
        line = 'The quick brown fox jumps over the lazy dog, and it says "no".\n'
        return (line * (size // len(line) + 1))[:size] or "Hi"

    def _file(self, text: str) -> str:
        file = self.peers.folder / f"{len(text)}.txt"
        file.write_text(text)
        return str(file)

    def help(self) -> None:
        peers = self.peers
        commands = {
            "llamacli": peers.ours(self.urls.plain, "-h"),
            "script": peers.script("import requests"),
            **({"curl": Command([peers.curl, "--help", "all"])} if peers.curl else {}),
            **peers.by_llm("--help"),
        }
        costs = self._run(commands, 20)
        self._times("e  -h; script: import requests", costs, Target(costs.ratio("llamacli", "script", "wall"), 0.5))

    def batch(self) -> None:
        file = self._items(ITEMS)
        with quick_api(LATENCY) as url:
            slow = self._run(self._batch(url, file, JOBS), 3)
            short = self._run(self._batch(url, self._items(JOBS), JOBS), 7)
        walls, once = self._walls(slow), self._walls(short)
        ideal = ITEMS / JOBS * LATENCY
        name = f"f  {ITEMS:,} of {LATENCY * 1000:.0f} ms, -j {JOBS}: % of ideal"
        percent = {program: ideal / wall * 100 for program, wall in walls.items()}
        self.table.line(name, dict(percent))
        # What one round takes is all of the start and the end, and the round. Python's start alone is a twentieth of
        # the run where importing requests takes 130 ms.
        running = {program: (ideal - LATENCY) / (wall - once[program]) * 100 for program, wall in walls.items()}
        self.table.line(
            "   start and end aside: % of ideal", dict(running), Target(running["llamacli"], 98, least=True)
        )
        with quick_api(LATENCY, certificate=self.peers.folder / CERTIFICATE) as url:
            walls = self._walls(self._run(self._batch(url, file, JOBS), 3))
        percent = {program: ideal / wall * 100 for program, wall in walls.items()}
        self.table.line("   over TLS: % of ideal", dict(percent), Target(percent["llamacli"], 90, least=True))
        with quick_api(MANY_LATENCY) as url:
            long, short = (
                self._run({"": self._ours_in_batch(url, self._items(count), MANY_JOBS)}, 3) for count in MANY
            )
        rounds = (MANY[0] - MANY[1]) / MANY_JOBS * MANY_LATENCY
        share = rounds / ((long.median("", "wall") or 0) - (short.median("", "wall") or 0)) * 100
        name = f"   -j {MANY_JOBS}, {MANY_LATENCY:.0f} s each, start and end aside: % of ideal"
        self.table.line(name, {"llamacli": share}, Target(share, 90, least=True))
        with quick_api(0) as url:
            fast = self._run(self._batch(url, file, 8), 9)
            many = self._ours_in_batch(url, self._items(200_000), 8).run(self.peers.env)
        rates = {name: ITEMS / cpu for name in PROGRAMS if (cpu := fast.median(name, "cpu"))}
        more = fast.ratio("script", "llamacli", "cpu")
        self.table.line("   no latency: items a second of cpu", dict(rates), Target(more, 1.5, least=True))
        self._peaks(fast)
        growth = many.peak / (fast.median("llamacli", "peak") or 1)
        self.table.line("   200,000 items for 2,000: memory, times", {"llamacli": growth})
        with quick_api(LATENCY, 20) as url:
            costs = self._run({jobs: self._ours_in_batch(url, file, int(jobs)) for jobs in ("20", "100")}, 3)
        self.table.line("   20 allowed: -j 100 takes times -j 20", {"llamacli": costs.ratio("100", "20", "wall")})

    def _walls(self, costs: Costs) -> dict[str, float]:
        return {program: wall for program in PROGRAMS if (wall := costs.median(program, "wall"))}

    def _items(self, count: int) -> str:
        file = self.peers.folder / f"{count}.items"
        file.write_text("".join(f"item {number}\n" for number in range(count)))
        return str(file)

    def _batch(self, url: str, stdin: str, jobs: int) -> dict[str, Command]:
        code = POOL.replace("JOBS", str(jobs))
        return {
            "llamacli": self._ours_in_batch(url, stdin, jobs),
            "script": self.peers.script(code, url, stdin=stdin),
        }

    def _ours_in_batch(self, url: str, stdin: str, jobs: int) -> Command:
        return self.peers.ours(url, "batch", "-q", "--plain", "-j", str(jobs), stdin=stdin)

    def first_token(self) -> None:
        """Measures the delay of each token, which contains the time when it was sent."""
        command = self.peers.ours(self.urls.plain, "ask", "drip")
        late = []
        with subprocess.Popen(
            command.words, env={**self.peers.env, **command.env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        ) as running:
            assert running.stdout
            while data := os.read(running.stdout.fileno(), 100):
                late.append((time.monotonic() - float(data.split()[0])) * 1000)
        self.table.line("   a token through the pipe: median, ms", {"llamacli": statistics.median(late)})
        self.table.line("                             worst, ms", {"llamacli": max(late)})

    def markdown(self) -> None:
        sizes = {size: self.peers.script(MARKDOWN, size) for size in ("0", "60", "120")}
        costs = self._run(sizes, 5)
        none, short, long = (costs.median(size, "cpu") or 0 for size in sizes)
        self.table.line("h  60 KB of Markdown: processor time, s", {"llamacli": short}, Target(short, 1.5))
        growth = (long - none) / (short - none)
        self.table.line("   120 KB for 60, times the time", {"llamacli": growth}, Target(growth, 2.2))

    def stored(self) -> None:
        """Compares calls that use files with an ask that uses none."""
        peers, folder = self.peers, self.peers.folder
        sessions = folder / ".local/state/llamacli/sessions"
        sessions.mkdir(parents=True)

        def save(name: str, turns: int) -> None:
            lines = (
                {"role": "user", "content": "How many? "},
                {"role": "assistant", "content": "As many as before. " * 5},
            )
            (sessions / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) * turns)

        (folder / "prompt.md").write_text("---\ntemperature: 0.5\n---\nHello\n")
        commands = {
            "ask -c": (["ask", "-c", "Hello"], 1.3),
            "ask --cache, a hit": (["ask", "--cache", "inf", "Hello"], 1.03),
            "ask -P prompt.md": (["ask", "-P", str(folder / "prompt.md")], 1.03),
            "chat -S, 2,000 turns": (["chat", "--no-save", "-S", "long", "Hello"], 1.3),
            "sessions, 10,000 of them": (["sessions"], 1.3),
        }
        save("long", 2_000)
        peers.ours(self.urls.plain, "ask", "--save", "Hello").run(peers.env)
        for name, (words, target) in commands.items():
            if words == ["sessions"]:
                for number in range(10_000):
                    save(f"many-{number}", 1)
                # The first list makes the index, without files that have just been written.
                time.sleep(2)
                peers.ours(self.urls.plain, "sessions").run(peers.env)
            pair = {"ask": peers.ours(self.urls.plain, "ask", "Hello"), name: peers.ours(self.urls.plain, *words)}
            ratio = self._run(pair, 15).ratio(name, "ask", "wall")
            self.table.line(f"   {name}: times an ask", {"llamacli": ratio}, Target(ratio, target))

    def _asking(self, url: str, model: str) -> dict[str, Command]:
        peers = self.peers
        return {
            "llamacli": peers.ours(url, "ask", "Hello"),
            "script": peers.script(ASK, url, "Hello"),
            **peers.by_curl(url, "Hello"),
            **peers.by_llm("-m", model, "Hello"),
        }

    def _run(self, commands: dict[str, Command], rounds: int) -> Costs:
        return interleaved(commands, max(2, round(rounds * self.effort)), self.peers.env)

    def _times(self, name: str, costs: Costs, to_script: Target | None = None, to_llm: float | None = None) -> None:
        targets = [to_script] if to_script else []
        if to_llm:
            targets.append(Target(costs.ratio("llamacli", "llm", "wall"), to_llm))
        self.table.line(f"{name}, ms", _each(costs, "wall", 1000), *targets)

    def _cpu(self, costs: Costs) -> None:
        self.table.line("   processor time, ms", _each(costs, "cpu", 1000))

    def _peaks(self, costs: Costs, *targets: Target) -> None:
        self.table.line("g  its peak memory, MB", _each(costs, "peak"), *targets)


def _each(costs: Costs, kind: str, factor: float = 1) -> dict[str, float | None]:
    medians = {name: costs.median(name, kind) for name in PROGRAMS}
    return {name: None if median is None else median * factor for name, median in medians.items()}
