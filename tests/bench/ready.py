"""How soon a chat is ready for typing, compared with a whole ask."""

from __future__ import annotations

import os
import pty
import statistics
import subprocess
import time
from collections.abc import Mapping

from tests.bench.table import Table, Target

#: What readline sends when it is ready for a line.
READY = b"\x1b[?2004h"
ROUNDS = 15


def ready(program: str, env: Mapping[str, str], table: Table) -> None:
    """Prints the median of the ratios; an ask sends its request shortly before it ends."""
    ratios = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(program, [program, "chat", "--no-save"], {**env, "TERM": "xterm"})
        shown = b""
        while READY not in shown:
            shown += os.read(terminal, 4096)
        until_ready = time.perf_counter() - begun
        os.close(terminal)
        os.waitpid(pid, 0)
        begun = time.perf_counter()
        subprocess.run([program, "ask", "-I", "Hello"], env=env, stdout=subprocess.DEVNULL, check=True)
        ratios.append(until_ready / (time.perf_counter() - begun))
    ratio = statistics.median(ratios)
    table.line("   the prompt of chat is ready, times an ask", {"llamacli": ratio}, Target(ratio, 1))
