"""Every failure with every command: status, stdout, one line on stderr, time, and nothing left behind.

The rows are in tests/support/faults.py. A command is added by a line in COLUMNS.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.support.fake_api import KEY, FakeApi, document
from tests.support.faults import (
    BODIES,
    CODES,
    FAULTS,
    FRAMINGS,
    SWEPT_DOCUMENT,
    SWEPT_STREAM,
    SWEPT_TEXT,
    Fault,
    framed,
)
from tests.support.world import Result, World

#: Seconds after which a cell counts as hanging; this does not measure speed.
AT_MOST = 30
FILE = "answer.txt"


@dataclass(frozen=True)
class Column:
    """A command, and what it prints on stdout for a part of an answer; None if `check` decides."""

    arguments: tuple[str, ...]
    #: How a fault's statuses are looked up: ask, raw, models or check.
    kind: str
    prints: Callable[[str], str | None]
    #: The pattern of stdout if `prints` does not decide.
    check: Callable[[bytes], bool] = lambda out: True
    stdin: str | None = None
    #: The files that are stored if all goes well.
    stores: frozenset[str] = frozenset()
    #: The statuses allowed for the status of a fault.
    ends: Callable[[int], set[int]] = lambda status: {status}


def line(text: str) -> str:
    return text + "\n" if text else ""


def nothing(text: str) -> str:
    return ""


def unknown(text: str) -> None:
    return None


def is_json_lines(out: bytes) -> bool:
    return all(isinstance(json.loads(row), (dict, list)) for row in out.splitlines())


def ends_with_a_newline(out: bytes) -> bool:
    return not out or out.endswith(b"\n")


def one_of_many(status: int) -> set[int]:
    """A failed item is 13; an error that would affect every item stops the batch with its own status."""
    return {status} if status in (0, 3, 5, 6) else {13, status} if status in (7, 8) else {13}


BODY = '{"stream": true}'
COLUMNS: dict[str, Column] = {
    "ask": Column(("ask", "Hi"), "ask", line),
    "ask --json": Column(("ask", "--json", "Hi"), "ask", unknown, is_json_lines),
    "ask --json --stream": Column(("ask", "--json", "--stream", "Hi"), "ask", unknown, is_json_lines),
    "ask -o": Column(("ask", "-o", FILE, "Hi"), "ask", nothing),
    "chat": Column(("chat", "-S", "talk", "Hi"), "ask", line, stores=frozenset({"talk.jsonl"})),
    "raw": Column(("raw", BODY), "raw", unknown, ends_with_a_newline),
    "raw --sse": Column(("raw", "--sse", BODY), "raw", unknown, ends_with_a_newline),
    "raw -o": Column(("raw", "-o", FILE, BODY), "raw", nothing),
    "batch": Column(
        ("batch", "-q", "--retry-max-time", "0.2"), "batch", unknown, is_json_lines, stdin="Hi\n", ends=one_of_many
    ),
    "models": Column(("models",), "models", nothing),
    "config check": Column(("config", "check"), "check", unknown),
}


def files(world: World) -> dict[str, bytes]:
    """Returns everything that is stored."""
    found = [path for top in (world.home, world.cwd) for path in top.rglob("*") if path.is_file()]
    return {path.name: path.read_bytes() for path in found}


def is_one_line(err: str) -> bool:
    return err.startswith("llamacli: ") and err.count("\n") == 1 and err.endswith("\n")


def check_failure(world: World, result: Result, statuses: set[int]) -> None:
    """Checks all rules that a failure must follow."""
    assert result.status in statuses, (result.err, result.out[:200])
    assert is_one_line(result.err), result.err
    assert "Traceback" not in result.err
    assert KEY not in result.err + result.stdout.decode("utf-8", "replace")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Base URLs at which no server answers."""
    folder = tmp_path_factory.mktemp("tls")
    known, unknown = trustme.CA(), trustme.CA()
    known.cert_pem.write_to_path(str(folder / "ca.pem"))

    def tls(authority: trustme.CA, name: str) -> FakeApi:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        return FakeApi(tls=context)

    with socket.socket() as unused, socket.socket() as mute, FakeApi() as plain:
        unused.bind(("127.0.0.1", 0))
        mute.bind(("127.0.0.1", 0))
        mute.listen(64)
        with tls(known, "other.example") as wrong_name, tls(unknown, "localhost") as stranger:
            yield {
                "ca bundle": str(folder / "ca.pem"),
                "refused": f"http://127.0.0.1:{unused.getsockname()[1]}/v1",
                "no name": "http://no-such-host.invalid/v1",
                "wrong name": wrong_name.url.replace("127.0.0.1", "localhost"),
                "unknown authority": stranger.url.replace("127.0.0.1", "localhost"),
                "no tls": plain.url.replace("http:", "https:"),
                "mute tls": f"https://127.0.0.1:{mute.getsockname()[1]}/v1",
            }
            assert not wrong_name.requests + stranger.requests + plain.requests


