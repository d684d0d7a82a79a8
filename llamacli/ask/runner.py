"""One turn: what a request holds beside its messages, and how its answer is printed as it comes."""

import os
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from llamacli.api.messages import Completion, Message, answers, tool_calls
from llamacli.api.usage import cost, usage
from llamacli.ask.options import FitOptions, OutputOptions, UsageOptions
from llamacli.ask.params import Params
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.output import Output, dump
from llamacli.stdio.stderr import Stderr, is_dumb

if TYPE_CHECKING:
    from llamacli.ask.structured.loop import Fitting
    from llamacli.http.client import Client
    from llamacli.http.reply import Reply
    from llamacli.stdio.markdown.live import Page


class Answer(NamedTuple):
    """What a turn has brought: the message to keep, and the exit status that it stands for.

    `fault` is the one that leaves an answer worth keeping: it is cut.
    """

    message: Message
    fault: LlamaError | None
    #: What the server told of tokens and USD, all requests of the turn together.
    usage: dict[str, Any]
    cost: float | None
    status: ExitStatus = ExitStatus.OK


class Turn:
    """How turns are taken: made once from the options of a call, then taken once or, in a conversation, often."""

    def __init__(
        self,
        params: Params,
        printed: OutputOptions,
        shown: UsageOptions,
        stderr: Stderr,
        fit: FitOptions,
    ) -> None:
        """Raises LlamaError (usage) where two forms are asked for."""
        self.params, self.printed, self.shown, self.stderr = params, printed, shown, stderr
        #: Tokens are asked for whether they are shown or not.
        self.counts = False
        self._fit = fit
        self.adopt()

    def adopt(self) -> None:
        """Takes over what form the answers are to have. Raises LlamaError (usage) where that is two."""
        self.fitting = self._fit.fitting()
        self.extracts = self._fit.extract

    @property
    def in_chunks(self) -> bool:
        """Tells whether each chunk is printed as a line: only the flag asks for that."""
        return self.printed.json and self.params.stream is True and self.params.from_flag("stream")

    def body(self, messages: list[Message]) -> dict[str, Any]:
        """Returns the request body for these messages. Raises LlamaError (usage)."""
        body = self.params.body(messages, stream=self._stream(), usage=self.counts or self.shown.usage)
        if not self.fitting:
            return body
        if self.in_chunks:
            what = f"--json --stream prints an answer before {self.fitting.form.flag} has checked it"
            raise LlamaError(ExitStatus.USAGE, what, "drop --stream")
        return self.fitting.body(body)

    def _stream(self) -> bool | None:
        """Returns the value of `stream` to send, None for none: JSON in one piece does without it.

        So does an answer that is checked before it is printed: of all that servers
        can do wrong with a call of a function, most comes of its stream.
        """
        if self.fitting:
            return self.params.stream
        if self.printed.json and not self.in_chunks:
            return False if self.params.stream is False else None
        return self.params.stream is not False

    def take(self, body: dict[str, Any], client: "Client", out: Output) -> Answer:
        """Sends a body and prints the answer. Raises LlamaError where it is neither complete nor cut."""
        if self.fitting:
            return self._take_fitted(self.fitting, body, client, out)
        if self._renders(out):
            from llamacli.stdio.markdown.live import prepare

            client.when_sent(prepare)
        with client.chat(body) as reply:
            self._print(reply, out)
            return self._conclude(reply, out)

    def _take_fitted(self, fitting: "Fitting", body: dict[str, Any], client: "Client", out: Output) -> Answer:
        """Asks until the answer fits, and prints it then."""
        replies: list[Reply] = []

        def send(body: dict[str, Any], final: Collection[int]) -> Completion:
            with client.chat(body, final) as reply:
                for _ in reply:
                    self._show_reasoning(reply)
                replies.append(reply)
                return reply.answer.completion()

        found = fitting.ask(body, send, self.stderr.note, self.printed.allow_truncated)
        terminator = "\0" if self.printed.null else "\n"
        if self.printed.json:
            if replies[-1].answer.completion().get("choices"):
                out.document(replies[-1].answer.completion())
        elif found.content is not None and fitting.form.is_json:
            out.document(found.value, terminator=terminator)
        elif found.content is not None:
            out.write(found.content)
            out.end(terminator)
        fault = replies[-1].named(found.fault) if found.fault else None
        return self._end(fault, replies, out, {"role": "assistant", "content": found.content}, found.status)

    def _print(self, reply: "Reply", out: Output) -> None:
        """Prints the answer as it comes, or whole where it is JSON or one of several."""
        live = not self.printed.json and not self.extracts and reply.answer.expected == 1
        with self._page(out) if live else nullcontext(out) as page:
            for chunks in reply:
                self._show_reasoning(reply, page)
                if self.in_chunks:
                    for chunk in chunks:
                        out.document(chunk, line=True)
                elif live:
                    page.write(reply.answer.take())
        completion = reply.answer.completion()
        if self.printed.json:
            if completion["choices"] and not self.in_chunks:
                out.document(completion)
        elif not self.extracts:
            self._finish(reply, out)

    def _renders(self, out: Output) -> bool:
        return self.shown.markdown and out.is_terminal and not (is_dumb() or self.printed.json or self.extracts)

    def _page(self, out: Output) -> AbstractContextManager["Page | Output"]:
        """Returns what a content is written to: a page that renders it, or the output itself."""
        if not self._renders(out):
            return nullcontext(out)
        from llamacli.stdio.markdown.live import Page

        return Page(out, color=self.stderr.wants_color and not os.environ.get("NO_COLOR"))

    def _show_reasoning(self, reply: "Reply", page: "Page | Output | None" = None) -> None:
        if self.shown.reasoning and (text := reply.answer.take_reasoning()):
            if page is not None and not isinstance(page, Output):
                page.hide()
            self.stderr.write(text)

    def _finish(self, reply: "Reply", out: Output) -> None:
        """Prints what has not been printed yet of each answer: its content, then its tool calls, a line each."""
        for choice, rest in reply.answer.take_rest():
            message = choice.get("message") or {}
            calls = tool_calls(message)
            if rest:
                with self._page(out) as page:
                    page.write(rest)
            if calls:
                out.end()
                out.json_text("\n".join(dump(call) for call in calls))
            if message.get("content") or calls:
                out.end("\0" if self.printed.null else "\n")

    def _conclude(self, reply: "Reply", out: Output) -> Answer:
        """Says what there is to say of a whole reply, and raises what keeps it from being an answer."""
        choices = reply.answer.completion()["choices"]
        if 0 < len(choices) < reply.answer.expected:
            self.stderr.note(f"{len(choices)} of {reply.answer.expected} answers came: the server does not take --n")
        fault = reply.verdict(self.printed.allow_truncated)
        if self.extracts and (fault is None or fault.status == ExitStatus.CUT):
            fault = self._extract(reply, out, is_complete=fault is None) or fault
        message: Message = (choices[0].get("message") or {}) if choices else {}
        return self._end(fault, [reply], out, message)

    def _extract(self, reply: "Reply", out: Output, is_complete: bool) -> LlamaError | None:
        """Prints the first code block of each answer, or nothing and says that one has none."""
        from llamacli.ask.structured.extract import first_blocks

        try:
            contents = (choice["message"].get("content") or "" for choice in answers(reply.answer.completion()))
            blocks = first_blocks(contents, is_complete)
        except LlamaError as misfit:
            return reply.named(misfit)
        if not self.printed.json:
            for block in blocks:
                out.write(block)
                out.end("\0" if self.printed.null else "\n")
        return None

    def _end(
        self,
        fault: LlamaError | None,
        replies: "list[Reply]",
        out: Output,
        message: Message,
        status: ExitStatus = ExitStatus.OK,
    ) -> Answer:
        """Keeps what is worth keeping, shows the usage, and raises what leaves no answer."""
        is_kept = fault is None or fault.status == ExitStatus.CUT
        # A cut that left nothing is no reason to empty the old file.
        if fault is None or (is_kept and out.written):
            out.commit()
        completions = [reply.answer.completion() for reply in replies]
        costs = [cost(completion, reply.headers) for completion, reply in zip(completions, replies, strict=True)]
        spent = sum(told) if (told := [each for each in costs if each is not None]) else None
        answer = Answer(message, fault, usage(completions), spent, status)
        if self.shown.usage:
            from llamacli.ask.usage import usage_line

            self.stderr.line(usage_line(replies, answer.usage, answer.cost), "2")
        if fault and not is_kept:
            raise fault
        return answer
