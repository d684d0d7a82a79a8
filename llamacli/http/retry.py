"""What an HTTP status means: whether to try again and when, and how to exit."""

from time import time

from llamacli.errors import ExitStatus

#: Statuses that another try may mend: the request timed out, came too early or too often, or the server failed.
RETRYABLE_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


#: What the statuses mean that have a meaning of their own: how to end, and what a person can do.
STATUS_MEANINGS = {
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
    return STATUS_MEANINGS.get(code, (ExitStatus.REFUSED, by_kind))


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
