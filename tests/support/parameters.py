"""A second copy of the API's parameter table.

A stand-in that took its ranges from the program could not find a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

RANGES = {
    "max_tokens": (1, None),
    "temperature": (0, 2),
    "top_p": (0.01, 1),
    "top_k": (None, None),
    "min_p": (0.001, 0.999),
    "n": (1, None),
    "seed": (1, None),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "repetition_penalty": (None, None),
    "top_logprobs": (0, 20),
}
KINDS: dict[str, tuple[type, ...]] = {
    "model": (str,),
    "messages": (list,),
    "stream": (bool,),
    "stream_options": (dict,),
    "tools": (list,),
    "tool_choice": (str, dict),
    "parallel_tool_calls": (bool,),
    "echo": (bool,),
    "stop": (str, list),
    "logprobs": (bool,),
    "logit_bias": (dict,),
    "prediction": (dict,),
}


def check(body: dict[str, Any]) -> Iterator[str]:
    """Yields what the API would refuse in a body."""
    for key in ("model", "messages"):
        if key not in body:
            yield f"{key}: Required"
    for key, value in body.items():
        if key in RANGES:
            low, high = RANGES[key]
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                yield f"{key}: Expected number"
            elif (low is not None and value < low) or (high is not None and value > high):
                yield f"{key}: out of range"
        elif key in KINDS and not isinstance(value, KINDS[key]):
            yield f"{key}: Expected {KINDS[key][0].__name__}"
