"""The only writer to stdout and to -o FILE: the answer and nothing else."""

import math
import os
import re
from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from time import monotonic
from typing import TYPE_CHECKING

from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.input import Environment
from llamacli.stdio.stderr import write_all
from llamacli.stdio.text import DANGEROUS, ChunkJoiner, escaped, width

if TYPE_CHECKING:
    from llamacli.stdio.files import Writer


class Output:
    """Where the answer goes.

    On a terminal, control characters are shown escaped; elsewhere bytes pass verbatim. `before` is
    called before each write, `note` with what the user should know, `stdout` is the descriptor to
    write to without a path, and `seconds` limits the wait for the reader of a FIFO. Use it in a
    `with` and call `commit` when the answer is complete; otherwise a file keeps its old content.
    """

    def __init__(
        self,
        path: str | None,
        before: Callable[[], None] = lambda: None,
        stdout: int = 1,
        note: Callable[[str], None] = lambda text: None,
        seconds: float = math.inf,
    ) -> None:
        self._before, self._note = before, note
        self.name, self.fd = "stdout", stdout
        self._target: Writer | None = None
        try:
            if path is not None and path not in ("-", "/dev/stdout"):
                from llamacli.stdio.files import open_writer

                self.name = path
                self._target = open_writer(path, note, seconds)
                self.fd = self._target.fd
            # A closed stdout is reported before anything is sent and paid for.
            os.write(self.fd, b"")
        except OSError as error:
            raise _failure(self.name, error) from None
        self.is_terminal = os.isatty(self.fd)
        self.is_stdout = self._target is None
        self._decoder: IncrementalDecoder | None = None
        # On a terminal CR LF ends a line; alone CR is shown escaped.
        self._chunks = ChunkJoiner(joins_line_ends=self.is_terminal)
        self._last = "\n"
        #: True once something was written.
        self.written = False

    def __enter__(self) -> "Output":
        return self

    def write(self, text: str) -> None:
        """Writes text. Raises LlamaError (output) or BrokenPipeError."""
        if text := self._chunks.feed(text):
            self._put(escaped(text) if self.is_terminal else text)

    def end(self, terminator: str = "\n") -> None:
        """Ends an answer with one newline, or with a NUL byte."""
        if rest := self._chunks.flush():
            self._put(escaped(rest) if self.is_terminal else rest)
        if terminator == "\0" or self._last not in "\n\0":
            self._put(terminator)

    def document(self, value: object, *, line: bool = False, terminator: str = "\n") -> None:
        """Writes JSON, indented on a terminal unless `line` is set."""
        indent = 2 if self.is_terminal and not line else None
        self._put(dump(value, indent, self.is_terminal) + terminator)

    def json_text(self, text: str) -> None:
        """Writes JSON text; on a terminal with escapes for control codes."""
        if text:
            self._put(_json_escaped(text) if self.is_terminal else text)

    def verbatim(self, data: bytes) -> None:
        """Writes bytes unchanged; on a terminal as harmless text."""
        if not data:
            return
        if self.is_terminal:
            self._decoder = self._decoder or getincrementaldecoder("utf-8")("replace")
            self.write(self._decoder.decode(data))
        else:
            # A NUL byte does not end a line here.
            self._last = chr(data[-1] or 1)
            self._put_bytes(data)

    def table(self, rows: Sequence[Sequence[object]], head: Sequence[str] = (), right: Sequence[int] = ()) -> None:
        """Writes a line for each row: aligned on a terminal, separated by tabs in a pipe.

        `head` is written above them on a terminal; `right` lists the columns that are
        aligned to the right. White space in a cell becomes one space, since a tab or a
        newline would begin another column or row.
        """
        cells = [[" ".join(str("" if cell is None else cell).split()) for cell in row] for row in rows]
        if not self.is_terminal:
            return self.write("".join("\t".join(row) + "\n" for row in cells))
        cells = [[escaped(cell) for cell in row] for row in ([list(head)] if head and cells else []) + cells]
        widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
        text = ""
        for row in cells:
            line = ""
            for number, (cell, columns) in enumerate(zip(row, widths, strict=True)):
                space = " " * (columns - width(cell))
                line += (space + cell if number in right else cell + space) + "  "
            text += line.rstrip() + "\n"
        return self.write(text)

    def draw(self, text: str) -> None:
        """Writes lines with llamacli's own escape sequences."""
        self._put(text)
        self._last = "\n"

    def _put(self, text: str) -> None:
        self._last = text[-1]
        try:
            data = text.encode()
        except UnicodeEncodeError:
            data = encodable(text).encode()
        self._put_bytes(data)

    def _put_bytes(self, data: bytes) -> None:
        self._before()
        try:
            if self._target:
                self._target.begin()
            # Before the write, since a signal may come right after it.
            self.written = True
            write_all(self.fd, data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _failure(self.name, error) from None

    def commit(self) -> None:
        """Replaces the file with the answer. Raises LlamaError (output)."""
        if self._target:
            try:
                if note := self._target.commit():
                    self._note(note)
            except OSError as error:
                raise _failure(self.name, error) from None

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        with ExitStack() as undone:
            if error is not None:
                # What ended the answer is reported, not that its last newline could not be written either.
                undone.enter_context(suppress(LlamaError, OSError))
            if self.written:
                self.end()
        part = self._target.close() if self._target else None
        if part and isinstance(error, LlamaError):
            raise error.add_hint(f"the partial output is in {part}") from error


def open_output(path: str | None, env: Environment) -> Output:
    """Opens the output of a call. Waiting for the reader of a FIFO is part of --max-time."""
    start, limit = monotonic(), env.input.max_time
    left = math.inf if limit is None else limit - env.input.seconds_spent
    out = Output(path, before=env.stderr.clear_status, note=env.stderr.note, seconds=left)
    env.input.seconds_spent += monotonic() - start
    return out


def _failure(name: str, error: OSError) -> LlamaError:
    # The problem may be with the part file.
    where = f" ({error.filename})" if error.filename not in (None, name) else ""
    return LlamaError(ExitStatus.OUTPUT, f"cannot write {name}: {error.strerror}{where}")


def dump(value: object, indent: int | None = None, for_terminal: bool = False) -> str:
    """Returns a value as valid JSON, whatever a server put into it."""
    # Help needs no JSON.
    import json

    from llamacli.api.json import to_strict

    try:
        text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    except (ValueError, RecursionError):
        text = json.dumps(to_strict(value), ensure_ascii=False, indent=indent)
    return encodable(_json_escaped(text) if for_terminal else text)


def encodable(text: str) -> str:
    """Returns text for UTF-8; a lone surrogate becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _json_escaped(text: str) -> str:
    return re.sub(DANGEROUS, lambda match: f"\\u{ord(match[0]):04x}", text)
