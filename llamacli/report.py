"""The one line of --usage: tokens, cost, timings."""

from llamacli.reply import Reply
from llamacli.wire import cost


def usage_line(reply: Reply) -> str:
    """Says what the server told of tokens and cost, and how long it took.

    The rate counts the tokens after the first over the time after the first; an
    answer that came in one piece has only its total time to go by.
    """
    completion = reply.answer.completion()
    usage = told if isinstance(told := completion.get("usage"), dict) else {}
    made = usage.get("completion_tokens")
    parts = [f"{usage.get('prompt_tokens', '?')} tokens in, {'?' if made is None else made} out"]
    if not usage:
        parts = ["the server told no token counts"]
    if (spent := cost(completion, reply.headers)) is not None:
        parts.append(f"${spent:.6f}")
    total, writing = reply.last_text - reply.started, reply.last_text - reply.first_text
    if reply.first_text > reply.started and writing > 0:
        parts.append(f"first token after {reply.first_text - reply.started:.2f} s")
    parts.append(f"{total:.2f} s in all")
    if isinstance(made, int) and made > 1 and total > 0:
        parts.append(f"{(made - 1) / writing if writing > 0 else made / total:.1f} tokens/s")
    return ", ".join(parts)
