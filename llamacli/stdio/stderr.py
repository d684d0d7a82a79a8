"""The only writer to stderr: notes, errors, the spinner."""

import os
import threading
import time
from contextlib import ExitStack, suppress

from llamacli.config import FALSE_WORDS
from llamacli.errors import LlamaError
from llamacli.stdio.text import ChunkJoiner, escaped, masked, one_line

#: Seconds from clearing the spinner's line to stopping the program.
PAUSE_SECONDS = 0.2
#: Seconds without a byte after which a note says what the program is waiting for.
WAITING_NOTE_SECONDS = 2.0


class Stderr:
    """The only writer to stderr.

    Notes wait until `configure` says whether they are wanted.
    """

    def __init__(self) -> None:
        self.is_terminal = os.isatty(2)
        self._takes_color = self.is_terminal and not os.environ.get("NO_COLOR") and not is_dumb()
        #: False with --no-color or LLAMACLI_NO_COLOR.
        self.wants_color = True
        self.is_colored = self._takes_color and os.environ.get("LLAMACLI_NO_COLOR", "0").lower() in FALSE_WORDS
        self.is_configured = self.is_quiet = self.is_verbose = False
        self.spinner = Spinner("")
        self._line_is_open = False
        self._waiting: list[str] = []
        self._secrets: dict[str, str] = {}
        self._chunks = ChunkJoiner(joins_line_ends=self.is_terminal)
        #: The end of the text so far, which may be the beginning of a key.
        self._rest = ""

    def configure(self, *, quiet: bool, verbose: bool, color: bool) -> None:
        """Applies the display options, then shows the notes so far."""
        self.is_configured, self.is_quiet, self.is_verbose = True, quiet, verbose
        self.wants_color = color
        self.is_colored = self._takes_color and color
        self.flush()

    def flush(self) -> None:
        """Shows the notes that still wait."""
        waiting, self._waiting = self._waiting, []
        if not self.is_quiet:
            for text in waiting:
                self.line(text, "2")

    def redact(self, secret: str) -> None:
        """Masks a key in everything that is written from now on.

        One of fewer than 8 characters (`none`, `x` for a local server) is part of
        innocent words, so it is masked only in an Authorization header.
        """
        before = "" if len(secret) >= 8 else "Bearer "
        self._secrets[before + secret] = before + masked(secret)

    def note(self, text: str) -> None:
        """Writes a note or warning, unless quiet."""
        self._waiting.append(text)
        if self.is_configured:
            self.flush()

    def announce(self, text: str) -> None:
        """Writes what somebody else's file decides, even with --quiet."""
        self.flush()
        self.line(text, "2")

    def verbose(self, text: str) -> None:
        """Writes a line of --verbose."""
        if self.is_verbose:
            self.write(one_line(self.redacted(text)) + "\n")

    def error(self, error: LlamaError) -> None:
        """Writes the one line of an error."""
        self.flush()
        self.line(error.text, "1;31", error.request_id)

    def line(self, text: str, style: str, request_id: str = "") -> None:
        """Writes `llamacli: text [id]`, the name with an SGR style."""
        prefix = f"\x1b[{style}mllamacli:\x1b[0m " if self.is_colored else "llamacli: "
        line = one_line(self.redacted(text))
        if request_id:
            line += f" [{one_line(self.redacted(request_id))}]"
        self.write(line + "\n", prefix)

    def write(self, text: str, prefix: str = "") -> None:
        """Writes text, harmless and without secrets.

        Without a prefix it may be a part of a longer text. What the parts have cut in two waits for
        the next one: a key, a character, CR LF.
        """
        if prefix:
            self._put(self._chunks.flush() + self._pop_rest())
        elif text:
            text = self.redacted(self._pop_rest() + self._chunks.feed(text))
            size = max((_overlap(text, secret) for secret in self._secrets), default=0)
            text, self._rest = text[: len(text) - size], text[len(text) - size :]
        self._put(text, prefix)

    def _pop_rest(self) -> str:
        rest, self._rest = self._rest, ""
        return rest

    def _put(self, text: str, prefix: str = "") -> None:
        if not text:
            return
        text = self.redacted(text)
        if not text.endswith("\n"):
            # It would be drawn over the line that is being written.
            self.spinner.stop()
        with self.spinner.lock:
            self.spinner.hide()
            break_line = "\n" if prefix and self._line_is_open else ""
            _try_write(break_line + prefix + (escaped(text) if self.is_terminal else text))
            self._line_is_open = not text.endswith("\n")

    def redacted(self, text: str) -> str:
        """Returns a text with keys masked; to be called before it is cut."""
        for secret, mask in self._secrets.items():
            text = text.replace(secret, mask)
        return text

    def waiting(self, text: str) -> "Spinner":
        """Returns a spinner for what the program waits for; start it."""
        return self.show_status(Spinner(one_line(text)))

    def show_status(self, spinner: "Spinner") -> "Spinner":
        """Takes over a spinner, hidden if nobody would see it."""
        if not self.is_terminal or is_dumb() or self.is_quiet:
            spinner.text = ""
        self.spinner = spinner
        return spinner

    def clear_status(self) -> None:
        """Ends the spinner and a line of reasoning before an answer."""
        self.spinner.stop()
        self._put(self._chunks.flush() + self._pop_rest())
        if self._line_is_open:
            self._put("\n")


