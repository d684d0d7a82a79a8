"""The surroundings of one call: settings, stdin and files, stderr.

Created once in main and passed down.
"""

from llamacli.config import settings
from llamacli.stdio.input import InputReader
from llamacli.stdio.stderr import Stderr


class Environment:
    """The surroundings of one call."""

    def __init__(self, stderr: Stderr) -> None:
        self.stderr = stderr
        self.input = InputReader(stderr.note)
        self.settings = settings.load(stderr.note)
