"""The line of --usage: tokens, cost and timings."""

from llamacli.api.usage import token_count
from llamacli.ask.answers import Answer


def usage_line(answer: Answer) -> str:
    """Returns what an answer took, of all its requests together.

    The rate counts the tokens after the first over the time after the first; without a
    stream, all tokens over the total time.
    """
    usage, cost = answer.usage, answer.cost
    tokens_in, tokens_out = (token_count(usage, f"{name}_tokens") for name in ("prompt", "completion"))
    counts = ["?" if count is None else count for count in (tokens_in, tokens_out)]
    parts = [f"{counts[0]} tokens in, {counts[1]} out" if usage else "the server reported no token counts"]
    if answer.is_fallback:
        parts.insert(0, f"answered by {answer.model}")
    if answer.is_cached:
        return ", ".join(["cached", *parts])
    if cost is not None:
        parts.append(f"${cost:.6f}")
    first, last = answer.replies[0], answer.replies[-1]
    # The token counts arrive after the text: they take time, but not of the writing.
    total, writing = last.last_chunk - first.started, last.last_text - last.first_text
    if first.first_text > first.started and first.last_text > first.first_text:
        parts.append(f"first token after {first.first_text - first.started:.2f} s")
    parts.append(f"total {total:.2f} s")
    if tokens_out is not None and tokens_out > 1 and total > 0:
        is_stream = len(answer.replies) == 1 and writing > 0
        parts.append(f"{(tokens_out - 1) / writing if is_stream else tokens_out / total:.1f} tokens/s")
    return ", ".join(parts)
