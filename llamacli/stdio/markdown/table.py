"""Tables of Markdown."""

import copy
import re

from llamacli.stdio.escape import width
from llamacli.stdio.markdown.inline import BOLD, FAINT, Piece, parse, styled, width_of, wrap

TABLE_RULE = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
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
        table = copy.copy(self)
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
        self._rows.append(self._parsed(row))
        self._drawn.append(self._line(self._rows[-1]))

    def finish(self) -> list[str]:
        """Returns the lines that are not finished yet."""
        if self._is_frozen:
            return [line for row in self._drawn for line in row]
        rule = self._prefix + styled("─┼─".join("─" * size for size in self._widths or [3]), FAINT)
        return [*self._drawn[0], rule, *(line for row in self._drawn[1:] for line in row)]

    def resize(self, columns: int, rows: int | None) -> None:
        """Adopts the size of the terminal.

        Without a number of rows nothing is finished early.
        """
        self._columns, self._limit = columns, None if rows is None else min(rows, MAX_LINES) - 3
        if not self._is_frozen:
            self._measure()

    def _parsed(self, row: str, style: str = "") -> list[list[Piece]]:
        count = len(self._aligned)
        texts = _cells(row)
        # More cells than columns: no text is left out.
        texts = [*texts[: count - 1], " | ".join(texts[count - 1 :])] + [""] * (count - len(texts))
        return [parse(text, self._color, style) for text in texts[:count]]

    def _measure(self) -> None:
        """Finds widths that fit: the widest columns shrink."""
        room = self._columns - width_of(self._prefix) - len(SEPARATOR) * (len(self._aligned) - 1)
        widths, limit = self._natural, max(self._natural)
        while sum(widths) > room and limit:
            limit -= 1
            widths = [min(size, limit) for size in self._natural]
        if not limit:
            # Too many columns for this terminal.
            widths = []
        if widths != self._widths:
            self._widths, self._drawn = widths, []
        self._drawn += [self._line(cells) for cells in self._rows[len(self._drawn) :]]

    def _line(self, cells: list[list[Piece]]) -> list[str]:
        """Returns the lines of a row."""
        if not self._widths:
            pieces = [piece for cell in cells for piece in (*cell, Piece(" | ", "", -1))][:-1]
            return [self._prefix + line.text for line in wrap(pieces, max(self._columns - width_of(self._prefix), 1))]
        columns = [[line.text for line in wrap(cell, size)] for cell, size in zip(cells, self._widths, strict=True)]
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
