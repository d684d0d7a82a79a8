"""Sends one question and prints its answer."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from llamacli.api.messages import Completion, Message, find_problem, sorted_choices, tool_calls
from llamacli.api.reasoning import ThinkingSplitter, split_thinking, without_thinking
from llamacli.api.usage import reported_cost, total_usage
from llamacli.ask.options import FormatOptions, OutputOptions, UsageOptions
from llamacli.ask.params import Params
from llamacli.cli.shared import OutputFile
from llamacli.cli.spec import LoadedOptions
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http import endpoint
from llamacli.http.options import EndpointOptions, NetworkOptions, PreviewOptions
from llamacli.http.request import ChatRequest
from llamacli.http.retry import RetryPolicy
from llamacli.stdio.environment import Environment
from llamacli.stdio.output import Output, dump
from llamacli.stdio.stderr import Stderr, is_dumb

if TYPE_CHECKING:
    from llamacli.api.accumulator import Increment
    from llamacli.ask.structured.loop import ValidationLoop
    from llamacli.http.client import Client
    from llamacli.http.reply import Reply
    from llamacli.stdio.markdown.live import LiveMarkdown


class Answer(NamedTuple):
    """What a turn has brought: the message to keep, and the exit status that it stands for.

    `fault` is the one that leaves an answer worth keeping: it is cut.
    """

    message: Message
    error: LlamaError | None
    #: What the server told of tokens and USD, all requests of the turn together.
    usage: dict[str, Any]
    cost: float | None
    status: ExitStatus = ExitStatus.OK


class Runner:
    """Takes turns: made once from the options of a call, used once or, in a conversation, many times."""

    def __init__(self, options: LoadedOptions, stderr: Stderr) -> None:
        """Raises LlamaError (usage) if the options ask for two answer formats."""
        self.params, self.output_options = options[Params], options[OutputOptions]
        self.usage_options, self.stderr = options[UsageOptions], stderr
        #: Requests token counts even if they are not shown.
        self.requests_usage = False
        format = options[FormatOptions]
        self.validation = format.validation_loop()
        self.extracts, self.keeps_thinking = format.extract, format.keep_thinking

    @property
    def in_chunks(self) -> bool:
        """Tells whether each chunk is printed as a line: only the flag asks for that."""
        return self.output_options.json and self.params.stream is True and self.params.from_flag("stream")

    def build_body(self, messages: Sequence[Mapping[str, object]]) -> dict[str, Any]:
        """Returns the request body for these messages. Raises LlamaError (usage)."""
        body = self.params.body(messages, stream=self._stream(), usage=self.requests_usage or self.usage_options.usage)
        if not self.validation:
            return body
        if self.in_chunks:
            what = f"--json --stream prints an answer before {self.validation.format.flag} has checked it"
            raise LlamaError(ExitStatus.USAGE, what, "drop --stream")
        return self.validation.build_body(body)

    def _stream(self) -> bool | None:
        """Returns the value of `stream` to send, None for none: JSON in one piece does without it.

        So does an answer that is checked before it is printed: of all that servers
        can do wrong with a call of a function, most comes of its stream.
        """
        if self.validation:
            return self.params.stream
        if self.output_options.json and not self.in_chunks:
            return False if self.params.stream is False else None
        return self.params.stream is not False

    def run(self, body: dict[str, Any], client: "Client", out: Output) -> Answer:
        """Sends a body and prints the answer. Raises LlamaError where it is neither complete nor cut."""
        if self.validation:
            return self._run_validated(self.validation, body, client, out)
        with client.chat(ChatRequest(body)) as reply:
            self._print(reply, out)
            return self._conclude(reply, out)

    def _run_validated(
        self, validation: "ValidationLoop", body: dict[str, Any], client: "Client", out: Output
    ) -> Answer:
        """Asks until the answer fits, and prints it then."""
        replies: list[Reply] = []
        policy = RetryPolicy(client.options)

        def send(body: dict[str, Any], no_retry: Collection[int]) -> Completion:
            with client.chat(ChatRequest(body), policy, no_retry) as reply:
                for increments in reply:
                    self._show_reasoning(increments)
                replies.append(reply)
                return self._without_thinking(reply)

        found = validation.run(body, send, self.stderr.note, self.output_options.allow_truncated)
        terminator = "\0" if self.output_options.null else "\n"
        if self.output_options.json:
            completion = replies[-1].accumulator.completion()
            if completion.get("choices"):
                out.document(completion)
        elif found.content is not None and validation.format.is_json:
            out.document(found.value, terminator=terminator)
        elif found.content is not None:
            out.write(found.content)
            out.end(terminator)
        fault = replies[-1].with_request_id(found.error) if found.error else None
        return self._end(fault, replies, out, {"role": "assistant", "content": found.content}, found.status)

    def _print(self, reply: "Reply", out: Output) -> None:
        """Prints the answer as it comes, or whole where it is JSON or one of several."""
        live = self._prints_live(reply)
        splitter = ThinkingSplitter(self.keeps_thinking)
        with self._writer(out) if live else nullcontext(out) as page:
            for increments in reply:
                self._show_reasoning(increments, page)
                if self.in_chunks:
                    for increment in increments:
                        out.document(increment.chunk, line=True)
                elif live:
                    reasoning, text = splitter.feed("".join(increment.content for increment in increments))
                    self._write_reasoning(reasoning, page)
                    page.write(text)
        if self.output_options.json:
            completion = reply.accumulator.completion()
            if completion["choices"] and not self.in_chunks:
                out.document(completion)
        elif not self.extracts:
            self._print_rest(reply, out, splitter if live else None)

    def _prints_live(self, reply: "Reply") -> bool:
        """Returns True if the answer is printed as it arrives."""
        is_text = not (self.output_options.json or self.extracts or self.validation)
        return is_text and self.params.stream is not False and reply.accumulator.expected == 1

    def _without_thinking(self, reply: "Reply") -> Completion:
        completion = reply.accumulator.completion()
        if self.keeps_thinking:
            return completion
        completion, reasoning = without_thinking(completion, is_whole=not self._prints_live(reply))
        # In plain text each answer is printed with its own reasoning.
        if self.validation or self.extracts or self.output_options.json:
            self._write_reasoning(reasoning)
        return completion

    def _renders(self, out: Output) -> bool:
        """Returns True if the answer is shown as Markdown: on a terminal or, with `always`, in a pipe too."""
        markdown = self.usage_options.markdown
        is_wanted = out.is_stdout if markdown == "always" else markdown and out.is_terminal
        return bool(is_wanted) and not (is_dumb() or self.output_options.json or self.extracts)

    def _writer(self, out: Output) -> AbstractContextManager["LiveMarkdown | Output"]:
        """Returns what a content is written to: a page that renders it, or the output itself."""
        if not self._renders(out):
            return nullcontext(out)
        from llamacli.stdio.markdown.live import LiveMarkdown

        return LiveMarkdown(out, color=self.stderr.wants_color and not os.environ.get("NO_COLOR"))

    def _show_reasoning(self, increments: list["Increment"], page: "LiveMarkdown | Output | None" = None) -> None:
        if self.usage_options.reasoning:
            self._write_reasoning("".join(increment.reasoning for increment in increments), page)

    def _write_reasoning(self, text: str, page: "LiveMarkdown | Output | None" = None) -> None:
        if text and self.usage_options.reasoning:
            if page is not None and not isinstance(page, Output):
                page.hide()
            self.stderr.write(text)

    def _print_rest(self, reply: "Reply", out: Output, splitter: ThinkingSplitter | None) -> None:
        """Prints what has not been printed yet of each answer: its content, then its tool calls, a line each.

        `splitter` has seen what was printed of the first one.
        """
        for choice, rest in reply.accumulator.choices(is_printed=splitter is not None):
            calls = tool_calls(choice.get("message") or {})
            if splitter:
                reasoning, text = splitter.finish(rest)
                has_content, splitter = splitter.has_answer, None
            else:
                reasoning, text = ("", rest) if self.keeps_thinking else split_thinking(rest, is_whole=True)
                has_content = bool(text)
            self._write_reasoning(reasoning)
            if text:
                with self._writer(out) as page:
                    page.write(text)
            if calls:
                out.end()
                out.json_text("\n".join(dump(call) for call in calls))
            if has_content or calls:
                out.end("\0" if self.output_options.null else "\n")

    def _conclude(self, reply: "Reply", out: Output) -> Answer:
        """Says what there is to say of a whole reply, and raises what keeps it from being an answer."""
        completion = self._without_thinking(reply)
        choices = completion["choices"]
        if 0 < len(choices) < reply.accumulator.expected:
            self.stderr.note(
                f"{len(choices)} of {reply.accumulator.expected} answers came: the server does not take --n"
            )
        fault = find_problem(completion, self.output_options.allow_truncated)
        fault = fault and reply.with_request_id(fault)
        if self.extracts and (fault is None or fault.status == ExitStatus.CUT):
            fault = self._extract(reply, completion, out, is_complete=fault is None) or fault
        message: Message = (choices[0].get("message") or {}) if choices else {}
        return self._end(fault, [reply], out, message)

    def _extract(self, reply: "Reply", completion: Completion, out: Output, is_complete: bool) -> LlamaError | None:
        """Prints the first code block of each answer, or nothing and says that one has none."""
        from llamacli.ask.structured.extract import first_blocks

        try:
            contents = (choice["message"].get("content") or "" for choice in sorted_choices(completion))
            blocks = first_blocks(contents, is_complete)
        except LlamaError as misfit:
            return reply.with_request_id(misfit)
        if not self.output_options.json:
            for block in blocks:
                out.write(block)
                out.end("\0" if self.output_options.null else "\n")
        return None

    def _end(
        self,
        error: LlamaError | None,
        replies: "list[Reply]",
        out: Output,
        message: Message,
        status: ExitStatus = ExitStatus.OK,
    ) -> Answer:
        """Keeps what is worth keeping, shows the usage, and raises what leaves no answer."""
        is_kept = error is None or error.status == ExitStatus.CUT
        # A cut that left nothing is no reason to empty the old file.
        if error is None or (is_kept and out.written):
            out.commit()
        completions = [reply.accumulator.completion() for reply in replies]
        costs = [
            reported_cost(completion, reply.headers) for completion, reply in zip(completions, replies, strict=True)
        ]
        spent = sum(told) if (told := [each for each in costs if each is not None]) else None
        answer = Answer(message, error, total_usage(completions), spent, status)
        if self.usage_options.usage:
            from llamacli.ask.usage import usage_line

            self.stderr.line(usage_line(replies, answer.usage, answer.cost), "2")
        if error and not is_kept:
            raise error
        return answer


def send_or_preview(
    body: dict[str, Any], take_turn: "Callable[[Client, Output], Answer]", options: LoadedOptions, env: Environment
) -> ExitStatus:
    """Takes a turn over a new connection, or prints its request with --dry-run or --curl.

    Raises LlamaError if the answer is not complete.
    """
    preview, path = options[PreviewOptions], options[OutputFile].output
    if preview.dry_run or preview.curl:
        from llamacli.http.preview import print_previews

        print_previews([ChatRequest(body)], options, path, env)
        env.input.drop_draft()
        return ExitStatus.OK
    where = endpoint.resolve(options[EndpointOptions], env)

    # Imported only now that the request is known to be valid: nothing takes longer to import.
    from llamacli.http import open

    with (
        Output(path, before=env.stderr.clear_status, note=env.stderr.note) as out,
        open.open_client(where, options[NetworkOptions], env.stderr) as client,
    ):
        answer = take_turn(client, out)
        if answer.error:
            raise answer.error
    env.input.drop_draft()
    return answer.status
