"""Renders the blocks of a Markdown text as lines for a terminal, each with every word that is in it."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich import markdown
from rich.console import COLOR_SYSTEMS, Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from llamacli.stdio.escape import escaped

#: How deep lists and quotes may be nested; the parser drops what lies deeper.
DEPTH = 100


class Block(NamedTuple):
    """A top-level block: its lines, their words without style, and the line of the source where it ends."""

    lines: list[str]
    words: list[str]
    end: int
    #: Each row of a table can change all the others.
    has_table: bool


class _Heading(markdown.Heading):
    LEVEL_ALIGN = dict.fromkeys(markdown.Heading.LEVEL_ALIGN, "left")


class _List(markdown.ListElement):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.list_type == "bullet_list_open":
            yield from super().__rich_console__(console, options)
            return
        start = 1 if self.list_start is None else self.list_start
        # Two digits at least, so that the tenth item does not move the nine above it.
        widest = max(start + len(self.items) - 1, 10)
        for number, item in enumerate(self.items, start):
            yield from item.render_number(console, options, number, widest)


class _Table(markdown.TableElement):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in super().__rich_console__(console, options):
            # Rich's own way with a word that is too long is to cut it.
            for column in table.columns:  # type: ignore[union-attr]
                column.overflow = "fold"
            yield table


class _Markdown(markdown.Markdown):
    elements = {  # noqa: RUF012
        **markdown.Markdown.elements,
        "heading_open": _Heading,
        "bullet_list_open": _List,
        "ordered_list_open": _List,
        "table_open": _Table,
    }

    def __init__(self, tokens: list[Token]) -> None:
        # Links as text and address: no sequence that a terminal would make a link of.
        super().__init__("", code_theme="ansi_dark", hyperlinks=False)
        self.parsed = tokens


class Renderer:
    """Renders for a terminal of so many columns."""

    def __init__(self, columns: int, color: bool) -> None:
        self._console = Console(
            width=columns,
            force_terminal=True,
            force_jupyter=False,
            legacy_windows=False,
            no_color=not color,
            highlight=False,
            emoji=False,
            markup=False,
            _environ={name: os.environ.get(name, "") for name in ("TERM", "COLORTERM")},
        )
        self._colors = COLOR_SYSTEMS.get(self._console.color_system or "")
        # HTML and images are shown as they are written; references are text, since the blocks are parsed apart.
        parser = MarkdownIt("commonmark", {"html": False, "maxNesting": DEPTH}).enable(["strikethrough", "table"])
        self._parser = parser.disable(["image", "reference", "entity"])

    def ends(self, text: str) -> list[int]:
        """Returns the line at which each top-level block ends."""
        tokens = self._parser.parse(text) if text else []
        return [(block[0].map or (0, 0))[1] for block in _top_level(tokens)]

    def blocks(self, text: str) -> list[Block]:
        """Returns the top-level blocks of a text that holds nothing dangerous."""
        source = text.split("\n")
        blocks = []
        for tokens in _top_level(self._parser.parse(text)):
            start, end = tokens[0].map or (0, len(source))
            lines = self._rendered(tokens, source) or self._as_it_stands(source[start:end])
            words = ["".join(segment.text for segment in line).rstrip() for line in lines]
            has_table = any(token.type == "table_open" for token in tokens)
            blocks.append(Block([self._drawn(line) for line in lines], words, end, has_table))
        return blocks

    def _rendered(self, tokens: list[Token], source: list[str]) -> list[list[Segment]] | None:
        """Returns a block's lines, None where one of its words would be missing: nested deeply, say."""
        if any(token.level >= DEPTH - 1 for token in tokens):
            return None
        try:
            lines = self._lines(_Markdown(tokens))
        except Exception:
            # Whatever goes wrong in there, the answer has been paid for and is to be read.
            return None
        wanted = _letters(_contents(tokens)) + _dropped(tokens, source)
        return None if wanted - _letters(segment.text for line in lines for segment in line) else lines

    def _as_it_stands(self, source: list[str]) -> list[list[Segment]]:
        return self._lines(Text("\n".join(source).rstrip("\n"), overflow="fold"))

    def _lines(self, renderable: RenderableType) -> list[list[Segment]]:
        lines = self._console.render_lines(renderable, pad=False)
        while lines and not "".join(segment.text for segment in lines[-1]).strip():
            lines.pop()
        start = sum(1 for _ in takewhile(lambda line: not "".join(s.text for s in line).strip(), lines))
        return lines[start:]

    def _drawn(self, line: list[Segment]) -> str:
        """Returns a line with its styles. Its text is harmless already, and made so once more."""
        segments: Iterable[Any] = Segment.remove_color(line) if self._console.no_color else line
        return "".join(
            style.render(escaped(text), color_system=self._colors) if style else escaped(text)
            for text, style, _ in segments
        ).rstrip(" ")


def _top_level(tokens: list[Token]) -> Iterator[list[Token]]:
    block: list[Token] = []
    for token in tokens:
        block.append(token)
        if token.level == 0 and token.nesting <= 0:
            yield block
            block = []


def _contents(tokens: Iterable[Token]) -> Iterator[str]:
    """Yields every text that is to be read: words, code, the address and the title of a link."""
    for token in tokens:
        if token.children:
            yield from _contents(token.children)
        else:
            yield token.content
        yield from (str(token.attrs[name]) for name in ("href", "title") if name in token.attrs)


def _dropped(tokens: list[Token], source: list[str]) -> Counter[str]:
    """Counts what the parser has left out: the cells of a table's row beyond its columns."""
    found: Counter[str] = Counter()
    for number, token in enumerate(tokens):
        if token.type == "table_open" and token.map:
            inside = takewhile(lambda each: each.type != "table_close", tokens[number:])
            found += _letters(source[slice(*token.map)]) - _letters(_contents(inside))
    return found


def _letters(texts: Iterable[str]) -> Counter[str]:
    """Counts letters and digits; lines may be broken anywhere, and the cells of a table read across."""
    return Counter(char for text in texts for char in text if char.isalnum())
