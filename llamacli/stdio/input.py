"""What is read: stdin, files and arguments, as UTF-8 text or not at all."""

import fcntl
import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from llamacli.errors import ExitStatus, LlamaError

#: Seconds without a byte on stdin after which the user is told what the program waits for.
WAITING_NOTE_SECONDS = 2.0


BLOCK_BYTES = 1 << 18


class InputReader:
    """Reads the texts of one call."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self.note = note
        #: Bytes that are not UTF-8 become U+FFFD.
        self.lossy = False
        #: The fields of the flags that the command has, for hints that name only what is there.
        self.flags: frozenset[str] = frozenset()
        #: The file that holds what was written in an editor for this call.
        self.draft: Path | None = None
        self._stdin_taker = ""

    @property
    def is_stdin_used(self) -> bool:
        """Whether an option has read stdin (`--system @-`), so that nothing is left for the prompt."""
        return bool(self._stdin_taker)

    def stdin_is_piped(self) -> bool:
        """Tells whether stdin is no terminal, and can be read: nohup opens one that cannot."""
        return not os.isatty(0) and fcntl.fcntl(0, fcntl.F_GETFL) & os.O_ACCMODE != os.O_WRONLY

    def stdin(self, taker: str) -> str:
        """Reads stdin to its end, without trailing newlines, as the shell does it for `$(...)`."""
        return self.text(self.stdin_bytes(taker), "stdin").rstrip("\n")

    def stdin_bytes(self, taker: str) -> bytes:
        """Reads stdin to its end. `taker` says what wants it; a second taker is a usage error."""
        self.claim_stdin(taker)
        return b"".join(self.stdin_blocks())

    def claim_stdin(self, taker: str) -> None:
        """Says what wants stdin. Raises LlamaError (usage) where something else has taken it."""
        if self._stdin_taker:
            raise LlamaError(
                ExitStatus.USAGE, f"stdin was read for {self._stdin_taker} already", f"give {taker} another way"
            )
        self._stdin_taker = taker

    def stdin_blocks(self) -> Iterator[bytes]:
        """Yields what comes on stdin, as it comes. Raises LlamaError (usage)."""
        try:
            yield from self._read_stdin()
        except OSError as error:
            raise LlamaError(ExitStatus.USAGE, f"stdin cannot be read: {error.strerror}") from None

    def _read_stdin(self) -> Iterator[bytes]:
        if os.isatty(0):
            self.note("reading the terminal; end the text with Ctrl-D on a line of its own")
        # A regular file is always ready, and epoll would refuse it: select, which is everywhere.
        elif not select.select([0], [], [], WAITING_NOTE_SECONDS)[0]:
            hint = "; -I/--no-stdin leaves it alone" if "no_stdin" in self.flags else ""
            self.note(f"waiting for text on stdin{hint}")
        while block := _read(0):
            yield block

    def file(self, path: str) -> str:
        """Reads a file's text, whole and as it stands; `-` is stdin."""
        if path == "-":
            return self.stdin("--file -")
        return self.text(self.file_bytes(path), path)

    def file_bytes(self, path: str) -> bytes:
        """Reads a file. Raises LlamaError (usage)."""
        try:
            return Path(path).read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise LlamaError(ExitStatus.USAGE, f"{display_path(path)}: {reason}", "nothing was sent") from None

    @contextmanager
    def keeping_draft(self) -> Iterator[None]:
        """Adds the path of the draft to an error's hint."""
        try:
            yield
        except LlamaError as error:
            if self.draft:
                raise error.add_hint(f"your text is in {self.draft}") from error
            raise

    def drop_draft(self) -> None:
        """Removes what was written in an editor, which has served."""
        if self.draft:
            import shutil

            shutil.rmtree(self.draft.parent, ignore_errors=True)
            self.draft = None

    def at_file(self, text: str, origin: str) -> str:
        """Reads `@FILE` and `@-`, without trailing newlines; `@@` stands for a leading @."""
        if not text.startswith("@"):
            return self.argument(text, origin)
        if text.startswith("@@"):
            return self.argument(text[1:], origin)
        if text == "@-":
            return self.stdin(origin)
        return self.file(self.path_of(text, origin)).rstrip("\n")

    def path_of(self, text: str, origin: str) -> str:
        """Returns the path in `@FILE`. Raises LlamaError (usage) where there is none."""
        if text == "@":
            todo = "give @FILE, or @@ for an @ that is text"
            raise LlamaError(ExitStatus.USAGE, f"{origin}: '@' names no file", todo)
        return text[1:]

    def argument(self, text: str, origin: str) -> str:
        """Returns an argument or environment value as UTF-8 has it, whatever the locale took its bytes for."""
        try:
            return text if text.isascii() else self.text(os.fsencode(text), origin)
        except UnicodeEncodeError:
            # No bytes of the system's: what an escape of JSON stands for.
            return text

    def text(self, data: bytes, origin: str) -> str:
        """Decodes UTF-8; raises LlamaError (usage) naming the first byte that is not."""
        try:
            return data.decode("utf-8", "replace" if self.lossy else "strict")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise LlamaError(
                ExitStatus.USAGE,
                f"{origin} is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}, line {line}",
                "--lossy reads such bytes as U+FFFD" if "lossy" in self.flags else "nothing was sent",
            ) from None


def display_path(path: str) -> str:
    """Returns a path as UTF-8 has it, whatever the locale took its bytes for."""
    return os.fsencode(path).decode("utf-8", "replace")


def _read(fd: int) -> bytes:
    while True:
        try:
            return os.read(fd, BLOCK_BYTES)
        except BlockingIOError:
            # Another program that shares the pipe has made it non-blocking.
            select.select([fd], [], [])
