"""Colors for code, line by line."""

from typing import Any

from llamacli.stdio.markdown.inline import styled

#: How far back a line is looked at again because a string or a comment may have begun there.
MAX_CONTEXT_CHARS = 2000
#: SGR parameters by the beginnings of Pygments' short names of tokens.
COLORS = {"k": "34", "c": "2", "s": "32", "m": "36", "nb": "36", "nf": "33", "nc": "33", "nt": "34", "gi": "32"}
COLORS["gd"] = "31"


class Highlighter:
    """Colors the lines of one block of code.

    Without a lexer for the language they stay as they are.
    """

    def __init__(self, language: str) -> None:
        self._lexer = _lexer(language)
        #: The lines since the last one that ended outside of a string or comment.
        self._context = ""

    def line(self, line: str) -> str:
        """Returns the next line with its colors, its text as it was."""
        if self._lexer is None:
            return line
        text = f"{self._context}{line}\n"
        if len(self._context) > MAX_CONTEXT_CHARS:
            # Looking back further would make each line of a long string slower than the one before.
            self._lexer = None
            return line
        is_inside, parts = False, []
        try:
            for place, kind, value in self._lexer.get_tokens_unprocessed(text):
                name = _short_name(kind)
                is_inside = (name[:1] == "s" or name == "cm") and value.endswith("\n")
                if code := value[max(len(self._context) - place, 0) :].rstrip("\n"):
                    parts.append(styled(code, COLORS.get(name[:2]) or COLORS.get(name[:1], "")))
        except Exception:
            # A lexer may fail: the code matters, not its colors.
            self._lexer = None
            return line
        self._context = text if is_inside else ""
        return "".join(parts)


def _lexer(language: str) -> Any:
    if not language:
        return None
    try:
        from pygments.lexers import get_lexer_by_name

        return get_lexer_by_name(language.lower())
    except (ImportError, ValueError):
        # Pygments' ClassNotFound is a ValueError.
        return None


def _short_name(kind: Any) -> str:
    from pygments.token import STANDARD_TYPES

    while kind not in STANDARD_TYPES:
        kind = kind.parent
    return str(STANDARD_TYPES[kind])
