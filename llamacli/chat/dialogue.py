"""What a chat at the terminal keeps between turns, and what its commands may do with it."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from llamacli.api.messages import ContentPart
from llamacli.ask.editor import edit_prompt
from llamacli.ask.prompt import join_parts
from llamacli.ask.runner import Runner
from llamacli.chat.conversation import Conversation
from llamacli.chat.options import SessionOptions
from llamacli.cli import resolve
from llamacli.cli.shared import DisplayOptions
from llamacli.cli.spec import LoadedOptions
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.endpoint import Endpoint
from llamacli.http.options import NetworkOptions
from llamacli.stdio.environment import Environment
from llamacli.stdio.output import Output

if TYPE_CHECKING:
    from llamacli.http.client import Client


class Dialogue:
    """A conversation between two turns: what is asked next, over which client."""

    def __init__(
        self,
        conversation: Conversation,
        endpoint: Endpoint,
        options: LoadedOptions,
        env: Environment,
        stdout: int,
    ) -> None:
        self.conversation, self.endpoint, self.env = conversation, endpoint, env
        #: As they are now: /set and /model replace them.
        self.options = options
        #: Where the commands print: the terminal, also where the answers go elsewhere.
        self.screen = Output(None, before=env.stderr.clear_status)
        #: Adds a text to the history of the line editor.
        self.remember: Callable[[str], None] = lambda text: None
        #: Keeps what is typed during an answer for the next message.
        self.typing_ahead: Callable[[], AbstractContextManager[None]] = nullcontext
        self._stdout = stdout
        self._client: Client | None = None
        conversation.runner.requests_usage = True
        #: What was asked last without an answer, and the turn whose place it would take: for /retry and /edit.
        self.unanswered = ""
        self.replaced_turn: object = None
        #: Files that go with the next message, as the model is shown them.
        self.attached: list[str | ContentPart] = []
        self._loading = threading.Thread(target=_load_client, daemon=True)
        self._loading.start()

    def ask(self, text: str, without: object = None) -> None:
        """Takes a turn. Raises LlamaError or Stopped, and then message and files are kept for another try."""
        content = join_parts([text, *self.attached])
        self.unanswered, self.replaced_turn = text, without
        self._loading.join()
        with self.typing_ahead(), Output(None, before=self.env.stderr.clear_status, stdout=self._stdout) as out:
            answer = self.conversation.take_turn(content, self._connected(), out, without)
        self.forget()
        if self._stdout == 1:
            # Sets the answer apart from the next question.
            self.screen.write("\n")
        if self.conversation.runner.usage_options.usage and self.conversation.total.turns > 1:
            self.env.stderr.line(str(self.conversation.total), "2")
        if answer.error:
            raise answer.error

    def forget(self) -> None:
        """Has nothing left that waits for an answer."""
        self.unanswered, self.replaced_turn, self.attached = "", None, []
        self.env.input.drop_draft()

    def edit(self, text: str) -> None:
        """Lets the user write a message in the editor, and asks it."""
        without = None if text else self.replaced_turn
        with self.env.input.keeping_draft():
            text = edit_prompt(text or self.unanswered, self.env.input)
            if not text.strip():
                self.env.input.drop_draft()
                raise LlamaError(ExitStatus.USAGE, "nothing was written, so nothing was sent")
            self.remember(text)
            self.ask(text, without)

    def reconfigure(self, options: LoadedOptions) -> None:
        """Uses other options from the next turn on. Raises LlamaError (usage), and then nothing changes."""
        runner = Runner(options, self.env.stderr)
        runner.requests_usage = True
        if options[NetworkOptions] is not self.options[NetworkOptions]:
            self._client = None
        self.options, self.conversation.runner = options, runner
        self.conversation.options = options[SessionOptions]
        resolve.apply(options[DisplayOptions], self.env)

    def _connected(self) -> "Client":
        """Returns the client, which keeps its connection from turn to turn."""
        from llamacli.http.client import Client

        self._client = self._client or Client(self.endpoint, self.options[NetworkOptions], self.env.stderr)
        return self._client


def _load_client() -> None:
    """Imports what the first call needs while the user is still typing."""
    import llamacli.http.client  # noqa: F401
