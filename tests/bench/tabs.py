"""How long a Tab takes in each shell, with 10,000 sessions and 400 models to choose from."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from llamacli.cli import app
from llamacli.cli.docs import generate
from tests.bench.table import Table
from tests.support.fake_api import FakeApi
from tests.support.shells import Shell
from tests.support.world import World

LINES = ("ask ", "ask --", "ask -m ", "ask --model=vendor1/", "sessions show ", "sessions show session-99")
RUNS = 15


def tabs(table: Table) -> None:
    """Prints median and worst for each shell and line, in milliseconds."""
    for name in generate.SHELLS:
        if not shutil.which(name):
            table.note(f"   a Tab in {name}: it is not installed")
            continue
        with TemporaryDirectory() as folder, FakeApi() as api:
            shell = _shell(name, Path(folder), api)
            for line in LINES:
                median, worst, *_ = shell.spent(f"llamacli {line}", RUNS)
                table.note(f"   {f'a Tab in {name} after {line!r}: median, worst, ms':<58}{median:10.1f}{worst:10.1f}")


def _shell(name: str, folder: Path, api: FakeApi) -> Shell:
    home, work = folder / "home", folder / "work"
    sessions, cache = home / ".local/state/llamacli/sessions", home / ".cache/llamacli"
    for each in (work, sessions, cache):
        each.mkdir(parents=True)
    for number in range(10_000):
        (sessions / f"session-{number}.jsonl").touch()
    (cache / "models").write_text("".join(f"vendor{number % 20}/model-{number}\n" for number in range(400)))
    shell = Shell(name, World(api, home, work), generate.script(name, app.commands()))
    shell.env["COLLECT"] = ""
    return shell
