"""Where settings come from: the environment, the working directory's .env, the user's .env, in that order."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from llamacli.config.paths import SETTINGS

#: What a switch may be set to, in any case.
TRUE_WORDS = ("1", "true", "yes", "on")
FALSE_WORDS = ("0", "false", "no", "off")


class Source:
    """One place that settings come from. `stranger` marks one that somebody else may have written."""

    def __init__(self, name: str, values: Mapping[str, str], stranger: bool = False) -> None:
        self.name, self.values, self.untrusted = name, values, stranger

    def __str__(self) -> str:
        return self.name


class Settings:
    """The sources in their order; an empty value counts as none."""

    def __init__(self, sources: Sequence[Source], note: Callable[[str], None]) -> None:
        self.sources, self.note = sources, note

    def find(self, variable: str, stranger: bool) -> tuple[str, Source] | None:
        """Returns the first value of `variable` and its source, a stranger's only where `stranger` allows it."""
        for source in self.sources:
            if (text := source.values.get(variable)) and (stranger or is_allowed(variable, source, self.note)):
                return text, source
        return None


def is_allowed(variable: str, source: Source, note: Callable[[str], None]) -> bool:
    """Tells whether a source is the user's own; one that is not is passed over with a note."""
    if source.untrusted:
        note(f"{variable} is not taken from {source}, which may be a stranger's")
    return not source.untrusted


def load(note: Callable[[str], None]) -> Settings:
    """Reads the sources; a .env that cannot be read or parsed is passed over with a note."""
    sources = [Source("the environment", os.environ)]
    near, own = nearest_env(), SETTINGS.path()
    if near and not _same(near, own):
        if near.stat().st_uid == os.geteuid():
            sources += _read(near, note, stranger=True)
        else:
            note(f"{near} belongs to another user and is passed over")
    if os.path.isfile(own):
        sources += _read(own, note, stranger=False)
    return Settings(sources, note)


def nearest_env() -> Path | None:
    """Returns the nearest .env from the working directory upwards, not above the git root or the home directory."""
    try:
        here = Path.cwd()
    except OSError:
        return None
    home = os.path.realpath(os.path.expanduser("~"))
    for folder in (here, *here.parents):
        # Not Path.is_file, which may raise. A FIFO or a device of that name must not hang the program.
        if os.path.isfile(folder / ".env"):
            return folder / ".env"
        if os.path.lexists(folder / ".git") or str(folder) == home:
            return None
    return None


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _read(path: Path, note: Callable[[str], None], stranger: bool) -> list[Source]:
    from llamacli.config import dotenv

    try:
        # In the form that the system's own have, whatever the locale is.
        values = {name: os.fsdecode(value.encode()) for name, value in dotenv.values(path.read_bytes()).items()}
        return [Source(str(path), values, stranger)]
    except (OSError, ValueError) as error:
        note(f"{path} is passed over: {getattr(error, 'strerror', None) or error}")
        return []


#: The variables that hold a key, and those that say where one is, in the order in which they count.
KEY_VARIABLES = ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY")


KEY_SOURCES = ("LLAMACLI_KEY_FILE", "LLAMACLI_KEY_COMMAND")
