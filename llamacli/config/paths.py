"""The table of llamacli's folders and files."""

import os
from pathlib import Path

from llamacli import PROGRAM


class Folder:
    """A base folder of the XDG specification: its variable and its default."""

    def __init__(self, variable: str, default: str) -> None:
        self.variable, self.default = variable, default

    def path(self) -> Path:
        """Returns llamacli's folder in it.

        A relative path in the variable is ignored, as the specification says.

        Without a home directory, or with a relative one, the path cannot exist: it
        would be in the working directory, which may be a stranger's.
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
        path = self.folder.path() / self.name
        return path if name is None else path / f"{name}{self.suffix}"

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


HISTORY = StoredFile(STATE, "history", "", "What was typed in chats; mode 0600.")


MODELS = StoredFile(CACHE, "models", "", "The ids that `models` has listed, for completions.")


CONTEXT_LENGTHS = StoredFile(CACHE, "context-lengths", "", "The context lengths of these models, for --overflow.")


ANSWERS = StoredFile(CACHE, "answers", ".json", "An answer that --cache has stored; mode 0600.")

#: In the order of the help.
STORED_FILES = (SETTINGS, ROLES, PROMPTS, SESSIONS, HISTORY, MODELS, CONTEXT_LENGTHS, ANSWERS)


#: Files in the user's own folders.
PROJECT_FILES = [
    (".env", "A project's settings, trusted only in part: see `llamacli help keys`."),
    ("FILE.part", "An incomplete answer to -o FILE."),
    ("FILE.old", "Rows of `batch -o FILE --resume` that no longer match an item of the input."),
]
