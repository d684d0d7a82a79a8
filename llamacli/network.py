"""The network options, and what follows from a response's status: when to try again, how to end."""

import os
from time import time
from typing import Annotated

from llamacli.errors import ExitStatus, LlamaError
from llamacli.kinds import Integer, Matching, Path, Seconds
from llamacli.options import Flag, Table

#: Statuses that another try may mend: the request timed out, came too early or too often, or the server failed.
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
SECONDS = Seconds(0.001, 1_000_000)


class NetworkOptions(Table):
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
            Matching("ID", r"[A-Za-z0-9._:-]{1,128}", "1 to 128 of A-Z a-z 0-9 . _ : -"),
            "Send this X-Client-Request-Id in place of a new UUID.",
            env=True,
        ),
    ] = None
    ca_bundle: Annotated[
        str | None, Flag(Path(), "Trust these certificates (default: $REQUESTS_CA_BUNDLE, else certifi's).", env=True)
    ] = None


def certificates(options: NetworkOptions) -> str | None:
    """Returns the path of the certificates to trust, None for the default ones. Raises LlamaError (usage)."""
    path = options.ca_bundle or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if path and not os.path.exists(path):
        raise LlamaError(ExitStatus.USAGE, f"no certificates at {path}", "mend --ca-bundle or REQUESTS_CA_BUNDLE")
    return path or None


#: What the statuses mean that have a meaning of their own: how to end, and what a person can do.
MEANINGS = {
    401: (ExitStatus.KEY, "check the key"),
    402: (ExitStatus.CREDITS, "top up the account"),
    403: (ExitStatus.CREDITS, "top up the account, or check what the key may do"),
    404: (ExitStatus.REFUSED, "check --base-url, which mostly ends in /v1"),
    408: (ExitStatus.SERVER, "try again later"),
    413: (ExitStatus.REFUSED, "send less"),
    425: (ExitStatus.SERVER, "try again later"),
    429: (ExitStatus.RATE, "wait, or ask less often"),
}


def meaning(code: int) -> tuple[ExitStatus, str]:
    """Returns the exit status of an HTTP status that is no success, and what a person can do about it."""
    if code >= 500:
        return ExitStatus.SERVER, "try again later"
    by_kind = "name the address meant with --base-url" if code < 400 else "mend the request"
    return MEANINGS.get(code, (ExitStatus.REFUSED, by_kind))


def reason(code: int) -> str:
    """Returns `404 Not Found`; an unregistered status stands alone."""
    from http import HTTPStatus

    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def backoff(attempt: int) -> float:
    """Returns the seconds to wait after failure number `attempt` (from 0).

    Double from 1 to 30, each drawn between half and all of it, lest all clients come back at once.
    """
    from random import uniform

    return float(min(30, 2 ** min(attempt, 5)) * uniform(0.5, 1))


def retry_after(header: str | None) -> float | None:
    """Reads Retry-After (RFC 9110, 10.2.3), seconds or a date, as seconds from now; None where it says nothing."""
    if not header:
        return None
    from datetime import timezone
    from email.utils import parsedate_to_datetime

    try:
        if header.strip().isdigit():
            return float(header)
        date = parsedate_to_datetime(header)
        # One that names no zone is UTC (RFC 9110, 5.6.7).
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp() - time())
    except (TypeError, ValueError, OverflowError):
        return None
