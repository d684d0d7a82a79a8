"""The state of an interactive chat between two turns."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from llamacli.ask.prompt import Attachment, join_parts
from llamacli.ask.runner import Runner
from llamacli.chat.conversation import Conversation
from llamacli.chat.options import SessionOptions
from llamacli.cli import resolve
from llamacli.cli.spec import LoadedOptions
from llamacli.cli.table import DisplayOptions
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.endpoint import Endpoint
from llamacli.http.options import NetworkOptions
from llamacli.stdio.input import Environment
from llamacli.stdio.output import Output
from llamacli.stdio.shell import edit_prompt

if TYPE_CHECKING:
    from llamacli.http.client import Client


class Dialogue:
    """A conversation with its options, its client and its next message."""

    def __init__(
        self,
        conversation: Conversation,
        endpoint: Endpoint,
        options: LoadedOptions,
        env: Environment,
        stdout: int,
    ) -> None:
        self.conversation, self.endpoint, self.env = conversation, endpoint, env
        #: The current options: /set and /model replace them.
        self.options = options
        #: The terminal, where commands print even if answers are redirected.
        self.screen = Output(None, before=env.stderr.clear_status)
        #: Adds a text to the history of the line editor.
        self.remember: Callable[[str], None] = lambda text: None
        #: Keeps what is typed during an answer for the next message.
        self.typing_ahead: Callable[[], AbstractContextManager[None]] = nullcontext
        self._stdout = stdout
        self._client: Client | None = None
        conversation.runner.requests_usage = True
        #: The last message without an answer and the turn that it replaces, for /retry and /edit.
        self.unanswered = ""
        self.replaced_turn: object = None
        #: Files and pictures for the next message.
        self.attached: list[Attachment] = []
        self._loading = threading.Thread(target=_load_client, daemon=True)
        self._loading.start()

    def ask(self, text: str, without: object = None) -> None:
        """Takes a turn. On an error, message and files are kept."""
        content = join_parts([text, *self.attached])
        self.unanswered, self.replaced_turn = text, without
        self._loading.join()
        with self.typing_ahead(), Output(None, before=self.env.stderr.clear_status, stdout=self._stdout) as out:
            answer = self.conversation.take_turn(content, self._connected, out, without)
        self.forget()
        if self._stdout == 1:
            # Sets the answer apart from the next question.
            self.screen.write("\n")
        if self.conversation.runner.usage_options.usage and self.conversation.total.turns > 1:
            self.env.stderr.line(str(self.conversation.total), "2")
        if answer.error:
            raise answer.error

    def forget(self) -> None:
        """Drops the message and files that had no answer."""
        self.unanswered, self.replaced_turn, self.attached = "", None, []
        self.env.input.drop_draft()

    def edit(self, text: str) -> None:
        """Opens the editor for a message and sends it."""
        without = None if text else self.replaced_turn
        with self.env.input.keeping_draft():
            text = edit_prompt(text or self.unanswered, self.env.input)
            if not text.strip():
                self.env.input.drop_draft()
                raise LlamaError(ExitStatus.USAGE, "the message is empty; nothing was sent")
            self.remember(text)
            self.ask(text, without)

    def reconfigure(self, options: LoadedOptions) -> None:
        """Changes the options. Raises LlamaError (usage) if they conflict."""
        runner = Runner(options, self.env.stderr)
        runner.requests_usage = True
        if options[NetworkOptions] is not self.options[NetworkOptions]:
            self._client = None
        self.options, self.conversation.runner = options, runner
        self.conversation.options = options[SessionOptions]
        resolve.apply(options[DisplayOptions], self.env)

    def _connected(self) -> "Client":
        """Returns the client, which keeps its connection between turns."""
        from llamacli.http.client import Client

        self._client = self._client or Client(self.endpoint, self.options[NetworkOptions], self.env.stderr)
        return self._client


def _load_client() -> None:
    """Imports what the first call needs while the user types."""
    import llamacli.http.client  # noqa: F401
