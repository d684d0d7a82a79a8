"""Two ways to run the program with the same result: as a process, and faster, inside this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.fake_api import KEY, FakeApi

PROGRAM = [sys.executable, "-m", "llamacli"]
ROOT = Path(__file__).parent.parent.parent
#: Root, but with no more rights to files than their owner has.
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


@dataclass
class Result:
    """How a run of the program ended."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self) -> str:
        return self.stdout.decode()

    @property
    def err(self) -> str:
        return self.stderr.decode()


@dataclass
class World:
    """A separate home, working directory and environment, with the server that they point to."""

    api: FakeApi
    home: Path
    cwd: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "AIMLAPI_API_KEY": KEY,
            "AIMLAPI_BASE_URL": self.api.url,
            # One attempt shows as much as six, and sooner.
            "LLAMACLI_RETRY": "0",
        }

    @property
    def config(self) -> Path:
        """Creates and returns the config folder."""
        folder = self.home / ".config" / "llamacli"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def without(self, *names: str) -> dict[str, str]:
        return {name: value for name, value in self.env.items() if name not in names}

    def run(
        self,
        *arguments: str | bytes,
        stdin: bytes | str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 30,
        **more: Any,
    ) -> Result:
        """Runs the program as a process; `env` is added to the world's. No stdin is an empty one."""
        data = stdin.encode() if isinstance(stdin, str) else stdin or b""
        environ = {**self.env, **(env or {})}
        done = subprocess.run(
            [*PROGRAM, *arguments],
            input=data,
            capture_output=True,
            env=environ,
            cwd=cwd or self.cwd,
            timeout=timeout,
            check=False,
            **more,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def shell(self, script: str, timeout: float = 60, **env: str) -> Result:
        """Runs a bash script, a login session of its own, in which `llamacli` is the program."""
        name = self.cwd / ".bin"
        if not name.exists():
            name.mkdir()
            (name / "llamacli").write_text(f"#!{sys.executable}\nfrom llamacli.__main__ import program\n\nprogram()\n")
            (name / "llamacli").chmod(0o755)
        environ = {**self.env, **env, "PATH": f"{name}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-c", script],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environ,
            cwd=self.cwd,
            timeout=timeout,
            check=False,
            start_new_session=True,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def call(self, *arguments: str, stdin: str | bytes | None = None, **env: str) -> Result:
        """Runs the program inside this process, for tests that are not about processes."""
        from llamacli.batch.calls.pool import READER_THREAD
        from llamacli.main import main

        kept = [os.dup(number) for number in (0, 1, 2)]
        handlers = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)}
        environ, folder, hook = dict(os.environ), Path.cwd(), sys.unraisablehook
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(stdin.encode() if isinstance(stdin, str) else stdin or b"")
            given.seek(0)
            try:
                for number, file in enumerate((given, out, err)):
                    os.dup2(file.fileno(), number)
                os.environ.clear()
                os.environ.update({**self.env, **env})
                os.chdir(self.cwd)
                status = main(list(arguments))
                # In a separate process it would be gone by now; here it would read the next call's stdin.
                for reader in [thread for thread in threading.enumerate() if thread.name == READER_THREAD]:
                    reader.join(10)
            finally:
                os.chdir(folder)
                os.environ.clear()
                os.environ.update(environ)
                for number, old in enumerate(kept):
                    os.dup2(old, number)
                    os.close(old)
                sys.unraisablehook = hook
                for number, handler in handlers.items():
                    signal.signal(number, handler)
            out.seek(0)
            err.seek(0)
            return Result(int(status), out.read(), err.read())
