"""Renders Markdown as lines for a terminal, line by line.

Finished lines are returned at once and never change. Only the last paragraph, heading
or table can still change. It is kept short, so that the cost of a text grows no faster
than its length. Code stands at the left margin exactly as it was written, to
be copied.
"""

import re

from llamacli.stdio.markdown.blocks import ITEM, QUOTE, RULE, Containers, Highlighter, Table, is_table
from llamacli.stdio.markdown.inline import BOLD, FAINT, LONG_CHARS, UNDERLINED, cut_at, parse, styled
from llamacli.stdio.markdown.wrap import Paragraph, clone, fit, width_of, wrap

FENCE = re.compile(r"(?P<indent> {0,3})(?P<fence>`{3,}(?!.*`)|~{3,})\s*(?P<language>[^\s`{]*)")
HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?")
SETEXT = re.compile(r" {0,3}(=+|-{3,})[ \t]*")
MATH = re.compile(r" {0,3}(?P<open>\$\$|\\\[|\\begin\{(?P<name>[^}]*)\})")
#: A line that consists of these may be a rule, and is not known before its end.
RULE_CHARS = "-=_*+#:|> \t"
#: A longer line is processed before its end arrives.
LINE_CHARS = 40
#: Of longer code and table rows, only what fits on the screen is shown before they are complete.
MAX_PREVIEW_CHARS = 400


