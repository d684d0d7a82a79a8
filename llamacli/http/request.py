"""A request before it is sent, and how --dry-run and --curl print it."""

import os
from collections.abc import Iterable
from uuid import UUID

from llamacli.api.json import JsonObject, encode
from llamacli.cli.spec import LoadedOptions
from llamacli.config import KEY_VARIABLES
from llamacli.http import endpoint
from llamacli.http.options import EndpointOptions, NetworkOptions, PreviewOptions, certificates
from llamacli.stdio.input import Environment
from llamacli.stdio.output import Output
from llamacli.stdio.text import shell_quoted

CHAT_PATH = "/chat/completions"
#: Keys of a body that say how the answer is sent, not what it is.
STREAM_KEYS = ("stream", "stream_options")


def new_request_id() -> str:
    """Returns a random UUID. Unlike uuid4(), it makes no system call."""
    from random import getrandbits

    return str(UUID(int=getrandbits(128), version=4))


class Request:
    """Method, path and body of a request.

    `stream`: the body asks for a stream, which has a shorter read timeout.
    """

    #: The number of choices that were asked for.
    choices = 1

    def __init__(self, method: str, path: str, body: bytes | None = None, stream: bool = False) -> None:
        self.method, self.path, self.body, self.stream = method, path, body, stream

    @property
    def has_pictures(self) -> bool:
        """True if a message is known to contain a picture."""
        return False

    @property
    def shared_key(self) -> tuple[object, ...]:
        """What requests share that differ only in body and id."""
        return self.method, self.path, bool(self.body)

    def headers(self, request_id: str | None, extra: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
        """Returns all headers but Authorization; extra ones replace others."""
        headers = {"content-type": ("Content-Type", "application/json")} if self.body else {}
        if request_id:
            headers["x-client-request-id"] = "X-Client-Request-Id", request_id
        extras: dict[str, tuple[str, str]] = {}
        for name, value in extra:
            # Values of one name form one list (RFC 9110, 5.3); cookies use another separator (RFC 6265, 4.2.1).
            spelling, before = extras.get(name.lower(), (name, ""))
            comma = "; " if name.lower() == "cookie" else ", "
            extras[name.lower()] = spelling, f"{before}{comma}{value}" if before else value
        return dict((headers | extras).values())


class ChatRequest(Request):
    """A request for an answer: encoded parameters and what to expect."""

    def __init__(self, parameters: JsonObject) -> None:
        super().__init__("POST", CHAT_PATH, encode(parameters), parameters.get("stream") is True)
        self.parameters = parameters
        n = parameters.get("n")
        self.choices = n if isinstance(n, int) else 1

    @property
    def has_pictures(self) -> bool:
        return b'"image_url"' in (self.body or b"")

    def replace(self, **parameters: object) -> "ChatRequest":
        """Returns a request with other parameters; None removes one."""
        removed = {key for key, value in parameters.items() if value is None}
        merged = {**self.parameters, **parameters}
        return ChatRequest({key: value for key, value in merged.items() if key not in removed})


def print_previews(requests: Iterable[Request], options: LoadedOptions, path: str | None, env: Environment) -> None:
    """Prints each request on a line; fetches no key and sends nothing."""
    server, network, is_curl = options[EndpointOptions], options[NetworkOptions], options[PreviewOptions].curl
    with Output(path) as out:
        if is_curl:
            endpoint.announce(server, env)
            with_key = endpoint.would_send_key(server, env)
            if not with_key and (holder := endpoint.untrusted_key_source(server, env)):
                env.stderr.note(f"the command sends no key, but the call itself would send the one in {holder}")
            if with_key and not os.environ.get(KEY_VARIABLES[0]):
                env.stderr.note(f"the command takes the key from {KEY_VARIABLES[0]}, which is not set here")
        for outgoing in requests:
            if is_curl:
                url = endpoint.join_url(server.base_url, outgoing.path)
                out.write(curl_command(outgoing, url, network, with_key))
            else:
                out.json_text((outgoing.body or b"").decode())
            out.end()
        out.commit()


def curl_command(outgoing: Request, url: str, network: NetworkOptions, with_key: bool) -> str:
    """Returns a POSIX shell command that sends exactly the same bytes.

    printf passes the body, because it is built into the shell: an argument of a program
    is limited to 128 KiB on Linux. The key stays in a variable.
    """
    # Without -g, curl expands braces and brackets in a URL.
    words = ["curl", "-sS", "-N", "-g"]
    # With -X HEAD, curl would wait for the body that the headers announce.
    is_head = outgoing.method == "HEAD" and not outgoing.body
    words += [*(["--head"] if is_head else ["-X", outgoing.method]), shell_quoted(url)]
    if endpoint.is_loopback(url):
        words += ["--noproxy", "'*'"]
    if bundle := certificates(network):
        words += ["--capath" if os.path.isdir(bundle) else "--cacert", shell_quoted(bundle)]
    headers = outgoing.headers(network.request_id, network.header or ())
    for name, value in headers.items():
        words += ["-H", shell_quoted(f"{name}: {value}" if value else f"{name};")]
    if with_key:
        words += ["-H", f'"Authorization: Bearer ${KEY_VARIABLES[0]}"']
    if outgoing.body:
        return f"printf %s {shell_quoted(outgoing.body.decode())} | {' '.join(words)} --data-binary @-"
    if outgoing.method not in ("GET", "HEAD"):
        # curl would send a Content-Type for an empty body.
        untyped = "content-type" not in map(str.lower, headers)
        words += [*(["-H", "'Content-Type:'"] if untyped else []), "--data-binary", "''"]
    return " ".join(words)
