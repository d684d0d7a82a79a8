"""Where llamacli keeps what it keeps: the one table of its folders and files."""

import os
from pathlib import Path
from typing import NamedTuple

from llamacli import PROGRAM


class Folder(NamedTuple):
    """A folder of the user's, of which llamacli has a part, as the XDG Base Directory Specification has it."""

    variable: str
    #: Below the home directory.
    default: str

    def path(self) -> Path:
        """Returns llamacli's part. A relative path in the variable is ignored, as the specification wants it.

        Without a home, or with a relative one, the path is one that cannot exist: a
        relative one would be in the working directory, and a stranger's.
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


FOLDERS = (CONFIG, STATE, CACHE)


class StoredFile:
    """A file of llamacli's, or with a suffix a folder of files that are named for what they hold; `text` says what."""

    def __init__(self, folder: Folder, name: str, suffix: str, text: str) -> None:
        self.folder, self.name, self.suffix, self.text = folder, name, suffix, text

    def path(self, name: str | None = None) -> Path:
        """Returns the path of the file or folder, or of the file of that name in the folder."""
        path = self.folder.path() / self.name
        return path if name is None else path / f"{name}{self.suffix}"

    def names(self) -> list[str]:
        """Returns the names that have a file in the folder. Raises OSError."""
        return [file.removesuffix(self.suffix) for file in os.listdir(self.path()) if file.endswith(self.suffix)]

    @property
    def pattern(self) -> str:
        """The path below llamacli's part of the folder, as the help shows it."""
        return f"{self.name}/NAME{self.suffix}" if self.suffix else self.name


SETTINGS = StoredFile(CONFIG, ".env", "", "The user's settings and key; mode 0600.")


ROLES = StoredFile(CONFIG, "roles", ".md", "A system message, for --role NAME.")


SESSIONS = StoredFile(STATE, "sessions", ".jsonl", "A conversation, a message a line; mode 0600.")


HISTORY = StoredFile(STATE, "history", "", "What was typed in chats; mode 0600.")


MODELS = StoredFile(CACHE, "models", "", "The ids that `models` has listed, for completions.")


#: All of them, in the order of the help.
STORED_FILES = (SETTINGS, ROLES, SESSIONS, HISTORY, MODELS)


#: The files that are where the user works.
PROJECT_FILES = [
    (".env", "Settings of the working directory, as far as they are trusted; see the README."),
    ("FILE.part", "What came of a broken answer to -o FILE."),
    ("FILE.old", "Rows of `batch -o FILE --resume` that answer no item of the input any more."),
]
