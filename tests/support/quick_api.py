"""A stand-in for the API that answers thousands of calls a second: one thread, no checks, no errors but 429."""

from __future__ import annotations

import asyncio
import json
import selectors
import ssl
import sys
from typing import Any

HEAD = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Server(asyncio.Protocol):
    """Answers each prompt with `re: PROMPT` after a delay; refuses more than `allowed` calls at once."""

    in_flight = 0
    refused = 0

    def __init__(self, delay: float, allowed: int) -> None:
        self.delay, self.allowed = delay, allowed
        self.data = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.came = asyncio.get_running_loop().time()
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end].lower()
            size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(self.data) < end + 4 + size:
                return
            body, self.data = self.data[end + 4 : end + 4 + size], self.data[end + 4 + size :]
            self.asked(body)

    def asked(self, body: bytes) -> None:
        if Server.in_flight >= self.allowed:
            Server.refused += 1
            self.transport.write(response(b"429 Too Many Requests", {"message": "Too Many Requests"}))
            return
        Server.in_flight += 1
        message = {"role": "assistant", "content": f"re: {json.loads(body)['messages'][-1]['content']}"}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        data = response(b"200 OK", {"id": "1", "object": "chat.completion", "choices": choices, "usage": usage})
        if self.delay:
            # What the server itself takes is a part of it.
            asyncio.get_running_loop().call_at(self.came + self.delay, self.answer, data)
        else:
            self.answer(data)

    def answer(self, data: bytes) -> None:
        Server.in_flight -= 1
        self.transport.write(data)


def response(status: bytes, document: object) -> bytes:
    body = json.dumps(document).encode()
    return HEAD % (status, len(body)) + body


async def main(delay: float, allowed: int, certificate: str) -> None:
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(
        lambda: Server(delay, allowed), "127.0.0.1", 0, backlog=1024, ssl=context
    )
    scheme, host = ("https", "localhost") if certificate else ("http", "127.0.0.1")
    print(f"{scheme}://{host}:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    # epoll, the usual one, rounds a delay up to the next millisecond.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    given = [*sys.argv[1:], *("", str(1 << 30), "")[len(sys.argv) - 1 :]]
    loop.run_until_complete(main(float(given[0]), int(given[1]), given[2]))
