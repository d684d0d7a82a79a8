"""JSON text: tolerant and strict reading, and the bytes of a request body."""

import json
import math
import re
import sys
from contextlib import suppress
from typing import Any, NoReturn

#: JSON that a server or a user has sent: every value is checked where it is read.
Json = Any
JsonObject = dict[str, Json]

#: Levels of nesting. Encoding gives up on deep nesting sooner than decoding.
MAX_DEPTH = 100

_DECODER = json.JSONDecoder()


def loads(text: str) -> Json:
    """Reads JSON as a server sends it.

    Raises ValueError if it is not JSON, or nested too deeply.
    """
    try:
        # Chunks have no white space around them; json.loads() takes twice the time to find that out.
        value, end = _DECODER.raw_decode(text)
        if end == len(text):
            return value
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError:
        pass
    try:
        # Some servers do not escape newlines and tabs in strings.
        return json.loads(text, strict=False)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError:
        # An integer of thousands of digits, which Python refuses to read as one.
        return json.loads(text, strict=False, parse_int=float)


#: Separators of JSON texts on one line: usually nothing, or the line ends that a program has quoted twice.
SEPARATOR = r"(?:\s|,|\\[rn]|data:|\[DONE\])*"


def split_json(text: str) -> list[Json]:
    """Returns the JSON texts in a line, [] if it contains anything else."""
    separator = re.compile(SEPARATOR)
    values, end = [], separator.match(text).end()  # type: ignore[union-attr]
    with suppress(ValueError, RecursionError):
        while end < len(text):
            value, end = _DECODER.raw_decode(text, end)
            values.append(value)
            end = separator.match(text, end).end()  # type: ignore[union-attr]
        return values
    return []


def parse_json(text: str, escaped: bool = True) -> object:
    """Parses strict JSON (RFC 8259).

    NaN, Infinity and numbers that a double cannot hold are not allowed, and unless
    `escaped` is False, neither are control characters in strings. Raises
    json.JSONDecodeError if the text is not JSON, ValueError if a number is too big.
    """
    try:
        return (_STRICT_DECODER if escaped else _UNESCAPED_DECODER).decode(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except json.JSONDecodeError:
        raise
    except _NotJson as error:
        raise json.JSONDecodeError(f"{error} is not JSON", text, text.find(str(error))) from None
    except ValueError:
        # A float that would be infinite, or an integer of thousands of digits.
        raise ValueError("contains a number too big to send") from None


class _NotJson(ValueError):
    """A constant that Python's parser allows and JSON does not: NaN, Infinity."""


def _finite(literal: str) -> float:
    if math.isinf(number := float(literal)):
        raise ValueError
    return number


def _refuse(constant: str) -> NoReturn:
    raise _NotJson(constant)


_STRICT_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)
_UNESCAPED_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse, strict=False)


def json_fault(error: json.JSONDecodeError) -> str:
    """Returns in words where a text stops being JSON."""
    if error.doc.startswith("\ufeff"):
        return "is not JSON: it begins with a byte order mark; remove that"
    return f"is not JSON: {error.msg.removesuffix(' at')} at line {error.lineno} column {error.colno}"


def encode(body: object) -> bytes:
    """Returns the JSON text that is sent."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # A lone surrogate, from \ud800 in an option's JSON, can only be sent as an escape.
        return json.dumps(body, separators=(",", ":")).encode()


def to_strict(value: Json, levels: int = MAX_DEPTH) -> Json:
    """Returns a value that can be encoded, and that any JSON parser reads.

    NaN and what is nested too deeply become null, infinity becomes the largest double,
    as jq does it.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else math.copysign(sys.float_info.max, value)
    if not isinstance(value, (dict, list)):
        return value
    if not levels:
        return None
    if isinstance(value, list):
        return [to_strict(item, levels - 1) for item in value]
    return {key: to_strict(item, levels - 1) for key, item in value.items()}
