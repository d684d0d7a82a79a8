"""The template of a batch: text with `{}` and `{name}` where an item and its fields go."""

import json
import re
from collections.abc import Mapping

from llamacli.errors import ExitStatus, LlamaError

#: A doubled brace, a placeholder, or a brace that is neither.
PARTS = r"\{\{|\}\}|\{([^{}]*)\}|[{}]"


class Template:
    """A template, read once. `fields` are the names that it asks for, in order, each once.

    Raises LlamaError (usage) where a brace stands alone. Without any placeholder the
    item follows the text after a blank line.
    """

    def __init__(self, text: str) -> None:
        #: Text and placeholders in turn: a placeholder is its name, "" for the item itself.
        self._texts, self._names = [""], list[str]()
        position = 0
        for match in re.finditer(PARTS, text):
            self._texts[-1] += text[position : match.start()]
            position = match.end()
            if match[0] in ("{{", "}}"):
                self._texts[-1] += match[0][0]
            elif match[1] is None:
                what = f"the template has a {match[0]} alone at character {match.start() + 1}"
                raise LlamaError(ExitStatus.USAGE, what, "write {{ and }} for braces that are text")
            else:
                self._names.append(match[1])
                self._texts.append("")
        self._texts[-1] += text[position:]
        if not self._names:
            self._texts, self._names = [self._texts[0] + "\n\n", ""], [""]
        self.fields = tuple(dict.fromkeys(name for name in self._names if name))

    def fill(self, item: str, record: Mapping[str, object]) -> str:
        """Returns the text with the item and its fields in it. Raises KeyError for a field that is not there."""
        values = [item if not name else as_text(record[name]) for name in self._names]
        return self._texts[0] + "".join(map(str.__add__, values, self._texts[1:]))


def as_text(value: object) -> str:
    """Returns a text as it stands, any other value as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
