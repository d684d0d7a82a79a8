"""The text of a Markdown block as lines of a terminal.

It handles emphasis, code, links and math, and breaks lines.
"""

import re
from typing import NamedTuple

from llamacli.stdio.escape import width

# SGR parameters (ECMA-48): how each thing looks.
BOLD, FAINT, ITALIC, UNDERLINED, STRUCK, CYAN = "1", "2", "3", "4", "9", "36"


class Piece(NamedTuple):
    """Text in one style.

    `start` is where it stands in the source, -1 if it does not stand there as it is.
    """

    text: str
    style: str
    start: int
    #: No line is broken at its spaces.
    is_whole: bool = False


class Line(NamedTuple):
    """A line for the terminal.

    `start` is where its text begins in the source, -1 if it cannot be cut there.
    """

    text: str
    start: int


#: Markup inside a paragraph. Math, as in LaTeX, is found first and left as it is.
TOKEN = re.compile(
    r"""
    (?P<math> \$\$.+?\$\$ | \$(?![\s$])[^$\n]*?(?<![\s\\])\$(?!\d) | \\\(.+?\\\) | \\\[.+?\\\] )
    | (?P<code> (?P<ticks>`+) (?!`) (?P<inside>.+?) (?<!`)(?P=ticks)(?!`) )
    | (?P<ticks_alone> `+ )
    | (?P<break> (?:[ ]{2,}|(?<!\\)\\)\n )
    | (?P<escape> \\(?:_|[^\w\s]) )
    | (?P<image> !\[[^\]\n]*\]\([^()\s]*(?:[ ]+"[^"\n]*")?\) )
    | (?P<link> \[(?P<label>(?:[^\[\]\\]|\\.)+)\]\((?P<url><[^<>\n]*>|(?:[^()\s]|\([^()\s]*\))*)
        (?:\s+"(?P<title>[^"\n]*)")?\) )
    | (?P<address> <[a-z]+:[^\s<>]+> )
    | (?P<delimiter> \*+ | _+ | ~~+ )
    """,
    re.VERBOSE | re.DOTALL,
)
SPECIAL = re.compile(r"[*_~`$\\\[<]| {2}\n")
#: The characters that a backslash escapes in Markdown. Before others it stays, as in LaTeX.
ESCAPABLE = "*_`~|<>"


class _Delimiter:
    """A run of *, _ or ~ that may open or close emphasis."""

    def __init__(self, run: str, before: str, after: str, place: int, start: int) -> None:
        self.char, self.count, self.place, self.start = run[0], len(run), place, start
        is_left = not after.isspace() and (_is_word(after) or not _is_word(before))
        is_right = not before.isspace() and (_is_word(before) or not _is_word(after))
        # As in CommonMark, an underscore inside a word is text.
        is_inside = self.char == "_" and _is_word(before) and _is_word(after)
        self.opens, self.closes = is_left and not is_inside, is_right and not is_inside


def _is_word(char: str) -> bool:
    return char.isalnum()


def parse(source: str, color: bool, style: str = "") -> list[Piece]:
    """Returns the pieces of a text, every character in its order."""
    if not SPECIAL.search(source):
        return [Piece(source, style, 0)]
    pieces: list[Piece] = []
    delimiters: list[_Delimiter] = []
    end = 0
    for match in TOKEN.finditer(source):
        start, kind = match.start(), match.lastgroup
        if start > end:
            pieces.append(Piece(source[end:start], style, end))
        end = match.end()
        if kind == "delimiter":
            before, after = source[start - 1 : start] or " ", source[end : end + 1] or " "
            # A piece of its own, which shrinks as it is used up.
            delimiters.append(_Delimiter(match[0], before, after, len(pieces), start))
            pieces.append(Piece(match[0], style, start))
        else:
            pieces += _pieces(match, color, style)
    if end < len(source):
        pieces.append(Piece(source[end:], style, end))
    return _emphasized(pieces, delimiters) if delimiters else pieces


def _pieces(match: re.Match[str], color: bool, style: str) -> list[Piece]:
    text, kind, start = match[0], match.lastgroup, match.start()
    if kind == "math":
        return [Piece(text.replace("\n", " "), style, -1, True)]
    if kind == "code":
        inside = match["inside"].replace("\n", " ")
        is_padded = inside[0] == inside[-1] == " " and inside.strip()
        return [Piece(inside[1:-1] if is_padded else inside, _with(style, CYAN if color else BOLD), -1, True)]
    if kind == "break":
        return [Piece("\n", style, -1)]
    if kind == "escape" and text[1] in ESCAPABLE:
        return [Piece(text[1], style, -1)]
    if kind == "address":
        return [Piece(text[1:-1], _with(style, UNDERLINED), -1)]
    if kind == "link":
        label, url = match["label"], match["url"].strip("<>")
        title = f' "{match["title"]}"' if match["title"] else ""
        pieces = [piece._replace(start=-1) for piece in parse(label, color, _with(style, UNDERLINED))]
        if url and (title or url not in (label, f"mailto:{label}")):
            pieces.append(Piece(f" ({url}{title})", _with(style, FAINT), -1))
        return pieces
    return [Piece(text, style, start if kind == "ticks_alone" else -1)]


