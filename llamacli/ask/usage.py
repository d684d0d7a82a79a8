"""The line of --usage: tokens, cost and timings."""

from typing import TypeGuard

from llamacli.ask.answers import Answer

MAX_TOKENS = 10**12


def usage_line(answer: Answer) -> str:
    """Returns what an answer took, of all its requests together.

    The rate counts the tokens after the first over the time after the first; without a
    stream, all tokens over the total time.
    """
    usage, cost = answer.usage, answer.cost
    tokens_in, tokens_out = (usage.get(f"{name}_tokens") for name in ("prompt", "completion"))
    counts = [count if _is_count(count) else "?" for count in (tokens_in, tokens_out)]
    parts = [f"{counts[0]} tokens in, {counts[1]} out" if usage else "the server reported no token counts"]
    if answer.is_fallback:
        parts.insert(0, f"answered by {answer.model}")
    if answer.is_cached:
        return ", ".join(["cached", *parts])
    if cost is not None:
        parts.append(f"${cost:.6f}")
    first, last = answer.replies[0], answer.replies[-1]
    total, writing = last.last_text - first.started, last.last_text - last.first_text
    if first.first_text > first.started and first.last_text > first.first_text:
        parts.append(f"first token after {first.first_text - first.started:.2f} s")
    parts.append(f"total {total:.2f} s")
    if _is_count(tokens_out) and tokens_out > 1 and total > 0:
        is_stream = len(answer.replies) == 1 and writing > 0
        parts.append(f"{(tokens_out - 1) / writing if is_stream else tokens_out / total:.1f} tokens/s")
    return ", ".join(parts)


def _is_count(value: object) -> TypeGuard[int]:
    """True for a plausible number of tokens: servers send anything."""
    return type(value) is int and 0 <= value < MAX_TOKENS
