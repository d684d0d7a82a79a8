"""A conversation: its turns, and between them its state at the terminal."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING
from uuid import uuid4

from llamacli.api.completion import token_counts
from llamacli.api.errors import is_context_length_error
from llamacli.api.json import JsonObject, to_strict
from llamacli.api.messages import Content, ContentPart, Message, RequestBody, to_request_message
from llamacli.ask.answers import Answer
from llamacli.ask.prompt import Attachment, join_parts
from llamacli.ask.runner import Connect, Runner
from llamacli.chat.listing import prune
from llamacli.chat.messages import SavedMessage, to_request, tool_messages, turn_id, with_system, without_turn
from llamacli.chat.options import SessionOptions
from llamacli.chat.session import Session, current_login, timestamp
from llamacli.cli.spec import LoadedOptions, apply_options
from llamacli.cli.table import DisplayOptions
from llamacli.errors import ExitStatus, LlamaError, UsageError
from llamacli.http.endpoint import Endpoint
from llamacli.http.options import NetworkOptions
from llamacli.stdio.input import Environment
from llamacli.stdio.output import Output
from llamacli.stdio.stderr import Stderr

if TYPE_CHECKING:
    from llamacli.http.client import Client


class Conversation:
    """Takes turns in a session.

    `system` is the system message from the next turn on: None for the current one, ""
    for none.
    """

    def __init__(self, session: Session, options: SessionOptions, runner: Runner, stderr: Stderr) -> None:
        self.session, self.options, self.runner, self.stderr = session, options, runner, stderr
        self.system: str | None = None
        #: The messages of --messages, sent before the conversation and not saved.
        self.examples: list[JsonObject] = []
        #: What the server reported for the turns taken here.
        self.total = UsageTotal()

    def build_body(self, content: Content) -> RequestBody:
        """Returns the next request."""
        entries = self.session.messages()
        return self._body(self._messages(self._question(content, entries), entries))

    def _question(self, content: Content, entries: list[SavedMessage]) -> list[SavedMessage]:
        """Returns tool results and the user's message. Raises LlamaError."""
        results = self.options.tool_result
        messages: list[SavedMessage] = tool_messages(entries, results) if results else []
        return [*messages, {"role": "user", "content": content}] if content or not messages else messages

    def _messages(self, question: list[SavedMessage], entries: list[SavedMessage]) -> list[Message]:
        entries = with_system(entries, self._new_system(entries))
        turns = self._limited(entries, is_open=question[0]["role"] == "tool")
        start = 1 if turns and turns[0]["role"] == "system" else 0
        return to_request([*turns[:start], *self.examples, *turns[start:], *question])

    def _body(self, messages: list[Message]) -> RequestBody:
        body = self.runner.build_body(messages)
        if body["messages"] is not messages:
            raise UsageError("--param messages cannot be used in a conversation", "use ask or raw")
        if isinstance(n := body.get("n"), int) and n > 1:
            raise UsageError("--n above 1 cannot be used in a conversation", "ask for one answer")
        return body

    def take_turn(self, content: Content, connect: Connect, out: Output, without: object = None) -> Answer:
        """Takes the next turn: asks, prints, saves.

        Raises LlamaError if there is no answer, and then the conversation is as it was,
        also on disk. An answer that was cut is saved; its `error` says so.
        """
        entries = without_turn(self.session.messages(), without)
        system, question = self._new_system(entries), self._question(content, entries)
        sent = self._messages(question, entries)
        body = self._body(sent)
        sent_turns = len(_turn_starts(sent)) - len(_turn_starts(self.examples)) - len(_turn_starts(question))
        if sent_turns < (turns := len(_turn_starts(entries))):
            self.stderr.note(f"sending the last {sent_turns} of {turns} turns")
        try:
            answer = self.runner.run(body, connect, out)
        except LlamaError as error:
            raise self._explain(error, sent) from None
        self.total.add(answer)
        # Results without a message of the user's belong to the turn that called the tools.
        turn = turn_id(entries[-1]) if question[-1]["role"] == "tool" else None
        if messages := turn_messages(question, answer, turn):
            is_new = self.session.name is None
            try:
                self.session.save(messages, system, without)
            except LlamaError as error:
                # The answer has been printed; the conversation continues with it.
                answer.error = error
                return answer
            self.system = None
            if is_new:
                prune(self.options.keep, self.session.name)
        return answer

    def last_turn(self) -> list[SavedMessage]:
        """Returns the last turn's entries, from the user's last message."""
        entries = self.session.messages()
        starts = _turn_starts(entries)
        return entries[starts[-1] :] if starts else []

    def _new_system(self, entries: list[SavedMessage]) -> SavedMessage | None:
        """Returns the new system message, None if the current one stays."""
        current = entries[0].get("content") if entries and entries[0]["role"] == "system" else ""
        return None if self.system is None or self.system == current else {"role": "system", "content": self.system}

    def _limited(self, entries: list[SavedMessage], is_open: bool) -> list[SavedMessage]:
        """Leaves out turns beyond --keep-turns, but never an open one."""
        starts, count = _turn_starts(entries), self.options.keep_turns
        if count is None or len(starts) <= count:
            return entries
        if is_open:
            count = max(count, 1)
        return entries[: starts[0]] + (entries[starts[-count] :] if count else [])

    def _explain(self, error: LlamaError, messages: Sequence[Mapping[str, object]]) -> LlamaError:
        """Adds the conversation's length to an error that it caused."""
        if error.status != ExitStatus.REFUSED or len(messages) < 3 or not is_context_length_error(error.message):
            return error
        turns, size = len(_turn_starts(messages)), sum(len(str(message.get("content") or "")) for message in messages)
        text = f"{turns} turns of {size} characters are too long for the model: {error.message}"
        hint = "send fewer with --keep-turns N, or start over (in a chat: /set keep-turns N, /reset)"
        return LlamaError(error.status, text, hint)


