"""Blocks of Markdown that are more than text: lists and quotes, tables, code."""

import re
from typing import Any, NamedTuple

from llamacli.stdio.markdown.inline import BOLD, FAINT, Piece, parse, styled
from llamacli.stdio.markdown.wrap import clone, fit, width_of, wrap
from llamacli.stdio.text import width

RULE = re.compile(r" {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})")
ITEM = re.compile(r"(?P<indent> {0,3})(?P<mark>[-*+]|\d{1,9}[.)])(?P<space>[ \t]+|$)(?=\S|$)")
QUOTE = re.compile(r" {0,3}>[ \t]?")
#: How deep lists and quotes are shown.
MAX_DEPTH = 20


class _Item(NamedTuple):
    """A list item, or a quote if it has no mark."""

    mark: str
    #: The column where its text begins, relative to its container.
    offset: int
    #: How the lines after the first one begin.
    rest: str


class Containers:
    """The list items and quotes that are open, the outermost first."""

    def __init__(self) -> None:
        self._items: list[_Item] = []

    def copy(self) -> "Containers":
        containers = Containers()
        containers._items = self._items[:]
        return containers

    @property
    def depth(self) -> int:
        return len(self._items)

    @property
    def has_quote(self) -> bool:
        return not all(item.mark for item in self._items)

    def has_mark(self, depth: int = 0) -> bool:
        """True if an item at this depth or below has not shown its mark."""
        return any(item.mark.strip() for item in self._items[depth:])

    def close(self, depth: int) -> None:
        """Closes everything below this depth."""
        del self._items[depth:]

    def inside(self, line: str) -> tuple[int, str]:
        """Returns how many open blocks a line is in, and its rest."""
        if not self._items:
            return 0, line
        rest = line
        for depth, item in enumerate(self._items):
            if item.mark:
                if not rest.strip():
                    continue
                indent = _indent(rest)
                # Two columns are enough for an item in an item: many write "1. a" and "  - b".
                if indent < item.offset and not (indent > 1 and ITEM.match(rest.lstrip(" \t"))):
                    return depth, rest
                rest = _without_indent(rest, min(item.offset, indent))
            elif match := QUOTE.match(rest):
                rest = rest[match.end() :]
            else:
                return depth, rest
        return len(self._items), rest

    def open(self, rest: str) -> str:
        """Opens what a line begins; returns the rest of the line."""
        while len(self._items) < MAX_DEPTH:
            if match := QUOTE.match(rest):
                self._items.append(_Item("", 0, styled("▌", FAINT) + " "))
                rest = rest[match.end() :]
            elif (match := ITEM.match(rest)) and not RULE.fullmatch(rest):
                mark = match["mark"]
                label = f" {'•' if mark in '-*+' else mark} "
                space = len(match["space"].expandtabs(4))
                offset = len(match["indent"]) + len(mark) + (space if 1 <= space <= 4 else 1)
                self._items.append(_Item(label, offset, " " * len(label)))
                rest = rest[match.end() :] if space <= 4 else rest[match.start("space") + 1 :]
            else:
                break
        return rest

    def take_prefixes(self, columns: int) -> tuple[str, str]:
        """Returns how lines start: the first, with marks, and the others."""
        first = rest = ""
        for item in reversed(self._items):
            # On a narrow terminal the text matters more.
            if width_of(item.rest + rest) > columns // 2:
                break
            first, rest = (item.mark or item.rest) + first, item.rest + rest
        self._items = [item._replace(mark=item.rest) if item.mark else item for item in self._items]
        return first, rest


def _indent(line: str) -> int:
    return len(line[: len(line) - len(line.lstrip(" \t"))].expandtabs(4))


def _without_indent(line: str, columns: int) -> str:
    """Removes this many columns of indentation; a tab after them stays."""
    spaces = min(len(line) - len(line.lstrip(" ")), columns)
    if spaces == columns or not line[spaces:].startswith("\t"):
        return line[spaces:]
    return _without_indent(" " * (4 - spaces % 4) + line[spaces + 1 :], columns - spaces)


TABLE_RULE = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*(?:\|[ \t]*)?")
CELL_END = re.compile(r"(?<!\\)\|")
#: After this many lines the column widths are fixed.
MAX_LINES = 40
SEPARATOR = " │ "


def is_table(head: str, rule: str) -> bool:
    """Returns True if these two lines begin a table."""
    is_rule = "|" in head and "-" in rule and TABLE_RULE.fullmatch(rule)
    return bool(is_rule) and len(_cells(head)) == len(_cells(rule))


def _cells(row: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in CELL_END.split(row.strip().strip("|"))]


