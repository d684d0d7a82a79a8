"""The one line of --usage: tokens, cost, timings."""

from collections.abc import Sequence
from typing import Any

from llamacli.http.reply import Reply

DETAIL_KEYS = ("prompt", "completion")


def usage_line(replies: Sequence[Reply], usage: dict[str, Any], cost: float | None) -> str:
    """Says what the server told of tokens and USD, and how long it took: in all, where it was asked more than once.

    The rate counts the tokens after the first over the time after the first; an
    answer that came in one piece has only its total time to go by.
    """
    asked, made = (count if isinstance(count := usage.get(f"{name}_tokens"), int) else "?" for name in DETAIL_KEYS)
    parts = [f"{asked} tokens in, {made} out"]
    if not usage:
        parts = ["the server told no token counts"]
    if cost is not None:
        parts.append(f"${cost:.6f}")
    first, last = replies[0], replies[-1]
    total, writing = last.last_text - first.started, last.last_text - last.first_text
    if first.first_text > first.started and first.last_text > first.first_text:
        parts.append(f"first token after {first.first_text - first.started:.2f} s")
    parts.append(f"{total:.2f} s in all")
    if isinstance(made, int) and made > 1 and total > 0:
        parts.append(f"{(made - 1) / writing if len(replies) == 1 and writing > 0 else made / total:.1f} tokens/s")
    return ", ".join(parts)
