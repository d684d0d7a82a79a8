"""Text that is safe to show on a terminal, or to use in a shell."""

import re
from functools import lru_cache

#: Spaces and joiners that take no column.
ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"
#: What can control a terminal or disguise text: C0 other than newline and tab, DEL, C1, the bidi controls.
#: Not compiled here: compiling patterns that a call never uses takes 2 ms.
DANGEROUS = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"


def escaped(text: str) -> str:
    """Replaces each dangerous character with an escape.

    Examples: \\x1b, \\r, \\u202e.
    """
    return re.sub(DANGEROUS, lambda match: match[0].encode("unicode_escape").decode(), text)


def width(text: str) -> int:
    """Returns the columns of a text (Unicode Annex 11)."""
    return len(text) if text.isascii() else sum(map(_char_width, text))


@lru_cache(4096)
def _char_width(char: str) -> int:
    from unicodedata import category, east_asian_width

    # Many terminals widen a character by U+FE0F.
    if char in ZERO_WIDTH or (category(char) in ("Mn", "Me") and char != "\ufe0f"):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1


def one_line(text: str, limit: int = 600) -> str:
    """Folds a text of unknown origin into one harmless line."""
    folded = escaped(" ".join(_readable(text).split()))
    return folded if len(folded) <= limit else folded[: limit - 3] + "..."


def _readable(text: str) -> str:
    """Decodes bytes that an ASCII locale left undecoded as UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return text


def masked(secret: str) -> str:
    """Returns a key masked as abcd...wxyz, or as dots if it is short."""
    return f"{secret[:4]}...{secret[-4:]}" if len(secret) >= 12 else "..."


def shell_quoted(text: str) -> str:
    """Quotes a word for a POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"


class ChunkJoiner:
    """Joins what chunks of text have cut in two.

    These are CR LF and the halves of a character outside the BMP. With
    `joins_line_ends` CR LF becomes a newline.
    """

    def __init__(self, *, joins_line_ends: bool) -> None:
        self._joins_line_ends = joins_line_ends
        self._rest = ""

    def feed(self, text: str) -> str:
        """Returns the text so far, without an end that may be cut in two."""
        text, self._rest = self._rest + text, ""
        if text and ("\ud800" <= text[-1] <= "\udbff" or (self._joins_line_ends and text[-1] == "\r")):
            text, self._rest = text[:-1], text[-1]
        return text.replace("\r\n", "\n") if self._joins_line_ends else text

    def flush(self) -> str:
        """Returns the rest; half of a character becomes U+FFFD."""
        rest, self._rest = self._rest, ""
        return rest if rest in ("", "\r") else "\ufffd"
