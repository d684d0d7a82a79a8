"""Random input of every kind: only documented statuses, no traceback, no key shown, nothing lost.

Seeded, so that each run tries the same inputs. LLAMACLI_FUZZ=100 tries a hundred times as many, with other seeds:
a failure names its own.
"""

import gzip
import json
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from llamacli.cli import app
from llamacli.errors import ExitStatus
from tests.support.fake_api import KEY, completion, delta, document, event, raw, streamed
from tests.support.world import Result, World

FACTOR = int(os.environ.get("LLAMACLI_FUZZ", "1"))
SEEDS = range(4 * FACTOR)
#: Statuses that a program that reads its input correctly never ends with.
UNEXPECTED = {ExitStatus.INTERNAL, 1, -1}
CHAT = ("chat", "-S", "fuzzed")
#: The parts of random JSON and prose.
ATOMS: list[Any] = [
    *(None, True, False, 0, -1, 1, 1e308, 10**400, [], {}, [None], {"text": "t"}, [{"type": "text", "text": "t"}]),
    *("", "x", "stop", "length", "content_filter", "error", "<think>", "</think>", "9" * 400, "2026-01-01"),
    *("\ud800", "\u2028", "\x00", "日本語"),
]
KEYS = (
    *("choices", "index", "delta", "message", "content", "role", "finish_reason", "error", "code", "type", "id"),
    *("tool_calls", "function", "name", "arguments", "reasoning", "reasoning_content", "refusal", "logprobs"),
    *("usage", "prompt_tokens", "completion_tokens", "meta", "usd_spent", "object", "model"),
)


def value(dice: random.Random, depth: int = 4) -> Any:
    """Returns a random JSON value in which the API's own keys are frequent."""
    kind = dice.random()
    if depth == 0 or kind < 0.45:
        return dice.choice(ATOMS)
    if kind < 0.65:
        return [value(dice, depth - 1) for _ in range(dice.randrange(4))]
    return {dice.choice(KEYS): value(dice, depth - 1) for _ in range(dice.randrange(5))}


def nearly(dice: random.Random, document: Any) -> Any:
    """Returns a document with one part replaced."""
    if isinstance(document, dict) and document and dice.random() < 0.85:
        key = dice.choice(list(document))
        return {**document, key: nearly(dice, document[key])}
    if isinstance(document, list) and document and dice.random() < 0.85:
        place = dice.randrange(len(document))
        return [*document[:place], nearly(dice, document[place]), *document[place + 1 :]]
    return value(dice, 2)


def encode(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=True).encode()


def damaged(dice: random.Random, data: bytes) -> bytes:
    """Returns bytes with a few of them cut out, doubled or replaced."""
    parts = bytearray(data)
    for _ in range(dice.randrange(1, 4)):
        start = dice.randrange(len(parts) + 1)
        end = min(len(parts), start + dice.choice((0, 1, 7, 300)))
        extra = dice.choice((b"", b"\n", b"\r", b"\x00", b"\xff", b"data: ", b"{", b'"', bytes(parts[start:end]) * 2))
        parts[start:end] = extra
    return bytes(parts)


def stream_bytes(dice: random.Random) -> bytes:
    """Returns a stream's body in which single events are odd, out of place or missing."""
    events = streamed("some words of an answer", dice.choice(("stop", "length", "", "tool_calls")), dice.random() < 0.5)
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a": 1}'}}
    events.insert(dice.randrange(len(events)), event(delta(tool_calls=[call])))
    for _ in range(dice.randrange(4)):
        place = dice.randrange(len(events))
        odd = b"data: " + encode(nearly(dice, delta("x", dice.choice((None, "stop"))))) + b"\n\n"
        events[place : place + dice.randrange(2)] = [
            dice.choice((odd, b": ping\n\n", b"data:\n\n", b"event: error\n", b"\n"))
        ]
    body = b"".join(events)
    return damaged(dice, body) if dice.random() < 0.5 else body


def response(dice: random.Random) -> bytes:
    """Returns a whole HTTP response: a stream, a document or an error, whole or damaged."""
    kind = dice.random()
    status = dice.choice(("200 OK", "200 OK", "200 OK", "201 Created", "400 Bad Request", "404 Not Found", "422 X"))
    if kind < 0.5:
        body, media = stream_bytes(dice), dice.choice(("text/event-stream", "text/plain", ""))
    else:
        body = encode(nearly(dice, completion("words")) if kind < 0.8 else value(dice))
        body = damaged(dice, body) if dice.random() < 0.3 else body
        media = dice.choice(("application/json", "text/html", ""))
    headers = [f"Content-Type: {media}"] if media else []
    headers += [f"Retry-After: {dice.choice(ATOMS)!a}", f"x-aimlapi-usd-spent: {dice.choice(ATOMS)!a}"]
    if dice.random() < 0.2:
        body = damaged(dice, gzip.compress(body)) if dice.random() < 0.5 else gzip.compress(body)
        headers.append("Content-Encoding: gzip")
    if dice.random() < 0.5:
        headers.append(f"Content-Length: {len(body)}")
    head = "\r\n".join([f"HTTP/1.1 {status}", *headers, "Connection: close", "", ""])
    return head.encode("latin-1", "replace") + body


def inspect(result: Result, case: object) -> None:
    """Checks what must hold for every run."""
    assert result.status in {status.value for status in ExitStatus} - UNEXPECTED, (case, result)
    assert KEY.encode() not in result.stdout + result.stderr, case
    assert b"Traceback" not in result.stderr, (case, result)
    # Answers may have lines of their own on stderr with --reasoning; errors are one line.
    if result.status not in (0, 10):
        assert result.stderr.count(b"llamacli: ") >= 1, (case, result)


