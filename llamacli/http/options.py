"""The flags of a call: which server and key, how long to wait, what to show in place of sending."""

import os
import re
from typing import Annotated
from urllib.parse import urlsplit

from llamacli.cli.table import Flag, Options
from llamacli.cli.types import Integer, ParamType, PathType, Pattern, Seconds, Switch
from llamacli.config.settings import KEY_VARIABLES
from llamacli.errors import ExitStatus, LlamaError


class PreviewOptions(Options):
    """To see the request in place of sending it."""

    title = "Output"

    dry_run: Annotated[bool, Flag(Switch(), "Print the JSON body and send nothing.")] = False
    curl: Annotated[bool, Flag(Switch(), "Print the call as a curl command and send nothing.")] = False


DEFAULT_BASE_URL = "https://api.aimlapi.com/v1"


class BaseUrlType(ParamType):
    metavar = "URL"

    def parse(self, text: str) -> str:
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            # Its own words may quote a part of a password.
            raise ValueError("is no URL: its host or port is malformed") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
            raise ValueError("is no URL with http:// or https:// and a host")
        if parts.username is not None:
            raise ValueError("holds a user or password: use a key, which no flag shows")
        # What one library takes for a part of the host (a backslash, say), another takes for its end.
        if not re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(:\d*)?", parts.netloc):
            raise ValueError("holds a host that is not of a-z 0-9 . - (others have a form that begins with xn--)")
        if parts.query or parts.fragment or not re.fullmatch(r"[!-\[\]-~]+", text):
            raise ValueError("holds more than scheme, host, port and path")
        # Whatever is asked of a URL later on is asked of one spelling.
        return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}".rstrip("/")


class EndpointOptions(Options):
    """Which server is called, with which key."""

    title = "Server and key"
    note = (
        f"The server's default in the environment is AIMLAPI_BASE_URL. The key is in {', '.join(KEY_VARIABLES)}, "
        "in the file that LLAMACLI_KEY_FILE names, or what the command LLAMACLI_KEY_COMMAND prints."
    )

    base_url: Annotated[
        str,
        Flag(
            BaseUrlType(),
            "Call this server.",
            env="AIMLAPI_BASE_URL",
            untrusted=True,
            example="llamacli ask --base-url http://localhost:8080/v1 hello",
        ),
    ] = DEFAULT_BASE_URL
    key_file: Annotated[str | None, Flag(PathType(), "Read the key from this file.")] = None
    no_key: Annotated[bool, Flag(Switch(), "Send no key.")] = False
    allow_http: Annotated[bool, Flag(Switch(), "Send the key over plain http to other hosts than this one.")] = False


SECONDS = Seconds(0.001, 1_000_000)


class NetworkOptions(Options):
    """How long to wait, how often to try, and what to trust. Times are in seconds."""

    title = "Network"
    note = "Each has a default in the environment: LLAMACLI_TIMEOUT and so on."

    timeout: Annotated[
        float | None,
        Flag(SECONDS, "Allow the server this long a silence (default 120 while streaming, else 600).", env=True),
    ] = None
    connect_timeout: Annotated[float, Flag(SECONDS, "Allow this long for connecting.", env=True)] = 10
    max_time: Annotated[float | None, Flag(SECONDS, "Allow this long for the whole call.", env=True)] = None
    retry: Annotated[int, Flag(Integer(0), "Try again this often after a failure that may pass.", env=True)] = 5
    retry_max_time: Annotated[float, Flag(Seconds(0, 1_000_000), "Start no try after this long.", env=True)] = 120
    request_id: Annotated[
        str | None,
        Flag(
            Pattern("ID", r"[A-Za-z0-9._:-]{1,128}", "1 to 128 of A-Z a-z 0-9 . _ : -"),
            "Send this X-Client-Request-Id in place of a new UUID.",
            env=True,
        ),
    ] = None
    ca_bundle: Annotated[
        str | None,
        Flag(PathType(), "Trust these certificates (default: $REQUESTS_CA_BUNDLE, else certifi's).", env=True),
    ] = None


def certificates(options: NetworkOptions) -> str | None:
    """Returns the path of the certificates to trust, None for the default ones. Raises LlamaError (usage)."""
    path = options.ca_bundle or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if path and not os.path.exists(path):
        raise LlamaError(ExitStatus.USAGE, f"no certificates at {path}", "mend --ca-bundle or REQUESTS_CA_BUNDLE")
    return path or None
