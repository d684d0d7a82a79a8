"""What a failed attempt means, and whether and when to retry."""

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llamacli import PROGRAM
from llamacli.api.errors import (
    is_context_length_error,
    is_invalid_key,
    is_out_of_quota,
    is_unknown_model,
    is_wrong_path,
    quoted_headers,
    retry_delay_in,
)
from llamacli.errors import ExitStatus, LlamaError

if TYPE_CHECKING:
    from llamacli.http.options import NetworkOptions


#: Longest wait that a server can ask for, which is longer than any limit of the user's.
MAX_WAIT_SECONDS = 1e9
#: A number of seconds, which some servers send with a unit, in quotes or twice, or in hours and minutes.
DURATION = r'["+\s]*(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d*)?)\s*(s|sec|seconds?|ms)?)?["\s]*(?:[,;].*)?'
#: Only this many characters of a time are read: the pattern takes quadratic time.
MAX_TIME_CHARS = 200
#: The seconds in a RateLimit header, in the forms of several drafts, if nothing remains.
RATE_LIMIT = r"\b(?:r|remaining)=0\b.{0,99}\b(?:t|reset)=(\d+)"
#: Numbers of seconds that count from 1970.
EPOCH_SECONDS = (1e9, 1e10)

#: Retries after a failure to look up a host name.
NAME_ERROR_RETRIES = 1


class Retryable(Exception):
    """A failure after which the same request may be sent again.

    `retry_after`: seconds that the server asks to wait. `http_status`: 0 without a
    response. `max_retries`: no more than these, whatever the options say.
    """

    def __init__(
        self, error: LlamaError, retry_after: float | None = None, http_status: int = 0, max_retries: int | None = None
    ) -> None:
        super().__init__(str(error))
        self.error, self.retry_after, self.http_status = error, retry_after, http_status
        self.max_retries = max_retries


class RetryPolicy:
    """How many times, for how long and after what waits to retry.

    One policy covers everything that is sent for one question: asking again for a valid
    answer does not restart --max-time and --retry-max-time.
    """

    def __init__(self, options: "NetworkOptions") -> None:
        self.retries, self._retry_max_time = options.retry, options.retry_max_time
        limit = options.max_time
        self._max_time = limit and max(limit - options.seconds_spent, 0.001)
        self._started = time.monotonic()

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
        """Returns the seconds to wait before the next attempt.

        `failures` counts the earlier attempts, all of which failed. Raises the failure's LlamaError if no
        attempt is left.
        """
        if failures >= self._retries_after(failure):
            raise failure.error
        # A server may ask for more than our own wait, never for less.
        wait = max(backoff(failures), failure.retry_after or 0)
        if self.elapsed + wait <= min(self._retry_max_time, self._max_time or float("inf")):
            return wait
        if not failure.retry_after or wait > failure.retry_after:
            raise failure.error
        # Either limit may be the lower one.
        raise failure.error.add_hint(f"{asked_wait(failure)}, more than --retry-max-time or --max-time allows")

    def note(self, failure: Retryable, failures: int, wait: float) -> str:
        """Describes the retry that follows a failure."""
        return f"{failure.error.message}; retry {failures + 1} of {self._retries_after(failure)} in {wait:.1f} s"

    def _retries_after(self, failure: Retryable) -> int:
        return self.retries if failure.max_retries is None else min(self.retries, failure.max_retries)


def asked_wait(failure: Retryable) -> str:
    """Returns what to say of a wait that is longer than a limit."""
    seconds = failure.retry_after or 0
    units = (("s", 1, 600), ("minutes", 60, 7200), ("hours", 3600, 172_800), ("days", 86_400, 86_400 * 1000))
    words = next((f"{seconds / size:.0f} {unit}" for unit, size, end in units if seconds < end), "years")
    return f"the server asks to wait {words}"


def backoff(attempt: int) -> float:
    """Returns the seconds to wait after failure number `attempt` (from 0).

    The waits double from 1 to 30 s. Each is shortened at random by up to half, so that
    clients do not all come back at once.
    """
    from random import uniform

    return float(min(30, 2 ** min(attempt, 5)) * uniform(0.5, 1))


def retry_after(headers: Mapping[str, str], body: bytes = b"") -> float | None:
    """Returns the seconds that a server asks to wait, None if it does not ask.

    Reads Retry-After (RFC 9110, 10.2.3: seconds or a date) and what servers send in its
    place: milliseconds, the time at which an exhausted limit is reset, words in the body,
    the headers of another server in the body.
    """
    values = [(headers.get(name, ""), 0.001) for name in ("retry-after-ms", "x-ms-retry-after-ms")]
    values += [(headers.get(name, ""), 1) for name in ("Retry-After", "retry-after-seconds")]
    values += [(reset, 1) for reset in re.findall(RATE_LIMIT, headers.get("RateLimit", ""))]
    fields = {name.lower(): value for name, value in headers.items()} | quoted_headers(body)
    for name, left in fields.items():
        if "ratelimit" in name and "remaining" in name and left.strip() == "0":
            reset = fields.get(name.replace("remaining", "reset")) or fields.get(
                name.replace("remaining", "reset-after"), ""
            )
            # OpenRouter's is a time in milliseconds.
            values.append((reset, 0.001 if re.fullmatch(r"\d{13}", reset) else 1))
    waits = (_wait(text[:MAX_TIME_CHARS], unit) for text, unit in values)
    seconds = next((seconds for seconds in waits if seconds is not None), None)
    return retry_delay_in(body) if seconds is None else min(max(0.0, seconds), MAX_WAIT_SECONDS)


