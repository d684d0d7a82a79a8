"""A request before it is sent."""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from llamacli.api.json import encode


def join_url(base_url: str, path: str) -> str:
    """Returns the URL of a path under a base URL, or from its host's root where the path begins with //."""
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
    """True for localhost and the names under it, which connections never look up (RFC 6761, 6.3)."""
    return f".{host.lower()}".rstrip(".").endswith(".localhost")


CHAT_PATH = "/chat/completions"


class Request:
    """Method, path, body and extra headers of a request; the Client adds Authorization.

    `stream`: the body asks for a stream, in which silence may not last as long.
    """

    def __init__(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        extra: Iterable[tuple[str, str]] = (),
        stream: bool = False,
    ) -> None:
        self.method, self.path, self.body, self.stream = method, path, body, stream
        self._extra = tuple(extra)

    @property
    def shared_key(self) -> tuple[object, ...]:
        """What requests share that differ in nothing but the bytes of the body and the id."""
        return self.method, self.path, self._extra, bool(self.body)

    def headers(self, request_id: str | None) -> dict[str, str]:
        """Returns the headers that llamacli sets, those that were asked for in place of its own."""
        own = {"Content-Type": "application/json"} if self.body else {}
        if request_id:
            own["X-Client-Request-Id"] = request_id
        given: dict[str, tuple[str, str]] = {}
        for name, value in self._extra:
            # Values of one name are one list (RFC 9110, 5.3), of cookies with another comma (RFC 6265, 4.2.1).
            spelled, before = given.get(name.lower(), (name, ""))
            comma = "; " if name.lower() == "cookie" else ", "
            given[name.lower()] = spelled, f"{before}{comma}{value}" if before else value
        return {name: value for name, value in own.items() if name.lower() not in given} | dict(given.values())


class ChatRequest(Request):
    """A request for an answer: the encoded parameters, and what to expect in return."""

    def __init__(self, parameters: dict[str, Any], extra: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__("POST", CHAT_PATH, encode(parameters), extra, parameters.get("stream") is True)
        self.parameters = parameters
        n = parameters.get("n")
        #: The number of choices that were asked for.
        self.choices = n if isinstance(n, int) else 1

    def replace(self, **parameters: Any) -> "ChatRequest":
        """Returns the request with other parameters; a value of None removes one."""
        changed = {key: value for key, value in {**self.parameters, **parameters}.items() if value is not None}
        return ChatRequest(changed, self._extra)
