"""Sends one question and prints its answer."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING

from llamacli.api.messages import RequestBody
from llamacli.ask.answers import Answer, AnswerReader
from llamacli.ask.options import CacheOptions, InputOptions, OutputOptions, UsageOptions
from llamacli.ask.params import Params
from llamacli.cli.spec import LoadedOptions
from llamacli.cli.table import OutputFile
from llamacli.errors import ExitStatus, LlamaError, UsageError
from llamacli.http import endpoint
from llamacli.http.options import EndpointOptions, NetworkOptions, PreviewOptions
from llamacli.http.request import ChatRequest, print_previews
from llamacli.stdio.input import Environment
from llamacli.stdio.output import Output, open_output
from llamacli.stdio.stderr import Stderr

if TYPE_CHECKING:
    from llamacli.ask.printer import EarlierCalls, Printer
    from llamacli.http.client import Client
    from llamacli.http.reply import Reply


#: Returns the client, the same for each call.
Connect = Callable[[], "Client"]


class Runner:
    """Takes turns with the same options: one for ask, many in a chat."""

    def __init__(self, options: LoadedOptions, stderr: Stderr) -> None:
        """Raises UsageError if two answer formats are given."""
        self.params, self.output_options = options[Params], options[OutputOptions]
        self.usage_options, self.stderr = options[UsageOptions], stderr
        #: Requests token counts even if they are not shown.
        self.requests_usage = options[NetworkOptions].usage_log is not None
        self.reader = AnswerReader(options, self.output_options.allow_truncated, stderr.note)
        #: What the usage line adds to the last call.
        self.earlier_calls: EarlierCalls | None = None

    @property
    def in_chunks(self) -> bool:
        """True if each chunk is a line: if --stream itself was given."""
        return self.output_options.json and self.params.stream is True and self.params.from_flag("stream")

    def build_body(self, messages: Sequence[Mapping[str, object]]) -> RequestBody:
        """Returns the body for these messages. Raises UsageError."""
        body = self.params.body(messages, stream=self._stream(), usage=self.requests_usage or self.usage_options.usage)
        if self.in_chunks and self.reader.validation:
            message = f"--json --stream prints an answer before {self.reader.validation.format.flag} has checked it"
            raise UsageError(message, "drop --stream")
        return self.reader.build_body(body)

    def _stream(self) -> bool | None:
        """Returns the value of `stream` to send, None to leave it out.

        Whole JSON needs no stream. An answer that is checked before it is printed gains
        nothing from one, and servers make most of their mistakes with streamed calls.
        """
        if self.reader.validation:
            return self.params.stream
        if self.output_options.json and not self.in_chunks:
            return False if self.params.stream is False else None
        return self.params.stream is not False

    def run(self, body: RequestBody, connect: "Connect", out: Output) -> Answer:
        """Sends a body and prints the answer.

        Raises LlamaError unless it is complete or cut.

        `connect` is called if there is something to send: a stored answer needs no client.
        """
        from llamacli.http.retry import RetryPolicy

        request, policy = ChatRequest(body), None
        printer = self._printer(request, out)

        def send(request: ChatRequest, no_retry: Collection[int]) -> "Reply":
            nonlocal policy
            client = connect()
            # Imported after connecting has begun, which continues meanwhile.
            from llamacli.http.call import Call
            from llamacli.http.reply import Reply

            policy = policy or RetryPolicy(client.options)
            call = Call(client, request, policy, no_retry)
            with Reply(call, call.send()) as reply:
                printer.show(reply)
                return reply

        answer = self.reader.read(request, send, is_whole=not printer.is_live)
        if answer.is_cached:
            printer.show(answer.replies[-1])
        printer.finish(answer)
        return self._conclude(answer, out)

    def _printer(self, request: ChatRequest, out: Output) -> "Printer":
        from llamacli.ask.printer import Printer

        is_text = not (self.output_options.json or self.reader.has_format)
        is_live = is_text and self.params.stream is not False and request.choices == 1
        options = self.output_options, self.usage_options
        return Printer(out, self.stderr, options, self.reader, is_live, self.in_chunks)

    def _conclude(self, answer: Answer, out: Output) -> Answer:
        """Commits the output, prints the usage, raises the answer's error."""
        choices = answer.completion.get("choices") or []
        if 0 < len(choices) < answer.request.choices:
            self.stderr.note(f"the server sent {len(choices)} of {answer.request.choices} answers: it ignores --n")
        is_kept = answer.error is None or answer.error.status == ExitStatus.CUT
        # A cut answer without any text does not replace the old file.
        if answer.error is None or (is_kept and out.written):
            out.commit()
        model = answer.completion.get("model") or answer.model
        self.stderr.verbose(f"* {'stored answer' if answer.is_cached else 'answered'} by {model}")
        if self.reader.cache:
            self.reader.cache.prune()
        if self.usage_options.usage:
            from llamacli.ask.printer import usage_line

            self.stderr.line(usage_line(answer, self.earlier_calls), "2")
        if answer.error and not is_kept:
            raise answer.error
        return answer


def _is_too_long(error: LlamaError) -> bool:
    """True if a request was refused for its length, without a hint yet."""
    if error.status != ExitStatus.REFUSED or "--keep-turns" in error.hint:
        return False
    from llamacli.api.errors import is_context_length_error

    return is_context_length_error(error.message)


def print_requests(requests: Iterable[ChatRequest], options: LoadedOptions, env: Environment) -> ExitStatus:
    """Prints requests for --dry-run or --curl, a line each."""
    print_previews(requests, options, options[OutputFile].output, env)
    env.input.drop_draft()
    return ExitStatus.OK


def send_or_preview(
    body: RequestBody,
    take_turn: Callable[["Connect", Output], Answer],
    options: LoadedOptions,
    env: Environment,
    server: Callable[[], endpoint.Endpoint] | None = None,
) -> ExitStatus:
    """Takes a turn over a new connection, or prints its request.

    It prints the request with --dry-run or --curl. `server` returns the endpoint if the
    call has used it before. Raises LlamaError if the answer is not complete.
    """
    if options[PreviewOptions].is_used:
        return print_requests([ChatRequest(body)], options, env)
    path = options[OutputFile].output
    _check_output(path)
    server = server or cache(lambda: endpoint.resolve(options[EndpointOptions], env))

    @cache
    def connect() -> "Client":
        # Imported only now that a request is sent: nothing takes longer to import.
        from llamacli.http.client import open_client

        network = options[NetworkOptions].after(env.input.seconds_spent)
        return stack.enter_context(open_client(server(), network, env.stderr))

    if not any(isinstance(group, CacheOptions) and group.is_used for group in options):
        # A missing key is reported first. A stored answer needs none.
        server()
    with open_output(path, env) as out, ExitStack() as stack:
        try:
            answer = take_turn(connect, out)
        except LlamaError as error:
            if options[InputOptions].overflow == "fail" and _is_too_long(error):
                raise error.add_hint("--overflow head, tail, middle or map sends less at a time") from error
            raise
        if answer.error:
            raise answer.error
    if path and os.path.isfile(path) and os.isatty(2):
        env.stderr.note(f"answer written to {path}")
    env.input.drop_draft()
    return answer.status


def _check_output(path: str | None) -> None:
    """Raises UsageError for `-o temperature 0.5`.

    In other tools, that sets a parameter.
    """
    if path and path.replace("-", "_") in Params.flags() and not os.path.lexists(path):
        message = f"-o {path} names the output file, not the parameter"
        raise UsageError(message, f"use --{path.replace('_', '-')} VALUE; to write a file of that name: -o ./{path}")