class Renderer:
    """Renders a text for a terminal with this many columns.

    Give `feed` each line of a text without anything that drives a terminal, then call
    `finish`; `preview` shows what an unfinished line would change. A paragraph or a table
    with more than `rows` lines is finished early, so that it can be printed for good.
    """

    def __init__(self, columns: int, color: bool, rows: int | None = None) -> None:
        self.columns, self._color, self._rows = columns, color, rows
        self._containers = Containers()
        #: The paragraph that may continue.
        self._paragraph: Paragraph | None = None
        self._table: Table | None = None
        #: What ends the code or math that is being read, None outside of it.
        self._fence: re.Pattern[str] | None = None
        self._is_math = False
        self._indent = self._depth = 0
        self._highlighter: Highlighter | None = None
        self._needs_gap = self._is_blank = self._is_preview = False
        self._is_empty = True
        #: What joins the next line to the paragraph, whatever it looks like.
        self._joint: str | None = None

    def feed(self, line: str) -> list[str]:
        """Takes a line of the source and returns the finished lines."""
        if self._joint is not None and self._paragraph:
            joint, self._joint = self._joint, None
            return self._add_text(line, joint)
        self._joint = None
        out: list[str] = []
        depth, rest = self._containers.inside(line)
        if self._fence:
            # Many write code in an item without its indentation.
            if depth == self._depth or not self._containers.has_quote:
                return self._code(rest)
            self._fence = None
            self._needs_gap = True
        if not rest.strip():
            # An empty line inside a quote does not end it.
            out += self._flush()
            if not line.strip():
                depth = self._containers.depth
            out += self._leave(depth)
            self._is_blank = True
            return out
        is_lazy = depth < self._containers.depth
        ends_paragraph = not is_lazy and (SETEXT.fullmatch(rest) or self._is_table(rest))
        if self._paragraph and not ends_paragraph and not _begins_block(rest):
            return self._add_text(rest.strip(" \t") if not rest.endswith("  ") else rest.lstrip(" \t"))
        if self._table and not is_lazy and "|" in rest and not _begins_block(rest):
            if self._is_preview:
                self._table.preview(rest[: 2 * self.columns])
                return []
            return self._table.add(rest)
        if (paragraph := self._paragraph) and not is_lazy and (match := SETEXT.fullmatch(rest)):
            if paragraph.whole is None:
                # It is too long for a heading.
                return self._flush()
            self._paragraph = None
            return self._heading(paragraph.whole, paragraph.prefix, paragraph.rest, 1 if match[1][0] == "=" else 2)
        if (paragraph := self._paragraph) and not is_lazy and self._is_table(rest):
            head, prefix = paragraph.head(), paragraph.prefix
            if paragraph.drop_head():
                out, prefix = self._flush() + self._gap(), self._containers.take_prefixes(self.columns)[1]
            self._table = Table(head, rest, prefix, self._color)
            self._table.resize(self.columns, self._rows)
            self._paragraph = None
            return out
        out += self._flush() + self._leave(depth)
        return out + self._begin(self._containers.open(rest))

    def preview(self, line: str) -> list[str]:
        """Returns the lines that would follow if the text ended here."""
        last = clone(self)
        last._containers, last._is_preview, last._highlighter = self._containers.copy(), True, None
        if self._table:
            last._table = self._table.copy()
        if self._paragraph:
            last._paragraph = self._paragraph.copy()
        return (last.feed(line) if line else []) + last._flush()

    def finish(self) -> list[str]:
        """Returns the last lines."""
        return self._flush() + self._leave(0)

    def resize(self, columns: int, rows: int) -> None:
        """Renders for a terminal of another size from now on."""
        self.columns, self._rows = columns, rows
        if self._table:
            self._table.resize(columns, rows)
        if self._paragraph:
            self._paragraph.resize(columns)

    def is_settled(self, line: str) -> bool:
        """Returns True if the rest of this long line cannot change how it is rendered."""
        if len(line) <= max(MAX_PREVIEW_CHARS, 2 * self.columns) or self._joint is not None:
            return False
        return bool(self._fence) or (self._table and "|" in line) or self._is_verbatim(line)

    def split(self, line: str) -> tuple[list[str], str]:
        """Takes the start of a long line; returns lines, and what is left."""
        if len(line) <= LINE_CHARS or self._fence or (self._joint is None and self._must_be_whole(line)):
            return [], line
        place = line.rfind(" ")
        if place < LINE_CHARS // 2:
            place = cut_at(line) - 1
        start, rest = line[: place + 1].rstrip(" "), line[place + 1 :]
        joint = " " * (place + 1 - len(start))
        out = self.feed(start)
        self._joint = joint if self._paragraph else None
        return out, rest

    def _must_be_whole(self, line: str) -> bool:
        """Returns True if a line must be complete before its kind is known."""
        start = line.lstrip(" >\t")
        limit = LONG_CHARS if start[:1] in ("|", "#") or not line.strip(RULE_CHARS) else LINE_CHARS
        is_row = self._table and ("|" in line or len(line) < MAX_PREVIEW_CHARS)
        return len(line) <= limit or bool(is_row) or self._is_verbatim(line)

    def _is_verbatim(self, line: str) -> bool:
        """Returns True if a line begins math or is code, by its indentation."""
        is_code = line.startswith("    ") and not self._containers.depth and not self._paragraph
        return is_code or bool(MATH.match(line))

    # Blocks

    def _begin(self, rest: str) -> list[str]:
        if not rest.strip():
            return []
        if match := FENCE.match(rest):
            fence = match["fence"]
            self._begin_verbatim(rf" {{0,3}}{fence[0]}{{{len(fence)},}}[ \t]*", len(match["indent"]))
            if self._color and not self._is_preview:
                self._highlighter = Highlighter(match["language"])
            return self._gap() + self._lone_mark()
        if match := MATH.match(rest):
            ends = {"$$": r".*\$\$[ \t]*", r"\[": r".*\\\][ \t]*"}
            end = ends.get(match["open"]) or rf".*\\end\{{{re.escape(match['name'] or '')}\}}[ \t]*"
            out = self._gap() + self._lone_mark()
            self._begin_verbatim(end, 0, is_math=True)
            out += self._verbatim(rest)
            if re.fullmatch(end, rest[match.end() :]):
                self._end_verbatim()
            return out
        if match := HEADING.fullmatch(rest):
            out = self._gap()
            return out + self._heading(
                _without_end(match[2] or ""), *self._containers.take_prefixes(self.columns), len(match[1])
            )
        if RULE.fullmatch(rest):
            prefix, _ = self._containers.take_prefixes(self.columns)
            out = [*self._gap(), prefix + styled("─" * max(self.columns - width_of(prefix), 1), FAINT)]
            self._needs_gap = True
            return out
        if rest.startswith("    ") and not self._containers.depth:
            return [*self._gap(is_tight=True), *self._verbatim(rest)]
        out = self._gap(is_tight=True)
        self._paragraph = Paragraph(*self._containers.take_prefixes(self.columns), self.columns, self._color)
        return out + self._add_text(rest.lstrip(" \t"))

    def _heading(self, text: str, prefix: str, rest: str, level: int) -> list[str]:
        style = f"{BOLD};{UNDERLINED}" if level == 1 else BOLD
        room = max(self.columns - max(width_of(prefix), width_of(rest)), 1)
        lines = wrap(parse(text.rstrip(), self._color, style), room)
        self._needs_gap = True
        return [(rest if number else prefix) + line for number, line in enumerate(lines)]

    def _add_text(self, text: str, joint: str = "\n") -> list[str]:
        """Adds to the paragraph; returns the lines that are finished."""
        assert self._paragraph
        self._paragraph.add(text, joint)
        return [] if self._is_preview else self._paragraph.take()

    def _flush(self) -> list[str]:
        out: list[str] = []
        if self._paragraph:
            out = self._paragraph.finish()
        if self._table:
            out = self._table.finish()
            self._needs_gap = True
        self._paragraph, self._table = None, None
        return out

    # Code and math

    def _begin_verbatim(self, end: str, indent: int, *, is_math: bool = False) -> None:
        self._fence, self._indent, self._depth, self._is_math = re.compile(end), indent, self._containers.depth, is_math

    def _end_verbatim(self) -> None:
        self._fence, self._highlighter, self._needs_gap = None, None, True

    def _code(self, line: str) -> list[str]:
        is_end = self._fence and self._fence.fullmatch(line)
        if self._is_math and not line.strip():
            # Math contains no empty lines: it was never closed.
            self._end_verbatim()
            self._is_blank = True
            return []
        if is_end:
            self._end_verbatim()
            return self._verbatim(line) if self._is_math else []
        indent = min(self._indent, len(line) - len(line.lstrip(" ")))
        return self._verbatim(line[indent:])

    def _verbatim(self, line: str) -> list[str]:
        self._is_empty = False
        if self._is_preview:
            # It has to stay on one row to be drawn again.
            return [fit(line[: self.columns].expandtabs(8), self.columns - 1)]
        return [self._highlighter.line(line) if self._highlighter else line]

    def _lone_mark(self) -> list[str]:
        """Returns a line for the marks of items that begin with code."""
        prefix, _ = self._containers.take_prefixes(self.columns) if self._containers.has_mark() else ("", "")
        return [prefix.rstrip()] if prefix else []

    def _leave(self, depth: int) -> list[str]:
        """Closes items and quotes; returns a line for marks without text."""
        out = self._gap(is_tight=True) + self._lone_mark() if self._containers.has_mark(depth) else []
        self._containers.close(depth)
        return out

    def _gap(self, *, is_tight: bool = False) -> list[str]:
        """Returns the empty line that sets a block apart, if it needs one."""
        is_needed = not self._is_empty and (self._is_blank or self._needs_gap or not is_tight)
        self._is_blank = self._needs_gap = self._is_empty = False
        return [""] if is_needed else []

    def _is_table(self, rule: str) -> bool:
        """True if a rule makes the paragraph's last line a table head."""
        return self._paragraph is not None and is_table(self._paragraph.head(), rule)


def _without_end(text: str) -> str:
    """Returns the text of a heading without its closing number signs."""
    text = text.rstrip(" \t")
    start = text.rstrip("#")
    return start.rstrip(" \t") if start[-1:] in ("", " ", "\t") else text


def _begins_block(rest: str) -> bool:
    """Returns True if a line can interrupt a paragraph with a block."""
    patterns = (FENCE.match, QUOTE.match, ITEM.match, MATH.match, HEADING.fullmatch)
    return any(match(rest) for match in patterns) or bool(RULE.fullmatch(rest) and not SETEXT.fullmatch(rest))
