"""The .env format, read by python-dotenv's parser."""

import re
from collections.abc import Iterable
from io import StringIO

from dotenv.parser import Binding, parse_stream

#: The parser takes time that grows with the square of this: a second for 25,000 blanks.
MAX_BLANKS = 1000


def values(content: bytes) -> dict[str, str]:
    """Returns the names and values.

    Raises ValueError, whose text shows nothing of the content.

    Nothing is interpolated: `${AIMLAPI_API_KEY}` in a stranger's file would fetch the
    real key.
    """
    return {binding.key: binding.value for binding in _bindings(content) if binding.key and binding.value is not None}


def with_value(content: bytes, name: str, value: str) -> bytes:
    """Returns the content with `name` set to a value.

    Every other line and comment is unchanged. Raises ValueError if the value could not
    be read back.
    """
    # A value that begins with a quote, for example, would be read as a quoted one.
    is_plain = re.fullmatch(r"[\w.:/+=@%-]+", value)
    quoted = value if is_plain else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    line_end = "\r\n" if b"\r\n" in content else "\n"
    pieces, is_set = [], False
    for binding in _bindings(content):
        if binding.key != name:
            pieces.append(binding.original.string)
        elif not is_set:
            match = _assignment(name).fullmatch(binding.original.string)
            before, comment = (match["before"], match["comment"] or "") if match else ("", "")
            pieces.append(f"{before}{name}={quoted}{comment}{line_end}")
            is_set = True
    if not is_set:
        pieces += ["" if not content or content.endswith(b"\n") else line_end, f"{name}={quoted}", line_end]
    changed = "".join(pieces).encode()
    if values(changed).get(name) != value:
        raise ValueError("the value could not be read back")
    return changed


def without_value(content: bytes, name: str) -> bytes:
    """Returns the content without `name`. Raises ValueError."""
    return "".join(binding.original.string for binding in _bindings(content) if binding.key != name).encode()


def _bindings(content: bytes) -> Iterable[Binding]:
    """Splits the content into lines. Raises ValueError at a wrong one."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text") from None
    if blanks := re.search(rf"[^\S\r\n]{{{MAX_BLANKS}}}", text):
        line = text.count("\n", 0, blanks.start()) + 1
        raise ValueError(f"line {line} has more than {MAX_BLANKS} spaces in a row")
    bindings = list(parse_stream(StringIO(text)))
    for binding in bindings:
        if binding.error:
            raise ValueError(f"line {binding.original.line} is not NAME=value")
    return bindings


def _assignment(name: str) -> re.Pattern[str]:
    """Returns a pattern for an assignment, and a comment after it."""
    quoted = r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\""""
    return re.compile(
        rf"""(?P<before>\s*(?:export\s+)?)(?:'{name}'|{name})[^\S\n]*
        (?:=[^\S\n]*(?:{quoted}|[^\s'"][^\n]*?|))?(?P<comment>[^\S\n]+\#[^\r\n]*)?\s*""",
        re.VERBOSE | re.DOTALL,
    )