def rounds(seed: int) -> Iterator[random.Random]:
    for number in range(5):
        yield random.Random(f"{seed}/{number}")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "command",
    [
        ("ask", "-I"),
        ("ask", "-I", "--json"),
        ("ask", "-I", "--json", "--stream"),
        ("ask", "-I", "--no-stream", "--reasoning", "-u"),
        ("ask", "-I", "-x"),
        ("ask", "-I", "--choice", "a,b", "--fit-retries", "0"),
        ("ask", "-I", "--schema", "name, age int", "--fit-retries", "0"),
        (*CHAT, "-I"),
    ],
    ids=" ".join,
)
def test_whatever_a_server_sends(world: World, command: tuple[str, ...], seed: int) -> None:
    for dice in rounds(seed):
        sent = response(dice)
        world.api.will(raw(sent))
        inspect(world.call(*command, "Hi", LLAMACLI_MAX_TIME="20", LLAMACLI_RETRY="0"), sent)
    if command[0] == "chat":
        shown = world.call("sessions", "show", "fuzzed", "--json")
        assert shown.status in (0, 2), shown


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("flags", [(), ("--plain",), ("--stream",), ("-x",), ("--max-cost", "1")], ids=" ".join)
def test_whatever_a_server_sends_to_a_batch(world: World, flags: tuple[str, ...], seed: int) -> None:
    for dice in rounds(seed):
        sent = response(dice)
        world.api.will(raw(sent))
        result = world.call("batch", "-q", *flags, "{}", stdin="a\nb\n", LLAMACLI_RETRY="0", LLAMACLI_MAX_TIME="20")
        inspect(result, sent)
        if "--plain" not in flags:
            indices = [json.loads(line)["index"] for line in result.out.splitlines()]
            # The first item is chosen by chance, and a limit on cost may end the batch there.
            assert indices in ([], [0], [1], [0, 1]), sent


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_is_in_a_session(world: World, seed: int) -> None:
    world.call("chat", "-S", "fuzzed", "Hi")
    (path,) = world.home.rglob("fuzzed.jsonl")
    whole = path.read_bytes()
    for dice in rounds(seed):
        lines = [encode(nearly(dice, json.loads(line))) for line in whole.splitlines()]
        data = b"\n".join([*lines, b""])
        path.write_bytes(damaged(dice, data) if dice.random() < 0.5 else data)
        before = path.read_bytes()
        for command in (
            ("sessions",),
            ("sessions", "show", "fuzzed"),
            ("sessions", "last", "fuzzed"),
            ("sessions", "grep", "a"),
            ("chat", "-S", "fuzzed", "-I", "Again"),
        ):
            inspect(world.call(*command), before)
        # A line that was cut off is overwritten; a line of a few bytes may be anywhere.
        assert path.read_bytes().startswith(before.rstrip(b"\n")) or len(before) < 9 or before not in path.read_bytes()


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_is_in_the_file_of_a_batch(world: World, seed: int) -> None:
    file = world.cwd / "out.jsonl"
    arguments = ("batch", "-q", "-o", "out.jsonl", "--resume", "{}")
    world.api.will(document(completion("words")))
    world.call(*arguments, stdin="a\nb\nc\n")
    whole = file.read_bytes()
    for dice in rounds(seed):
        rows = [json.loads(line) for line in whole.splitlines()]
        odd = dice.randrange(len(rows))
        rows[odd] = nearly(dice, rows[odd])
        intact = [row for number, row in enumerate(rows) if number != odd]
        file.write_bytes(b"".join(encode(row) + b"\n" for row in rows))
        inspect(world.call(*arguments, stdin="a\nb\nc\n"), rows)
        kept = b"".join(path.read_bytes() for path in world.cwd.glob("out.jsonl*"))
        for row in intact:
            assert row["key"].encode() in kept, (rows, kept)
        for leftover in world.cwd.glob("out.jsonl?*"):
            leftover.unlink()


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_is_in_a_dotenv_file(world: World, seed: int) -> None:
    names = [
        "AIMLAPI_API_KEY",
        "AIMLAPI_BASE_URL",
        "LLAMACLI_MODEL",
        "LLAMACLI_STOP",
        "LLAMACLI_N",
        "LLAMACLI_TIMEOUT",
        "export",
    ]
    for dice in rounds(seed):
        lines = [
            dice.choice(names) + dice.choice(("=", " = ", "", "='", '="')) + str(dice.choice(ATOMS)).replace("\x00", "")
            for _ in range(dice.randrange(6))
        ]
        data = "\n".join(lines).encode("utf-8", "replace")
        (world.cwd / ".env").write_bytes(damaged(dice, data) if data and dice.random() < 0.5 else data)
        for command in (("ask", "--dry-run", "-I", "Hi"), ("config", "show")):
            inspect(world.call(*command), data)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_is_on_the_command_line(world: World, seed: int) -> None:
    names = [name for command in app.commands() for flag in command.flags for name in flag.names]
    local = ("ask", "chat", "batch", "raw", "help", "sessions", "models", "completion", "man")
    for dice in rounds(seed):
        words = [dice.choice(local)]
        for _ in range(dice.randrange(6)):
            word = (
                dice.choice(names)
                if dice.random() < 0.6
                else dice.choice(("x", "-", "--", "@x", "1", "-1", "", "a=b", "{}"))
            )
            words.append(word + dice.choice(("", "", "=1", "=")) if word.startswith("--") else word)
        if words[0] in ("ask", "chat", "batch", "raw"):
            words.insert(1, "--dry-run")
        # An editor would wait for its user.
        result = world.call(*words, EDITOR="true", VISUAL="true", LLAMACLI_RETRY="0", LLAMACLI_MAX_TIME="5")
        if result.status != ExitStatus.FAILED:
            inspect(result, words)