def meet(world: World, fault: Fault, column: Column, places: dict[str, str]) -> Result:
    env = dict(fault.env)
    if fault.place:
        # The key may go there, so that the fault is met, not a rule of trust.
        env |= {"AIMLAPI_BASE_URL": places[fault.place], "LLAMACLI_CA_BUNDLE": places["ca bundle"]}
        if fault.place == "no name":
            env["AIMLAPI_API_KEY"] = ""
    if fault.behavior:
        world.api.will(fault.behavior)
    start = time.monotonic()
    result = world.call(*column.arguments, stdin=column.stdin, **env)
    assert time.monotonic() - start < AT_MOST
    assert len(world.api.requests) == (fault.requests if fault.requests is not None else 0)
    return result


def check_stored(world: World, column: Column, fault: Fault, status: int, before: dict[str, bytes]) -> None:
    """Checks that nothing is left but the output of -o, complete or in a file named .part."""
    left = {name: data for name, data in files(world).items() if before.get(name) != data}
    assert files(world).keys() >= before.keys()
    if "-o" not in column.arguments:
        assert left.keys() == (frozenset() if status else column.stores)
    elif status:
        assert left.keys() <= {FILE + ".part"}
        if column.kind == "ask" and fault.text and fault.text != "*":
            assert left[FILE + ".part"].decode() == line(fault.text)
    else:
        assert left.keys() == {FILE}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("name", FAULTS)
def test_every_command_with_every_fault(world: World, places: dict[str, str], name: str, column: str) -> None:
    fault, command = FAULTS[name], COLUMNS[column]
    (world.cwd / FILE).write_text("the old answer")
    before = files(world)
    result = meet(world, fault, command, places)
    wanted = fault.ends(command.kind)
    if command.kind == "models" and wanted != 8 and "models" not in fault.others:
        # Whatever it is, it is not a list of models.
        wanted = 9
    if wanted:
        check_failure(world, result, command.ends(wanted))
        if wanted == fault.status and command.kind not in ("models", "batch"):
            assert fault.message in result.err
    else:
        assert (result.status, result.err) == (0, ""), result.err
    if command.kind == "batch":
        assert [(json.loads(row)["error"] or {"status": 0})["status"] for row in result.out.splitlines()] == [wanted]
    output = command.prints(fault.text)
    if fault.text == "*":
        output = output and None
    if output is not None:
        assert result.out == output
    else:
        assert command.check(result.stdout)
    if column == "ask --json":
        assert bool(result.stdout) is (wanted == 0 or fault.is_hollow), result.out
    check_stored(world, command, fault, wanted, before)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("code", CODES)
def test_every_command_with_every_http_error(world: World, code: int, column: str) -> None:
    command = COLUMNS[column]
    (world.cwd / FILE).write_text("the old answer")
    before = files(world)
    # Two commands print bodies differently and get all of them; the others get some.
    bodies = BODIES if column in ("ask", "raw") else BODIES[code % 3 :: 3]
    for number, (body, message, also) in enumerate(bodies):
        world.api.will(document(body, status=code))
        result = world.call(*command.arguments, stdin=command.stdin)
        check_failure(world, result, command.ends(CODES[code]))
        assert len(world.api.requests) == number + 1
        # The error of an item is in its row.
        said = json.loads(result.out)["error"]["message"] if result.status == 13 else result.err
        assert f"{code}" in said
        if command.kind == "batch":
            assert all(json.loads(row)["error"]["status"] == CODES[code] for row in result.out.splitlines())
        elif command.kind != "raw":
            assert result.out == ""
        elif "-o" not in command.arguments:
            assert result.stdout == (b"" if code == 304 else body + b"\n" * (not body.endswith(b"\n") and body != b""))
        if code >= 400:
            assert message in said
            assert also in said
        assert {name: data for name, data in files(world).items() if name != FILE + ".part"} == before


# Cut at every byte


