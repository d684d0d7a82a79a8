"""Markdown on a terminal while it is being written.

Finished lines stay; only the last ones are drawn again.
"""

import os
from contextlib import ExitStack, suppress

from llamacli.errors import LlamaError
from llamacli.stdio import terminal
from llamacli.stdio.markdown.renderer import Renderer
from llamacli.stdio.output import Output
from llamacli.stdio.text import ChunkJoiner, escaped

# Control sequences (ECMA-48; the last two are the convention for updates that show at once).
UP, CLEAR_LINE, CLEAR_BELOW, PLAIN = "\x1b[%dA", "\x1b[2K", "\x1b[J", "\x1b[0m"
BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
DEFAULT_COLUMNS, DEFAULT_ROWS = 80, 24


class LiveMarkdown:
    """An answer that grows, rendered as Markdown.

    Use it in a `with`: leaving it prints what is left. On a terminal the paragraph or the table
    that is being written is shown below the finished lines and drawn again as it grows; it is never
    higher than the screen.
    """

    def __init__(self, out: Output, color: bool) -> None:
        self._out, self._color = out, color
        self._chunks = ChunkJoiner(joins_line_ends=True)
        #: The line that is being written.
        self._line = ""
        #: The rest of a long line, which no longer changes how the line is rendered.
        self._unseen: list[str] = []
        #: The lines above the cursor that may be drawn again.
        self._drawn: list[str] = []
        self._size = (0, 0)
        self._is_torn = self._has_text = False
        #: How often the program was stopped: then the shell has written below the lines.
        self._stops = 0
        self._stack = ExitStack()
        self._renderer: Renderer | None = None

    def __enter__(self) -> "LiveMarkdown":
        if self._out.is_terminal:
            terminal.catch_first_stop()
            self._stack.enter_context(terminal.mode(lambda: None, self._forget))
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        with self._stack as stack:
            if error is not None:
                # What ended the answer is reported, not that the terminal has gone too.
                stack.enter_context(suppress(LlamaError, OSError))
            if self._has_text:
                lines = self._finish_lines(self._chunks.flush())
                renderer = self._resized()
                lines += renderer.feed(self._line) if self._line else []
                self._line = ""
                self._show(lines + renderer.finish(), [])

    def write(self, text: str) -> None:
        """Adds text to the answer and shows it."""
        if text := self._chunks.feed(text):
            self._has_text = True
            if self._unseen and "\n" not in text:
                self._unseen.append(escaped(text))
                return
            lines = self._finish_lines(text)
            self._show(lines, self._resized().preview(self._line) if self._out.is_terminal else [])

    def hide(self) -> None:
        """Removes what may be drawn again."""
        self._show([], [])

    def _finish_lines(self, text: str) -> list[str]:
        renderer = self._resized()
        *lines, self._line = "".join((self._line, *self._unseen, escaped(text))).split("\n")
        out = [line for source in lines for line in renderer.feed(source)]
        done, self._line = renderer.split(self._line)
        self._unseen = [""] if renderer.is_settled(self._line) else []
        return out + done

    def _resized(self) -> Renderer:
        """Returns the renderer, at the present width of the terminal."""
        size = self._columns_and_rows()
        if self._renderer is None:
            self._renderer = Renderer(size[0], self._color, size[1] - 1 if self._out.is_terminal else None)
        elif size != self._size:
            self._renderer.resize(size[0], size[1] - 1)
            # None contains a NUL, so all are drawn again. If the terminal has wrapped them in more
            # rows some stand twice then, and nothing above them is overwritten.
            self._drawn = ["\0"] * min(len(self._drawn), size[1] - 1)
        self._size = size
        return self._renderer

    def _columns_and_rows(self) -> tuple[int, int]:
        # In a pipe to a pager the terminal is still behind stderr.
        for fd in (self._out.fd, 2):
            with suppress(OSError):
                columns, rows = os.get_terminal_size(fd)
                return columns or DEFAULT_COLUMNS, rows or DEFAULT_ROWS
        return DEFAULT_COLUMNS, DEFAULT_ROWS

    def _forget(self) -> None:
        """Lets the drawn lines stay as they are, before the program stops."""
        self._drawn = []
        self._stops += 1

    def _show(self, lines: list[str], region: list[str]) -> None:
        """Draws lines that stay, then a region that may be drawn again."""
        stops = self._stops
        region = region[-max(self._size[1] - 1, 1) :] if terminal.may_draw(self._out.fd) else []
        new = lines + region
        same = _common(new, self._drawn)
        up = len(self._drawn) - same
        # A signal interrupted the drawing, so the position of the cursor is unknown.
        parts = [PLAIN, "\n"] if self._is_torn else [UP % up] if up else []
        parts += [f"{CLEAR_LINE}{line}\n" if up else f"{line}\n" for line in new[same:]]
        if up > len(new) - same:
            parts.append(CLEAR_BELOW)
        self._drawn, self._is_torn = [], bool(parts)
        if parts:
            self._out.draw("".join([BEGIN, *parts, END] if up else parts))
        self._drawn, self._is_torn = region if stops == self._stops else [], False


def _common(one: list[str], other: list[str]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
