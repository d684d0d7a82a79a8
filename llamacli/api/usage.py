"""Token counts and cost, as a completion or its headers report them."""

import math
from collections.abc import Mapping, Sequence

from llamacli.api.json import Json
from llamacli.api.messages import Completion, Usage

USAGE_KEYS = ("prompt_tokens", "completion_tokens", "total_tokens")


#: A larger count is an error of the server's, and too large for arithmetic with times.
MAX_TOKENS = 10**12


def total_usage(completions: Sequence[Completion]) -> Usage:
    """Returns the token counts that the server reported.

    Counts of several completions are added up. Returns {} if there are none.
    """
    reported = [usage for completion in completions if isinstance(usage := completion.get("usage"), dict)]
    if len(reported) < 2:
        return reported[0] if reported else {}
    prompt, completion, total = (sum(token_count(usage, key) or 0 for usage in reported) for key in USAGE_KEYS)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}


def token_count(usage: Mapping[str, object], key: str) -> int | None:
    """Returns one count of a `usage` object, or None.

    It returns None if it is missing or not a count.
    """
    count = usage.get(key)
    if isinstance(count, float) and count.is_integer():
        count = int(count)
    if isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= MAX_TOKENS:
        return count
    return None


def token_counts(usage: object) -> tuple[int, int]:
    """Returns the tokens in and out of a `usage` object, 0 if missing."""
    counts = usage if isinstance(usage, dict) else {}
    return token_count(counts, "prompt_tokens") or 0, token_count(counts, "completion_tokens") or 0


def reported_cost(completion: Completion, headers: Mapping[str, str]) -> float | None:
    """Returns the USD spent, or None if the server does not report it.

    The cost is in the last chunk's meta.usage or in a document's header.
    """
    meta: object = completion.get("meta")
    usage = meta.get("usage") if isinstance(meta, dict) else None
    values = (usage.get("usd_spent") if isinstance(usage, dict) else None, headers.get("x-aimlapi-usd-spent"))
    return next((usd for usd in map(_parse_usd, values) if usd is not None), None)


def _parse_usd(value: Json) -> float | None:
    """Returns a cost, or None.

    It returns None if it is not one: NaN or a negative number would reset what has been counted.
    """
    try:
        usd = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return usd if 0 <= usd < math.inf else None