def _emphasized(pieces: list[Piece], delimiters: list[_Delimiter]) -> list[Piece]:
    """Styles the pieces between delimiters, which are removed."""
    styles: list[list[str]] = [[] for _ in pieces]
    openers: list[_Delimiter] = []
    for closer in delimiters:
        while closer.closes and closer.count:
            opener = next((one for one in reversed(openers) if _is_pair(one, closer)), None)
            if opener is None:
                break
            size = 2 if opener.count > 1 and closer.count > 1 else 1
            style = STRUCK if closer.char == "~" else BOLD if size == 2 else ITALIC
            for place in range(opener.place + 1, closer.place):
                styles[place].append(style)
            # What was opened in between stays text.
            del openers[openers.index(opener) + 1 :]
            opener.count, closer.count = opener.count - size, closer.count - size
            if not opener.count:
                openers.remove(opener)
        if closer.opens and closer.count:
            openers.append(closer)
    for one in delimiters:
        pieces[one.place] = pieces[one.place]._replace(text=one.char * one.count)
    return [
        piece._replace(style=_with(piece.style, *extra)) if extra else piece
        for piece, extra in zip(pieces, styles, strict=True)
        if piece.text
    ]


#: Text that may get another meaning as more arrives: how it begins, and how it ends.
PAIRS = (("[", "]"), ("](", ")"), ("\\(", "\\)"), ("\\[", "\\]"))


def open_at(source: str) -> int:
    """Returns where unclosed markup begins, else the length."""
    if not SPECIAL.search(source):
        return len(source)
    places = [source.rfind(opening) for opening, closing in PAIRS if source.rfind(opening) > source.rfind(closing)]
    # What is left of delimiters after parsing is text, and has its place in the source.
    places += [piece.start for piece in parse(source, color=False) if piece.start >= 0 and piece.text[0] in "*_~`"]
    return min([place for place in places if place >= 0], default=len(source))


def _is_pair(opener: _Delimiter, closer: _Delimiter) -> bool:
    return opener.char == closer.char and (closer.char != "~" or (opener.count > 1 and closer.count > 1))


def _with(style: str, *more: str) -> str:
    return ";".join(filter(None, (style, *dict.fromkeys(more))))


def styled(text: str, style: str) -> str:
    """Returns a text with the escape sequences of a style around it."""
    return f"\x1b[{style}m{text}\x1b[0m" if style and text else text


def wrap(pieces: list[Piece], columns: int) -> list[Line]:
    """Breaks pieces into lines of at most this many columns."""
    wrapper = _Wrapper(columns)
    for piece in pieces:
        wrapper.add(piece)
    return wrapper.finish()


class _Wrapper:
    """Fills lines with words."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.lines: list[Line] = []
        #: The texts of the line and of the word that are being put together, each with its style.
        self.line: list[tuple[str, str]] = []
        self.word: list[tuple[str, str]] = []
        self.used = self.start = 0
        #: Where the word stands in the source, and whether there is a space in front of it.
        self.word_start, self.has_space = -1, False

    def add(self, piece: Piece) -> None:
        text, style, start, is_whole = piece
        if is_whole:
            self._add_to_word(text, style, -1)
            return
        if text == "\n" and start < 0:
            self._end_word()
            self._end_line()
            return
        at = 0
        # Not at other kinds of white space: some of it is there to keep words together.
        for number, word in enumerate(text.replace("\n", " ").replace("\t", " ").split(" ")):
            if number:
                self._end_word()
                self.has_space = True
            if word:
                self._add_to_word(word, style, -1 if style or start < 0 else start + at)
            at += len(word) + 1

    def finish(self) -> list[Line]:
        self._end_word()
        if self.line or not self.lines:
            self._end_line()
        return self.lines

    def _add_to_word(self, text: str, style: str, start: int) -> None:
        if not self.word:
            self.word_start = start
        self.word.append((text, style))

    def _end_word(self) -> None:
        word = self.word
        if not word:
            return
        size = width(word[0][0]) if len(word) == 1 else sum(width(text) for text, _ in word)
        # A word that is too long for any line starts on this one.
        if self.used and self.used + 1 + size > self.columns and (size <= self.columns or self.used + 2 > self.columns):
            self._end_line()
        if self.used and self.has_space:
            style = word[0][1]
            self.line.append((" ", style if style == self.line[-1][1] else ""))
            self.used += 1
        elif not self.used and self.lines:
            self.start = self.word_start
        if self.used + size <= self.columns:
            self.line += word
            self.used += size
        else:
            for text, style in word:
                self._fold(text, style)
        self.word = []
        self.has_space = False

    def _fold(self, text: str, style: str) -> None:
        while self.used + width(text) > self.columns:
            head = fit(text, self.columns - self.used) or ("" if self.used else text[:1])
            self.line.append((head, style))
            text = text[len(head) :]
            if not text:
                return
            self._end_line()
        self.line.append((text, style))
        self.used += width(text)

    def _end_line(self) -> None:
        self.lines.append(Line(_drawn(self.line), self.start))
        self.line, self.used, self.start = [], 0, -1


def fit(text: str, columns: int) -> str:
    """Returns as much of a text's start as fits into `columns`."""
    if text.isascii():
        return text[: max(columns, 0)]
    used = 0
    for place, char in enumerate(text):
        used += width(char)
        if used > columns:
            return text[:place]
    return text


def _drawn(line: list[tuple[str, str]]) -> str:
    """Returns the text of a line with its styles."""
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