class Table:
    """A table whose rows wait until the widths of its columns are fixed."""

    def __init__(self, head: str, rule: str, prefix: str, color: bool) -> None:
        self._prefix, self._color = prefix, color
        self._columns = 80
        self._limit: int | None = None
        self._aligned = [(cell.startswith(":"), cell.endswith(":")) for cell in _cells(rule)]
        #: The rows that are not finished, each a list of cells, and their lines.
        self._rows = [self._parsed(head, BOLD)]
        self._drawn: list[list[str]] = []
        #: The widths of the columns: as preferred, and as they fit.
        self._natural = [_size(cell) for cell in self._rows[0]]
        self._widths: list[int] = []
        self._is_frozen = False

    def copy(self) -> "Table":
        table = clone(self)
        table._rows, table._drawn = self._rows[:], self._drawn[:]
        return table

    def add(self, row: str) -> list[str]:
        """Adds a row; returns the lines that are finished."""
        cells = self._parsed(row)
        if self._is_frozen:
            return self._line(cells)
        self._rows.append(cells)
        self._natural = [max(size, _size(cell)) for size, cell in zip(self._natural, cells, strict=True)]
        self._measure()
        if self._limit is None or sum(map(len, self._drawn)) < self._limit:
            return []
        out = self.finish()
        self._is_frozen, self._rows, self._drawn = True, [], []
        return out

    def preview(self, row: str) -> None:
        """Adds a row that is not finished: the widths stay as they are."""
        if not self._widths:
            self._drawn.append([self._prefix + fit(row, self._columns - width_of(self._prefix))])
            return
        self._rows.append(self._parsed(row))
        self._drawn.append(self._line(self._rows[-1]))

    def finish(self) -> list[str]:
        """Returns the lines that are not finished yet."""
        if self._is_frozen:
            return [line for row in self._drawn for line in row]
        rule = self._prefix + styled("─┼─".join("─" * size for size in self._widths or [3]), FAINT)
        return [*self._drawn[0], rule, *(line for row in self._drawn[1:] for line in row)]

    def resize(self, columns: int, rows: int | None) -> None:
        """Adopts a size; without rows nothing is finished early."""
        self._columns, self._limit = columns, None if rows is None else min(rows, MAX_LINES) - 3
        if not self._is_frozen or sum(self._widths) > self._room():
            self._measure()

    def _parsed(self, row: str, style: str = "") -> list[list[Piece]]:
        count = len(self._aligned)
        texts = _cells(row)
        # More cells than columns: no text is left out.
        texts = [*texts[: count - 1], " | ".join(texts[count - 1 :])] + [""] * (count - len(texts))
        return [parse(text, self._color, style) for text in texts[:count]]

    def _room(self) -> int:
        return self._columns - width_of(self._prefix) - len(SEPARATOR) * (len(self._aligned) - 1)

    def _measure(self) -> None:
        """Finds widths that fit: the widest columns shrink."""
        room = self._room()
        low, limit = 0, max(self._natural)
        if sum(self._natural) > room:
            while limit - low > 1:
                middle = (low + limit) // 2
                is_too_wide = sum(min(size, middle) for size in self._natural) > room
                low, limit = (low, middle) if is_too_wide else (middle, limit)
            limit = low
        # Without any there are too many columns for this terminal.
        widths = [min(size, limit) for size in self._natural] if limit else []
        if widths != self._widths:
            self._widths, self._drawn = widths, []
        self._drawn += [self._line(cells) for cells in self._rows[len(self._drawn) :]]

    def _line(self, cells: list[list[Piece]]) -> list[str]:
        if not self._widths:
            pieces = [piece for cell in cells for piece in (*cell, Piece(" | ", ""))][:-1]
            return [self._prefix + line for line in wrap(pieces, max(self._columns - width_of(self._prefix), 1))]
        columns = [wrap(cell, size) for cell, size in zip(cells, self._widths, strict=True)]
        out = []
        for number in range(max(map(len, columns))):
            parts = [
                _padded(column[number] if number < len(column) else "", size, aligned)
                for column, size, aligned in zip(columns, self._widths, self._aligned, strict=True)
            ]
            out.append((self._prefix + SEPARATOR.join(parts)).rstrip(" "))
        return out


def _padded(text: str, size: int, aligned: tuple[bool, bool]) -> str:
    space = size - width_of(text)
    left = 0 if not aligned[1] else space // 2 if aligned[0] else space
    return " " * left + text + " " * (space - left)


def _size(cell: list[Piece]) -> int:
    return max(sum(width(piece.text) for piece in cell), 1)


#: Characters before a line that are read again, because a string or a comment may begin there.
MAX_CONTEXT_CHARS = 2000
#: SGR parameters by the beginnings of Pygments' short names of tokens.
COLORS = {"k": "34", "c": "2", "s": "32", "m": "36", "nb": "36", "nf": "33", "nc": "33", "nt": "34", "gi": "32"}
COLORS["gd"] = "31"


class Highlighter:
    """Colors the lines of a block of code, if its language is known."""

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
