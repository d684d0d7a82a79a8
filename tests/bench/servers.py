"""The servers that the bench asks, all in one process: plain, over TLS, and over TLS with a delay."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Process, Queue
from pathlib import Path
from typing import NamedTuple

import trustme

from tests.support.fake_api import completion, delta, event

CHUNKS = 20_000
#: Round-trip time of the distant server, in seconds.
ROUND_TRIP = 0.04
HELLO = "Hello."
#: The file of the certificate and key, in the folder of the run.
CERTIFICATE = "server.pem"


class Urls(NamedTuple):
    """Where the servers are."""

    plain: str
    far: str


def framed(block: bytes) -> bytes:
    """Makes a block a chunk of a chunked body (RFC 9112, 7.1); an empty one ends it."""
    return b"%x\r\n%s\r\n" % (len(block), block)


JSON = json.dumps(completion(HELLO)).encode()
DOCUMENT = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(JSON), JSON)
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
SHORT = [framed(event(delta(HELLO, role="assistant")))]
LONG = [framed(event(delta(f" token{number}"))) for number in range(CHUNKS)]
END = [framed(event(delta(finish="stop"))), framed(event("[DONE]")), framed(b"")]


async def drip() -> AsyncIterator[bytes]:
    """Yields ten tokens, each of which is the time at which it was sent."""
    for _ in range(10):
        yield framed(event(delta(f"{time.monotonic():.6f}\n")))
        await asyncio.sleep(0.2)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers the requests of one connection: `long` with many chunks, `drip` slowly, anything else briefly."""
    with suppress(OSError, asyncio.IncompleteReadError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            # The server reads only the ends of a long body, so that the client is measured.
            asked = body[:500] + body[-500:]
            if not re.search(rb'"stream": ?true', asked):
                writer.write(DOCUMENT)
                continue
            writer.write(STREAM)
            if b'"drip"' in asked:
                async for block in drip():
                    writer.write(block)
            else:
                for block in LONG if b'"long"' in asked else SHORT:
                    writer.write(block)
                    await writer.drain()
            writer.write(b"".join(END))
            await writer.drain()
    writer.close()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forwards bytes in one direction, each half a round trip later."""
    later = asyncio.get_running_loop().call_later
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            later(ROUND_TRIP / 2, writer.write, data)
    later(ROUND_TRIP / 2, writer.close)


async def serve(found: Queue[Urls], context: ssl.SSLContext) -> None:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # On loopback the kernel accepts at once, so the time for connecting is added here.
        await asyncio.sleep(ROUND_TRIP)
        there, back = await asyncio.open_connection("127.0.0.1", port(secure))
        await asyncio.gather(pass_on(reader, back), pass_on(there, writer))

    plain = await asyncio.start_server(answer, "127.0.0.1", limit=1 << 25)
    secure = await asyncio.start_server(answer, "127.0.0.1", ssl=context)
    far = await asyncio.start_server(relay, "127.0.0.1")
    found.put(Urls(f"http://127.0.0.1:{port(plain)}/v1", f"https://localhost:{port(far)}/v1"))
    await asyncio.Event().wait()


def port(server: asyncio.Server) -> int:
    number: int = server.sockets[0].getsockname()[1]
    return number


def run(found: Queue[Urls], certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    asyncio.run(serve(found, context))


@contextmanager
def quick_api(delay: float, allowed: int = 1 << 30, certificate: Path | None = None) -> Iterator[str]:
    """Runs a server for batches that answers after a delay in seconds; yields its base URL."""
    command = [sys.executable, "-m", "tests.support.quick_api", str(delay), str(allowed)]
    command += [str(certificate)] if certificate else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def start(folder: Path, default_bundle: Path) -> tuple[Process, Urls, Path]:
    """Starts the servers; returns their process, where they are, and the certificates to trust.

    These are the usual ones and one more, since loading them is a part of a call.
    """
    authority = trustme.CA()
    certificate, bundle = folder / CERTIFICATE, folder / "ca.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    bundle.write_bytes(default_bundle.read_bytes() + b"\n" + authority.cert_pem.bytes())
    found: Queue[Urls] = Queue()
    process = Process(target=run, args=(found, certificate), daemon=True)
    process.start()
    return process, found.get(timeout=30), bundle
