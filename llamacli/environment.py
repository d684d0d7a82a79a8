"""What one call has around it: settings, stdin and files, stderr. Made once, in main, and handed down."""

from dataclasses import dataclass, field

from llamacli import settings
from llamacli.inputs import Inputs
from llamacli.settings import Settings
from llamacli.terminal import Stderr


@dataclass
class Environment:
    """The surroundings of one call. `closed` are the standard descriptors that were closed from the start."""

    stderr: Stderr
    closed: frozenset[int] = frozenset()
    inputs: Inputs = field(init=False)
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        self.inputs = Inputs(self.stderr.note)
        self.settings = settings.load(self.stderr.note)
