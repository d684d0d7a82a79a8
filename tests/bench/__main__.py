"""Prints the table: python -m tests.bench LLAMACLI LLM. Exits with 1 if a target is missed.

EFFORT=3 in the environment runs three times as many rounds. On a machine that is
busy otherwise, the times by the clock say little; `nice -n -19 make bench` (as root)
or more rounds help.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench import servers
from tests.bench.peers import Peers
from tests.bench.rows import Rows
from tests.bench.table import Table


def main(llamacli: Path, llm: Path) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asked = [str(llamacli.with_name("python")), "-c", "import certifi; print(certifi.where())"]
        default = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        process, urls, bundle = servers.start(folder, Path(default))
        peers = Peers(llamacli, llm, folder, bundle)
        peers.tell_llm(urls)
        table = Table()
        try:
            Rows(peers, urls, table).all()
        finally:
            process.kill()
    if table.missed:
        print(f"{table.missed} targets are missed", file=sys.stderr)
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main(*(Path(word).absolute() for word in sys.argv[1:3])))
