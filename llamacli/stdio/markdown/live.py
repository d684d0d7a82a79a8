"""Markdown on a terminal while it is being written: finished blocks stay, only the end is drawn again."""

import os
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import TYPE_CHECKING

from llamacli.errors import LlamaError
from llamacli.stdio.escape import escaped
from llamacli.stdio.output import Output

if TYPE_CHECKING:
    from llamacli.stdio.markdown.renderer import Block, Renderer


# What a terminal obeys (ECMA-48; the last two are the convention for updates that show at once).
UP, CLEAR_LINE, CLEAR_BELOW, PLAIN = "\x1b[%dA", "\x1b[2K", "\x1b[J", "\x1b[0m"


BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"


def prepare() -> None:
    """Imports what rendering needs, in a thread: called while the server is thinking, it costs no time."""
    import threading

    def load() -> None:
        with suppress(ImportError):
            import llamacli.stdio.markdown.renderer  # noqa: F401

    threading.Thread(target=load, daemon=True).start()


class LiveMarkdown:
    """An answer that grows on a terminal, rendered as Markdown. Use it in a `with`: leaving it prints what is left.

    Blocks are printed for good as soon as they are finished, and scroll away like any
    other text. What is drawn again is the last block, and of it never more than fits
    on the screen: lines that it pushes out at the top are printed for good too, and
    printed once more below where they have changed since. So no line is ever lost.
    """

    def __init__(self, out: Output, color: bool) -> None:
        self._out, self._color = out, color
        #: What has come and is not part of a finished block.
        self._source = ""
        #: The end of what has come, where its meaning depends on what follows.
        self._held = ""
        self._is_first = True
        #: The lines under which the cursor stands and which may be drawn again.
        self._drawn: list[str] = []
        #: The words of the lines of what is no finished block yet that have been pushed out.
        self._gone: list[str] = []
        self._size = (0, 0)
        self._is_torn = False
        self._renderer: Renderer | None = None

    def __enter__(self) -> "LiveMarkdown":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        with ExitStack() as undone:
            if error is not None:
                # What ended the answer is told, not that the terminal has gone too.
                undone.enter_context(suppress(LlamaError, OSError))
            if self._source or self._held:
                self._draw(final=True)

    def write(self, text: str) -> None:
        """Takes in more of the answer and shows it."""
        if not text:
            return
        text, self._held = self._held + text, ""
        # The first half of a line's end, or of a character outside the BMP.
        if text[-1] == "\r" or "\ud800" <= text[-1] <= "\udbff":
            text, self._held = text[:-1], text[-1]
        self._source += _clean(text)
        self._draw(final=False)

    def hide(self) -> None:
        """Takes away what may be drawn again, so that something else can be printed in its place."""
        self._show([], [])

    def _draw(self, final: bool) -> None:
        renderer, height = self._sized()
        if final:
            self._source, self._held = self._source + _clean(self._held), ""
        lines = self._taken(renderer.blocks(self._cut(renderer, final)))
        blocks = renderer.blocks(self._source)
        words, drawn = self._spaced(blocks)
        kept = _common(self._gone, words)
        region = drawn[kept:]
        if len(region) > height and not any(block.has_table for block in blocks):
            pushed = len(region) - height
            lines, region, kept = lines + region[:pushed], region[pushed:], kept + pushed
        self._gone = words[:kept]
        self._show(lines, region[-height:])

    def _cut(self, renderer: "Renderer", final: bool) -> str:
        """Takes the finished blocks off the source and returns them.

        The last block may go on, and a line that is still being written may yet turn
        out to belong to the block before it.
        """
        if final:
            done, self._source = self._source, ""
            return done
        ends = renderer.ends(self._source[: self._source.rfind("\n") + 1])
        if len(ends) < 2:
            return ""
        lines = self._source.split("\n")
        self._source = "\n".join(lines[ends[-2] :])
        return "\n".join(lines[: ends[-2]])

    def _taken(self, blocks: "list[Block]") -> list[str]:
        """Returns the lines of finished blocks that have not been pushed out as they are now."""
        if not blocks:
            return []
        words, drawn = self._spaced(blocks)
        self._is_first = False
        kept = _common(self._gone, words)
        self._gone = self._gone[kept:] if kept == len(words) else []
        return drawn[kept:]

    def _spaced(self, blocks: "list[Block]") -> tuple[list[str], list[str]]:
        """Returns the words and the lines of blocks, each apart from the one before it by an empty line."""
        words: list[str] = []
        drawn: list[str] = []
        for number, block in enumerate(blocks):
            gap = [""] if number or not self._is_first else []
            words += [*gap, *block.words]
            drawn += [*gap, *block.lines]
        return words, drawn

    def _sized(self) -> tuple["Renderer", int]:
        """Returns what renders at the terminal's present width, and how many lines may be drawn again."""
        try:
            columns, rows = os.get_terminal_size(self._out.fd)
        except OSError:
            columns, rows = 0, 0
        size = columns or 80, rows or 24
        if self._renderer is None or size != self._size:
            from llamacli.stdio.markdown.renderer import Renderer

            self._renderer = Renderer(size[0], self._color)
            if self._size != (0, 0) and size != self._size:
                self._resized(size)
            self._size = size
        return self._renderer, max(size[1] - 1, 1)

    def _resized(self, size: tuple[int, int]) -> None:
        """Forgets what the drawn lines were (none holds a NUL), so that each is drawn again.

        Where the terminal has wrapped them anew they take more rows than are gone
        up: some of them stand twice then, and nothing above them is overwritten.
        """
        self._drawn = ["\0"] * min(len(self._drawn), size[1] - 1)

    def _show(self, lines: list[str], region: list[str]) -> None:
        """Draws lines that stay and, under them, lines that may be drawn again, in place of those that could be."""
        new = lines + region
        same = _common(new, self._drawn)
        up = len(self._drawn) - same
        # A signal has come while something was drawn: nobody knows where the cursor is.
        parts = [PLAIN, "\n"] if self._is_torn else [UP % up] if up else []
        parts += [f"{CLEAR_LINE}{line}\n" for line in new[same:]]
        if up > len(new) - same:
            parts.append(CLEAR_BELOW)
        self._drawn, self._is_torn = [], bool(parts)
        if parts:
            self._out.draw("".join([BEGIN, *parts, END]))
        self._drawn, self._is_torn = region, False


def _common(one: list[str], other: list[str]) -> int:
    """Returns how many lines two lists have in common at their beginnings."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _clean(text: str) -> str:
    """Returns text in which nothing drives the terminal, with newlines for line ends."""
    return escaped(text.replace("\r\n", "\n"))
