"""The flags of a conversation."""

from typing import Annotated

from llamacli.chat.session import NAME, NAME_WORDS
from llamacli.cli.table import Flag, Options
from llamacli.cli.types import Integer, Pattern, Switch


class SessionOptions(Options):
    """Which conversation goes on, and how."""

    title = "Conversation"

    session: Annotated[
        str | None,
        Flag(
            Pattern("NAME", NAME.pattern, NAME_WORDS, completes="session"),
            "Go on with this session, or begin it.",
            "-S",
        ),
    ] = None
    continue_: Annotated[bool, Flag(Switch(), "Go on with the last session of this login session.", "-c")] = False
    interactive: Annotated[
        bool, Flag(Switch(), "Take a first turn from PROMPT and stdin, and then go on at the terminal.", "-i")
    ] = False
    no_save: Annotated[bool, Flag(Switch(), "Write nothing down.")] = False
    keep_turns: Annotated[int | None, Flag(Integer(0), "Send only the system message and this many earlier turns.")] = (
        None
    )
