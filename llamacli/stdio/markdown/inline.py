"""The text of a Markdown block as lines of a terminal.

It handles emphasis, code, links and math.
"""

import re
from functools import partial
from typing import NamedTuple

# SGR parameters (ECMA-48): how each thing looks.
BOLD, FAINT, ITALIC, UNDERLINED, STRUCK, CYAN = "1", "2", "3", "4", "9", "36"


#: A longer text is parsed in parts, so that the cost grows with its length and no faster.
LONG_CHARS = 1200
#: Unclosed math of one line is text once it is longer.
LONG_MATH_CHARS = 200
#: Emphasis that is opened more often and never closed is text.
MAX_OPENERS = 4
#: The text of a whole piece that ends a line.
HARD_BREAK = "\n"


class Piece(NamedTuple):
    """Text in one style. With `is_whole` no line is broken at its spaces."""

    text: str
    style: str
    is_whole: bool = False


#: Markup inside a paragraph. Math, as in LaTeX, is found first and left as it is.
TOKEN = re.compile(
    r"""
    (?P<math> \$\$.+?\$\$ | \$(?![\s$])[^$\n]*?(?<![\s\\])\$(?!\d) | \\\(.+?\\\) | \\\[.+?\\\] )
    | (?P<dollars> \$+ )
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


def parse(source: str, color: bool, style: str = "", before: str = " ") -> list[Piece]:
    """Returns the pieces of a text, in their order; no character is left out.

    `before` is the character in front of the text.
    """
    pieces: list[Piece] = []
    while len(source) > LONG_CHARS:
        end = cut_at(source[:LONG_CHARS])
        end = open_at(source[:end], before, LONG_CHARS // 2)
        pieces += _parse(source[:end], color, style, before)[0]
        source, before = source[end:], source[end - 1]
    return pieces + _parse(source, color, style, before)[0]


def _parse(source: str, color: bool, style: str, before: str) -> tuple[list[Piece], list[int]]:
    """Returns the pieces of a text, and where markup begins that it does not close."""
    if not SPECIAL.search(source):
        return [Piece(source, style)], []
    pieces: list[Piece] = []
    delimiters: list[_Delimiter] = []
    unclosed: list[int] = []
    end = 0
    for match in TOKEN.finditer(source):
        start, kind = match.start(), match.lastgroup
        if start > end:
            pieces.append(Piece(source[end:start], style))
        end = match.end()
        if kind == "delimiter":
            char, after = source[start - 1] if start else before, source[end : end + 1] or " "
            # A piece of its own, which shrinks as it is used up.
            delimiters.append(_Delimiter(match[0], char, after, len(pieces), start))
            pieces.append(Piece(match[0], style))
        else:
            if kind in ("ticks_alone", "dollars"):
                unclosed.append(start)
            pieces += _pieces(match, color, style)
    if end < len(source):
        pieces.append(Piece(source[end:], style))
    if delimiters:
        pieces = _emphasized(pieces, delimiters)
    return pieces, unclosed + [one.start for one in delimiters if one.opens and one.count]


def _pieces(match: re.Match[str], color: bool, style: str) -> list[Piece]:
    text, kind = match[0], match.lastgroup
    if kind == "math":
        return [Piece(text.replace("\n", " "), style, True)]
    if kind == "code":
        inside = match["inside"].replace("\n", " ")
        is_padded = inside[0] == inside[-1] == " " and inside.strip()
        return [Piece(inside[1:-1] if is_padded else inside, _with(style, CYAN if color else BOLD), True)]
    if kind == "break":
        return [Piece(HARD_BREAK, style, True)]
    if kind == "escape" and text[1] in ESCAPABLE:
        return [Piece(text[1], style)]
    if kind == "address":
        return [Piece(text[1:-1], _with(style, UNDERLINED))]
    if kind == "link":
        label, url = match["label"], match["url"].strip("<>")
        title = f' "{match["title"]}"' if match["title"] else ""
        pieces = parse(label, color, _with(style, UNDERLINED))
        if url and (title or url not in (label, f"mailto:{label}")):
            pieces.append(Piece(f" ({url}{title})", _with(style, FAINT)))
        return pieces
    return [Piece(text, style)]


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
        pieces[one.place] = Piece(one.char * one.count, pieces[one.place].style)
    return [
        Piece(piece.text, _with(piece.style, *extra), piece.is_whole) if extra else piece
        for piece, extra in zip(pieces, styles, strict=True)
        if piece.text
    ]


#: Text that may get another meaning as more arrives: how it begins, and how it ends.
PAIRS = (("[", "]"), ("\\(", "\\)"), ("\\[", "\\]"))


def open_at(source: str, before: str, ignored: int = 0) -> int:
    """Returns where unclosed markup begins, such as emphasis.

    Returns the length of the text if there is none. What begins in the first `ignored`
    characters is text.
    """
    if not SPECIAL.search(source):
        return len(source)
    places = [source.rfind(opening) for opening, closing in PAIRS if source.rfind(opening) > source.rfind(closing)]
    # The address of a link belongs to its label.
    if (address := source.rfind("](")) > source.rfind(")"):
        places.append(source.rfind("[", 0, address))
    places = [place - (source[place - 1 : place] == "!") for place in places if place >= 0]
    places += sorted(filter(partial(_is_open, source), _parse(source, False, "", before)[1]))[-MAX_OPENERS:]
    return min((place for place in places if place >= ignored), default=len(source))


def cut_at(text: str) -> int:
    """Returns a place in the second half of a text, inside a word if there is one.

    Cut there, no mark is cut in two.
    """
    places = (n for n in range(len(text) - 1, len(text) // 2, -1) if text[n - 1].isalnum() and text[n].isalnum())
    return next(places, len(text) - 1)


def _is_open(source: str, place: int) -> bool:
    """Returns True unless a dollar sign can no longer begin math."""
    rest = source[place : place + LONG_MATH_CHARS + 1]
    return rest[0] != "$" or (len(rest) <= LONG_MATH_CHARS and "\n" not in rest and not rest[1:2].isspace())


def _is_pair(opener: _Delimiter, closer: _Delimiter) -> bool:
    return opener.char == closer.char and (closer.char != "~" or (opener.count > 1 and closer.count > 1))


def _with(style: str, *more: str) -> str:
    return ";".join(filter(None, (style, *dict.fromkeys(more))))


def styled(text: str, style: str) -> str:
    """Returns a text with the escape sequences of a style around it."""
    return f"\x1b[{style}m{text}\x1b[0m" if style and text else text
