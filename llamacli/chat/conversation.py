"""A conversation: the turns so far, and one more at a time."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from llamacli.api.errors import is_context_length_error
from llamacli.api.messages import Content, to_request_message
from llamacli.api.usage import token_counts
from llamacli.ask.runner import Answer, Runner
from llamacli.chat import login
from llamacli.chat.messages import SavedMessage, to_request, with_system, without_turn
from llamacli.chat.options import SessionOptions
from llamacli.chat.session import Session
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.output import Output
from llamacli.stdio.stderr import Stderr

if TYPE_CHECKING:
    from llamacli.http.client import Client


class Conversation:
    """Takes turns in a session.

    `system` is the system message that is wanted from the next turn on, None for
    the one that is there, "" for none.
    """

    def __init__(self, session: Session, options: SessionOptions, runner: Runner, stderr: Stderr) -> None:
        self.session, self.options, self.runner, self.stderr = session, options, runner, stderr
        self.system: str | None = None
        #: The messages of --messages, sent before the conversation and not saved.
        self.examples: list[dict[str, Any]] = []
        #: What the server told of the turns that were taken here.
        self.total = UsageTotal()

    def build_body(self, content: Content, without: object = None) -> dict[str, Any]:
        """Returns the request of the next turn. `without` is the id of a turn that it takes the place of."""
        return self._build_body(content, without_turn(self.session.messages(), without))

    def _build_body(self, content: Content, entries: list[SavedMessage]) -> dict[str, Any]:
        entries = with_system(entries, self._new_system(entries))
        turns = self._limited(entries)
        start = 1 if turns and turns[0]["role"] == "system" else 0
        question = {"role": "user", "content": content}
        messages = to_request([*turns[:start], *self.examples, *turns[start:], question])
        body = self.runner.build_body(messages)
        if body["messages"] is not messages:
            raise LlamaError(ExitStatus.USAGE, "--param messages has no place in a conversation", "use ask or raw")
        if isinstance(body.get("n"), int) and body["n"] > 1:
            raise LlamaError(ExitStatus.USAGE, "--n above 1 has no place in a conversation", "ask for one answer")
        return body

    def take_turn(self, content: Content, client: "Client", out: Output, without: object = None) -> Answer:
        """Takes the next turn: asks, prints, saves.

        Raises LlamaError, and then the conversation is as it was, also on disk; a cut
        answer is kept and its fault returned.
        """
        entries = without_turn(self.session.messages(), without)
        system = self._new_system(entries)
        body = self._build_body(content, entries)
        sent_turns = len(_starts(body["messages"])) - len(_starts(self.examples)) - 1
        if sent_turns < (turns := len(_starts(entries))):
            self.stderr.note(f"sending the last {sent_turns} of {turns} turns")
        try:
            answer = self.runner.run(body, client, out)
        except LlamaError as error:
            raise self._explain(error, body["messages"]) from None
        self.total.add(answer)
        turn = self._saved_messages(content, answer, body)
        if turn:
            self.session.save(turn, system, without)
            self.system = None
        return answer

    def last_turn(self) -> list[SavedMessage]:
        """Returns the entries of the last turn: from the last message of the user's on."""
        entries = self.session.messages()
        starts = _starts(entries)
        return entries[starts[-1] :] if starts else []

    def _new_system(self, entries: list[SavedMessage]) -> SavedMessage | None:
        """Returns the system message to be put in, None where the one that is there stays."""
        current = entries[0].get("content") if entries and entries[0]["role"] == "system" else ""
        return None if self.system is None or self.system == current else {"role": "system", "content": self.system}

    def _limited(self, entries: list[SavedMessage]) -> list[SavedMessage]:
        """Leaves out the earlier turns beyond the limit."""
        starts, count = _starts(entries), self.options.keep_turns
        if count is None or len(starts) <= count:
            return entries
        return entries[: starts[0]] + (entries[starts[-count] :] if count else [])

    def _saved_messages(self, content: Content, answer: Answer, body: dict[str, Any]) -> list[SavedMessage]:
        """Returns the turn as it is saved, nothing where there is no answer to keep."""
        message = to_request_message(answer.message)
        if len(message) == 2 and not message["content"]:
            return []
        meta = {"turn": uuid4().hex[:12], "time": login.now(), "login": login.current()}
        told = {"model": body.get("model"), "usage": answer.usage}
        return [
            {"role": "user", "content": content, "meta": meta},
            {**message, "meta": {**meta, **{key: value for key, value in told.items() if value}}},
        ]

    def _explain(self, error: LlamaError, messages: list[Any]) -> LlamaError:
        """Says how long the conversation is, where that is why the server refused it."""
        if error.status != ExitStatus.REFUSED or len(messages) < 3 or not is_context_length_error(error.message):
            return error
        turns, size = len(_starts(messages)), sum(len(str(message.get("content") or "")) for message in messages)
        what = f"{turns} turns of {size} characters are too long for the model: {error.message}"
        return LlamaError(
            error.status, what, "send fewer with --keep-turns N, or begin anew (in a chat: /set keep-turns N, /reset)"
        )


class UsageTotal:
    """What several turns have taken together."""

    def __init__(self) -> None:
        self.turns = self.tokens_in = self.tokens_out = 0
        self.cost: float | None = None

    def add(self, answer: Answer) -> None:
        self.turns += 1
        taken, made = token_counts(answer.usage)
        self.tokens_in += taken
        self.tokens_out += made
        if answer.cost is not None:
            self.cost = (self.cost or 0) + answer.cost

    def __str__(self) -> str:
        cost = "" if self.cost is None else f", ${self.cost:.6f}"
        return f"{self.turns} turns here: {self.tokens_in} tokens in, {self.tokens_out} out{cost}"


def _starts(entries: list[Any]) -> list[int]:
    """Returns where the turns begin: at each message of the user's."""
    return [number for number, entry in enumerate(entries) if entry.get("role") == "user"]
