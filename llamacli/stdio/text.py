"""Text: its encoding, and how to show it safely on a terminal or use it in a shell."""

import codecs
import os
import re
from functools import lru_cache

from llamacli.errors import UsageError

#: Spaces and joiners that take no column.
ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"
#: What can control a terminal or disguise text: C0 other than newline and tab, DEL, C1, the bidi controls.
#: Not compiled here: compiling patterns that a call never uses takes 2 ms.
DANGEROUS = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"


def escaped(text: str) -> str:
    """Replaces each dangerous character with an escape.

    Examples: \\x1b, \\r, \\u202e.
    """
    if text.isascii() and text.isprintable():
        # Most texts are. Compiling the pattern takes as long as parsing the command line.
        return text
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


#: Byte order marks of encodings other than UTF-8, the longer ones first.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
#: The first bytes of the picture formats that models accept, except WebP, whose mark contains a length.
PICTURE_MARKS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


#: How files that are often taken for text begin, and what to do with them.
CONVERSION_HINTS = {
    b"%PDF-": "it is a PDF: convert it first, for example with pdftotext",
    b"PK\x03\x04": "it is a ZIP archive or an Office document: convert it first, for example with pandoc",
    b"\x1f\x8b": "it is compressed: unpack it first, for example with gunzip",
}


def check_encoding(block: bytes, origin: str, path: str = "") -> None:
    """Raises UsageError if a text's first block is not UTF-8."""
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if block.startswith(mark)), "")
    if not encoding and b"\0" in block:
        encoding = _guess_encoding(block[:1024])
        if not encoding:
            raise binary_error(origin, block, block.index(b"\0"))
    if encoding:
        hint = f"convert it first: iconv -f {encoding} -t UTF-8 {shell_quoted(path) if path else ''}".rstrip()
        raise UsageError(f"{origin} is {encoding}, not UTF-8", hint)
    if hint := _kind_hint(block, origin):
        try:
            # The text may be about such a file.
            codecs.getincrementaldecoder("utf-8")().decode(block)
        except UnicodeDecodeError:
            raise UsageError(f"{origin} is not text", hint) from None


def _guess_encoding(start: bytes) -> str:
    """Returns the encoding of Latin text without a BOM, "" if unknown."""
    for name, width, position in (("UTF-32LE", 4, 0), ("UTF-32BE", 4, 3), ("UTF-16LE", 2, 0), ("UTF-16BE", 2, 1)):
        units = len(start) // width
        used = start[position : units * width : width]
        if units and b"\0" not in used and start[: units * width].count(0) == units * (width - 1):
            return name
    return ""


def binary_error(origin: str, start: bytes, offset: int | None = None) -> UsageError:
    """Returns the error for a NUL byte in a text that starts like this."""
    where = "" if offset is None else f": NUL byte at offset {offset}"
    hint = _kind_hint(start, origin) or "if it is UTF-16, convert it first: iconv -f UTF-16 -t UTF-8"
    return UsageError(f"{origin} is not text{where}", hint)


def invalid_byte_error(origin: str, byte: int, place: str, start: bytes, hint: str) -> UsageError:
    """Returns the error for a byte that is not UTF-8."""
    return UsageError(f"{origin} is not UTF-8: byte 0x{byte:02x} at {place}", _kind_hint(start, origin) or hint)


def _kind_hint(start: bytes, origin: str) -> str:
    """Returns a hint for data that begins like a picture or another known kind of file."""
    if picture_type(start):
        return "to send a picture, use --file" + (" -" if origin == "stdin" else "")
    return next((hint for mark, hint in CONVERSION_HINTS.items() if start.startswith(mark)), "")


def picture_type(start: bytes) -> str:
    """Returns the media type of a PNG, JPEG, WebP or GIF, else ""."""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "image/webp"
    return next((name for mark, name in PICTURE_MARKS.items() if start.startswith(mark)), "")


def expand_home(path: str) -> str:
    """Replaces `~/` at the start of a path. Shells leave it in `--file=~/x`, `@~/x` and settings."""
    return os.path.expanduser(path) if path.startswith("~/") else path


def split_names(data: bytes, origin: str) -> list[str]:
    """Returns the names in a list of files, separated by NUL or by newlines. Raises UsageError for UTF-16."""
    if data.startswith(tuple(BYTE_ORDER_MARKS)):
        check_encoding(data, origin)
    if b"\0" in data:
        names = data.split(b"\0")
    else:
        # A list from an editor on Windows has CR LF and perhaps a byte order mark.
        names = data.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n").split(b"\n")
    return [os.fsdecode(name) for name in names if name]
