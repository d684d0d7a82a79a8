"""Input: settings, stdin, files and arguments, read as UTF-8 text."""

import codecs
import fcntl
import os
import select
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from itertools import chain, islice
from pathlib import Path
from time import monotonic

from llamacli import config
from llamacli.errors import ExitStatus, LlamaError, UsageError
from llamacli.stdio.stderr import WAITING_NOTE_SECONDS, Stderr
from llamacli.stdio.text import binary_error, check_encoding, expand_home, invalid_byte_error, picture_type

BLOCK_BYTES = 1 << 18
#: A longer input fits no model, and one without an end would fill the memory.
MAX_INPUT_BYTES = 1 << 28
#: How UTF-16 starts, and UTF-32 without a NUL byte in front.
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
#: Bytes of a file by which a picture or an encoding is recognized.
START_BYTES = 12
#: Folders that hold the open descriptors of this process.
DESCRIPTOR_FOLDERS = ("/dev/fd", "/proc/self/fd", f"/proc/{os.getpid()}/fd", "/proc/thread-self/fd")


class InputReader:
    """Reads the texts of one call."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self.note = note
        #: Bytes that are not UTF-8 become U+FFFD.
        self.lossy = False
        #: Seconds to wait for the first byte or the end of stdin.
        self.stdin_timeout: float | None = None
        #: Seconds for the whole call, of which reading stdin is a part.
        self.max_time: float | None = None
        #: Seconds spent on reading stdin and on the key command.
        self.seconds_spent = 0.0
        #: The fields of the command's flags, so that hints name only flags that it has.
        self.flags: frozenset[str] = frozenset()
        #: The file with the text that the user wrote in an editor for this call.
        self.draft: Path | None = None
        #: The option or operand that has read stdin, such as --system for `--system @-`.
        self.stdin_taker = ""

    def stdin_is_piped(self) -> bool:
        """True if stdin is not a terminal and can be read (not nohup's)."""
        return not os.isatty(0) and fcntl.fcntl(0, fcntl.F_GETFL) & os.O_ACCMODE != os.O_WRONLY

    def stdin(self, taker: str) -> str:
        """Returns stdin without trailing newlines, as `$(...)` does."""
        self.claim_stdin(taker)
        return self.decode(self.stdin_blocks(self.max_time), "stdin").rstrip("\n")

    def stdin_bytes(self, taker: str) -> bytes:
        """Returns the bytes of stdin for a flag or operand, `taker`."""
        self.claim_stdin(taker)
        return _joined(self.stdin_blocks(self.max_time), "stdin")

    def claim_stdin(self, taker: str) -> None:
        """Records who reads stdin. Raises UsageError if it is read."""
        if self.stdin_taker:
            raise UsageError(f"stdin was already read for {self.stdin_taker}", f"use a file for {taker}")
        self.stdin_taker = taker

    def stdin_blocks(self, max_time: float | None = None) -> Iterator[bytes]:
        """Yields the bytes of stdin as they arrive.

        Raises LlamaError: usage if stdin cannot be read or --stdin-timeout is over,
        network if `max_time` seconds are over.
        """
        if os.isatty(0):
            self.note("type your text, then press Ctrl-D on an empty line")
        start = monotonic()
        try:
            self._wait_for_stdin(start, max_time, is_first=True)
            while block := _read(0):
                yield block
                self._wait_for_stdin(start, max_time, is_first=False)
            self.seconds_spent += monotonic() - start
        except OSError as error:
            raise UsageError(f"cannot read stdin: {error.strerror}") from None

    def _wait_for_stdin(self, start: float, max_time: float | None, is_first: bool) -> None:
        """Waits for stdin, with a note. Raises LlamaError at a limit."""
        if not is_first and max_time is None:
            return
        limits: list[tuple[float, LlamaError | None]] = []
        if max_time is not None:
            message = f"stdin did not end within {max_time:g} s (--max-time)"
            limits.append((start + max_time, LlamaError(ExitStatus.NETWORK, message, "nothing was sent")))
        if is_first and self.stdin_timeout is not None:
            message = f"no text on stdin after {self.stdin_timeout:g} s (--stdin-timeout)"
            hint = "nothing was sent; use -I to skip stdin" if "no_stdin" in self.flags else "nothing was sent"
            limits.append((start + self.stdin_timeout, UsageError(message, hint)))
        if is_first and not os.isatty(0):
            limits.append((start + WAITING_NOTE_SECONDS, None))
        for end, error in sorted(limits, key=lambda limit: limit[0]):
            # select, not epoll, which refuses regular files.
            if select.select([0], [], [], max(0.0, end - monotonic()))[0]:
                return
            if error:
                raise error
            advice = "; use -I to skip it" if "no_stdin" in self.flags else ""
            self.note(f"waiting for text on stdin{advice}")

    def note_shared_stdin(self) -> None:
        """Notes that something (`while read`) has read some of stdin."""
        status = os.fstat(0)
        if stat.S_ISREG(status.st_mode) and 0 < os.lseek(0, 0, os.SEEK_CUR) < status.st_size:
            self.note("another program has already read the start of stdin; reading the rest (in a loop, use -I)")

    def file(self, path: str) -> str:
        """Returns a file's text; `-` is stdin. Raises UsageError."""
        if is_stdin(path):
            return self.stdin(f"--file {path}")
        return self.decode(self.file_blocks(path), display_path(path), path).removeprefix("\ufeff")

    def file_bytes(self, path: str, taker: str) -> bytes:
        """Returns a file's bytes; `-` is stdin. Raises UsageError."""
        return self.stdin_bytes(taker) if is_stdin(path) else _joined(self.file_blocks(path), display_path(path))

    def file_blocks(self, path: str) -> Iterator[bytes]:
        """Yields the bytes of a file. Raises UsageError."""
        try:
            is_regular = stat.S_ISREG(os.stat(path).st_mode)
            if not is_regular and self.max_time is not None:
                yield from self._blocks_within(path, self.max_time)
                return
            # Opening a FIFO waits for its writer, and reading it for the first byte.
            with nullcontext() if is_regular else self.waiting(f"waiting for {display_path(path)}"):
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                block = _read(fd)
            try:
                while block:
                    yield block
                    block = _read(fd)
            finally:
                os.close(fd)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"{display_path(path)}: {reason}", "nothing was sent") from None

    def _blocks_within(self, path: str, max_time: float) -> Iterator[bytes]:
        """Yields the bytes of a FIFO or device. Raises LlamaError at --max-time."""
        from llamacli.stdio.shell import file_blocks_within

        start = monotonic()
        blocks = file_blocks_within(path, start + max_time - self.seconds_spent)
        try:
            with self.waiting(f"waiting for {display_path(path)}"):
                first = next(blocks, b"")
            yield first
            yield from blocks
        except TimeoutError:
            message = f"{display_path(path)} did not end within {max_time:g} s (--max-time)"
            raise LlamaError(ExitStatus.NETWORK, message, "nothing was sent") from None
        self.seconds_spent += monotonic() - start

    def text_or_picture(self, path: str) -> str | tuple[str, bytes]:
        """Reads a text, or a picture's type and bytes. Raises LlamaError."""
        if is_stdin(path):
            self.claim_stdin(f"--file {path}")
        blocks = _with_long_start(self.stdin_blocks(self.max_time) if is_stdin(path) else self.file_blocks(path))
        first = next(blocks, b"")
        blocks = chain([first], blocks)
        if media_type := picture_type(first):
            return media_type, _joined(blocks, display_path(path))
        if is_stdin(path):
            return self.decode(blocks, "stdin").rstrip("\n")
        return self.decode(blocks, display_path(path), path).removeprefix("\ufeff")

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Shows a note if the block takes longer than two seconds."""
        from threading import Timer

        timer = Timer(WAITING_NOTE_SECONDS, self.note, [text])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def edit(self, prompt: str) -> str:
        """Returns the prompt that the user writes in an editor.

        The text stays in a file, the draft, until `drop_draft`. Raises UsageError.
        """
        from llamacli.stdio.shell import run_editor, write_draft

        # The text of the last draft is part of this one.
        self.drop_draft()
        self.draft = write_draft(prompt)
        try:
            run_editor(str(self.draft))
        except UsageError:
            with suppress(OSError):
                if self.draft.read_text(encoding="utf-8", errors="replace") == prompt:
                    # Nothing was written, so nothing can be lost.
                    self.drop_draft()
            raise
        text = self.file(str(self.draft)).rstrip("\n")
        if not text.strip():
            self.drop_draft()
        return text

    @contextmanager
    def keeping_draft(self) -> Iterator[None]:
        """Adds the path of the draft to an error's hint."""
        try:
            yield
        except LlamaError as error:
            if self.draft and self.draft.exists():
                raise error.add_hint(f"your text is in {self.draft}") from error
            self.drop_draft()
            raise

    def drop_draft(self) -> None:
        """Removes the file that was written in an editor."""
        if self.draft:
            import shutil

            shutil.rmtree(self.draft.parent, ignore_errors=True)
            self.draft = None

    def at_file(self, text: str, origin: str) -> str:
        """Reads `@FILE` and `@-`, without trailing newlines; `@@` is an @."""
        if not text.startswith("@") or text.startswith("@@"):
            return self.argument(text[1:] if text.startswith("@@") else text, origin)
        path = self.path_of(text, origin)
        return self.stdin(origin).removeprefix("\ufeff") if is_stdin(path) else self.file(path).rstrip("\n")

    def path_of(self, text: str, origin: str) -> str:
        """Returns the path in `@FILE`. Raises UsageError."""
        if text == "@":
            raise UsageError(f"{origin}: '@' needs a file name", "use @FILE, or @@ for a literal @")
        return expand_home(text[1:])

    def argument(self, text: str, origin: str) -> str:
        """Returns an argument as UTF-8 text, whatever the locale."""
        try:
            return text if text.isascii() else self.decode(iter([os.fsencode(text)]), origin)
        except UnicodeEncodeError:
            if sys.getfilesystemencoding() != "utf-8":
                # The C library has decoded the bytes in a way that Python's codec cannot reverse.
                message = f"cannot decode {origin} in this locale"
                raise UsageError(message, "use a locale with UTF-8, or stdin") from None
            # A lone surrogate from a JSON escape, not from the system's bytes.
            return text

    def decode(self, blocks: Iterator[bytes], origin: str, path: str = "") -> str:
        """Decodes blocks of UTF-8, as they arrive.

        Raises UsageError for another encoding or binary data, before the rest is read, and for the
        first byte that is not UTF-8. `path` is the file that the text is from, if it is from one.
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace" if self.lossy else "strict")
        parts: list[str] = []
        offset, start = 0, b""
        blocks = _with_long_start(_limited(blocks, origin))
        for block in chain(blocks, [b""]):
            start = start or block[:START_BYTES]
            if (path or not offset) and (b"\0" in block or (not offset and block[:2] in UTF16_MARKS)):
                if not offset:
                    check_encoding(block, origin, path)
                raise binary_error(origin, start, offset + block.index(b"\0"))
            try:
                parts.append(decoder.decode(block, final=not block))
            except UnicodeDecodeError as error:
                # --lossy would not make text of a file with NUL bytes.
                if path and any(b"\0" in rest for rest in chain([block], islice(blocks, 64))):
                    raise binary_error(origin, start) from None
                line = sum(part.count("\n") for part in parts) + error.object.count(b"\n", 0, error.start) + 1
                # The decoder may have kept the first bytes of a character from the block before.
                place = f"offset {offset + len(block) - len(error.object) + error.start}, line {line}"
                hint = "--lossy reads such bytes as U+FFFD" if "lossy" in self.flags else "nothing was sent"
                raise invalid_byte_error(origin, error.object[error.start], place, start, hint) from None
            offset += len(block)
        return "".join(parts)


class Environment:
    """The surroundings of one call, created once in main and passed down."""

    def __init__(self, stderr: Stderr) -> None:
        self.stderr = stderr
        self.input = InputReader(stderr.note)
        self.settings = config.load(stderr.note)


def is_stdin(path: str) -> bool:
    """True for `-`, and for a path that names descriptor 0."""
    if path == "-":
        return True
    # Most paths are not links at all, and cost one call.
    for _ in range(40):
        folder, name = os.path.split(path)
        if name == "0" and os.path.realpath(folder) in map(os.path.realpath, DESCRIPTOR_FOLDERS):
            return True
        try:
            target = os.readlink(path)
        except (OSError, ValueError):
            return False
        path = os.path.normpath(os.path.join(folder, target))
    return False


def display_path(path: str) -> str:
    """Returns a path decoded as UTF-8, whatever the locale."""
    return os.fsencode(path).decode("utf-8", "replace")


def _limited(blocks: Iterator[bytes], origin: str) -> Iterator[bytes]:
    """Yields blocks, which may never end, until there are too many bytes. Raises UsageError."""
    size = 0
    for block in blocks:
        size += len(block)
        if size > MAX_INPUT_BYTES:
            raise UsageError(f"{origin} is longer than {MAX_INPUT_BYTES >> 20} MiB", "send a part of it")
        yield block


def _joined(blocks: Iterator[bytes], origin: str) -> bytes:
    return b"".join(_limited(blocks, origin))


def _with_long_start(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yields the blocks, the first long enough to recognize its kind."""
    start = b""
    for block in blocks:
        start += block
        if len(start) >= START_BYTES:
            break
    if start:
        yield start
    yield from blocks


def _read(fd: int) -> bytes:
    while True:
        try:
            return os.read(fd, BLOCK_BYTES)
        except BlockingIOError:
            # Another program that shares the pipe has made it non-blocking.
            select.select([fd], [], [])
