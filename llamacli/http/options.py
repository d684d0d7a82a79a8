"""The flags of a call: server, key, headers, timeouts, TLS, previews."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from llamacli.cli.table import Flag, Options
from llamacli.cli.types import Integer, ParamType, PathType, Pattern, Seconds, Switch
from llamacli.config import KEY_VARIABLES
from llamacli.errors import UsageError


class PreviewOptions(Options):
    """Print the request instead of sending it."""

    title = "Output"

    dry_run: Flag[bool] = Flag(False, Switch(), "Print the JSON body and send nothing.")
    curl: Flag[bool] = Flag(False, Switch(), "Print the call as a curl command and send nothing.")

    @property
    def is_used(self) -> bool:
        """True if requests are printed instead of sent."""
        return self.dry_run or self.curl


DEFAULT_BASE_URL = "https://api.aimlapi.com/v1"
#: What a host and port may consist of, IPv6 addresses aside. Sets and string methods, since a pattern costs more than
#: the whole rest of reading a URL.
# Spelled out, because importing `string` compiles a regular expression.
HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:")


class BaseUrlType(ParamType):
    metavar = "URL"

    def parse(self, text: str) -> str:
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            # urlsplit's own text may quote a part of a password.
            raise ValueError("is not a URL: its host or port is malformed") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
            raise ValueError("is not an http:// or https:// URL, such as http://localhost:8080/v1")
        if parts.username is not None:
            raise ValueError("contains a user or password: use a key instead, which no flag shows")
        # A backslash, for example, is a part of the host to one library and its end to another.
        is_name = HOST_CHARACTERS.issuperset(parts.netloc) and parts.netloc[0].isalnum()
        if not is_name and not re.fullmatch(r"\[[0-9A-Fa-f:.]+\](:\d*)?", parts.netloc):
            raise ValueError("has a host with characters other than a-z 0-9 . - (use the form that begins with xn--)")
        is_plain = text.isascii() and text.isprintable() and " " not in text and "\\" not in text
        if parts.query or parts.fragment or not is_plain:
            raise ValueError("contains more than scheme, host, port and path")
        # One spelling, so that all later checks agree.
        return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}".rstrip("/")


class EndpointOptions(Options):
    """Which server is called, with which key."""

    title = "Server and key"
    note = (
        f"The base URL can also be set with AIMLAPI_BASE_URL. The key is read from {', '.join(KEY_VARIABLES)}, "
        "the file that LLAMACLI_KEY_FILE names, or the output of the command LLAMACLI_KEY_COMMAND."
    )

    base_url: Flag[str] = Flag(
        DEFAULT_BASE_URL,
        BaseUrlType(),
        "API base URL.",
        env="AIMLAPI_BASE_URL",
        untrusted=True,
        example="llamacli ask --base-url http://localhost:8080/v1 hello",
    )
    key_file: Flag[str | None] = Flag(None, PathType(), "Read the key from this file.")
    no_key: Flag[bool] = Flag(False, Switch(), "Send no key.")
    allow_http: Flag[bool] = Flag(False, Switch(), "Allow sending the key unencrypted to other hosts.")


class HeaderType(ParamType):
    metavar = "'NAME: VALUE'"
    is_secret = True
    #: Headers that decide whose call this is and where it goes, or that frame the body.
    RESERVED = ("authorization", "proxy-authorization", "host", "content-length", "transfer-encoding", "connection")

    def parse(self, text: str) -> tuple[str, str]:
        name, colon, value = text.partition(":")
        if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise ValueError("expected 'Name: value'")
        if name.lower() in self.RESERVED:
            raise ValueError(f"{name} cannot be replaced")
        if name.lower() == "x-client-request-id":
            raise ValueError("to set that header, use --request-id")
        if not re.fullmatch(r"[\t -~]*", value):
            raise ValueError(f"the value of {name} contains a character that a header cannot carry")
        return name, value.strip()


SECONDS = Seconds(0.001, 1_000_000)


class NetworkOptions(Options):
    """Timeouts and retries, in seconds; headers and certificates."""

    title = "Network"
    note = "Each flag has an environment variable: LLAMACLI_TIMEOUT and so on. Times are in seconds."

    timeout: Flag[float | None] = Flag(
        None, SECONDS, "Longest wait for data (default 120; 600 if not streaming).", env=True
    )
    connect_timeout: Flag[float] = Flag(10, SECONDS, "Maximum time to connect.", env=True)
    max_time: Flag[float | None] = Flag(None, SECONDS, "Maximum time for the whole call.", env=True)
    retry: Flag[int] = Flag(5, Integer(0), "Number of retries after a temporary failure.", env=True)
    retry_max_time: Flag[float] = Flag(120, Seconds(0, 1_000_000), "Stop retrying after this long.", env=True)
    header: Flag[list[tuple[str, str]] | None] = Flag(
        None,
        HeaderType(),
        "Add a request header.",
        "-H",
        multiple=True,
        env=True,
        example="llamacli ask -H 'X-Title: nightly' hello",
    )
    request_id: Flag[str | None] = Flag(
        None,
        Pattern("ID", r"[A-Za-z0-9._:-]{1,128}", "1 to 128 of A-Z a-z 0-9 . _ : -"),
        "X-Client-Request-Id to send instead of a new UUID.",
        env=True,
    )
    ca_bundle: Flag[str | None] = Flag(
        None, PathType(), "CA certificates (default: $SSL_CERT_FILE, else certifi's).", env=True
    )

    usage_log: Flag[str | None] = Flag(None, PathType(), "Append a JSON line for each request to this file.", env=True)

    #: Seconds of --max-time that had passed before the first request.
    seconds_spent = 0.0

    def after(self, seconds: float) -> NetworkOptions:
        """Returns the options for a call that started `seconds` ago."""
        return self.replace("seconds_spent", seconds, "") if seconds else self


#: The variables that name the certificates to trust, in order of precedence: requests', curl's and OpenSSL's.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def certificates(options: NetworkOptions) -> str | None:
    """Returns the CA bundle, None for certifi's. Raises LlamaError."""
    candidates = [(options.origins.get("ca_bundle", ""), options.ca_bundle)]
    candidates += [(name, os.environ.get(name)) for name in CA_VARIABLES]
    for origin, path in candidates:
        if path and not os.path.exists(path):
            raise UsageError(f"CA bundle not found: {path}", f"check {origin}")
        if path:
            return path
    return None
