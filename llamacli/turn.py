"""One turn: what a request holds beside its messages, and how its answer is printed as it comes."""

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from llamacli.display import UsageOptions
from llamacli.errors import ExitStatus, LlamaError
from llamacli.output import Output, OutputOptions
from llamacli.params import Params
from llamacli.terminal import Stderr
from llamacli.wire import Message, cost, tool_calls

if TYPE_CHECKING:
    from llamacli.assembly import Assembly
    from llamacli.client import Client
    from llamacli.reply import Reply


class Answer(NamedTuple):
    """What a turn has brought. `fault` is the one that leaves an answer worth keeping: it is cut."""

    message: Message
    fault: LlamaError | None
    #: What the server told of tokens and USD.
    usage: dict[str, Any]
    cost: float | None


class Turn:
    """How turns are taken: made once from the options of a call, then taken once or, in a conversation, often."""

    def __init__(self, params: Params, printed: OutputOptions, shown: UsageOptions, stderr: Stderr) -> None:
        self.params, self.printed, self.shown, self.stderr = params, printed, shown, stderr
        #: A conversation counts its tokens, whether they are shown or not.
        self.counts = shown.usage

    @property
    def in_chunks(self) -> bool:
        """Tells whether each chunk is printed as a line: only the flag asks for that."""
        return self.printed.json and self.params.stream is True and self.params.from_flag("stream")

    def body(self, messages: list[Message]) -> dict[str, Any]:
        """Returns the request body for these messages. Raises LlamaError (usage)."""
        return self.params.body(messages, stream=self._stream(), usage=self.counts or self.shown.usage)

    def _stream(self) -> bool | None:
        """Returns the value of `stream` to send, None for none: JSON in one piece does without it."""
        if self.printed.json and not self.in_chunks:
            return False if self.params.stream is False else None
        return self.params.stream is not False

    def take(self, body: dict[str, Any], client: "Client", out: Output) -> Answer:
        """Sends a body and prints the answer. Raises LlamaError where it is neither complete nor cut."""
        with client.chat(body) as reply:
            self._print(reply, out)
            return self._conclude(reply, out)

    def _print(self, reply: "Reply", out: Output) -> None:
        """Prints the answer as it comes, or whole where it is JSON or one of several."""
        live = not self.printed.json and reply.answer.expected == 1
        for chunks in reply:
            if self.shown.reasoning:
                self.stderr.write(reply.answer.take_reasoning())
            if self.in_chunks:
                for chunk in chunks:
                    out.document(chunk, line=True)
            elif live:
                out.write(reply.answer.take())
        completion = reply.answer.completion()
        if not self.printed.json:
            _finish(reply.answer, out, live, "\0" if self.printed.null else "\n")
        elif completion["choices"] and not self.in_chunks:
            out.document(completion)

    def _conclude(self, reply: "Reply", out: Output) -> Answer:
        """Says what there is to say of a whole reply, and raises what keeps it from being an answer."""
        choices = reply.answer.completion()["choices"]
        if 0 < len(choices) < reply.answer.expected:
            self.stderr.note(f"{len(choices)} of {reply.answer.expected} answers came: the server does not take --n")
        fault = reply.verdict(self.printed.allow_truncated)
        is_kept = fault is None or fault.status == ExitStatus.CUT
        # A cut that left nothing is no reason to empty the old file.
        if fault is None or (is_kept and out.written):
            out.commit()
        if self.shown.usage:
            from llamacli.report import usage_line

            self.stderr.line(usage_line(reply), "2")
        if fault and not is_kept:
            raise fault
        completion: Any = reply.answer.completion()
        usage = told if isinstance(told := completion.get("usage"), dict) else {}
        return Answer(choices[0].get("message") or {}, fault, usage, cost(completion, reply.headers))


def _finish(answer: "Assembly", out: Output, live: bool, terminator: str) -> None:
    """Prints what has not been printed yet of each answer: its content, then its tool calls, a line each."""
    for choice in answer.completion()["choices"]:
        content, calls = answer.text(choice.get("index") or 0), tool_calls(choice.get("message") or {})
        if not live:
            out.write(content)
        if calls:
            out.end()
            out.write("\n".join(json.dumps(call, ensure_ascii=False) for call in calls))
        if content or calls:
            out.end(terminator)
