"""The format of a .env file, as python-dotenv reads it: read the values, or put one in.

A parser of our own, since python-dotenv takes 22 ms to import, and 42 s to read a line
of 100,000 spaces.
"""

import re
from collections.abc import Iterator

BLANKS = re.compile(r"[^\S\r\n]*")
BLANK_LINES = re.compile(r"\s*")
EXPORT = re.compile(r"export[^\S\r\n]+")
NAME = re.compile(r"'([^']+)'|([^=#\s'][^=#\s]*)")
QUOTED = {"'": re.compile(r"'((?:\\.|[^'\\])*)'", re.DOTALL), '"': re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)}
ESCAPES = {"'": re.compile(r"\\([\\'])"), '"': re.compile(r"\\([\\'\"abfnrtv])")}
CONTROL_CHARACTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
LINE = re.compile(r"[^\r\n]*")
COMMENT = re.compile(r"\s#")
END = re.compile(r"[^\S\r\n]*(?:#[^\r\n]*)?(?:\r\n|\n|\r|\Z)")


class Binding:
    """One assignment, or a comment or blank lines without a name. The three texts and the value make up the file."""

    def __init__(self, before: str, name: str | None, middle: str, value: str | None, after: str) -> None:
        #: Blank lines and `export`; name, equal sign and value as they are written; a comment and the line's end.
        self.before, self.middle, self.after = before, middle, after
        self.name, self.value = name, value


def values(content: bytes) -> dict[str, str]:
    """Returns the names and values. Raises ValueError, whose text shows nothing of the content.

    Nothing is interpolated: `${AIMLAPI_API_KEY}` in a stranger's file would fetch the
    real key.
    """
    return {binding.name: binding.value for binding in _bindings(content) if binding.name and binding.value is not None}


def with_value(content: bytes, name: str, value: str) -> bytes:
    """Returns the content with `name` set to a value, and every other line and comment unchanged.

    Raises ValueError if the value could not be read back.
    """
    # A value that begins with a quote, for example, would be read as a quoted one.
    is_plain = re.fullmatch(r"[\w.:/+=@%-]+", value)
    quoted = value if is_plain else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    line_end = "\r\n" if b"\r\n" in content else "\n"
    pieces, is_set = [], False
    for binding in _bindings(content):
        if binding.name != name:
            pieces += [binding.before, binding.middle, binding.after]
        elif not is_set:
            is_set = True
            is_last_line = not binding.after.endswith(("\n", "\r"))
            pieces += [binding.before, f"{name}={quoted}", binding.after, line_end if is_last_line else ""]
    if not is_set:
        pieces += ["" if not content or content.endswith(b"\n") else line_end, f"{name}={quoted}", line_end]
    changed = "".join(pieces).encode()
    if values(changed).get(name) != value:
        raise ValueError("the value could not be read back")
    return changed


def without_value(content: bytes, name: str) -> bytes:
    """Returns the content without the assignments to `name`. Raises ValueError if it cannot be parsed."""
    kept = (item.before + item.middle + item.after for item in _bindings(content) if item.name != name)
    return "".join(kept).encode()


def _bindings(content: bytes) -> Iterator[Binding]:
    """Splits the content into bindings. Raises ValueError at a line that is not one."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text") from None
    start = 0
    while start < len(text):
        begin = _end(BLANK_LINES, text, start)
        try:
            if text[begin : begin + 1] in ("", "#"):
                name = value = None
                name_start = value_end = begin
            else:
                name_start = export.end() if (export := EXPORT.match(text, begin)) else begin
                name, value, value_end = _assignment(text, name_start)
            end = _end(END, text, value_end)
        except ValueError:
            raise ValueError(f"line {text.count(chr(10), 0, begin) + 1} is not NAME=value") from None
        yield Binding(text[start:name_start], name, text[name_start:value_end], value, text[value_end:end])
        start = end


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    if not match:
        raise ValueError
    return match.end()


def _assignment(text: str, start: int) -> tuple[str, str | None, int]:
    """Returns the name, the value (None without an equal sign), and where that ends. Raises ValueError."""
    match = NAME.match(text, start)
    if not match:
        raise ValueError
    name: str = match[1] or match[2]
    equal_sign = _end(BLANKS, text, match.end())
    if text[equal_sign : equal_sign + 1] != "=":
        return name, None, match.end()
    begin = _end(BLANKS, text, equal_sign + 1)
    if (quote := text[begin : begin + 1]) in ESCAPES:
        if not (quoted := QUOTED[quote].match(text, begin)):
            raise ValueError
        value = ESCAPES[quote].sub(lambda escape: CONTROL_CHARACTERS.get(escape[1], escape[1]), quoted[1])
        return name, value, quoted.end()
    if quote == "#" and begin > equal_sign + 1:
        return name, "", equal_sign + 1
    end = _end(LINE, text, begin)
    comment = COMMENT.search(text, begin, end)
    value = text[begin : comment.start() if comment else end].rstrip()
    return name, value, begin + len(value)
