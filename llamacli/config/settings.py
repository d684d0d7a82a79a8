"""Where settings come from: the environment and two .env files."""

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from llamacli.config.paths import SETTINGS

#: The values of a switch, in any case.
TRUE_WORDS = ("1", "true", "yes", "on")
FALSE_WORDS = ("0", "false", "no", "off")
#: The variables that hold a key, and those that say where one is, in order of precedence.
KEY_VARIABLES = ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY")
KEY_SOURCES = ("LLAMACLI_KEY_FILE", "LLAMACLI_KEY_COMMAND")
#: A longer file is not a .env file.
MAX_FILE_BYTES = 1 << 16


class Source:
    """A source of settings.

    `untrusted` if somebody else may have written it.
    """

    def __init__(self, name: str, values: Mapping[str, str], untrusted: bool = False) -> None:
        self.name, self.values, self.untrusted = name, values, untrusted

    def __str__(self) -> str:
        return self.name


class Settings:
    """The sources in order of precedence. An empty value is ignored."""

    def __init__(self, sources: Sequence[Source], note: Callable[[str], None]) -> None:
        self.sources, self.note = sources, note

    def find(self, variable: str, untrusted: bool) -> tuple[str, Source] | None:
        """Returns the first value of a variable and its source.

        A value from an untrusted source is returned only if that is allowed.
        """
        for source in self.sources:
            if (text := source.values.get(variable)) and (untrusted or is_allowed(variable, source, self.note)):
                return text, source
        return None


def is_allowed(variable: str, source: Source, note: Callable[[str], None]) -> bool:
    """True if a source is trusted.

    Notes that a variable from another one is ignored.
    """
    if source.untrusted:
        note(f"ignoring {variable} from {source}: a project's .env cannot set it")
    return not source.untrusted


def load(note: Callable[[str], None]) -> Settings:
    """Reads the sources.

    A .env file that cannot be read or parsed is ignored with a note.
    """
    sources = [Source("the environment", os.environ)]
    project, user = nearest_env(), SETTINGS.path()
    if project and not _is_same(project, user):
        sources += _read(project, note, untrusted=True)
    if os.path.lexists(user):
        sources += _read(user, note, untrusted=False)
    return Settings(sources, note)


def nearest_env() -> Path | None:
    """Returns the nearest .env from the working directory upward.

    The search does not go above the git root or the home directory.
    """
    try:
        here = Path.cwd()
    except OSError:
        return None
    home = os.path.realpath(os.path.expanduser("~"))
    for folder in (here, *here.parents):
        # Not Path.is_file, which may raise. A folder of that name is often a virtual environment.
        if os.path.exists(folder / ".env") and not os.path.isdir(folder / ".env"):
            return folder / ".env"
        if os.path.lexists(folder / ".git") or str(folder) == home:
            return None
    return None


def _is_same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _read(path: Path, note: Callable[[str], None], untrusted: bool) -> list[Source]:
    from llamacli.config import dotenv

    try:
        content = read_file(path, by_user=untrusted)
        # With surrogates for what the locale cannot express, as in os.environ.
        values = {name: os.fsdecode(value.encode()) for name, value in dotenv.values(content).items()}
        return [Source(str(path), values, untrusted)]
    except (OSError, ValueError) as error:
        note(f"ignoring {path}: {getattr(error, 'strerror', None) or error}")
        return []


def read_file(path: Path, by_user: bool = False) -> bytes:
    """Returns the content of a .env file.

    The file must belong to the user if `by_user` says so. Raises OSError, or ValueError
    if it is not a regular file or too long.
    """
    # Without waiting for somebody to write into a FIFO.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        if by_user and status.st_uid != os.geteuid():
            raise ValueError("it belongs to another user")
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"longer than {MAX_FILE_BYTES >> 10} KiB")
    return content