class Spinner:
    """A line on the terminal while nothing arrives.

    It appears after half a second. In the background it draws nothing, and before the program stops
    (Ctrl-Z) it goes.
    """

    FRAMES = "|/-\\"

    def __init__(self, text: str) -> None:
        self.text = text
        # A signal may come while its own thread draws or this one writes.
        self.lock = threading.RLock()
        self._is_shown = False
        self._paused_until = 0.0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._stack = ExitStack()

    def start(self) -> None:
        """Starts it, if there is anything to show."""
        if self.text:
            from llamacli.stdio import terminal

            terminal.catch_first_stop()
            self._stack.enter_context(terminal.mode(lambda: None, self._pause))
            self._thread = threading.Thread(target=self._spin, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends it and clears its line; may be called any number of times."""
        if self._thread:
            self._over.set()
            self._thread.join()
            self._thread = None
            self._stack.close()
            self.hide()

    def hide(self) -> None:
        """Clears its line, under the lock or after the end."""
        if self._is_shown:
            self._is_shown = False
            _try_write("\r\x1b[K")

    def _pause(self) -> None:
        """Clears its line until the program has stopped."""
        with self.lock:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            self.hide()

    def _spin(self) -> None:
        from llamacli.stdio.terminal import may_draw

        start, frame = time.monotonic(), 0
        while not self._over.wait(0.1 if frame else 0.5):
            frame += 1
            # A line that wraps could not be cleared again.
            line = self.line(frame, time.monotonic() - start, _columns() - 1)
            with self.lock:
                if time.monotonic() >= self._paused_until and may_draw(2):
                    _try_write("\r" + line + "\x1b[K")
                    self._is_shown = True

    def line(self, frame: int, seconds: float, columns: int) -> str:
        """Returns the line after these frames and seconds, cut to columns."""
        return f"{self.FRAMES[frame % 4]} {self.text} {seconds:.0f} s"[:columns]


def _overlap(text: str, secret: str) -> int:
    """Returns how many characters at the end of a text may begin a secret."""
    return next((n for n in range(min(len(secret) - 1, len(text)), 0, -1) if text.endswith(secret[:n])), 0)


def write_all(fd: int, data: bytes) -> None:
    """Writes every byte, to a non-blocking fd too. Raises OSError."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(fd, left) :]
        except BlockingIOError:
            import select

            select.select([], [fd], [])


def _try_write(text: str) -> None:
    # If stderr cannot be written, there is nowhere to report it.
    with suppress(OSError):
        write_all(2, text.encode("utf-8", "backslashreplace"))


def _columns() -> int:
    with suppress(OSError):
        return os.get_terminal_size(2).columns or 80
    return 80


def is_dumb() -> bool:
    """Returns True if the terminal does not support escape sequences."""
    return os.environ.get("TERM") == "dumb"
