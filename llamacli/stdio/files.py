"""Files that are replaced atomically: FILE.part until the answer is complete."""

import errno
import fcntl
import os
import re
import stat
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, data: bytes, mode: int, follow: bool) -> None:
    """Replaces a file by a whole new one of this mode; where it is a link, the file that it names or the link.

    Raises OSError, also where a device or a FIFO is in that place.
    """
    target = os.path.realpath(path) if follow else str(path)
    if os.path.lexists(target) and not os.path.islink(target) and not os.path.isfile(target):
        raise FileExistsError(errno.EEXIST, "it is no regular file", target)
    draft = f"{target}.{os.getpid()}.new"
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
    except BaseException:
        # A signal too: what is written may be a key.
        with suppress(OSError):
            os.unlink(draft)
        raise


#: The names of descriptors 0, 1 and 2.
STANDARD = ("/dev/stdin", "/dev/stdout", "/dev/stderr")


class DirectWriter:
    """A target that is no regular file: a FIFO, a device, a terminal, a descriptor. It is written as it is."""

    def __init__(self, path: str) -> None:
        own = descriptor(path)
        # Opened anew, a file behind a descriptor would be written from its beginning.
        self.fd = os.open(path, os.O_WRONLY) if own is None else os.dup(own)

    def begin(self) -> None: ...

    def commit(self) -> None: ...

    def close(self) -> str | None:
        os.close(self.fd)
        return None


class AtomicWriter:
    """A file that grows as FILE.part and takes FILE's place when it is complete.

    A part that an earlier call left is kept until there is something to put in its
    place. A lock keeps two calls from writing one part.
    """

    def __init__(self, path: str) -> None:
        self.path, self.part = path, path + ".part"
        mode = None
        if os.path.exists(path):
            if not os.access(path, os.W_OK):
                # As `>` would have it, though a rename asks nobody.
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
            mode = stat.S_IMODE(os.stat(path).st_mode)
        self.is_new = not os.path.lexists(self.part)
        self.begun = False
        self.done = False
        self.fd = self._locked(0o666 if mode is None else mode)
        if mode is not None:
            # Neither the umask nor a part that was left behind loosens what a private file allows.
            os.fchmod(self.fd, mode)

    def _locked(self, mode: int) -> int:
        """Opens the part and locks it. Raises OSError."""
        while True:
            # Not through a link, and without waiting for whoever reads a FIFO of that name.
            fd = os.open(self.part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, mode)
            try:
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    raise FileExistsError(errno.EEXIST, "is in the way and no regular file", self.part)
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The other call may have renamed the part between our open and our lock.
                if os.path.exists(self.part) and os.path.samestat(os.fstat(fd), os.stat(self.part)):
                    return fd
            except BlockingIOError:
                os.close(fd)
                raise OSError(errno.EBUSY, "another call is writing it", self.part) from None
            except OSError:
                os.close(fd)
                raise
            os.close(fd)

    def begin(self) -> None:
        if not self.begun:
            self.begun = True
            os.ftruncate(self.fd, 0)

    def commit(self) -> None:
        self.begin()
        os.fsync(self.fd)
        os.replace(self.part, self.path)
        self.done = True

    def close(self) -> str | None:
        """Closes the file; returns the part's name where something was left in it."""
        is_empty = not self.done and os.fstat(self.fd).st_size == 0
        if is_empty and (self.is_new or self.begun):
            os.unlink(self.part)
        os.close(self.fd)
        return self.part if self.begun and not self.done and not is_empty else None


Writer = DirectWriter | AtomicWriter


def descriptor(path: str) -> int | None:
    """Returns the descriptor of llamacli's own that a path names, None where it names none."""
    if path in STANDARD:
        return STANDARD.index(path)
    found = re.fullmatch(rf"/(?:dev|proc/(?:self|{os.getpid()}))/fd/(\d{{1,9}})", path)
    return int(found[1]) if found else None


def is_direct(path: str) -> bool:
    """Tells whether a path names what is written as it is: what is there and no file, or a descriptor."""
    is_other = os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
    return is_other or descriptor(path) is not None


def open_writer(path: str) -> Writer:
    """Opens what a path names. Raises OSError before anything is lost or written."""
    # The link stays and the file that it names is replaced.
    target = os.path.realpath(path)
    if os.path.isdir(target) or path.endswith("/"):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return DirectWriter(path) if is_direct(path) else AtomicWriter(target)
