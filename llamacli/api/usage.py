"""Token counts and cost, as a completion or its headers report them."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from llamacli.api.messages import Completion


def total_usage(completions: Sequence[Completion]) -> dict[str, Any]:
    """Returns what the server told of tokens; of several completions the sums, {} where it told nothing."""
    told: list[Any] = [each for completion in completions if isinstance(each := completion.get("usage"), dict)]
    if len(told) < 2:
        return told[0] if told else {}
    keys = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {key: sum(each[key] for each in told if isinstance(each.get(key), int)) for key in keys}


def token_counts(usage: object) -> tuple[int, int]:
    """Returns the tokens in and out that a `usage` tells, 0 where it tells none."""
    counts = usage if isinstance(usage, dict) else {}
    found = [counts.get(key) for key in ("prompt_tokens", "completion_tokens")]
    taken, made = (count if isinstance(count, int) else 0 for count in found)
    return taken, made


def reported_cost(completion: Completion, headers: Mapping[str, str]) -> float | None:
    """Returns USD spent: from the last chunk's meta.usage, or a whole answer's header; None where neither tells."""
    told: list[Any] = []
    with suppress(KeyError, TypeError):
        told.append(completion["meta"]["usage"]["usd_spent"])
    told.append(headers.get("x-aimlapi-usd-spent"))
    return next((usd for usd in map(_parse_usd, told) if usd is not None), None)


def _parse_usd(told: Any) -> float | None:
    """Returns a cost, None where it is none: NaN or a negative one would undo what has been counted."""
    try:
        usd = float(told)
    except (TypeError, ValueError, OverflowError):
        return None
    return usd if 0 <= usd < math.inf else None
