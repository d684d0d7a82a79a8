"""Opens, locks, syncs and replaces files: the only place that does.

A file is replaced by renaming a draft over it, so that readers see the old content or the
new one, never a part. Hard links and extended attributes of the old file are not kept.
"""

import errno
import fcntl
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

#: Why a file cannot be replaced although it can be written: bind mounts, read-only and sticky folders, and a draft
#: that another program has removed.
IN_PLACE_ERRORS = (errno.EBUSY, errno.EPERM, errno.EACCES, errno.EROFS, errno.EXDEV, errno.ENOENT)
#: The names of descriptors 0, 1 and 2.
STANDARD_STREAMS = ("/dev/stdin", "/dev/stdout", "/dev/stderr")
#: A longer file is not one of llamacli's.
MAX_FILE_BYTES = 1 << 30
#: What is added to the name of a file for its draft.
DRAFT_SUFFIX = ".new"
#: The longest name on nearly all file systems.
NAME_BYTES = 255


def open_regular(path: str | Path, flags: int, mode: int = 0o600) -> int:
    """Opens a regular file, nothing else. Raises OSError."""
    # O_NONBLOCK: opening a FIFO waits for its other end.
    try:
        fd = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
    else:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return fd
        os.close(fd)
    raise FileExistsError(errno.EEXIST, "not a regular file", str(path))


def read_regular(path: str | Path, max_bytes: int | None = None) -> bytes:
    """Returns a regular file's content, or its first bytes. Raises OSError."""
    with open(open_regular(path, os.O_RDONLY), "rb", 0) as file:
        if max_bytes is None and os.fstat(file.fileno()).st_size > MAX_FILE_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        return file.read(max_bytes)


class LockedFile:
    """A regular file, open for reading and writing, locked until it is closed.

    `is_new` creates the file and fails if it exists. Without `wait`, a file that another
    process has locked raises OSError. A `draft` must belong to this user alone: no link,
    nobody else's file. Raises OSError.
    """

    def __init__(
        self, path: str | Path, mode: int = 0o600, *, is_new: bool = False, wait: bool = True, draft: bool = False
    ) -> None:
        self.path = str(path)
        flags = os.O_RDWR | os.O_CREAT | (os.O_EXCL if is_new else 0) | (os.O_NOFOLLOW if draft else 0)
        while True:
            self.fd = open_regular(path, flags, mode)
            try:
                status = os.fstat(self.fd)
                if draft and (status.st_uid != os.geteuid() or status.st_nlink > 1):
                    raise PermissionError(errno.EPERM, "belongs to somebody else", self.path)
                fcntl.flock(self.fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                # While this process waited, another one may have renamed or removed the file.
                with suppress(FileNotFoundError):
                    if os.path.samestat(status, os.stat(path)):
                        return
            except BlockingIOError:
                os.close(self.fd)
                raise OSError(errno.EBUSY, "another process is writing it", self.path) from None
            except BaseException:
                os.close(self.fd)
                raise
            os.close(self.fd)

    def __enter__(self) -> "LockedFile":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        os.close(self.fd)

    def read(self) -> bytes:
        """Returns the content from the current position on."""
        with open(self.fd, "rb", closefd=False) as file:
            return file.read()

    def append(self, data: bytes, end: int) -> None:
        """Writes after `end` bytes: all or nothing. Raises OSError."""
        os.ftruncate(self.fd, end)
        if end and os.pread(self.fd, 1, end - 1) != b"\n":
            data = b"\n" + data
        try:
            written = os.pwrite(self.fd, data, end)
            if written < len(data):
                os.pwrite(self.fd, data[written:], end + written)
            os.fsync(self.fd)
        except BaseException:
            os.ftruncate(self.fd, end)
            raise


def open_log(path: str | Path) -> int:
    """Opens a file, device or descriptor for `append_line`.

    A FIFO must have a reader, and is not waited for when it is full. Raises OSError.
    """
    # Opened again, the file would have its own position, and later output would overwrite these lines.
    if (number := descriptor(str(path))) is not None:
        return os.dup(number)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, 0o600)


