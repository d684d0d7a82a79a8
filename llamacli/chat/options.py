"""The flags of a conversation."""

from typing import Annotated

from llamacli.ask.options import FollowUpOptions
from llamacli.cli.table import Flag
from llamacli.cli.types import AtFile, Integer, KeyValue, Pattern, Switch

#: A session's name is always a safe file name, and never hidden.
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
NAME_WORDS = "letters, digits, '.', '_', '-', at most 64, beginning with a letter or digit"


class ToolResult(KeyValue, AtFile):
    """The result of a tool call; TEXT may be read from a file."""

    metavar = "ID=TEXT|@FILE"
    completes = "field"
    at_file = False

    def value(self, text: str) -> object:
        return text


class SessionOptions(FollowUpOptions):
    """Which conversation to continue, and how."""

    session: Annotated[
        str | None,
        Flag(
            Pattern("NAME", NAME, NAME_WORDS, completes="session"),
            "Continue this session, or start it.",
            "-S",
            common=True,
        ),
    ] = None
    interactive: Annotated[bool, Flag(Switch(), "Take the first turn, then continue at the terminal.", "-i")] = False
    keep_turns: Annotated[int | None, Flag(Integer(0), "Send the system message and only this many earlier turns.")] = (
        None
    )
    tool_result: Annotated[
        dict[str, str] | None,
        Flag(
            ToolResult(),
            "Answer a tool call of the last turn.",
            multiple=True,
            example="llamacli chat -S trip --tools @tools.json --tool-result call_1=@weather.json",
        ),
    ] = None
