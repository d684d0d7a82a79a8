"""Input that is not UTF-8 text: another encoding, a picture, other binary data.

Loaded only if there is some, or for --file.
"""

import codecs

from llamacli.errors import LlamaError, UsageError
from llamacli.stdio.escape import shell_quoted

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


def _guess_encoding(start: bytes) -> str:
    """Returns the encoding of Latin text without a BOM, "" if unknown."""
    for name, width, position in (("UTF-32LE", 4, 0), ("UTF-32BE", 4, 3), ("UTF-16LE", 2, 0), ("UTF-16BE", 2, 1)):
        units = len(start) // width
        used = start[position : units * width : width]
        if units and b"\0" not in used and start[: units * width].count(0) == units * (width - 1):
            return name
    return ""


def binary_error(origin: str, start: bytes, offset: int | None = None) -> LlamaError:
    """Returns the error for a NUL byte in a text that starts like this."""
    where = "" if offset is None else f": NUL byte at offset {offset}"
    hint = _picture_hint(start, origin) or "if it is UTF-16, convert it first: iconv -f UTF-16 -t UTF-8"
    return UsageError(f"{origin} is not text{where}", hint)


def invalid_byte_error(origin: str, byte: int, place: str, start: bytes, hint: str) -> LlamaError:
    """Returns the error for a byte that is not UTF-8."""
    return UsageError(f"{origin} is not UTF-8: byte 0x{byte:02x} at {place}", _picture_hint(start, origin) or hint)


def _picture_hint(start: bytes, origin: str) -> str:
    if not picture_type(start):
        return ""
    return "to send a picture, use --file" + (" -" if origin == "stdin" else "")


def picture_type(start: bytes) -> str:
    """Returns the media type of a PNG, JPEG, WebP or GIF, else ""."""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "image/webp"
    return next((name for mark, name in PICTURE_MARKS.items() if start.startswith(mark)), "")