def append_line(fd: int, line: bytes) -> None:
    """Appends a line in one write, so lines never mix. Raises OSError."""
    if os.write(fd, line) < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def neighbor(path: str, suffix: str) -> str:
    """Returns the path of a file beside another one: its name and a suffix.

    A name that would be too long is cut, and gets a checksum of the whole one.
    """
    folder, name = os.path.split(path)
    limit = NAME_BYTES
    with suppress(OSError):
        limit = os.pathconf(folder or ".", "PC_NAME_MAX")
    if len(os.fsencode(name + suffix)) > limit:
        suffix = f".{zlib.crc32(os.fsencode(name)):08x}{suffix}"
        # Character by character, because macOS refuses a name with half of one.
        while len(os.fsencode(name + suffix)) > limit:
            name = name[:-1]
    return os.path.join(folder, name + suffix)


def _open_draft(target: str, suffix: str, mode: int, wait: bool) -> LockedFile:
    """Opens the draft of a file: one that a killed process left, or a new one.

    If something else has its name, that is left alone and the draft gets a name with the
    process id. Raises OSError.
    """
    path = neighbor(target, suffix)
    try:
        return LockedFile(path, mode, wait=wait, draft=True)
    except OSError as error:
        if error.errno == errno.EBUSY or not os.path.lexists(path):
            raise
    return LockedFile(neighbor(target, f".{os.getpid()}{suffix}"), mode, is_new=True, draft=True)


def remove(path: str | Path) -> None:
    """Removes a file if it exists, and a draft that a killed process left. Raises OSError."""
    draft = neighbor(str(path), DRAFT_SUFFIX)
    if os.path.lexists(draft):
        # Not a draft that is being written.
        with suppress(OSError), LockedFile(draft, wait=False, draft=True):
            os.unlink(draft)
    with suppress(FileNotFoundError):
        os.unlink(path)


def _keep_owner(fd: int, status: os.stat_result) -> None:
    """Gives a draft the owner of the file that it replaces, if possible."""
    for owner in (status.st_uid, -1):
        with suppress(OSError):
            os.fchown(fd, owner, status.st_gid)
            break


