"""A request before it is sent: what --dry-run and --curl show, and what the client puts on the wire."""

from collections.abc import Iterable
from typing import Annotated

from llamacli import endpoint
from llamacli.endpoint import EndpointOptions
from llamacli.environment import Environment
from llamacli.kinds import Switch
from llamacli.options import Flag, Table
from llamacli.output import Output

CHAT = "/chat/completions"


class DryOptions(Table):
    """To see the request in place of sending it."""

    title = "Output"

    dry_run: Annotated[bool, Flag(Switch(), "Print the JSON body and send nothing.")] = False
    curl: Annotated[bool, Flag(Switch(), "Print the call as a curl command and send nothing.")] = False


class Outgoing:
    """Method, path, body and headers of a request; the Authorization is added where it is sent."""

    def __init__(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        request_id: str | None = None,
        extra: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.method, self.path, self.body = method, path, body
        #: The X-Client-Request-Id; the client makes one where none was given.
        self.request_id = request_id
        self._extra = tuple(extra)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that llamacli sets, those that were asked for in place of its own."""
        own = {"Content-Type": "application/json"} if self.body else {}
        if self.request_id:
            own["X-Client-Request-Id"] = self.request_id
        given = dict(self._extra)
        replaced = {name.lower() for name in given}
        return {name: value for name, value in own.items() if name.lower() not in replaced} | given


def show(outgoing: Outgoing, dry: DryOptions, server: EndpointOptions, path: str | None, env: Environment) -> None:
    """Prints a request in place of sending it: no key is fetched and nothing leaves the machine."""
    with Output(path) as out:
        if dry.curl:
            out.write(
                curl(outgoing, endpoint.join(server.base_url, outgoing.path), endpoint.would_send_key(server, env))
            )
        else:
            out.json_text((outgoing.body or b"").decode())
        out.end()
        out.commit()


def curl(outgoing: Outgoing, url: str, with_key: bool) -> str:
    """Returns a command for a POSIX shell that puts the same bytes on the wire.

    The body goes through printf, which is built into the shell: an argument of a
    program holds 128 KiB at most on Linux. The key stays in its variable.
    """
    words = ["curl", "-sS", "-N", "-X", outgoing.method, quote(url)]
    for name, value in outgoing.headers.items():
        words += ["-H", quote(f"{name}: {value}")]
    if with_key:
        words += ["-H", '"Authorization: Bearer $AIMLAPI_API_KEY"']
    if not outgoing.body:
        return " ".join(words)
    return f"printf %s {quote(outgoing.body.decode())} | {' '.join(words)} --data-binary @-"


def quote(text: str) -> str:
    """Quotes a word for a POSIX shell: nothing inside of single quotes means anything."""
    return "'" + text.replace("'", "'\\''") + "'"
