"""Answers that become files: --write, --in-place and --diff."""

import difflib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from llamacli.batch.input.files import PATH_FIELDS, read_unchanged, split_path
from llamacli.batch.input.items import BOM, Item, Template
from llamacli.batch.options import EditOptions
from llamacli.batch.output.journal import Journal
from llamacli.batch.output.rows import OrderedPrinter, Row, Sink
from llamacli.errors import ExitStatus, LlamaError, UsageError
from llamacli.stdio.files import AtomicWriter, write_atomically
from llamacli.stdio.input import display_path
from llamacli.stdio.output import dump, encodable
from llamacli.stdio.stderr import Stderr, write_all


class Targets:
    """The files to write. Raises UsageError if two are the same."""

    def __init__(self, paths: Sequence[str], options: EditOptions, output: str | None) -> None:
        self._suffix = options.in_place or ""
        self._pattern = _parse_pattern(options.write) if options.write is not None else None
        sources = {os.path.realpath(path): path for path in paths}
        written: dict[str, str] = {os.path.realpath(output): output} if output else {}
        for path in paths:
            target = self.target(path)
            self._check(path, target, sources)
            for file in filter(None, (target, self.backup(target))):
                if (other := written.get(file)) is not None:
                    message = f"{display_path(other)} and {display_path(path)} would both be written to"
                    hint = "name each file once" if self._pattern is None else "use {dir} or {path} in --write"
                    raise UsageError(f"{message} {display_path(file)}", f"{hint}; nothing was sent")
                written[file] = path

    def _check(self, path: str, target: str, sources: dict[str, str]) -> None:
        name = display_path(target)
        other = sources.get(target, path)
        if self._pattern and os.path.realpath(other) != os.path.realpath(path):
            message = f"the answer to {display_path(path)} would replace another input: {name}"
            raise UsageError(message, "choose another --write; nothing was sent")
        if os.path.lexists(target) and not os.path.isfile(target) and self._pattern:
            raise UsageError(f"{name} is not a regular file", "nothing was sent")
        if (backup := self.backup(target)) and backup in sources:
            message = f"the backup of {display_path(path)} would replace another input: {display_path(backup)}"
            raise UsageError(message, "choose another suffix; nothing was sent")

    def target(self, path: str) -> str:
        """Returns the file to write an answer to, links resolved."""
        if self._pattern:
            path = self._pattern.fill("", split_path(path))
        return os.path.realpath(path)

    def backup(self, target: str) -> str | None:
        return target + self._suffix if self._suffix else None


def _parse_pattern(pattern: str) -> Template:
    """Returns the pattern of --write. Raises UsageError."""
    template = Template(pattern, origin="--write")
    fields = ", ".join(f"{{{name}}}" for name in PATH_FIELDS)
    if unknown := next((name for name in template.fields if name not in PATH_FIELDS), None):
        raise UsageError(f"--write: unknown field {{{unknown}}}", f"expected {fields}")
    if not template.fields or template.has_item:
        raise UsageError(f"--write: '{display_path(pattern)}' must contain a field", f"use {fields}")
    return template


