"""The switches of what is shown on stderr."""

from typing import Annotated

from llamacli.environment import Environment
from llamacli.kinds import Switch
from llamacli.options import Flag, Table


class UsageOptions(Table):
    """What is shown beside the answer."""

    title = "Display"
    note = "Each but --reasoning has a default in the environment: LLAMACLI_USAGE and so on."

    usage: Annotated[bool, Flag(Switch(), "Show tokens, cost and timings on stderr.", "-u", env=True)] = False
    markdown: Annotated[
        bool, Flag(Switch(), "Render the answer as Markdown, where stdout is a terminal.", env=True)
    ] = False
    reasoning: Annotated[bool, Flag(Switch(), "Show the model's reasoning on stderr.")] = False


class DisplayOptions(Table):
    """How llamacli speaks on stderr."""

    title = "Display"
    comes_first = True
    note = "Each has a default in the environment: LLAMACLI_QUIET and so on."

    quiet: Annotated[bool, Flag(Switch(), "Show no notes and warnings, only errors.", "-q", env=True)] = False
    verbose: Annotated[
        bool, Flag(Switch(), "Show headers, ids and timings on stderr, the key redacted.", "-v", env=True)
    ] = False
    no_color: Annotated[
        bool, Flag(Switch(), "Use no colour (nor with NO_COLOR or TERM=dumb); --color undoes it.", env=True)
    ] = False

    def filled(self, env: Environment) -> None:
        env.stderr.adopt(quiet=self.quiet, verbose=self.verbose, color=not self.no_color)
