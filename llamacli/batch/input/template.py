"""Templates: text with `{}` for an item and `{name}` for its fields."""

import json
import re
from collections.abc import Mapping

from llamacli.errors import ExitStatus, LlamaError

#: A doubled brace, a placeholder, or a single brace.
PARTS = r"\{\{|\}\}|\{([^{}]*)\}|[{}]"


class Template:
    """A parsed template. `fields` are the names in it, in order, each once.

    Without any placeholder the item follows the text after a blank line. Raises
    LlamaError (usage) for a single brace; `origin` is what the text comes from.
    """

    def __init__(self, text: str, origin: str = "the template") -> None:
        #: Texts and placeholders in turn: a placeholder is its name, "" for the item itself.
        self._texts, self._names = [""], list[str]()
        position = 0
        for match in re.finditer(PARTS, text):
            self._texts[-1] += text[position : match.start()]
            position = match.end()
            if match[0] in ("{{", "}}"):
                self._texts[-1] += match[0][0]
            elif match[1] is None:
                what = f"{origin} has a single {match[0]} at character {match.start() + 1}"
                raise LlamaError(ExitStatus.USAGE, what, "for literal braces write {{ and }}")
            else:
                self._names.append(match[1])
                self._texts.append("")
        self._texts[-1] += text[position:]
        if not self._names:
            self._texts, self._names = [self._texts[0] + "\n\n", ""], [""]
        #: True if the item itself is part of the text.
        self.has_item = "" in self._names
        self.fields = tuple(dict.fromkeys(name for name in self._names if name))

    def fill(self, item: str, record: Mapping[str, object]) -> str:
        """Returns the text with the item and its fields.

        Raises KeyError for a missing field.
        """
        values = [item if not name else as_text(record[name]) for name in self._names]
        return self._texts[0] + "".join(map(str.__add__, values, self._texts[1:]))


def as_text(value: object) -> str:
    """Returns a string as it is, any other value as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
