"""A stand-in for the API: a real HTTP server on loopback that answers, fails, truncates and delays on request.

It knows nothing about llamacli. Run as a program (`python -m tests.support.fake_api PORT`) it is the
server of `make demo`.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.parameters import check

MODEL = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
HELLO = "Hello. It's nice to meet you. Is there something I can help you with or would you like to chat?"
KEY = "sk-canary-0123456789abcdef"


@dataclass
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    #: When it came, by the monotonic clock.
    at: float = field(default_factory=time.monotonic)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the server's next behavior."""

    protocol_version = "HTTP/1.1"
    #: Else a kept connection waits 40 ms for an acknowledgement between headers and body.
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.api.connections += 1
        self.server.api.greeting(self)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(length)
        if len(body) < length:
            # A client that was killed while sending has asked nothing.
            raise ConnectionError
        self.asked = Request(self.command, self.path, headers, body)
        self.server.api.requests.append(self.asked)
        self.server.api.behavior()(self)

    do_GET = do_HEAD = do_DELETE = do_POST

    def handle_one_request(self) -> None:
        # A client that disconnects early is not worth reporting.
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None: ...

    @property
    def prompt(self) -> str:
        """The content of the request's last message."""
        content: str = self.asked.json["messages"][-1]["content"]
        return content

    def reply(
        self,
        status: int,
        body: bytes,
        kind: str = "application/json",
        headers: Sequence[tuple[str, str]] = (),
        chunked: bool = False,
    ) -> None:
        """Sends status, headers and, unless the caller sends chunks, the body."""
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("x-inference-id", "inf-1")
        if echoed := self.headers.get("X-Client-Request-Id"):
            self.send_header("x-client-request-id", echoed)
        for name, value in headers:
            self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def chunk(self, data: bytes) -> None:
        """Sends one chunk of a chunked body; an empty one ends it."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def reset(self) -> None:
        """Ends the connection by RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


Behavior = Callable[[Handler], None]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    api: FakeApi

    def handle_error(self, request: Any, client_address: Any) -> None: ...


class FakeApi:
    """The server. `requests` is what it received; `will` queues behaviors, and the last one stays."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.requests: list[Request] = []
        #: The number of connections, and what is done with each before any request.
        self.connections = 0
        self.greeting: Behavior = lambda handler: None
        self._behaviors: list[Behavior] = [respond]
        self._lock = threading.Lock()
        self.server = Server((host, port), Handler)
        self.server.api = self
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.host = f"{host}:{self.server.server_address[1]}"
        self.url = f"{'https' if tls else 'http'}://{self.host}/v1"
        self.over = threading.Event()

    def will(self, *behaviors: Behavior) -> FakeApi:
        self._behaviors = list(behaviors)
        return self

    def behavior(self) -> Behavior:
        with self._lock:
            return self._behaviors.pop(0) if len(self._behaviors) > 1 else self._behaviors[0]

    @property
    def body(self) -> Any:
        """The JSON body of the last request."""
        return self.requests[-1].json

    @property
    def prompt(self) -> str:
        """The content of the last request's last message."""
        content: str = self.body["messages"][-1]["content"]
        return content

    def __enter__(self) -> FakeApi:
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


# Documents


def completion(content: str | None = HELLO, finish: str | None = "stop", **message: Any) -> dict[str, Any]:
    """A chat.completion as the API documents it."""
    whole = {"role": "assistant", "content": content, "tool_calls": [], **message}
    return {
        "id": "npQ5s8C-2j9zxn-92d9f3c84a529790",
        "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": finish, "logprobs": None, "message": whole}],
        "created": 1744201161,
        "model": MODEL,
        "usage": {"prompt_tokens": 67, "completion_tokens": 46, "total_tokens": 113},
    }


