"""Prints an answer and the line of --usage.

Text is printed as it arrives, everything else once it is complete.
"""

import os
import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from llamacli.api.completion import token_count
from llamacli.api.messages import ThinkingSplitter, split_thinking, without_thinking
from llamacli.api.tool_calls import tool_calls
from llamacli.ask.answers import Answer, AnswerReader
from llamacli.ask.options import OutputOptions, UsageOptions
from llamacli.errors import LlamaError
from llamacli.stdio.output import Output, dump
from llamacli.stdio.stderr import Stderr

if TYPE_CHECKING:
    from llamacli.api.accumulator import Increment
    from llamacli.ask.answers import AnyReply
    from llamacli.stdio.markdown.live import LiveMarkdown


class Printer:
    """Prints one answer.

    `is_live`: text is printed as it arrives. `in_chunks`: so is each chunk, as a line of JSON.
    """

    def __init__(
        self,
        out: Output,
        stderr: Stderr,
        options: tuple[OutputOptions, UsageOptions],
        reader: AnswerReader,
        is_live: bool,
        in_chunks: bool,
    ) -> None:
        self._out, self._stderr, self._reader = out, stderr, reader
        self._options, self._usage_options = options
        self.is_live, self._in_chunks = is_live, in_chunks
        self._terminator = "\0" if self._options.null else "\n"
        self._splitter = ThinkingSplitter(reader.keeps_thinking)
        self._is_text = not (self._options.json or reader.has_format)
        self.renders = self._is_text and self._usage_options.applies_to(out)

    def show(self, reply: "AnyReply") -> None:
        """Reads a reply and prints it.

        An answer to be printed as JSON or in a format is left to `finish`.
        """
        with self._writer() if self.is_live else nullcontext(self._out) as page:
            try:
                for increment in reply:
                    self._show(increment, page)
            except LlamaError as error:
                # If a reply breaks off, what arrived is still printed; of several answers, those that are complete.
                page.write(self._splitter.finish()[1])
                if self._is_text and not self.is_live and self._print_rest(reply, only_complete=True):
                    raise error.add_hint("only the complete answers were printed") from error
                raise
        if self._is_text:
            self._print_rest(reply)
        elif not self._reader.keeps_thinking:
            self._write_reasoning(without_thinking(reply.accumulator.completion(), is_whole=True)[1])

    def _show(self, increment: "Increment", page: "LiveMarkdown | Output") -> None:
        self._write_reasoning(increment.reasoning, page)
        if self._in_chunks:
            for chunk in increment.chunks:
                self._out.document(chunk, line=True)
        elif self.is_live:
            reasoning, text = self._splitter.feed(increment.content)
            self._write_reasoning(reasoning, page)
            page.write(text)

    def finish(self, answer: Answer) -> None:
        """Prints an answer that had to be complete first."""
        if self._options.json:
            completion = answer.replies[-1].accumulator.completion()
            if completion.get("choices") and not self._in_chunks:
                self._out.document(completion)
        elif self._reader.has_format:
            for value in answer.values or ():
                if self._reader.is_json:
                    self._out.document(value, terminator=self._terminator)
                else:
                    self._out.write(value)
                    self._out.end(self._terminator)

    def _print_rest(self, reply: "AnyReply", *, only_complete: bool = False) -> int:
        """Prints the contents not printed yet, and the tool calls; returns the number of answers.

        Each tool call is one line.
        """
        splitter = self._splitter if self.is_live else None
        choices = reply.accumulator.choices(is_printed=self.is_live)
        if only_complete:
            choices = [(choice, rest) for choice, rest in choices if choice.get("finish_reason")]
        for choice, rest in choices:
            calls = tool_calls(choice.get("message") or {})
            if splitter:
                reasoning, text = splitter.finish(rest)
                has_content, splitter = splitter.has_answer, None
            else:
                reasoning, text = ("", rest) if self._reader.keeps_thinking else split_thinking(rest, is_whole=True)
                has_content = bool(text)
            self._write_reasoning(reasoning)
            if text:
                with self._writer() as page:
                    page.write(text)
            if calls:
                self._out.end()
                self._out.json_text("\n".join(dump(call) for call in calls))
            if has_content or calls:
                self._out.end(self._terminator)
        return len(choices)

    def _writer(self) -> AbstractContextManager["LiveMarkdown | Output"]:
        """Returns a page that renders the text, or the output itself."""
        return markdown_writer(self._out, self._stderr) if self.renders else nullcontext(self._out)

    def _write_reasoning(self, text: str, page: "LiveMarkdown | Output | None" = None) -> None:
        if text and self._usage_options.reasoning:
            if page is not None and not isinstance(page, Output):
                page.hide()
            self._stderr.write(text)