def _replace(draft: LockedFile, target: str) -> OSError | None:
    """Syncs a draft and puts it in the place of a file.

    Returns why it had to be copied over the file in place, None if it was renamed.
    Raises OSError; the draft stays then.
    """
    os.fsync(draft.fd)
    try:
        os.replace(draft.path, target)
    except OSError as error:
        if error.errno not in IN_PLACE_ERRORS:
            raise
        with open(draft.fd, "rb", closefd=False) as new:
            new.seek(0)
            _overwrite(target, new, stat.S_IMODE(os.fstat(draft.fd).st_mode))
        with suppress(OSError):
            os.unlink(draft.path)
        return error
    with suppress(OSError):
        # The new name survives a power failure only once the folder is synced.
        folder = os.open(os.path.dirname(target) or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return None


def _overwrite(target: str, blocks: Iterable[bytes], mode: int = 0o600) -> None:
    """Writes over a file, or creates it with a mode; truncates last, in case the disk is full."""
    with open(open_regular(target, os.O_WRONLY | os.O_CREAT, mode), "wb") as file:
        file.writelines(blocks)
        file.truncate()
        os.fsync(file.fileno())


def write_atomically(path: Path, data: bytes, mode: int, follow: bool) -> bool:
    """Replaces a file with one of this content and mode.

    `follow` follows a symbolic link. Returns False if the file could only be written in place: a
    bind mount, for example. Raises OSError, also if the path is that of a device or a FIFO.
    """
    target = os.path.realpath(path) if follow else str(path)
    if os.path.lexists(target) and not os.path.islink(target) and not os.path.isfile(target):
        raise FileExistsError(errno.EEXIST, "not a regular file", target)
    try:
        draft = _open_draft(target, DRAFT_SUFFIX, mode, wait=True)
    except OSError as error:
        if error.errno not in IN_PLACE_ERRORS or not os.path.isfile(target):
            raise
        # Not under a lock: the caller may hold it.
        _overwrite(target, [data])
        return False
    with draft:
        try:
            os.ftruncate(draft.fd, 0)
            if os.path.isfile(target):
                _keep_owner(draft.fd, os.stat(target))
            os.fchmod(draft.fd, mode)
            with open(draft.fd, "wb", closefd=False) as new:
                new.write(data)
            return _replace(draft, target) is None
        except BaseException:
            # On a signal too: the content may be a key.
            with suppress(OSError):
                os.unlink(draft.path)
            raise


class DirectWriter:
    """A FIFO, device, terminal or descriptor, written directly."""

    def __init__(self, path: str, note: Callable[[str], None], seconds: float) -> None:
        """Waits for the reader of a FIFO, at most for some seconds."""
        number = descriptor(path)
        # A file behind a descriptor, if opened again, would be written from its beginning.
        if number is None:
            from llamacli.stdio.shell import open_for_writing

            self.fd = open_for_writing(path, note, seconds)
        else:
            self.fd = os.dup(number)

    def begin(self) -> None: ...

    def commit(self) -> str | None:
        return None

    def close(self) -> str | None:
        os.close(self.fd)
        return None


class AtomicWriter:
    """A file that grows as FILE.part and replaces FILE when it is complete.

    A part that an earlier call left is kept until there is something to put in its
    place. A lock keeps two calls from writing one part. If the folder is read-only, the
    part is in the folder for temporary files. Raises OSError.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._status: os.stat_result | None = None
        with suppress(FileNotFoundError):
            # Any other error, such as a name that is too long, would keep the draft from replacing it.
            self._status = os.stat(path)
        if self._status:
            # As with `>`, though renaming would work. access(2) does not know of append-only files.
            os.close(open_regular(path, os.O_WRONLY))
        mode = self._status.st_mode & 0o777 if self._status else 0o666
        try:
            self._draft = _open_draft(path, ".part", mode, wait=False)
        except OSError as error:
            if error.errno not in IN_PLACE_ERRORS or error.errno == errno.EBUSY or not self._status:
                raise
            import tempfile

            outside = os.path.join(tempfile.gettempdir(), os.path.basename(path))
            self._draft = LockedFile(neighbor(outside, f".{os.getpid()}.part"), mode, is_new=True, draft=True)
        self.fd = self._draft.fd
        self._has_begun = self._is_done = False
        if self._status:
            # Neither the umask nor an earlier part makes a private file readable.
            os.fchmod(self.fd, mode)

    def begin(self) -> None:
        """Drops an earlier call's part. Called before each write."""
        if not self._has_begun:
            self._has_begun = True
            os.ftruncate(self.fd, 0)

    def commit(self) -> str | None:
        """Replaces the file; returns a note if it was written in place."""
        self.begin()
        if self._status:
            _keep_owner(self.fd, self._status)
        error = _replace(self._draft, self.path)
        self._is_done = True
        return f"{self.path} was written in place, not replaced: {error.strerror}" if error else None

    def close(self) -> str | None:
        """Closes the file; returns the part's name if that has content."""
        is_empty = not self._is_done and os.fstat(self.fd).st_size == 0
        if is_empty:
            # Another program may have removed it.
            with suppress(OSError):
                os.unlink(self._draft.path)
        os.close(self.fd)
        return self._draft.path if self._has_begun and not self._is_done and not is_empty else None

    def discard(self) -> None:
        """Closes the file and removes the part."""
        with suppress(OSError):
            os.unlink(self._draft.path)
        os.close(self.fd)


Writer = DirectWriter | AtomicWriter


def descriptor(path: str) -> int | None:
    """Returns the descriptor that a path names, or None."""
    if path in STANDARD_STREAMS:
        return STANDARD_STREAMS.index(path)
    match = re.fullmatch(rf"/(?:dev|proc/(?:self|{os.getpid()}))/fd/(\d{{1,9}})", path)
    return int(match[1]) if match else None


def is_direct(path: str) -> bool:
    """True if a path names a descriptor, a device or a FIFO."""
    is_other = os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
    return is_other or descriptor(path) is not None


def open_writer(path: str, note: Callable[[str], None], seconds: float) -> Writer:
    """Opens what a path names. Raises OSError before anything is lost."""
    # A symbolic link stays, and the file that it names is replaced.
    target = os.path.realpath(path)
    if os.path.isdir(target) or path.endswith("/"):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if os.path.islink(target):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return DirectWriter(path, note, seconds) if is_direct(path) else AtomicWriter(target)
