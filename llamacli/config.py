"""Where settings come from, and where files are kept."""

import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from llamacli import PROGRAM

if TYPE_CHECKING:
    from dotenv.parser import Binding


class Folder:
    """A base folder of the XDG specification: its variable and its default."""

    def __init__(self, variable: str, default: str) -> None:
        self.variable, self.default = variable, default

    def path(self) -> Path:
        """Returns llamacli's folder in it.

        A relative path in the variable is ignored, as the specification says. Without a home
        directory, or with a relative one, the path cannot exist: it would be in the working
        directory, which may be a stranger's.
        """
        # An empty HOME would be expanded to the root.
        home = os.path.expanduser(f"~/{self.default}") if os.environ.get("HOME") != "" else ""
        for base in (os.environ.get(self.variable, ""), home):
            if os.path.isabs(base):
                return Path(base, PROGRAM)
        return Path(os.devnull, PROGRAM)


CONFIG = Folder("XDG_CONFIG_HOME", ".config")
CACHE = Folder("XDG_CACHE_HOME", ".cache")
STATE = Folder("XDG_STATE_HOME", ".local/state")
#: Man pages and completions of one user; llamacli has no folder there.
DATA = Folder("XDG_DATA_HOME", ".local/share")
FOLDERS = (CONFIG, STATE, CACHE)


class StoredFile:
    """A file, or a folder of files with a suffix; `text` is its help."""

    def __init__(self, folder: Folder, name: str, suffix: str, text: str) -> None:
        self.folder, self.name, self.suffix, self.text = folder, name, suffix, text

    def path(self, name: str | None = None) -> Path:
        """Returns the path of the file or folder, or of a file in it."""
        return Path(self.folder.path(), self.name, *([] if name is None else [f"{name}{self.suffix}"]))

    def names(self) -> list[str]:
        """Returns the names of the files in the folder. Raises OSError."""
        return [file.removesuffix(self.suffix) for file in os.listdir(self.path()) if file.endswith(self.suffix)]

    @property
    def pattern(self) -> str:
        """The path below llamacli's folder, as the help shows it."""
        return f"{self.name}/NAME{self.suffix}" if self.suffix else self.name


SETTINGS = StoredFile(CONFIG, ".env", "", "The user's settings and key; mode 0600.")
ROLES = StoredFile(CONFIG, "roles", ".md", "A system message, for --role NAME.")
PROMPTS = StoredFile(CONFIG, "prompts", ".md", "A prompt with its settings, for --prompt-file NAME.")
SESSIONS = StoredFile(STATE, "sessions", ".jsonl", "A conversation, one message per line; mode 0600.")
INDEX = StoredFile(STATE, "sessions.index", "", "What `sessions` lists, if there are 1,000 or more; mode 0600.")
HISTORY = StoredFile(STATE, "history", "", "What was typed in chats; mode 0600.")
MODELS = StoredFile(CACHE, "models", "", "The ids that `models` has listed, for completions.")
CONTEXT_LENGTHS = StoredFile(CACHE, "context-lengths", "", "The context lengths of these models, for --overflow.")
ANSWERS = StoredFile(CACHE, "answers", ".json", "An answer that --cache has stored; mode 0600.")
#: In the order of the help.
STORED_FILES = (SETTINGS, ROLES, PROMPTS, SESSIONS, INDEX, HISTORY, MODELS, CONTEXT_LENGTHS, ANSWERS)
#: Files in the user's own folders.
PROJECT_FILES = [
    (".env", "A project's settings, trusted only in part: see `llamacli help keys`."),
    ("FILE.part", "An incomplete answer to -o FILE."),
    ("FILE.old", "Rows of `batch -o FILE --resume` that no longer match an item of the input."),
]
#: The values of a switch, in any case.
TRUE_WORDS = ("1", "true", "yes", "on")
FALSE_WORDS = ("0", "false", "no", "off")
#: The variables that hold a key, and those that say where one is, in order of precedence.
KEY_VARIABLES = ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY")
KEY_SOURCES = ("LLAMACLI_KEY_FILE", "LLAMACLI_KEY_COMMAND")
#: A longer file is not a .env file.
MAX_FILE_BYTES = 1 << 16
#: python-dotenv takes time that grows with the square of this: a second for 25,000 blanks.
MAX_BLANKS = 1000


class Source:
    """A source of settings, `untrusted` if somebody else may write it."""

    def __init__(self, name: str, values: Mapping[str, str], untrusted: bool = False) -> None:
        self.name, self.values, self.untrusted = name, values, untrusted

    def __str__(self) -> str:
        return self.name