def markdown_writer(out: Output, stderr: Stderr) -> "LiveMarkdown":
    """Returns a page that renders the Markdown written to it."""
    from llamacli.stdio.markdown.live import LiveMarkdown

    return LiveMarkdown(out, color=stderr.wants_color and not os.environ.get("NO_COLOR"))


NO_COUNTS = "the server reported no token counts"


class EarlierCalls:
    """What the calls before the last one took, as --overflow map makes many.

    `cost` is in USD, None if the server reports none. `started`: when the first one
    began, by the monotonic clock.
    """

    def __init__(self, tokens_in: int, tokens_out: int, cost: float | None, started: float) -> None:
        self.tokens_in, self.tokens_out = tokens_in, tokens_out
        self.cost, self.started = cost, started


def usage_line(answer: Answer, earlier: EarlierCalls | None = None) -> str:
    """Returns what an answer took, of all its requests together.

    The rate counts the tokens after the first over the time after the first; without a
    stream, all tokens over the total time. It is left out if there were earlier calls.
    """
    usage, cost = answer.usage, answer.cost
    tokens_in, tokens_out = (token_count(usage, f"{name}_tokens") for name in ("prompt", "completion"))
    if earlier:
        return _total_line(earlier, tokens_in or 0, tokens_out or 0, cost)
    counts = ["?" if count is None else count for count in (tokens_in, tokens_out)]
    parts = [f"{counts[0]} tokens in, {counts[1]} out" if usage else NO_COUNTS]
    if answer.is_fallback:
        parts.insert(0, f"answered by {answer.model}")
    if answer.is_cached:
        # The call that stored the answer may not have asked for token counts.
        return ", ".join(["cached", *parts]) if usage else "cached"
    if cost is not None:
        parts.append(f"${cost:.6f}")
    first, last = answer.replies[0], answer.replies[-1]
    # The token counts arrive after the text. Waiting for them is not part of the writing.
    total, writing = last.last_chunk - first.started, last.last_text - last.first_text
    if first.first_text > first.started and first.last_text > first.first_text:
        parts.append(f"first token after {first.first_text - first.started:.2f} s")
    parts.append(f"total {total:.2f} s")
    if tokens_out is not None and tokens_out > 1 and total > 0:
        is_stream = len(answer.replies) == 1 and writing > 0
        parts.append(f"{(tokens_out - 1) / writing if is_stream else tokens_out / total:.1f} tokens/s")
    return ", ".join(parts)


def _total_line(earlier: EarlierCalls, tokens_in: int, tokens_out: int, cost: float | None) -> str:
    tokens_in, tokens_out = earlier.tokens_in + tokens_in, earlier.tokens_out + tokens_out
    parts = [f"{tokens_in} tokens in, {tokens_out} out" if tokens_in or tokens_out else NO_COUNTS]
    costs = [usd for usd in (earlier.cost, cost) if usd is not None]
    if costs:
        parts.append(f"${sum(costs):.6f}")
    return ", ".join([*parts, f"total {time.monotonic() - earlier.started:.2f} s"])
