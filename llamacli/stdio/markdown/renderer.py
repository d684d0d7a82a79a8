"""Renders Markdown as lines for a terminal, line by line.

Finished lines are returned at once and never change. Only the last paragraph, heading
or table can still change, and it is kept short, so that the cost of a text grows with
its length and no faster. Code stands at the left margin exactly as it was written, to
be copied.
"""

import copy
import re

from llamacli.stdio.markdown.blocks import ITEM, QUOTE, RULE, Containers, Highlighter, Table, is_table
from llamacli.stdio.markdown.inline import BOLD, FAINT, UNDERLINED, fit, open_at, parse, styled, width_of, wrap

FENCE = re.compile(r"(?P<indent> {0,3})(?P<fence>`{3,}(?!.*`)|~{3,})\s*(?P<language>[^\s`{]*)")
HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*")
SETEXT = re.compile(r" {0,3}(=+|-{3,})[ \t]*")
MATH = re.compile(r" {0,3}(?P<open>\$\$|\\\[|\\begin\{(?P<name>[^}]*)\})")
#: A paragraph that is longer is finished in parts.
LONG_CHARS = 1200
CACHE_ENTRIES = 4


class Renderer:
    """Renders a text for a terminal with this many columns.

    Give `feed` each line of a text without anything that drives a terminal, then call
    `finish`; `preview` shows what an unfinished line would change. A paragraph or a table
    with more than `rows` lines is finished early, so that it can be printed for good.
    """

    def __init__(self, columns: int, color: bool, rows: int | None = None) -> None:
        self.columns, self._color, self._rows = columns, color, rows
        self._containers = Containers()
        #: The source of a paragraph that may continue, and how its first and its other lines begin.
        self._text: str | None = None
        self._prefix = self._rest = ""
        self._table: Table | None = None
        #: What ends the code or math that is being read, None outside of it.
        self._fence: re.Pattern[str] | None = None
        self._is_math = False
        self._indent = self._depth = 0
        self._highlighter: Highlighter | None = None
        self._needs_gap = self._is_blank = self._is_preview = False
        self._is_empty = True
        #: Paragraphs as they were drawn last: each is drawn several times before it is finished.
        self._cache: dict[tuple[str, str, str, str, int], list[str]] = {}
        #: The next line continues the paragraph, whatever it looks like.
        self._is_continued = False

    def feed(self, line: str) -> list[str]:
        """Takes a line of the source and returns the finished lines."""
        if self._is_continued:
            self._is_continued = False
            return self._add_text(line, " ")
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
        if self._text is not None and not _begins_block(rest) and (is_lazy or not self._ends_paragraph(rest)):
            return self._add_text(rest.strip(" \t") if not rest.endswith("  ") else rest.lstrip(" \t"))
        if self._table and not is_lazy and "|" in rest and not _begins_block(rest):
            if self._is_preview:
                self._table.preview(rest[: 2 * self.columns])
                return []
            return self._table.add(rest)
        if self._text is not None and not is_lazy and (match := SETEXT.fullmatch(rest)):
            text, self._text = self._text, None
            return self._heading(text, 1 if match[1][0] == "=" else 2)
        if self._text is not None and not is_lazy and self._is_table(rest):
            self._text, _, head = self._text.rpartition("\n")
            if self._text:
                out = self._flush() + self._gap()
            self._table = Table(
                head, rest, self._prefix or self._containers.take_prefixes(self.columns)[1], self._color
            )
            self._table.resize(self.columns, self._rows)
            self._text = None
            return out
        out += self._flush() + self._leave(depth)
        return out + self._begin(self._containers.open(rest))

    def preview(self, line: str) -> list[str]:
        """Returns the lines that would follow if the text ended here."""
        last = copy.copy(self)
        last._containers, last._is_preview, last._highlighter = self._containers.copy(), True, None
        if self._table:
            last._table = self._table.copy()
        return (last.feed(line) if line else []) + last._flush()

    def finish(self) -> list[str]:
        """Returns the last lines."""
        return self._flush() + self._leave(0)

    def resize(self, columns: int, rows: int) -> None:
        """Renders for a terminal of another size from now on."""
        self.columns, self._rows = columns, rows
        if self._table:
            self._table.resize(columns, rows)

    def split(self, line: str) -> tuple[list[str], str]:
        """Takes the start of a long line; returns lines, and what is left."""
        limit = LONG_CHARS if line.lstrip(" >")[:1] in ("|", "#") else self.columns
        place = line.rfind(" ")
        if len(line) <= limit or self._fence or self._table or place < limit // 2:
            return [], line
        out = self.feed(line[:place].rstrip())
        self._is_continued = self._text is not None
        return out, line[place + 1 :]

    # Blocks

    def _begin(self, rest: str) -> list[str]:
        """Begins a block with its first line."""
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
            self._prefix, self._rest = self._containers.take_prefixes(self.columns)
            return out + self._heading(match[2] or "", len(match[1]))
        if RULE.fullmatch(rest):
            prefix, _ = self._containers.take_prefixes(self.columns)
            out = [*self._gap(), prefix + styled("─" * max(self.columns - width_of(prefix), 1), FAINT)]
            self._needs_gap = True
            return out
        if rest.startswith("    ") and not self._containers.depth:
            return [*self._gap(is_tight=True), *self._verbatim(rest)]
        out = self._gap(is_tight=True)
        self._prefix, self._rest = self._containers.take_prefixes(self.columns)
        self._text = ""
        return out + self._add_text(rest.lstrip(" \t"))

    def _heading(self, text: str, level: int) -> list[str]:
        out = self._wrapped(text, self._prefix, self._rest, f"{BOLD};{UNDERLINED}" if level == 1 else BOLD)
        self._prefix = ""
        self._needs_gap = True
        return out

    def _add_text(self, text: str, joint: str = "\n") -> list[str]:
        """Adds to the paragraph; returns the lines that are finished."""
        self._text = f"{self._text}{joint}{text}" if self._text else text
        if self._is_preview or len(self._text) < 2 * self.columns or self._rows is None:
            return []
        lines = wrap(parse(self._text, self._color), max(self.columns - width_of(self._rest), 1))
        end = len(self._text) if len(self._text) > LONG_CHARS else open_at(self._text)
        # The head of a table is the last line of a paragraph.
        end = min(end, len(self._text.rpartition("\n")[0]) if "|" in text else end)
        last = next((n for n in range(len(lines) - 1, 0, -1) if 0 < lines[n].start <= end), 0)
        if not last and len(self._text) > LONG_CHARS:
            last = len(lines)
        done = [(self._rest if n else self._prefix) + line.text for n, line in enumerate(lines[:last])]
        if done:
            self._prefix = self._rest
            self._text = self._text[lines[last].start :] if last < len(lines) else ""
        return done

    def _flush(self) -> list[str]:
        """Finishes the paragraph or the table."""
        out: list[str] = []
        if self._text:
            out = self._wrapped(self._text, self._prefix, self._rest)
        if self._table:
            out = self._table.finish()
            self._needs_gap = True
        self._text, self._table, self._prefix = None, None, ""
        return out

    def _wrapped(self, text: str, prefix: str, rest: str, style: str = "") -> list[str]:
        key = (text, prefix, rest, style, self.columns)
        if key not in self._cache:
            if len(self._cache) > CACHE_ENTRIES:
                self._cache.clear()
            room = max(self.columns - max(width_of(prefix), width_of(rest)), 1)
            lines = wrap(parse(text.rstrip(), self._color, style), room)
            self._cache[key] = [(rest if number else prefix) + line.text for number, line in enumerate(lines)]
        return self._cache[key]

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

    def _ends_paragraph(self, rest: str) -> bool:
        return bool(SETEXT.fullmatch(rest)) or self._is_table(rest)

    def _is_table(self, rule: str) -> bool:
        """True if a rule makes the paragraph's last line a table head."""
        return is_table((self._text or "").rpartition("\n")[2], rule)


def _begins_block(rest: str) -> bool:
    """Returns True if a line can interrupt a paragraph with a block."""
    patterns = (FENCE.match, QUOTE.match, ITEM.match, MATH.match, HEADING.fullmatch)
    return any(match(rest) for match in patterns) or bool(RULE.fullmatch(rest) and not SETEXT.fullmatch(rest))
