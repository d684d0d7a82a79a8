"""The flags of a conversation."""

from __future__ import annotations

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

    session: Flag[str | None] = Flag(
        None,
        Pattern("NAME", NAME, NAME_WORDS, completes="session"),
        "Continue this session, or start it.",
        "-S",
        common=True,
    )
    interactive: Flag[bool] = Flag(False, Switch(), "Take the first turn, then continue at the terminal.", "-i")
    keep_turns: Flag[int | None] = Flag(None, Integer(0), "Send the system message and only this many earlier turns.")
    tool_result: Flag[dict[str, str] | None] = Flag(
        None,
        ToolResult(),
        "Answer a tool call of the last turn.",
        multiple=True,
        example="llamacli chat -S trip --tools @tools.json --tool-result call_1=@weather.json",
    )