def delta(content: str | None = None, finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    """A chat.completion.chunk with one choice."""
    parts = {} if content is None else {"content": content}
    choice = {"index": index, "delta": {**parts, **more}, "finish_reason": finish}
    return {"id": "chunk-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": [choice]}


USAGE = {"prompt_tokens": 67, "completion_tokens": 46, "total_tokens": 113}
LAST = {
    "id": "chunk-1",
    "object": "chat.completion.chunk",
    "choices": [],
    "usage": USAGE,
    "meta": {"usage": {"credits_used": 246, "usd_spent": 0.000123}},
}


def event(data: object) -> bytes:
    """A server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"data: {text}\n\n".encode()


def pieces(text: str) -> list[str]:
    """Cuts a text as tokens would."""
    return re.findall(r"\s*\S+|\s+", text)


def streamed(text: str, finish: str = "stop", usage: bool = False, n: int = 1) -> list[bytes]:
    """The events of a whole stream of n answers with the same text."""
    chunks: list[dict[str, Any]] = []
    for index in range(n):
        chunks += [delta(role="assistant", content="", index=index)]
        chunks += [delta(piece, index=index) for piece in pieces(text)]
        chunks += [delta(finish=finish, index=index)]
    return [*map(event, chunks), *([event(LAST)] if usage else []), event("[DONE]")]


# Behaviors


def respond(handler: Handler) -> None:
    """Answers as the API does, after checking key and body as the API does."""
    body = handler.asked.json if handler.asked.body else {}
    if handler.headers.get("Authorization") not in (None, f"Bearer {KEY}"):
        error(401, "This request requires a valid API key.")(handler)
    elif faults := list(check(body)):
        error(400, "Body validation error! " + ", ".join(faults))(handler)
    elif body.get("stream"):
        usage = (body.get("stream_options") or {}).get("include_usage", False)
        stream(streamed(HELLO, usage=usage, n=body.get("n") or 1))(handler)
    else:
        cost = [("x-aimlapi-credits-used", "246"), ("x-aimlapi-usd-spent", "0.000123")]
        document = completion()
        document["choices"] = [{**document["choices"][0], "index": index} for index in range(body.get("n") or 1)]
        handler.reply(200, json.dumps(document, ensure_ascii=False).encode(), headers=cost)


def answer(content: str | None = HELLO, **more: Any) -> Behavior:
    """Answers with a completion in one piece."""
    return document(completion(content, **more))


def echo(handler: Handler) -> None:
    """Answers a prompt with `re: PROMPT`."""
    answer(f"re: {handler.prompt}")(handler)


def by_prompt(other: Behavior = echo, **behaviors: Behavior) -> Behavior:
    """Behaves as the entry for the prompt says, otherwise as the default."""
    return lambda handler: behaviors.get(handler.prompt, other)(handler)


def document(value: object, status: int = 200, kind: str = "application/json") -> Behavior:
    body = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
    return lambda handler: handler.reply(status, body, kind)


def text(content: str, **more: Any) -> Behavior:
    """Answers with a whole stream of this text."""
    return stream(streamed(content, **more))


def stream(
    events: Iterable[bytes],
    pause: float = 0.0,
    then: str = "end",
    kind: str = "text/event-stream",
    headers: Sequence[tuple[str, str]] = (),
) -> Behavior:
    """Sends blocks of bytes, one HTTP chunk each. `then`: end, cut (FIN), reset (RST) or hang."""
    blocks = list(events)

    def behave(handler: Handler) -> None:
        handler.reply(200, b"", kind, headers, chunked=True)
        for number, block in enumerate(blocks):
            if number and pause:
                time.sleep(pause)
            handler.chunk(block)
        _finish(handler, then)

    return behave


def _finish(handler: Handler, then: str) -> None:
    if then == "end":
        handler.chunk(b"")
    elif then == "reset":
        time.sleep(0.05)
        handler.reset()
    else:
        if then == "hang":
            handler.server.api.over.wait(30)
        handler.close_connection = True


def error(status: int, message: str = "", headers: Sequence[tuple[str, str]] = (), **more: Any) -> Behavior:
    """Fails with the API's own error document."""
    value = {"message": message, "path": "/v1/chat/completions", "requestId": "req-9", "statusCode": status, **more}
    return lambda handler: handler.reply(status, json.dumps(value).encode(), headers=headers)


def raw(data: bytes, then: str = "cut") -> Behavior:
    """Sends raw bytes instead of a response."""

    def behave(handler: Handler) -> None:
        handler.wfile.write(data)
        handler.wfile.flush()
        handler.close_connection = True
        if then == "reset":
            time.sleep(0.05)
            handler.reset()
        elif then == "hang":
            handler.server.api.over.wait(30)

    return behave


def drip(data: bytes, pause: float) -> Behavior:
    """Sends raw bytes one at a time."""

    def behave(handler: Handler) -> None:
        handler.close_connection = True
        for byte in data:
            handler.wfile.write(bytes([byte]))
            if handler.server.api.over.wait(pause):
                return

    return behave


hang = raw(b"", "hang")


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def demo(handler: Handler) -> None:
    """Answers a prompt as well as is possible without a model."""
    if handler.asked.method != "POST":
        return error(404, "no such path here")(handler)
    prompt = handler.asked.json["messages"][-1]["content"]
    longest = max(re.findall(r"[A-Za-z]+", prompt) or ["nothing"], key=len)
    said = (
        "I am the stand-in server, not a model, and what you read here came through the same socket,\n"
        f"stream and pipe as a real answer: you sent {count(len(prompt.split()), 'word')} in "
        f"{count(len(prompt.splitlines()), 'line')},"
        f" and the longest word is '{longest}'."
    )
    return stream(streamed(said, usage=True), pause=0.03)(handler)


if __name__ == "__main__":
    with FakeApi(int(sys.argv[1]) if len(sys.argv) > 1 else 0).will(demo) as api:
        print(api.url, flush=True)
        threading.Event().wait()
