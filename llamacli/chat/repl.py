"""The interactive chat: reads messages and commands, and runs them."""

import os
import signal
from collections.abc import Callable

from llamacli import signals
from llamacli.api.messages import Content
from llamacli.chat.conversation import Conversation, Dialogue
from llamacli.chat.line_editor import Interrupted, LineEditor, TypedInput, interruptible
from llamacli.chat.slash import UNCLEAR_WORDS, WORDS, LeaveChat, completions, find_command
from llamacli.cli.spec import LoadedOptions
from llamacli.config import HISTORY
from llamacli.errors import ExitStatus, LlamaError, Stopped, UsageError
from llamacli.http.endpoint import Endpoint
from llamacli.stdio.input import Environment
from llamacli.stdio.stderr import is_dumb


class Repl:
    """Reads from the terminal and prints answers to stdout, redirected or not.

    An error does not end it: it is reported, and the conversation stays as it was.
    """

    def __init__(
        self, conversation: Conversation, endpoint: Endpoint, options: LoadedOptions, env: Environment
    ) -> None:
        """Raises UsageError if there is no terminal."""
        self.env = env
        self.dialogue = Dialogue(conversation, endpoint, options, env, _attach_terminal())

    def run(self, first: Content) -> ExitStatus:
        """Takes the `first` turn, if any, then typed ones until Ctrl-D."""
        session = self.dialogue.conversation.session
        if session.is_saved:
            self._do(session.prepare)
        history = HISTORY.path() if session.is_saved else None
        is_colored = self.env.stderr.wants_color and not (os.environ.get("NO_COLOR") or is_dumb())
        self._lines = LineEditor(history, completions, is_colored)
        self.dialogue.remember, self.dialogue.typing_ahead = self._lines.remember, self._lines.paused
        self._greet()
        if first:
            text = self.dialogue.attach_parts(first)
            self._do(lambda: self.dialogue.ask(text))
        while True:
            try:
                typed = self._lines.read()
            except Interrupted as interrupted:
                self.dialogue.screen.write("\n")
                if interrupted.was_empty:
                    self.env.stderr.note("press Ctrl-D or type /exit to leave")
            except EOFError:
                self.dialogue.screen.write("\n")
                break
            except LlamaError as error:
                self.env.stderr.error(error)
            else:
                if not self._do(lambda: self._handle(typed)):  # noqa: B023
                    break
        # /reset and /save may have changed it.
        session = self.dialogue.conversation.session
        if session.is_saved and session.name and self.dialogue.conversation.total.turns:
            self.env.stderr.note(f"saved; resume with: llamacli chat -S {session.name}")
        if draft := self.env.input.draft:
            self.env.stderr.note(f"your unsent message was saved to {draft}")
        return ExitStatus.OK

    def _greet(self) -> None:
        turns = len([entry for entry in self.dialogue.conversation.session.messages() if entry["role"] == "user"])
        name = self.dialogue.conversation.session.name
        session = f"{name}, {turns} turn{'s' if turns > 1 else ''} so far; " if turns else ""
        model, host = self.dialogue.conversation.runner.params.model, self.dialogue.endpoint.host
        self.env.stderr.note(f"{session}{model} at {host}; type /help for commands, Ctrl-D to leave")

    def _do(self, act: Callable[[], object]) -> bool:
        """Runs an action, reports its errors; False if the user leaves."""
        try:
            return interruptible(lambda: self._run(act))
        except Stopped as stopped:
            self.env.stderr.clear_status()
            if stopped.number != signal.SIGINT:
                raise
            signals.forget()
            self.env.stderr.note("stopped; this turn was not saved")
        return True

    def _run(self, act: Callable[[], object]) -> bool:
        try:
            act()
        except LeaveChat:
            return False
        except LlamaError as error:
            self.env.stderr.clear_status()
            self.env.stderr.error(error)
        return True

    def _handle(self, typed: TypedInput) -> None:
        text = typed.text
        if not text.strip():
            return
        # A leading space turns a command into a message.
        words = text.rstrip()
        if not typed.is_block and (text.startswith("/") or words in WORDS):
            name, _, operand = WORDS.get(words, words).partition(" ")
            command = find_command(name)
            if operand and not command.operand:
                raise UsageError(f"{name} takes no argument", "type /help for the commands")
            command.run(self.dialogue, operand.strip())
        elif not typed.is_block and words in UNCLEAR_WORDS:
            raise UsageError(f"'{words}' was not sent", "Ctrl-D leaves; to send it as a message, put a space first")
        else:
            self.dialogue.ask(text)


def _attach_terminal() -> int:
    """Puts the terminal on descriptors 0 and 1 for readline.

    Returns a descriptor for the old stdout.

    Raises UsageError if there is no terminal.
    """
    if os.isatty(0) and os.isatty(1):
        return 1
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        raise UsageError("--interactive needs a terminal", "drop it to take one turn") from None
    stdout = os.dup(1)
    os.dup2(terminal, 0)
    os.dup2(terminal, 1)
    os.close(terminal)
    return stdout
