"""Breaks the pieces of a text into lines of a terminal."""

import re
from typing import TypeVar

from llamacli.stdio.markdown.inline import HARD_BREAK, LONG_CHARS, Piece, open_at, parse
from llamacli.stdio.text import width

#: More backslashes in a row are not a line break.
MAX_BREAK_CHARS = 100

T = TypeVar("T")


def clone(value: T) -> T:
    """Returns a shallow copy, like copy.copy, which takes ten times as long."""
    copy = object.__new__(type(value))
    copy.__dict__.update(value.__dict__)
    return copy


def wrap(pieces: list[Piece], columns: int) -> list[str]:
    """Breaks pieces into lines of at most this many columns.

    A longer word is split.
    """
    wrapper = Wrapper(columns)
    wrapper.add(pieces)
    return wrapper.finish()


class Wrapper:
    """Fills lines with words. `lines` are those that are full."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.lines: list[str] = []
        #: The texts of the unfinished line and word, each with its style.
        self._line: list[tuple[str, str]] = []
        self._word: list[tuple[str, str]] = []
        self._used, self._has_space, self._is_empty = 0, False, True
        #: The word continues from the line before: its beginning was longer than a line.
        self._is_folded = False

    def copy(self) -> "Wrapper":
        wrapper = clone(self)
        wrapper.lines, wrapper._line, wrapper._word = self.lines[:], self._line[:], self._word[:]
        return wrapper

    def resize(self, columns: int) -> None:
        """Breaks the line that is not full, and what follows it, at another width."""
        line, word, has_space = self._line, self._word, self._has_space
        self.columns, self._line, self._word, self._used, self._has_space = columns, [], [], 0, False
        for text, style in line:
            if text == " ":
                self._end_word()
                self._has_space = True
            else:
                self._word.append((text, style))
        if has_space or not word:
            self._end_word()
            self._has_space = has_space
        self._word += word

    def add(self, pieces: list[Piece]) -> None:
        for text, style, is_whole in pieces:
            if is_whole:
                if text == HARD_BREAK:
                    self._end_word()
                    self._end_line()
                    self._is_folded = False
                else:
                    self._word.append((text, style))
                continue
            # Not at other kinds of white space: some of it is there to keep words together.
            for number, word in enumerate(text.replace("\n", " ").replace("\t", " ").split(" ")):
                if number:
                    self._end_word()
                    self._has_space, self._is_folded = True, False
                if word:
                    self._word.append((word, style))
        if self._word_width() > self.columns:
            self._end_word()
            self._is_folded = True

    def _word_width(self) -> int:
        return width(self._word[0][0]) if len(self._word) == 1 else sum(width(text) for text, _ in self._word)

    def finish(self) -> list[str]:
        """Returns the lines, the last one too; there is at least one."""
        self._end_word()
        if self._line or self._is_empty:
            self._end_line()
        return self.lines

    def _end_word(self) -> None:
        word = self._word
        if not word:
            return
        size, used = self._word_width(), self._used
        # A word that is too long for any line starts on this one.
        is_full = used + 1 + size > self.columns and (size <= self.columns or used + 2 > self.columns)
        if used and is_full and not self._is_folded:
            self._end_line()
        if self._used and self._has_space:
            style = word[0][1]
            self._line.append((" ", style if style == self._line[-1][1] else ""))
            self._used += 1
        if self._used + size <= self.columns:
            self._line += word
            self._used += size
        else:
            for text, style in word:
                self._fold(text, style)
        self._word = []
        self._has_space = False

    def _fold(self, text: str, style: str) -> None:
        start = 0
        while start < len(text):
            end, used = _end_of_row(text, start, self.columns - self._used)
            # Each line has a character, however narrow it is.
            if end == start and not self._used:
                end, used = start + 1, width(text[start])
            if end > start:
                self._line.append((text[start:end], style))
                self._used += used
            start = end
            if start < len(text):
                self._end_line()

    def _end_line(self) -> None:
        self.lines.append(_drawn(self._line))
        self._line, self._used, self._is_empty = [], 0, False


class Paragraph:
    """A paragraph that grows, with the beginnings of its first and of its other lines.

    Its full lines can be taken as soon as they cannot change any more: what follows
    unclosed markup can, and what may still become a heading or the head of a table.
    """

    def __init__(self, prefix: str, rest: str, columns: int, color: bool) -> None:
        self.prefix, self.rest, self._color = prefix, rest, color
        #: All of its source, until lines of it are taken.
        self.whole: str | None = ""
        self._wrapper = Wrapper(columns)
        #: The source that is not in lines yet, and the character in front of it.
        self._source, self._before = "", " "
        #: The last line of the source, if it was added in one piece.
        self.last_line = ""
        self.resize(columns)

    def resize(self, columns: int) -> None:
        """Breaks the rest at another width."""
        self._columns = columns
        room = max(columns - max(width_of(self.prefix), width_of(self.rest)), 1)
        if self.whole is None:
            self._wrapper.resize(room)
        else:
            self._wrapper, self._source, self._before = Wrapper(room), self.whole, " "

    def copy(self) -> "Paragraph":
        paragraph = clone(self)
        paragraph._wrapper = self._wrapper.copy()
        return paragraph

    def add(self, text: str, joint: str) -> None:
        """Adds a line of the source, or a part of one if `joint` is not a newline."""
        self.last_line = text if joint == "\n" else ""
        if self.whole == "":
            joint = ""
        if self.whole is not None:
            self.whole += joint + text
        self._source += joint + text

    def take(self) -> list[str]:
        """Returns the lines that are full and cannot change any more."""
        self._settle()
        if self.whole is not None:
            if len(self.whole) < 2 * self._columns or not self._wrapper.lines:
                return []
            self.whole = None
        lines, self._wrapper.lines = self._wrapper.lines, []
        return self._prefixed(lines)

    def _settle(self) -> None:
        """Gives the wrapper what cannot change any more."""
        source = self._source
        # The last line may be the head of a table.
        end = len(source) - (len(self.last_line) if "|" in self.last_line else 0)
        end = open_at(source[:end], self._before) if end > 0 else 0
        # A hard break may follow.
        stripped = len(source[:end].rstrip(" \\"))
        end = stripped if end - stripped < MAX_BREAK_CHARS else end
        if len(source) - end > LONG_CHARS:
            end = open_at(source, self._before, LONG_CHARS // 2)
        if end:
            self._wrapper.add(parse(source[:end], self._color, "", self._before))
            self._source, self._before = source[end:], source[end - 1]

    def head(self) -> str:
        """Returns the last line if it may be the head of a table, else an empty text."""
        return self.last_line if self._source.endswith(self.last_line) else ""

    def drop_head(self) -> bool:
        """Removes the last line. Returns False if there is no other."""
        size = len(self.last_line)
        self._source, self.last_line = self._source[: len(self._source) - size].removesuffix("\n"), ""
        if self.whole is not None:
            self.whole = self.whole[: len(self.whole) - size].removesuffix("\n")
        return self.whole != ""

    def finish(self) -> list[str]:
        """Returns the lines that are left."""
        self._wrapper.add(parse(self._source.rstrip(), self._color, "", self._before))
        return self._prefixed(self._wrapper.finish())

    def _prefixed(self, lines: list[str]) -> list[str]:
        out = [(self.rest if number else self.prefix) + line for number, line in enumerate(lines)]
        if lines:
            self.prefix = self.rest
        return out


def fit(text: str, columns: int) -> str:
    """Returns as much of a text's start as fits into `columns`."""
    return text[: _end_of_row(text, 0, columns)[0]]


def _end_of_row(text: str, start: int, columns: int) -> tuple[int, int]:
    """Returns how far a text fits into `columns` from a place on, and the columns that it takes."""
    if text.isascii():
        end = min(start + max(columns, 0), len(text))
        return end, end - start
    used = 0
    for place in range(start, len(text)):
        size = width(text[place])
        if used + size > columns:
            return place, used
        used += size
    return len(text), used


def _drawn(line: list[tuple[str, str]]) -> str:
    """Returns the text of a line with its styles.

    Adjacent texts of one style are joined.
    """
    parts: list[str] = []
    style = ""
    for text, its_style in line:
        if its_style != style:
            parts.append((style and "\x1b[0m") + (its_style and f"\x1b[{its_style}m"))
            style = its_style
        parts.append(text)
    return "".join(parts) + (style and "\x1b[0m")


def width_of(prefix: str) -> int:
    """Returns the columns that a text takes without its escape sequences."""
    return width(re.sub("\x1b\\[[0-9;]*m", "", prefix)) if "\x1b" in prefix else width(prefix)
