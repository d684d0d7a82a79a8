"""The file of a batch: it grows by a row the moment that there is one, and is put in order when all are there."""

import json
import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from llamacli.batch.input.items import Item
from llamacli.batch.output.rows import START, Row, line
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.files import AtomicWriter, LockedFile
from llamacli.stdio.stderr import write_all

ROW_SCHEMA = """
    create table found (id integer primary key, key text, offset integer, size integer, failed integer);
    create table placed (place integer primary key, offset integer, size integer, renewed text);
"""


class Journal:
    """A file of rows. `keeps` tells by a row's error status whether it is done, None for no error.

    The error statuses in `forgiven` count as no error, and become none.

    What is where in the file is kept in a database that SQLite holds on disk, so that
    memory does not grow with the rows. Raises LlamaError: usage where the file holds
    something and is not to be resumed, or is no file of rows; output where it cannot
    be written.
    """

    is_full = False
    shows_keys = True

    def __init__(
        self,
        path: str,
        resume: bool,
        keeps: Callable[[int | None], bool],
        is_ordered: bool,
        forgiven: Collection[int],
    ) -> None:
        import sqlite3

        self._name, self._path, self._is_ordered = path, os.path.realpath(path), is_ordered
        self._lock = threading.Lock()
        #: What has kept a row from being written.
        self._error: OSError | None = None
        # An empty name is a file without a name, which goes with the process.
        self._rows = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._rows.executescript(ROW_SCHEMA)
        self._places = 0
        try:
            # It stays open, and so locked, until the process ends.
            self._fd = LockedFile(self._path, 0o666, wait=False).fd
        except OSError as error:
            raise self._failure(error) from None
        self._end = os.fstat(self._fd).st_size
        if self._end and not resume:
            todo = "--resume goes on with it; else remove it, or name another file"
            raise LlamaError(ExitStatus.USAGE, f"{path} holds something already", todo)
        self._load(keeps, forgiven)

    def _load(self, keeps: Callable[[int | None], bool], forgiven: Collection[int]) -> None:
        """Finds the rows that are done, and takes a last line away that was never finished."""
        found: list[tuple[str, int, int, bool]] = []
        whole = 0
        for number, offset, text in self._lines():
            known = _read_row(text)
            if known is None:
                if offset + len(text) < self._end or not _is_torn(text):
                    what = f"{self._name} line {number} is no row of a batch"
                    raise LlamaError(ExitStatus.USAGE, what, "nothing was changed and nothing sent")
                break
            whole = offset + len(text)
            key, status = known
            if status in forgiven:
                status = None
            if key and keeps(status):
                found.append((key, offset, len(text), status is not None))
            if len(found) >= 1000:
                self._add(found)
        self._add(found)
        self._rows.execute("create index by_key on found (key)")
        with self._writing():
            os.ftruncate(self._fd, whole)
            self._end = whole
            if whole and os.pread(self._fd, 1, whole - 1) != b"\n":
                self._append(b"\n")

    def _lines(self) -> Iterator[tuple[int, int, bytes]]:
        offset = 0
        with open(os.dup(self._fd), "rb") as file:
            file.seek(0)
            for number, line in enumerate(file, 1):
                yield number, offset, line
                offset += len(line)

    def _add(self, found: list[tuple[str, int, int, bool]]) -> None:
        self._rows.executemany("insert into found (key, offset, size, failed) values (?, ?, ?, ?)", found)
        found.clear()

    def reuse(self, item: Item, key: str) -> bool | None:
        """Keeps a row that answers an item's request already; tells whether it failed, None where there is none."""
        with self._lock, self._writing():
            query = "select id, offset, size, failed from found where key = ? order by id limit 1"
            if not (hit := self._rows.execute(query, (key,)).fetchone()):
                return None
            number, offset, size, failed = hit
            self._rows.execute("delete from found where id = ?", (number,))
            row = json.loads(os.pread(self._fd, size, offset))
            # The same request may come from another line by now, and its failure may have been forgiven.
            own = {"index": item.index, "id": item.id, "input": item.value, "error": row["error"] if failed else None}
            is_same = all(name in row and row[name] == value for name, value in own.items())
            self._place(item.index, offset, size, None if is_same else line({**row, **own}))
            return bool(failed)

    def put(self, order: int, row: Row) -> None:
        """Writes a row. Raises LlamaError (output)."""
        data = line(row).encode()
        with self._lock, self._writing():
            offset = self._end
            self._append(data)
            self._place(row["index"], offset, len(data), None)

    def _append(self, data: bytes) -> None:
        if self._error:
            # The program is about to end, and would leave a part of what is being written.
            raise self._error
        os.lseek(self._fd, self._end, os.SEEK_SET)
        try:
            write_all(self._fd, data)
        except OSError as error:
            self._error = error
            # What the disk had room for is no row.
            with suppress(OSError):
                os.ftruncate(self._fd, self._end)
            raise
        self._end += len(data)

    def _place(self, index: int, offset: int, size: int, renewed: str | None) -> None:
        place = index if self._is_ordered else self._places
        self._places += 1
        self._rows.execute("insert or replace into placed values (?, ?, ?, ?)", (place, offset, size, renewed))

    def finish(self, is_complete: bool) -> None:
        """Puts the file in order, atomically, where it is complete. Raises LlamaError (output)."""
        if is_complete:
            with self._lock, self._writing():
                self._order()

    @property
    def orphans(self) -> int:
        """How many rows that are done belong to no item that has come."""
        count: int = self._rows.execute("select count(*) from found where not failed").fetchone()[0]
        return count

    @property
    def orphans_path(self) -> str:
        return f"{self._path}.old"

    def _order(self) -> None:
        if self.orphans:
            with open(self.orphans_path, "ab") as file:
                for offset, size in self._rows.execute("select offset, size from found where not failed order by id"):
                    file.write(os.pread(self._fd, size, offset))
        writer = AtomicWriter(self._path)
        try:
            writer.begin()
            with open(writer.fd, "wb", closefd=False) as file:
                query = "select offset, size, renewed from placed order by place"
                for offset, size, renewed in self._rows.execute(query):
                    file.write(renewed.encode() if renewed else os.pread(self._fd, size, offset))
            writer.commit()
        except BaseException:
            # The rows are all in the file still.
            writer.discard()
            raise
        writer.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turns what the system or SQLite says of a disk into the error of this file."""
        import sqlite3

        try:
            yield
        except OSError as error:
            raise self._failure(error) from None
        except sqlite3.OperationalError as error:
            raise LlamaError(ExitStatus.OUTPUT, f"cannot write a temporary file: {error}", "see TMPDIR") from None

    def _failure(self, error: OSError) -> LlamaError:
        return LlamaError(ExitStatus.OUTPUT, f"cannot write {self._name}: {error.strerror}")


def _is_torn(line: bytes) -> bool:
    """Tells whether a file's last line may be what a kill or a crash has left of a row: never anybody else's text.

    A row is written together with its newline. After a crash some file systems leave NULs for what was not written.
    """
    written = line.rstrip(b"\0")
    return not line.endswith(b"\n") and (written.startswith(START) or START.startswith(written))


def _read_row(line: bytes) -> tuple[str | None, int | None] | None:
    """Returns a row's key and error status; None where it is no row."""
    try:
        row: Any = json.loads(line)
        error = row["error"]
        return row["key"], None if error is None else int(error["status"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
