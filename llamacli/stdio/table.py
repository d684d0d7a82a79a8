"""Rows in columns: aligned on a terminal, separated by tabs in a pipe.

A module of its own, because only the commands that list something load it.
"""

from collections.abc import Sequence

from llamacli.stdio.escape import escaped, width
from llamacli.stdio.output import Output


def print_table(
    rows: Sequence[Sequence[object]], out: Output, head: Sequence[str] = (), right: Sequence[int] = ()
) -> None:
    """Prints a line for each row.

    `head` is printed above them on a terminal; `right` lists the columns that are
    aligned to the right. White space in a cell becomes one space, since a tab or a
    newline would begin another column or row.
    """
    cells = [[" ".join(str("" if cell is None else cell).split()) for cell in row] for row in rows]
    if not out.is_terminal:
        return out.write("".join("\t".join(row) + "\n" for row in cells))
    cells = [[escaped(cell) for cell in row] for row in ([list(head)] if head and cells else []) + cells]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = [_padded(cell, widths[number], number in right) for number, cell in enumerate(row)]
        out.write("  ".join(padded).rstrip() + "\n")
    return None


def _padded(cell: str, columns: int, to_the_right: bool) -> str:
    space = " " * (columns - width(cell))
    return space + cell if to_the_right else cell + space