def turn_messages(question: list[SavedMessage], answer: Answer, turn: object = None) -> list[SavedMessage]:
    """Returns a turn to save, [] without an answer; `turn` continues one."""
    message = to_request_message(answer.message)
    if len(message) == 2 and not message["content"]:
        return []
    meta = {"turn": turn or uuid4().hex[:12], "time": timestamp(), "login": current_login()}
    reported = {"model": answer.model, "usage": answer.usage}
    return [
        *({**entry, "meta": meta} for entry in question),
        # Strict JSON, so that the session can be read again.
        to_strict({**message, "meta": {**meta, **{key: value for key, value in reported.items() if value}}}),
    ]


def keep_answer(messages: Sequence[Mapping[str, object]], answer: Answer, keep: int, stderr: Stderr) -> None:
    """Saves a question and answer as a new session; errors are notes."""
    system = next((dict(message) for message in messages[:1] if message["role"] == "system"), None)
    try:
        if turn := turn_messages([dict(messages[-1])], answer):
            session = Session(None)
            session.save(turn, system)
            prune(keep, session.name)
    except LlamaError as error:
        stderr.note(f"{error}; use --no-save to turn saving off")


class UsageTotal:
    """The tokens and the cost of several turns."""

    def __init__(self) -> None:
        self.turns = self.tokens_in = self.tokens_out = 0
        self.cost: float | None = None

    def add(self, answer: Answer) -> None:
        self.turns += 1
        sent, received = token_counts(answer.usage)
        self.tokens_in += sent
        self.tokens_out += received
        if answer.cost is not None:
            self.cost = (self.cost or 0) + answer.cost

    def __str__(self) -> str:
        cost = "" if self.cost is None else f", ${self.cost:.6f}"
        turns = "1 turn" if self.turns == 1 else f"{self.turns} turns"
        return f"{turns} here: {self.tokens_in} tokens in, {self.tokens_out} out{cost}"


def _turn_starts(entries: Sequence[Mapping[str, object]]) -> list[int]:
    """Returns where the turns begin: at each message of the user."""
    return [number for number, entry in enumerate(entries) if entry.get("role") == "user"]


class Dialogue:
    """A conversation with its options, its client and its next message."""

    def __init__(
        self, conversation: Conversation, endpoint: Endpoint, options: LoadedOptions, env: Environment, stdout: int
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

    def attach_parts(self, content: Content | None) -> str:
        """Attaches the parts of a message to the next one; returns its first text instead."""
        parts: list[ContentPart] = (
            [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())
        )
        text = str(parts.pop(0).get("text", "")) if parts and parts[0].get("type") == "text" else ""
        self.attached = [*parts, *self.attached]
        return text

    def forget(self) -> None:
        """Drops the message and files that had no answer."""
        self.unanswered, self.replaced_turn, self.attached = "", None, []
        self.env.input.drop_draft()

    def edit(self, text: str) -> None:
        """Opens the editor for a message and sends it."""
        without = None if text else self.replaced_turn
        with self.env.input.keeping_draft():
            text = self.env.input.edit(text or self.unanswered)
            if not text.strip():
                raise UsageError("the message is empty; nothing was sent")
            self.remember(text)
            self.ask(text, without)

    def reconfigure(self, options: LoadedOptions) -> None:
        """Changes the options. Raises UsageError if they conflict."""
        runner = Runner(options, self.env.stderr)
        runner.requests_usage = True
        if options[NetworkOptions] is not self.options[NetworkOptions]:
            self._client = None
        self.options, self.conversation.runner = options, runner
        self.conversation.options = options[SessionOptions]
        apply_options(options[DisplayOptions], self.env)

    def _connected(self) -> "Client":
        """Returns the client, which keeps its connection between turns."""
        from llamacli.http.client import Client

        self._client = self._client or Client(self.endpoint, self.options[NetworkOptions], self.env.stderr)
        return self._client


def _load_client() -> None:
    """Imports the modules of the first call while the user types."""
    import llamacli.http.reply  # noqa: F401
