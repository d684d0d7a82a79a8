"""The private names that llamacli.http.connection relies on: all exist, and none is indispensable."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import llamacli.http.connection
from llamacli.http.connection import tls as shared
from tests.support.fake_api import HELLO, FakeApi, Handler, hang, respond
from tests.support.world import ROOT, Result, World

LISTED = re.findall(r"^((?:http|urllib3)\.[\w.]+)", llamacli.http.connection.__doc__ or "", re.MULTILINE)
SETTINGS = [f"urllib3.connection.HTTPSConnection.{name}" for name in (*shared.TRUST, *shared.OTHER_TRUST_SETTINGS)]

#: Runs the program with a name that is another one in the library's source, as after a new release.
RENAMED = """
import re, sys
from importlib.machinery import PathFinder, SourceFileLoader

module, name = sys.argv[1:3]

class Loader(SourceFileLoader):
    def get_code(self, fullname):
        text = re.sub(rf"\\b{name}\\b", name + "_2", self.get_data(self.path).decode())
        return compile(text, self.path, "exec", dont_inherit=True)

class Finder:
    def find_spec(self, fullname, path=None, target=None):
        if fullname != module and not fullname.startswith("urllib3" if module.startswith("urllib3") else module):
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = Loader(spec.loader.name, spec.loader.path)
        return spec

sys.meta_path.insert(0, Finder())
from llamacli.main import main
sys.exit(main(sys.argv[3:]))
"""


def split(name: str) -> tuple[str, list[str]]:
    """Returns the module of a dotted name and the attributes in it."""
    parts = name.split(".")
    end = next(position for position, part in enumerate(parts) if part[0].isupper() or part.isupper())
    return ".".join(parts[:end]), parts[end:]


@pytest.mark.parametrize("name", sorted({*LISTED, *SETTINGS}))
def test_this_release_has_the_private_name(name: str) -> None:
    module, attributes = split(name)
    owner = importlib.import_module(module)
    if len(attributes) > 1:
        owner = getattr(owner, attributes.pop(0))
    source = inspect.getsource(owner)
    for attribute in attributes:
        assert re.search(rf"\b{attribute}\b", source), f"{module} has no {attribute} any more: see {ROOT / 'llamacli'}"


def test_the_list_is_complete() -> None:
    """Every private name that the package's modules override or read is listed."""
    code = "".join(path.read_text() for path in Path(shared.__file__).parent.glob("*.py") if path.stem != "__init__")
    used = set(re.findall(r"super\(\)\.(_[a-z]\w+)|getattr\(\w+, \"(_[a-z]\w+)\"", code))
    assert {first or second for first, second in used} <= {name.rpartition(".")[2] for name in LISTED}


@pytest.fixture(params=["api", "tls"])
def server(world: World, tmp_path: Path, request: pytest.FixtureRequest) -> FakeApi:
    api: FakeApi = request.getfixturevalue(request.param)
    world.env["AIMLAPI_BASE_URL"] = api.url.replace("https://127.0.0.1", "https://localhost")
    world.env["REQUESTS_CA_BUNDLE"] = str(tmp_path / "ca.pem")
    (tmp_path / "ca.pem").touch()
    return api


@pytest.mark.parametrize("name", LISTED)
@pytest.mark.parametrize("behavior", [respond, hang])
def test_a_call_works_without_the_private_name(
    world: World, server: FakeApi, name: str, behavior: Callable[[Handler], None]
) -> None:
    """A request that may have arrived is still not repeated."""
    module, attributes = split(name)
    is_tls = server.url.startswith("https")
    if is_tls != attributes[-1].startswith("assert_") if behavior is hang else is_tls and module.startswith("http."):
        # One way is enough for names unrelated to TLS.
        return
    server.will(behavior)
    limits = ["--retry", "3", "--timeout", "9" if behavior is respond else "0.3"]
    command = [sys.executable, "-c", RENAMED, module, attributes[-1], "ask", "-I", *limits, "Hi"]
    done = subprocess.run(command, env=world.env, cwd=world.cwd, capture_output=True, timeout=30, check=False)
    result = Result(done.returncode, done.stdout, done.stderr)
    if behavior is respond:
        assert result == Result(0, f"{HELLO}\n".encode(), b"")
    else:
        assert result.status == 8
        assert "within 0.3 s" in result.err
    assert len(server.requests) == 1