class Cutter:
    """A server that sends this many bytes of a response, then FIN or RST."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.data = b""
        self.by_reset = False
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with connection, suppress(OSError):
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += connection.recv(65536)
        head, _, body = asked.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        while length and len(body) < int(length[1]):
            body += connection.recv(65536)
        connection.sendall(self.data)
        if self.by_reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        # Closing alone would not wake accept.
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def cutter() -> Iterator[Cutter]:
    with closing(Cutter()) as server:
        yield server


#: The commands whose answers are cut.
SWEPT = ("ask", "ask --json", "ask -o", "chat", "raw")


@pytest.mark.parametrize("end", ["fin", "rst"])
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("column", SWEPT)
def test_an_answer_cut_at_any_byte_never_passes_for_complete(
    world: World, cutter: Cutter, column: str, framing: str, end: str
) -> None:
    command = COLUMNS[column]
    streams = column != "ask --json"
    blocks, kind = (SWEPT_STREAM, "text/event-stream") if streams else (SWEPT_DOCUMENT, "application/json")
    whole = framed(blocks, framing, kind)
    head = whole.index(b"\r\n\r\n") + 4
    # From here on an answer may count as complete: all of its choices have finished.
    enough = whole.index(b"stop") + len(b'stop"}]}')
    cutter.by_reset = end == "rst"
    printed, file = "", world.cwd / FILE
    world.env["AIMLAPI_BASE_URL"] = cutter.url
    for place in range(len(whole) + 1):
        file.write_text("the old answer")
        cutter.data = whole[:place]
        result = world.call(*command.arguments)
        check_session(world, command, result.status)
        out = result.out if "-o" not in command.arguments else kept(file, result.status)
        where = (place, whole[:place][-20:], result)
        if result.status == 0:
            assert place >= enough, where
            assert result.err == "", where
            assert is_whole(out, column), where
        else:
            # With RST the system may discard received data.
            lost = place == 0 or (end == "rst" and place < len(whole))
            assert result.status == 9 or (lost and result.status == 8), where
            assert is_one_line(result.err), where
            # Without a reset, everything that was sent arrives.
            assert place < len(whole) or end == "rst", where
        if place <= head:
            assert out == "", where
        if end == "fin" and column != "ask --json":
            # What was printed stays printed: the more arrived, the more is there.
            assert out.removesuffix("\n").startswith(printed), where
            printed = out.removesuffix("\n")


def check_session(world: World, column: Column, status: int) -> None:
    """Checks that a conversation contains a whole turn or none, and starts over."""
    for path in world.home.rglob("*.jsonl"):
        assert status == 0
        assert [json.loads(row)["role"] for row in path.read_text().splitlines()] == ["user", "assistant"]
        path.unlink()
        return
    assert status or not column.stores


def kept(file: Path, status: int) -> str:
    """Returns what a call left: the file if it succeeded, else its part and the unchanged file."""
    part = Path(f"{file}.part")
    if status == 0:
        assert not part.exists()
        return file.read_text()
    assert file.read_text() == "the old answer"
    return part.read_text() if part.exists() else ""


def is_whole(out: str, column: str) -> bool:
    if column == "ask --json":
        return bool(json.loads(out) == json.loads(b"".join(SWEPT_DOCUMENT)))
    if column == "raw":
        return out.count('"stop"') == 1 and out.count("\n") == 3
    return out == SWEPT_TEXT + "\n"


@pytest.mark.parametrize("end", ["fin", "rst"])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_resume_asks_again_for_a_row_cut_at_any_byte(world: World, cutter: Cutter, framing: str, end: str) -> None:
    whole = framed(SWEPT_DOCUMENT, framing, "application/json")
    content = json.loads(b"".join(SWEPT_DOCUMENT))["choices"][0]["message"]["content"]
    cutter.by_reset = end == "rst"
    world.env["AIMLAPI_BASE_URL"] = cutter.url
    command = ("batch", "-q", "-o", FILE)
    for place in range(len(whole) + 1):
        (world.cwd / FILE).unlink(missing_ok=True)
        for sent, flags in ((whole[:place], ()), (whole, ("--resume",))):
            cutter.data = sent
            result = world.call(*command, *flags, stdin="Hi\n")
            where = (place, sent[-20:], result)
            rows = [json.loads(line) for line in (world.cwd / FILE).read_text().splitlines()]
            assert len(rows) == 1, where
            if result.status == 0:
                assert (rows[0]["content"], rows[0]["error"]) == (content, None), where
                assert result.err == "", where
            else:
                # With RST the system may discard received data.
                assert place < len(whole) or end == "rst", where
                assert rows[0]["content"] is None, where
                assert rows[0]["error"]["status"] in (8, 9), where
                assert is_one_line(result.err), where
            if flags and end == "fin":
                assert result.status == 0, where