def _wait(text: str, unit: float) -> float | None:
    """Returns the seconds until a time, which is a number of `unit` seconds or a date."""
    match = re.fullmatch(DURATION, text, re.ASCII | re.IGNORECASE)
    if not match or not any(match.groups()):
        return _seconds_until(text)
    hours, minutes, number, suffix = match.groups()
    seconds = float(number or 0) * (0.001 if suffix == "ms" else unit)
    if EPOCH_SECONDS[0] <= seconds < EPOCH_SECONDS[1]:
        return seconds - time.time()
    return float(hours or 0) * 3600 + float(minutes or 0) * 60 + seconds


def _seconds_until(date: str) -> float | None:
    if not date:
        return None
    from datetime import datetime, timezone
    from email.utils import parsedate_to_datetime

    with suppress(TypeError, ValueError, OverflowError):
        is_iso = date[:4].isdecimal()
        moment = datetime.fromisoformat(date.replace("Z", "+00:00")) if is_iso else parsedate_to_datetime(date)
        # A date without a zone is UTC (RFC 9110, 5.6.7).
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp() - time.time()
    return None


#: Statuses after which to retry: the request timed out, came too early or too often, or the server failed.
#: 520 to 524 are Cloudflare's for a failure of the server behind it, 529 is Anthropic's for an overload.
RETRYABLE_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
CHECK_BASE_URL = "check --base-url (it usually ends in /v1)"
CHECK_MODEL = f"check the model; '{PROGRAM} models' lists what the server offers"
CHECK_PICTURES = "check that the model accepts pictures; -m chooses another"
#: The statuses with a meaning of their own.
STATUS_MEANINGS = {
    401: (ExitStatus.KEY, "check the key"),
    402: (ExitStatus.CREDITS, "top up the account"),
    403: (ExitStatus.CREDITS, "top up the account, or check the key's permissions"),
    404: (ExitStatus.REFUSED, CHECK_BASE_URL),
    405: (ExitStatus.REFUSED, CHECK_BASE_URL),
    408: (ExitStatus.SERVER, "try again later"),
    413: (ExitStatus.REFUSED, "send less"),
    425: (ExitStatus.SERVER, "try again later"),
    429: (ExitStatus.RATE, "wait, or send fewer requests"),
}


def status_meaning(
    code: int, words: str, url: str, is_chat: bool, has_pictures: bool = False
) -> tuple[ExitStatus, str]:
    """Returns the exit status and a hint for a response that is not a 2xx.

    `words` is the server's message, `url` the one that was called. A request with
    pictures is refused by models that read only text, in any words.
    """
    if code >= 500:
        return ExitStatus.SERVER, "try again later"
    if code < 400:
        return ExitStatus.REFUSED, "use the address that the server names as --base-url"
    status, hint = STATUS_MEANINGS.get(code, (ExitStatus.REFUSED, "correct the request"))
    if code == 429 and is_out_of_quota(words):
        return ExitStatus.CREDITS, "top up the account, or check its plan"
    is_page = words.startswith("an HTML page") and code != 413
    if code in (404, 405) or is_page or is_wrong_path(words):
        hint = path_hint(url)
        if code == 404 and is_chat and hint == CHECK_BASE_URL:
            hint = f"check the model and {hint.removeprefix('check ')}"
            hint = CHECK_PICTURES if has_pictures else CHECK_MODEL if is_unknown_model(words) else hint
    elif code == 400 and is_out_of_quota(words):
        hint = "top up the account, or check its plan"
    elif code == 400 and is_invalid_key(words):
        hint = STATUS_MEANINGS[401][1]
    elif status == ExitStatus.REFUSED and is_chat and is_context_length_error(words):
        hint = "send less text"
    elif has_pictures and code in (400, 415, 422):
        hint = CHECK_PICTURES
    elif is_chat and code in (400, 422) and is_unknown_model(words):
        hint = CHECK_MODEL
    return status, hint


def path_hint(url: str) -> str:
    """Returns what to check if there is nothing under a URL."""
    parts = urlsplit(url).path.split("/")[1:]
    for size in range(len(parts) // 2, 0, -1):
        for start in range(len(parts) - 2 * size + 1):
            if parts[start : start + size] == parts[start + size : start + 2 * size]:
                return f"check --base-url: /{'/'.join(parts[start : start + size])} is in the URL twice"
    return CHECK_BASE_URL


def status_text(code: int) -> str:
    """Returns `404 Not Found`; an unregistered status stands alone."""
    from http import HTTPStatus

    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)