class FileEditor(Sink):
    """A sink that writes each complete answer to a file, or prints a diff.

    The row is saved first, so that a paid answer is never lost: --resume writes a file
    whose row is complete. Its `edit` identifies an edited file for --resume: a digest
    of the request without the file's text, and of the text that replaces it.
    """

    def __init__(
        self,
        targets: Targets,
        options: EditOptions,
        rows: Journal | None,
        printer: OrderedPrinter | None,
        request_digest: Callable[[Item], str],
        is_json: bool,
        stderr: Stderr,
    ) -> None:
        """With a `printer`, prints the differences and writes no files."""
        self._targets, self._is_in_place = targets, options.write is None
        self._rows, self._printer = rows, printer
        self._request_digest, self._is_json, self._stderr = request_digest, is_json, stderr

    @property
    def is_full(self) -> bool:
        return self._printer is not None and self._printer.is_full

    @property
    def needs_keys(self) -> bool:
        return self._rows is not None

    can_resume = needs_keys

    @property
    def orphans(self) -> tuple[int, str]:
        return self._rows.orphans if self._rows else (0, "")

    def check(self, item: Item) -> None:
        """Raises LlamaError if an answer to an item, or its backup, could not be written.

        Its status is usage for a file, and output for a folder.
        """
        if not item.file or self._printer:
            return
        target = self._targets.target(item.file.path)
        for path in filter(None, (target, self._targets.backup(target))):
            message = f"cannot write {display_path(path)}"
            try:
                is_regular = stat.S_ISREG(os.lstat(path).st_mode)
            except (FileNotFoundError, NotADirectoryError):
                _check_folder(os.path.dirname(path), message)
                continue
            except OSError as error:
                raise UsageError(f"{message}: {error.strerror}", "it was not sent") from None
            if not is_regular or not os.access(path, os.W_OK):
                problem = "it is read-only" if is_regular else "it is not a regular file"
                raise UsageError(f"{message}: {problem}", "it was not sent")

    def reuse(self, order: int, item: Item, key: str, is_ours: bool) -> Row | None:
        if not self._rows:
            return None
        row = self._rows.reuse(order, item, key, is_ours)
        if row is None:
            row = self._rows.reuse_edit(item, self._edit_digest(item, item.text)) if self._is_in_place else None
            if row and is_ours and self._printer:
                self._printer.put(order, "")
            return row
        if is_ours and not row["error"]:
            was_written = "edit" in row
            if not was_written and not self._printer:
                row = self._rows.put(order, item, self._with_edit(item, row))
            return self._apply(order, item, row, overwrites=self._is_in_place or not was_written)
        if is_ours and self._printer:
            self._printer.put(order, "")
        return row

    def put(self, order: int, item: Item, row: Row) -> Row:
        if not row["error"] and self._text(item, row) is None:
            row = _with_error(row, ExitStatus.BROKEN, "the answer has no text")
        if not row["error"] and not self._printer:
            row = self._with_edit(item, row)
        if self._rows:
            self._rows.put(order, item, row)
        if not row["error"]:
            row = self._apply(order, item, row, overwrites=True)
        elif self._printer:
            self._printer.put(order, "")
        if row["error"] and not self._rows:
            message = row["error"]["message"]
            self._stderr.note(message if message.startswith(str(item.value)) else f"{item.value}: {message}")
        return row

    def finish(self, is_complete: bool, item_count: int | None) -> None:
        if self._printer:
            self._printer.finish(is_complete)
        if self._rows:
            self._rows.finish(is_complete, item_count)

    def _apply(self, order: int, item: Item, row: Row, overwrites: bool) -> Row:
        """Writes an answer or prints its diff; returns the row."""
        assert item.file
        text = self._text(item, row)
        if text is None:
            return row
        target = self._targets.target(item.file.path)
        if self._printer:
            self._printer.put(order, self._diff(item, target, text))
            return row
        try:
            problem = self._write(item, target, text, overwrites)
        except OSError as error:
            # The row stays as it is: --resume writes the file once that is possible.
            return _with_error(row, ExitStatus.OUTPUT, f"cannot write {display_path(target)}: {error.strerror}")
        if problem:
            row = _with_error(row, ExitStatus.USAGE, problem)
            if self._rows:
                self._rows.put(order, item, row)
        return row

    def _write(self, item: Item, target: str, text: str, overwrites: bool) -> str | None:
        """Replaces a file, or returns why not. Raises OSError."""
        assert item.file
        data = encodable(text).encode()
        if self._is_in_place and item.file.has_bom:
            data = BOM + data
        with suppress(OSError):
            current = Path(target).read_bytes()
            if current == data:
                return None
            if not overwrites:
                return f"{display_path(target)} differs from its saved answer; remove it to have it written again"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            writer = AtomicWriter(target)
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.EACCES):
                raise
            return f"{item.value}: {error.strerror}"
        try:
            writer.begin()
            write_all(writer.fd, data)
            old = read_unchanged(item.file)
            if old is None:
                message = f"{item.value} has changed since it was read"
                part = None if self._rows else writer.close()
                if part:
                    return f"{message}; its answer is in {display_path(part)}"
                writer.discard()
                return message
            if backup := self._targets.backup(target):
                write_atomically(Path(backup), old, os.stat(target).st_mode & 0o777, follow=False)
            if note := writer.commit():
                self._stderr.note(note)
        except BaseException:
            with suppress(OSError):
                writer.discard()
            raise
        writer.close()
        return None

    def _text(self, item: Item, row: Row) -> str | None:
        """Returns an answer that ends as its file does, None if it has no text."""
        content = dump(row["content"]) if self._is_json else row["content"]
        if not isinstance(content, str) or not item.file:
            return None
        return content.rstrip("\n") + ("\n" if item.file.ends_with_newline else "")

    def _with_edit(self, item: Item, row: Row) -> Row:
        return {**row, "edit": self._edit_digest(item, self._text(item, row) or "")}

    def _edit_digest(self, item: Item, text: str) -> str:
        assert item.file
        parts = (self._request_digest(item), os.path.normpath(item.file.path), text.rstrip("\n"))
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def _diff(self, item: Item, target: str, text: str) -> str:
        old = item.text
        path = str(item.value)
        if not self._is_in_place:
            path, old = display_path(os.path.relpath(target)), ""
            with suppress(OSError):
                old = Path(target).read_bytes().decode("utf-8", "replace")
        return "".join(unified_diff(path, old, text))


def unified_diff(path: str, old: str, new: str) -> Iterator[str]:
    """Yields the lines of a diff that patch and git apply accept."""
    before, after = (path if path.startswith("/") else f"{side}/{path}" for side in "ab")
    # A tab ends a name with spaces.
    end = "\t" if " " in path else ""
    lines = difflib.unified_diff(_lines(old), _lines(new), before + end, after + end)
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(text: str) -> list[str]:
    """Splits at newlines alone, which the lines keep."""
    lines = [line + "\n" for line in text.split("\n")]
    last = lines.pop().removesuffix("\n")
    return [*lines, last] if last else lines


def _check_folder(folder: str, message: str) -> None:
    """Raises LlamaError (output) if a folder could not be made or written to."""
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
        message = f"{message}: {display_path(folder)} is not a folder that can be written to"
        raise LlamaError(ExitStatus.OUTPUT, message, "it was not sent")


def _with_error(row: Row, status: ExitStatus, message: str) -> Row:
    return {**row, "error": {"status": int(status), "message": message}}