class Settings:
    """The sources in order of precedence. An empty value is ignored."""

    def __init__(self, sources: Sequence[Source], note: Callable[[str], None]) -> None:
        self.sources, self.note = sources, note

    def find(self, variable: str, untrusted: bool) -> tuple[str, Source] | None:
        """Returns a variable's first allowed value and its source."""
        for source in self.sources:
            if (text := source.values.get(variable)) and (untrusted or is_allowed(variable, source, self.note)):
                return text, source
        return None


def is_allowed(variable: str, source: Source, note: Callable[[str], None]) -> bool:
    """True if a source is trusted; otherwise notes the ignored variable."""
    if source.untrusted:
        note(f"ignoring {variable} from {source}: a project's .env cannot set it")
    return not source.untrusted


def load(note: Callable[[str], None]) -> Settings:
    """Reads the sources; a .env that cannot be read is noted."""
    sources = [Source("the environment", os.environ)]
    project, user = nearest_env(), SETTINGS.path()
    if project and os.path.realpath(project) != os.path.realpath(user):
        sources += _read(project, note, untrusted=True)
    if os.path.lexists(user):
        sources += _read(user, note, untrusted=False)
    return Settings(sources, note)


def nearest_env() -> Path | None:
    """Returns the nearest .env up to the git root or the home directory."""
    try:
        folder = os.getcwd()
    except OSError:
        return None
    home = os.path.realpath(os.path.expanduser("~"))
    while True:
        path = os.path.join(folder, ".env")
        # A folder of that name is often a virtual environment.
        if os.path.exists(path) and not os.path.isdir(path):
            return Path(path)
        if os.path.lexists(os.path.join(folder, ".git")) or folder in (home, os.path.dirname(folder)):
            return None
        folder = os.path.dirname(folder)


def _read(path: Path, note: Callable[[str], None], untrusted: bool) -> list[Source]:
    try:
        content = read_file(path, by_user=untrusted)
        # With surrogates for what the locale cannot express, as in os.environ.
        values = {name: os.fsdecode(value.encode()) for name, value in parse_env(content).items()}
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


def parse_env(content: bytes) -> dict[str, str]:
    """Returns the names and values of a .env file.

    Raises ValueError, whose text shows nothing of the content. Nothing is interpolated:
    `${AIMLAPI_API_KEY}` in a stranger's file would fetch the real key.
    """
    return {binding.key: binding.value for binding in _bindings(content) if binding.key and binding.value is not None}


def with_value(content: bytes, name: str, value: str) -> bytes:
    """Returns the content with `name` set to a value.

    Every other line and comment is unchanged. Raises ValueError if the value could not
    be read back.
    """
    # A value that begins with a quote, for example, would be read as a quoted one.
    is_plain = re.fullmatch(r"[\w.:/+=@%-]+", value)
    quoted = value if is_plain else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    line_end = "\r\n" if b"\r\n" in content else "\n"
    pieces, is_set = [], False
    for binding in _bindings(content):
        if binding.key != name:
            pieces.append(binding.original.string)
        elif not is_set:
            match = _assignment(name).fullmatch(binding.original.string)
            before, comment = (match["before"], match["comment"] or "") if match else ("", "")
            pieces.append(f"{before}{name}={quoted}{comment}{line_end}")
            is_set = True
    if not is_set:
        pieces += ["" if not content or content.endswith(b"\n") else line_end, f"{name}={quoted}", line_end]
    changed = "".join(pieces).encode()
    if parse_env(changed).get(name) != value:
        raise ValueError("the value could not be read back")
    return changed


def without_value(content: bytes, name: str) -> bytes:
    """Returns the content without `name`. Raises ValueError."""
    return "".join(binding.original.string for binding in _bindings(content) if binding.key != name).encode()


def _bindings(content: bytes) -> "list[Binding]":
    """Splits the content into lines. Raises ValueError at a wrong one."""
    # Imported only if there is a file.
    from dotenv.parser import parse_stream

    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text") from None
    if "\0" in text:
        raise ValueError("contains a NUL byte")
    if blanks := re.search(rf"[^\S\r\n]{{{MAX_BLANKS}}}", text):
        line = text.count("\n", 0, blanks.start()) + 1
        raise ValueError(f"line {line} has more than {MAX_BLANKS} spaces in a row")
    bindings = list(parse_stream(StringIO(text)))
    for binding in bindings:
        if binding.error:
            raise ValueError(f"line {binding.original.line} is not NAME=value")
    return bindings


def _assignment(name: str) -> re.Pattern[str]:
    """Returns a pattern for an assignment, and a comment after it."""
    quoted = r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\""""
    return re.compile(
        rf"""(?P<before>\s*(?:export\s+)?)(?:'{name}'|{name})[^\S\n]*
        (?:=[^\S\n]*(?:{quoted}|[^\s'"][^\n]*?|))?(?P<comment>[^\S\n]+\#[^\r\n]*)?\s*""",
        re.VERBOSE | re.DOTALL,
    )
