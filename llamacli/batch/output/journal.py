"""The file of a batch: it grows row by row, and is sorted when complete."""

import errno
import json
import os
import re
import stat
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import NamedTuple

from llamacli.api.json import Json, JsonObject
from llamacli.batch.input.items import Item
from llamacli.batch.output.rows import START, Row, Sink, json_line
from llamacli.errors import ExitStatus, LlamaError, UsageError
from llamacli.stdio.files import AtomicWriter, LockedFile, neighbor
from llamacli.stdio.input import MAX_INPUT_BYTES
from llamacli.stdio.stderr import write_all

#: `state` of a saved row: DONE, FAILED and kept, or to be asked AGAIN.
DONE, FAILED, AGAIN = range(3)

ROW_SCHEMA = """
    create table saved (id integer primary key, key text, edit text, state integer, has_answer integer,
                        offset integer, size integer);
    create table placed (place integer primary key, number integer, offset integer, size integer, replacement text);
"""


class SavedRow(NamedTuple):
    """The parts of a row that resuming a batch needs."""

    key: str | None
    edit: str | None
    status: int | None
    has_answer: bool


class Journal(Sink):
    """A file of rows.

    The positions of rows are kept in a temporary SQLite database on disk, so that memory does not
    grow with the number of rows. Raises LlamaError: usage if the file is not empty and not to be
    resumed, or is not a file of rows; output if it cannot be written.
    """

    needs_keys = can_resume = True

    def __init__(
        self,
        path: str,
        resume: bool,
        is_done: Callable[[int | None], bool],
        is_ordered: bool,
        ignored_statuses: Collection[int],
        keeps_orphans: bool = False,
    ) -> None:
        """Prepares the file.

        `is_done` returns True if a row with this error status, None for no error, is
        kept. Errors with one of the `ignored_statuses` are removed. With
        `keeps_orphans`, rows that match no item stay at the end of the file.
        """
        self._name, self._path, self._is_ordered = path, os.path.realpath(path), is_ordered
        self._keeps_orphans = keeps_orphans
        self._lock = threading.Lock()
        #: Why a row could not be written.
        self._error: OSError | None = None
        self._count = 0
        with self._writing():
            import sqlite3

            # Without a name the database is a temporary file, which ends with the process.
            self._rows = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._rows.executescript(ROW_SCHEMA)
            # It stays open, and so locked, until the process ends.
            self._fd = LockedFile(self._path, 0o666, wait=False).fd
            self._end = os.fstat(self._fd).st_size
            if self._end and not resume:
                raise UsageError(f"{path} is not empty", "continue it with --resume, or choose another file")
            self._load(is_done, ignored_statuses)

    def _load(self, is_done: Callable[[int | None], bool], ignored_statuses: Collection[int]) -> None:
        """Reads the saved rows, and removes an unfinished last line."""
        batch: list[tuple[str | None, str | None, int, bool, int, int]] = []
        end = 0
        for number, offset, line in self._lines():
            row = _read_row(line)
            if row is None:
                if offset + len(line) < self._end or not _is_torn(line):
                    message = f"{self._name} line {number} is not a row of a batch"
                    raise UsageError(message, "nothing was changed and nothing sent")
                break
            end = offset + len(line)
            status = None if row.status in ignored_statuses else row.status
            state = AGAIN if not (row.key and is_done(status)) else FAILED if status is not None else DONE
            if state != AGAIN or row.has_answer:
                batch.append((row.key, row.edit, state, row.has_answer, offset, len(line)))
            if len(batch) >= 1000:
                self._save(batch)
        self._save(batch)
        self._rows.execute("create index by_key on saved (key)")
        self._rows.execute("create index by_edit on saved (edit)")
        os.ftruncate(self._fd, end)
        self._end = end
        if end and os.pread(self._fd, 1, end - 1) != b"\n":
            self._append(b"\n")

    def _lines(self) -> Iterator[tuple[int, int, bytes]]:
        offset = 0
        with open(os.dup(self._fd), "rb") as file:
            for number, line in enumerate(iter(partial(file.readline, MAX_INPUT_BYTES), b""), 1):
                yield number, offset, line
                offset += len(line)

    def _save(self, batch: list[tuple[str | None, str | None, int, bool, int, int]]) -> None:
        columns = "key, edit, state, has_answer, offset, size"
        self._rows.executemany(f"insert into saved ({columns}) values (?, ?, ?, ?, ?, ?)", batch)
        batch.clear()

    def reuse(self, order: int, item: Item, key: str, is_ours: bool) -> Row | None:
        """Returns and keeps the row of an item's request, if there is one."""
        return self._reuse("key", item, key)

    def reuse_edit(self, item: Item, edit: str) -> Row | None:
        """Returns and keeps the row of an edited file, if there is one."""
        return self._reuse("edit", item, edit)

    def _reuse(self, column: str, item: Item, value: str) -> Row | None:
        with self._lock, self._writing():
            query = f"select id, offset, size, state from saved where {column} = ? order by state, id limit 1"
            if not (match := self._rows.execute(query, (value,)).fetchone()):
                return None
            number, offset, size, state = match
            self._rows.execute("delete from saved where id = ?", (number,))
            if state == AGAIN:
                # The new answer takes its place.
                return None
            row: Json = json.loads(self._read(offset, size))
            # The same request may come from another line by now, and its error may be ignored.
            current: JsonObject = {
                "index": item.index,
                "id": item.id,
                "input": item.value,
                "error": row["error"] if state == FAILED else None,
            }
            is_same = all(name in row and row[name] == value for name, value in current.items())
            current_row: Row = dict(row, **current)  # type: ignore[assignment]
            self._place(item.index, offset, size, None if is_same else json_line(current_row))
            return current_row

    def put(self, order: int, item: Item, row: Row) -> Row:
        """Writes a row. Raises LlamaError (output)."""
        data = json_line(row).encode()
        with self._lock, self._writing():
            offset = self._end
            self._append(data)
            self._place(row["index"], offset, len(data), None)
        return row

    def _append(self, data: bytes) -> None:
        if self._error:
            # The program is about to end, and would leave a partial row.
            raise self._error
        if os.fstat(self._fd).st_size != self._end:
            self._error = _changed()
            raise self._error
        os.lseek(self._fd, self._end, os.SEEK_SET)
        try:
            write_all(self._fd, data)
        except OSError as error:
            self._error = error
            # A row that was written in part is not a row.
            with suppress(OSError):
                os.ftruncate(self._fd, self._end)
            raise
        self._end += len(data)

    def _read(self, offset: int, size: int) -> bytes:
        data = os.pread(self._fd, size, offset)
        if len(data) != size:
            raise _changed()
        return data

    def _place(self, index: int, offset: int, size: int, replacement: str | None) -> None:
        values = (index, self._count, offset, size, replacement)
        self._rows.execute("insert or replace into placed values (?, ?, ?, ?, ?)", values)
        self._count += 1

    def finish(self, is_complete: bool, item_count: int | None) -> None:
        """Sorts the file if it is complete. Raises LlamaError (output)."""
        if is_complete:
            with self._lock, self._writing():
                self._order()

    @property
    def orphans(self) -> tuple[int, str]:
        count = 0 if self._keeps_orphans else self._orphan_size[0]
        return count, neighbor(self._path, ".old")

    @property
    def _orphan_size(self) -> tuple[int, int]:
        """Count and size in bytes of the answers that match no item."""
        query = "select count(*), coalesce(sum(size), 0) from saved where has_answer"
        count, size = self._rows.execute(query).fetchone()
        return count, size

    def _orphan_rows(self) -> Iterator[bytes]:
        for offset, size in self._rows.execute("select offset, size from saved where has_answer order by id"):
            yield self._read(offset, size)

    def _order(self) -> None:
        writer = AtomicWriter(self._path)
        try:
            writer.begin()
            with open(writer.fd, "wb", closefd=False) as file:
                place = "place" if self._is_ordered else "number"
                query = f"select offset, size, replacement from placed order by {place}"
                for offset, size, replacement in self._rows.execute(query):
                    file.write(replacement.encode() if replacement else self._read(offset, size))
                if self._keeps_orphans:
                    file.writelines(self._orphan_rows())
            if not self._keeps_orphans:
                self._save_orphans()
            writer.commit()
        except BaseException:
            # The file still has all rows.
            writer.discard()
            raise
        writer.close()

    def _save_orphans(self) -> None:
        """Appends answers that match no item to FILE.old, but never twice."""
        count, size = self._orphan_size
        if not count:
            return
        with LockedFile(neighbor(self._path, ".old"), draft=True) as old:
            end = os.fstat(old.fd).st_size
            if not end:
                os.fchmod(old.fd, stat.S_IMODE(os.fstat(self._fd).st_mode))
            with open(old.fd, "r+b", closefd=False) as file:
                file.seek(max(end - size, 0))
                if end >= size and all(file.read(len(row)) == row for row in self._orphan_rows()):
                    return
                file.seek(0, os.SEEK_END)
                try:
                    if end and os.pread(old.fd, 1, end - 1) != b"\n":
                        file.write(b"\n")
                    file.writelines(self._orphan_rows())
                    file.flush()
                    os.fsync(old.fd)
                except BaseException:
                    with suppress(OSError):
                        os.ftruncate(old.fd, end)
                    raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turns errors of the system and SQLite into this file's error."""
        import sqlite3

        try:
            yield
        except OSError as error:
            raise LlamaError(ExitStatus.OUTPUT, f"cannot write {self._name}: {error.strerror}") from None
        except sqlite3.Error as error:
            message = f"cannot write a temporary file: {error}"
            raise LlamaError(ExitStatus.OUTPUT, message, "check the free space in TMPDIR") from None


def _changed() -> OSError:
    return OSError(errno.EBUSY, "another program has changed it")


def _is_torn(line: bytes) -> bool:
    """True if a file's last line may be an unfinished row.

    A kill or a crash may have left it. A row is written together with its newline.
    After a crash some file systems leave NULs in place of what was not written.
    """
    written = line.rstrip(b"\0")
    return not line.endswith(b"\n") and (written.startswith(START) or START.startswith(written))


def _read_row(line: bytes) -> SavedRow | None:
    """Returns the parts of a row that matter, None for another line."""
    try:
        row: Json = json.loads(line)
        error = row["error"]
        status = None if error is None else int(error["status"])
        has_answer = row.get("content") is not None or bool(row.get("tool_calls"))
        return SavedRow(_digest(row["key"]), _digest(row.get("edit")), status, has_answer)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _digest(value: object) -> str | None:
    return value if isinstance(value, str) and re.fullmatch("[0-9a-f]{8,128}", value) else None
