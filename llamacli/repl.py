"""A conversation at the terminal: reads a message or a command, does it, and reads the next one."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from llamacli import prompt
from llamacli.conversation import Conversation
from llamacli.endpoint import Endpoint
from llamacli.environment import Environment
from llamacli.errors import ExitStatus, LlamaError, Stopped
from llamacli.lines import Interrupted, Lines, Typed, stoppable
from llamacli.network import NetworkOptions
from llamacli.options import Table
from llamacli.output import Output
from llamacli.places import HISTORY
from llamacli.slash import COMMANDS, Leave, completions

if TYPE_CHECKING:
    from llamacli.client import Client


class Repl:
    """Reads from the terminal and prints answers to stdout, wherever the two lead.

    Nothing that fails here ends it: the failure is told, and the conversation is as
    it was.
    """

    def __init__(
        self,
        conversation: Conversation,
        endpoint: Endpoint,
        network: NetworkOptions,
        tables: Sequence[Table],
        env: Environment,
    ) -> None:
        self.conversation, self.env = conversation, env
        #: Those whose flags /set changes.
        self.tables = tables
        self._endpoint, self._network = endpoint, network
        self._client: Client | None = None
        conversation.turn.counts = True
        #: What was asked last without an answer, and the turn whose place it would take: for /retry and /edit.
        self.unanswered = ""
        self.in_place_of: object = None
        #: Files that go with the next message, as the model is shown them.
        self.attached: list[str] = []

    def run(self, first: str) -> ExitStatus:
        """Takes a first turn where there is one, and then all that are typed, until Ctrl-D."""
        self._stdout = _take_terminal()
        #: Where the commands print: the terminal, also where the answers go elsewhere.
        self.screen = Output(None, before=self.env.stderr.settle)
        self._loading = threading.Thread(target=_load_client, daemon=True)
        self._loading.start()
        session = self.conversation.session
        if session.is_saved:
            self._do(session.prepare)
        history = HISTORY.path() if session.is_saved else None
        self._lines = Lines(history, completions)
        self._greet()
        if first:
            self._do(lambda: self.ask(first))
        while True:
            try:
                typed = self._lines.read()
            except Interrupted as interrupted:
                self.screen.write("\n")
                if interrupted.was_empty:
                    self.env.stderr.note("Ctrl-D or /exit leaves")
            except EOFError:
                self.screen.write("\n")
                break
            else:
                if not self._do(lambda: self._handle(typed)):  # noqa: B023
                    break
        # Not the one of the start: /reset and /save go on elsewhere.
        session = self.conversation.session
        if session.is_saved and session.name and self.conversation.total.turns:
            self.env.stderr.note(f"saved; go on with: llamacli chat -S {session.name}")
        if draft := self.env.inputs.draft:
            self.env.stderr.note(f"what you wrote and got no answer to is in {draft}")
        return ExitStatus.OK

    def _greet(self) -> None:
        turns = len([entry for entry in self.conversation.session.entries() if entry["role"] == "user"])
        going_on = f"{self.conversation.session.name}, {turns} turns so far; " if turns else ""
        model = self.conversation.turn.params.model
        self.env.stderr.note(f"{going_on}{model} at {self._endpoint.host}; /help lists the commands, Ctrl-D leaves")

    def _do(self, what: Callable[[], object]) -> bool:
        """Does one thing, and tells what went wrong. Returns False where it was the last."""
        try:
            return stoppable(lambda: self._goes_on(what))
        except Stopped as stopped:
            self.env.stderr.settle()
            if stopped.number != signal.SIGINT:
                raise
            self.env.stderr.note("stopped; the conversation is as it was")
        return True

    def _goes_on(self, what: Callable[[], object]) -> bool:
        try:
            what()
        except Leave:
            return False
        except LlamaError as error:
            self.env.stderr.settle()
            self.env.stderr.error(error)
        return True

    def _handle(self, typed: Typed) -> None:
        text = typed.text
        if not text.strip():
            return
        name, _, operand = text.strip().partition(" ")
        if typed.is_block or not text.startswith("/") or "\n" in text:
            self.ask(text)
        elif name in COMMANDS:
            if operand and not COMMANDS[name].operand:
                raise LlamaError(ExitStatus.USAGE, f"{name} takes nothing after it", "/help lists what does")
            COMMANDS[name].do(self, operand.strip())
        else:
            todo = "/help lists them; a message that begins with / wants a space in front"
            raise LlamaError(ExitStatus.USAGE, f"no command {name}", todo)

    def ask(self, text: str, without: object = None) -> None:
        """Takes a turn. Raises LlamaError or Stopped, and then message and files are kept for another try."""
        content = "\n\n".join([text, *self.attached])
        self.unanswered, self.in_place_of = text, without
        self._loading.join()
        with Output(None, before=self.env.stderr.settle, stdout=self._stdout) as out:
            answer = self.conversation.take(content, self._connected(), out, without)
        self.forget()
        if self.conversation.turn.shown.usage and self.conversation.total.turns > 1:
            self.env.stderr.line(str(self.conversation.total), "2")
        if answer.fault:
            raise answer.fault

    def forget(self) -> None:
        """Has nothing left that waits for an answer."""
        self.unanswered, self.in_place_of, self.attached = "", None, []
        self.env.inputs.drop_draft()

    def edit(self, text: str) -> None:
        """Lets the user write a message in the editor, and asks it."""
        without = None if text else self.in_place_of
        with self.env.inputs.keeping_draft():
            text = prompt.edited(text or self.unanswered, self.env.inputs)
            if not text.strip():
                self.env.inputs.drop_draft()
                raise LlamaError(ExitStatus.USAGE, "nothing was written, so nothing was sent")
            self._lines.remember(text)
            self.ask(text, without)

    def set_anew(self) -> None:
        """Lets the next turn find what /set has changed, the client's own settings too."""
        self._client = None

    def _connected(self) -> "Client":
        """Returns the client, which keeps its connection from turn to turn."""
        from llamacli.client import Client

        self._client = self._client or Client(self._endpoint, self._network, self.env.stderr)
        return self._client


def _take_terminal() -> int:
    """Puts the terminal on descriptors 0 and 1, where readline wants it; returns one for what stdout was.

    Raises LlamaError (usage) where there is none.
    """
    if os.isatty(0) and os.isatty(1):
        return 1
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        what = "--interactive needs a terminal, and there is none"
        raise LlamaError(ExitStatus.USAGE, what, "leave it out to take one turn") from None
    stdout = os.dup(1)
    os.dup2(terminal, 0)
    os.dup2(terminal, 1)
    os.close(terminal)
    return stdout


def _load_client() -> None:
    """Imports what the first call needs while the user is still typing."""
    import llamacli.client  # noqa: F401
