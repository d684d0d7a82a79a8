"""A request before it is sent, and its URL."""

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from llamacli.api.json import JsonObject, encode


def join_url(base_url: str, path: str) -> str:
    """Returns the URL of a path; `//path` is below the host's root."""
    if path.startswith("//"):
        parts = urlsplit(base_url)
        return f"{parts.scheme}://{parts.netloc}{path[1:]}"
    return base_url + path


def is_loopback(url: str) -> bool:
    """True if a URL's host is this machine, by its name or address alone."""
    host = urlsplit(url).hostname or ""
    try:
        return is_localhost(host) or ip_address(host.rstrip(".")).is_loopback
    except ValueError:
        return False


def is_localhost(host: str) -> bool:
    """True for localhost and its subdomains, never looked up (RFC 6761)."""
    return f".{host.lower()}".rstrip(".").endswith(".localhost")


CHAT_PATH = "/chat/completions"


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
