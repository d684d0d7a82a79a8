"""What an HTTP status means, and whether and when to retry."""

import time
from typing import TYPE_CHECKING

from llamacli.errors import ExitStatus, LlamaError

if TYPE_CHECKING:
    from llamacli.http.options import NetworkOptions

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


class Retryable(Exception):
    """A failure after which the same request may be sent again.

    `retry_after`: seconds that the server asks to wait. `http_status`: 0 without a response.
    """

    def __init__(self, error: LlamaError, retry_after: float | None = None, http_status: int = 0) -> None:
        super().__init__(str(error))
        self.error, self.retry_after, self.http_status = error, retry_after, http_status


class RetryPolicy:
    """How often, how long and after what waits to retry, within the limits of the options.

    One policy covers everything that is sent for one question: asking again for a valid
    answer does not restart --max-time and --retry-max-time. `started` is the monotonic
    time from which they count.
    """

    def __init__(self, options: "NetworkOptions", started: float | None = None) -> None:
        self.retries, self._retry_max_time, self._max_time = options.retry, options.retry_max_time, options.max_time
        self._started = time.monotonic() if started is None else started

    @property
    def elapsed(self) -> float:
        """Seconds since the start, without those that were excluded."""
        return time.monotonic() - self._started

    @property
    def time_left(self) -> float:
        """Seconds left of --max-time, infinite without it."""
        return float("inf") if self._max_time is None else self._max_time - self.elapsed

    def exclude(self, seconds: float) -> None:
        """Stops counting time that was spent waiting for something else."""
        self._started += seconds

    def wait_seconds(self, failure: Retryable, failures: int) -> float:
        """Returns how long to wait before the next attempt, after so many earlier failures.

        Raises the failure's LlamaError if there is to be no other attempt.
        """
        if failures >= self.retries:
            raise failure.error
        wait = failure.retry_after if failure.retry_after is not None else backoff(failures)
        if self.elapsed + wait <= min(self._retry_max_time, self._max_time or float("inf")):
            return wait
        if not failure.retry_after:
            raise failure.error
        # Either limit may be the lower one.
        raise failure.error.add_hint(
            f"the server asks to wait {failure.retry_after:.0f} s, more than --retry-max-time or --max-time allows"
        )

    def note(self, failure: Retryable, failures: int, wait: float) -> str:
        """Describes the retry that follows a failure."""
        return f"{failure.error.message}; retry {failures + 1} of {self.retries} in {wait:.1f} s"


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
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None
