"""Handles long inputs: estimates their length, cuts or splits them.

A position is an offset in characters into all texts of a question, joined.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from math import ceil

from llamacli.config import CONTEXT_LENGTHS
from llamacli.stdio.files import read_regular

#: Bytes per token. The tokenizers that were measured need fewer tokens for nearly any text.
LETTERS_PER_TOKEN = 3.3
UNBROKEN_LETTERS_PER_TOKEN = 1.4
DIGITS_PER_TOKEN = 1.0
SIGNS_PER_TOKEN = 1.2
NON_ASCII_BYTES_PER_TOKEN = 2.3
#: A longer run of letters is not a word but, for example, base64.
MAX_WORD_LETTERS = 12
LETTERS = bytes(byte for byte in range(128) if chr(byte).isalpha())
DIGITS = b"0123456789"
SPACES = b" \t\r\n"
NON_ASCII = bytes(range(128, 256))
#: Few tokens have more characters. The search for the end of a part starts with this many per token.
MAX_CHARACTERS_PER_TOKEN = 6
#: Tokens kept for the line that says what was left out.
MARKER_TOKENS = 20
#: --overflow map needs room for more than this: with less, it would send nearly each word on its own.
MIN_PART_TOKENS = 32
#: Tokens of a message besides its text.
MESSAGE_TOKENS = 8
#: The limit if neither --max-input nor the model's context length is known.
DEFAULT_LIMIT_TOKENS = 8_192
#: The share of the context that is left for the answer if --max-tokens does not say how long it may be.
ANSWER_SHARE = 8


def estimate_tokens(text: str) -> int:
    """Returns about how many tokens a text has, by its bytes.

    Measured against two tokenizers (Tekken with 131,000 entries, and a SentencePiece
    one with 32,000), the estimate is 1.0 to 1.2 times their count for English and Python
    code, 0.9 to 1.4 times for German, 1.2 to 1.8 times for Chinese and Japanese, and 0.9
    to 1.0 times for base64, digits and logs. It was too low for lists of short messages in
    German (0.7 to 0.8) and too high for Russian (1.4 to 2.6).
    """
    data = text.encode("utf-8", "replace")
    letters, digits, spaces, others = (
        len(data) - len(data.translate(None, group)) for group in (LETTERS, DIGITS, SPACES, NON_ASCII)
    )
    signs = len(data) - letters - digits - spaces - others
    is_words = letters <= MAX_WORD_LETTERS * (spaces + signs + 1)
    tokens = letters / (LETTERS_PER_TOKEN if is_words else UNBROKEN_LETTERS_PER_TOKEN)
    tokens += digits / DIGITS_PER_TOKEN + signs / SIGNS_PER_TOKEN + others / NON_ASCII_BYTES_PER_TOKEN
    return ceil(tokens)


def default_limit(model: str, max_tokens: int | None, other_texts: Sequence[str]) -> int:
    """Returns how many tokens of text fit beside the rest and the answer.

    `models` cached the model's context length when it last listed it.
    """
    with suppress(OSError, ValueError):
        for line in read_regular(CONTEXT_LENGTHS.path()).decode().splitlines():
            name, _, length = line.rpartition("\t")
            if name == model:
                context = int(length)
                answer = max_tokens if max_tokens is not None else context // ANSWER_SHARE
                rest = sum(estimate_tokens(text) + MESSAGE_TOKENS for text in other_texts)
                return max(1, context - answer - rest)
    return DEFAULT_LIMIT_TOKENS


def truncate(texts: Sequence[str], limit: int, side: str) -> tuple[list[str], str]:
    """Returns the kept texts, and a note on the rest.

    The note is "" if everything is kept. `side` is head, tail or middle. The cuts are
    at ends of lines, unless one line is too long.
    """
    total = estimate_tokens("".join(texts))
    if total <= limit:
        return list(texts), ""
    text = "".join(texts)
    budget = max(1, limit - MARKER_TOKENS * (2 if side == "middle" else 1))
    start, end = _window(text, budget, side)
    if start:
        start = text.find("\n", start - 1, end) + 1 or start
    if end < len(text):
        end = text.rfind("\n", start, end) + 1 or end
    parts: list[str] = []
    for position, part in zip(accumulate(map(len, texts), initial=0), texts, strict=False):
        first = min(max(start - position, 0), len(part))
        last = max(min(end - position, len(part)), first)
        parts.append(
            "\n".join(filter(None, (_marker(part[:first]), part[first:last].rstrip("\n"), _marker(part[last:]))))
        )
    left_out = _count_lines(text[:start]) + _count_lines(text[end:])
    if start and end < len(text) and "\n" not in text[start - 1 : end]:
        # What is kept is inside of one line.
        left_out -= 1
    lengths = f"about {total} tokens (estimated), and {limit} are allowed"
    return parts, f"kept the {side} of the text, left out {left_out} of {_count_lines(text)} lines: it has {lengths}"


def _window(text: str, budget: int, side: str) -> tuple[int, int]:
    """Returns the start and end of the part to keep, wherever lines end."""
    if side == "head":
        return 0, _fit(text, 0, budget)
    if side == "tail":
        return len(text) - _fit(text[::-1], 0, budget), len(text)
    # What is left out is shared equally between the front and the back.
    size = len(text) * budget // max(estimate_tokens(text), 1)
    start = (len(text) - size) // 2
    while (end := start + size) > start + 1 and estimate_tokens(text[start:end]) > budget:
        size = size * 19 // 20
        start = (len(text) - size) // 2
    return start, end


def _marker(text: str) -> str:
    return f"[... {_count_lines(text)} lines left out ...]" if text else ""


def _count_lines(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n")) if text else 0


def split(texts: Sequence[str], limit: int) -> Iterator[list[str | None]]:
    """Yields the texts in parts of at most this many tokens.

    A part is a list with a piece of each text, or None. Joined, the pieces of a text are
    the text. They end at blank lines if possible, else at ends of lines, else anywhere.
    """
    part: list[str | None] = [None] * len(texts)
    left = limit
    for number, text in enumerate(texts):
        start = 0
        while start < len(text):
            end = _part_end(text, start, left, is_first=left == limit)
            if end > start:
                part[number] = text[start:end]
                left -= estimate_tokens(text[start:end])
            if end < len(text):
                yield part
                part, left = [None] * len(texts), limit
            start = end
        if not text:
            part[number] = ""
    if any(part):
        yield part


def _part_end(text: str, start: int, budget: int, is_first: bool) -> int:
    """Returns where a piece ends, `start` if nothing fits into the part."""
    end = _fit(text, start, budget) if budget > 0 else start
    if end == len(text):
        return end
    blank_line = text.rfind("\n\n", start, end)
    if blank_line > (start + end) // 2:
        return blank_line + 2
    line = text.rfind("\n", start, end) + 1
    if line > start:
        return line
    return max(end, start + 1) if is_first else start


def _fit(text: str, start: int, budget: int) -> int:
    """Returns the end of a piece of at most `budget` tokens."""
    end = min(len(text), start + budget * MAX_CHARACTERS_PER_TOKEN)
    while end > start + 1 and (tokens := estimate_tokens(text[start:end])) > budget:
        end = start + max(1, min((end - start) * budget // tokens, end - start - 1))
    return end
