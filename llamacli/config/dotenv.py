"""The format of a .env file, by python-dotenv's own parser: to read it, and to put one value into it."""

import re
from io import StringIO

from dotenv.parser import Binding, parse_stream


def values(content: bytes) -> dict[str, str]:
    """Returns the names and values. Raises ValueError, whose text shows nothing of the content.

    Values are taken as they stand: interpolation would let a stranger's
    `${AIMLAPI_API_KEY}` fetch the real key.
    """
    return {binding.key: binding.value for binding in _bindings(content) if binding.key and binding.value is not None}


def with_value(content: bytes, name: str, value: str) -> bytes:
    """Returns the content with `name` set to a value, and every other line and comment as it was.

    Raises ValueError where the file holds something beside which the value could not be read again.
    """
    # A value that begins with a quote, say, would be read as a quoted one.
    plain = re.fullmatch(r"[\w.:/+=@%-]+", value)
    written = value if plain else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    end = "\r\n" if b"\r\n" in content else "\n"
    kept, is_there = [], False
    for binding in _bindings(content):
        line = binding.original.string
        if binding.key == name:
            match = _assignment(name).fullmatch(line)
            before, comment = (match["before"], match["comment"] or "") if match else ("", "")
            line = "" if is_there else f"{before}{name}={written}{comment}{end}"
            is_there = True
        kept.append(line)
    if not is_there:
        kept.append(("" if not content or content.endswith(b"\n") else end) + f"{name}={written}{end}")
    made = "".join(kept).encode()
    if values(made).get(name) != value:
        raise ValueError("it could not be read again")
    return made


def _bindings(content: bytes) -> list[Binding]:
    """Cuts the content into bindings, comments and blank lines. Raises ValueError where a line is none of them."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    bindings = list(parse_stream(StringIO(text)))
    for binding in bindings:
        if binding.error:
            raise ValueError(f"line {binding.original.line} is not NAME=value")
    return bindings


def _assignment(name: str) -> re.Pattern[str]:
    """Returns a pattern for a whole assignment: what stands before the name, a value in any form, a comment."""
    quoted = r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\""""
    return re.compile(
        rf"""(?P<before>\s*(?:export\s+)?)(?:'{name}'|{name})[^\S\n]*
        (?:=[^\S\n]*(?:{quoted}|[^\s'"][^\n]*?|))?(?P<comment>[^\S\n]+\#[^\r\n]*)?\s*""",
        re.VERBOSE | re.DOTALL,
    )
