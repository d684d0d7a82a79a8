"""`llamacli batch`: one question for each line or record, in parallel."""

import os
from collections.abc import Callable, Iterator

from llamacli.ask.options import ContextOptions, FormatOptions
from llamacli.ask.params import Params
from llamacli.batch.calls.answers import AnswerReader
from llamacli.batch.input.items import Items, format_of
from llamacli.batch.input.requests import RequestBuilder
from llamacli.batch.input.template import Template
from llamacli.batch.options import ItemOptions, LimitOptions, RowOptions
from llamacli.batch.output.rows import RESUMABLE_STATUSES, RowPrinter
from llamacli.cli.shared import DecodingOptions, DisplayOptions
from llamacli.cli.spec import LoadedOptions
from llamacli.cli.table import Operand
from llamacli.cli.types import ParamType, PathType
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http import endpoint
from llamacli.http.options import EndpointOptions, NetworkOptions, PreviewOptions
from llamacli.http.request import ChatRequest
from llamacli.stdio.environment import Environment
from llamacli.stdio.files import is_direct
from llamacli.stdio.output import Output

DESCRIPTION = """
The items are the lines of stdin or of the FILEs, or the records of JSON Lines, CSV and
TSV. In TEMPLATE, {} stands for the item and {name} for a field; {{ and }} are braces. An
item that TEMPLATE does not mention is appended. Without a template, or with -, the line
itself is the prompt, and a record needs a prompt, messages or body field (OpenAI's batch
input format). Each answer is a line of JSON: index, id (custom_id or id of the record),
key (a digest of the request and of -x), input, content, finish_reason, usage, seconds,
attempts, error (null, or status and message), and tool_calls if there are any; with -n
above 1, content and finish_reason are lists. The status is 13 if any item failed. The
first Ctrl-C waits for the calls in flight.
"""
OPERANDS = (Operand("template", ParamType("TEMPLATE")), Operand("files", PathType(), multiple=True))
OPTIONS = (
    ItemOptions,
    ContextOptions,
    DecodingOptions,
    Params,
    FormatOptions,
    RowOptions,
    LimitOptions,
    PreviewOptions,
    DisplayOptions,
    EndpointOptions,
    NetworkOptions,
)
EXAMPLES = (
    "llamacli batch 'Translate to German: {}' <words.txt",
    "llamacli batch -o out.jsonl --resume 'Is {name} in {country}?' cities.csv",
    "llamacli batch --plain -j 20 - questions.jsonl >answers.txt",
)


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Asks all questions and prints a row for each."""
    template, files, source = options.operand("template"), options.operands("files"), options[ItemOptions]
    params, rows, limits = options[Params], options[RowOptions], options[LimitOptions]
    preview, network = options[PreviewOptions], options[NetworkOptions]
    _check(template, files, source.input, rows)
    asked = None if template in (None, "-") else Template(env.input.argument(template or "", "TEMPLATE"))
    questions = RequestBuilder(asked, options[ContextOptions], params, env.input)
    shape = AnswerReader(options[FormatOptions], rows.allow_truncated, env.stderr)
    # What leaves no room for the form is told before anything is sent.
    shape.build_body(params.body([], stream=None, usage=False))
    items = Items(files, source.input, asked, env.input)
    if preview.dry_run or preview.curl:
        return _show(items, questions, shape, options, env)
    where = endpoint.resolve(options[EndpointOptions], env)

    # Not before all is known to be sendable: nothing takes longer to import than requests.
    from llamacli.batch.output.journal import Journal
    from llamacli.batch.runner import BatchRunner

    def run_to(sink: RowPrinter | Journal) -> ExitStatus:
        BatchRunner(items, questions, sink, limits, network, where, env.stderr, shape).run()
        return ExitStatus.OK

    if rows.output and not rows.plain and _is_file(rows.output):
        is_resumed = rows.resume or rows.retry_failed
        forgiven = [ExitStatus.CUT] if rows.allow_truncated else []
        return run_to(Journal(rows.output, is_resumed, _keeps(rows), not rows.unordered, forgiven))
    with Output(rows.output) as out:
        terminator = ("\0" if rows.null else "\n") if rows.plain else None
        return run_to(RowPrinter(out, env.stderr, not rows.unordered, terminator, shape.is_json))


def _check(template: str | None, files: list[str], form: str | None, rows: RowOptions) -> None:
    """Raises LlamaError (usage) where operands and flags make no sense together."""
    if template not in (None, "-") and not files and os.path.exists(template or ""):
        what = f"'{template}' is a file, and a lone operand is the template"
        is_lines = (form or format_of(template or "")) == "lines"
        todo = "its lines are the prompts" if is_lines else "its records are asked by prompt, messages or body"
        raise LlamaError(ExitStatus.USAGE, what, f"{todo} with: batch - {template}")
    if rows.null and not rows.plain:
        raise LlamaError(ExitStatus.USAGE, "--null ends contents, which --plain prints", "give both, or neither")
    resuming = "--resume" if rows.resume else "--retry-failed" if rows.retry_failed else ""
    path = rows.output
    if resuming and (not path or rows.plain or not _is_file(path)):
        raise LlamaError(ExitStatus.USAGE, f"{resuming} needs a file of rows to go on with", "name it with -o FILE")
    if path and rows.plain and _is_file(path) and os.path.exists(path) and os.path.getsize(path):
        todo = "remove it, or name another file; only rows can be resumed, without --plain"
        raise LlamaError(ExitStatus.USAGE, f"{path} holds something already", todo)


def _is_file(path: str) -> bool:
    """Tells a file that can be put in order from a pipe, a device or stdout."""
    return path != "-" and not is_direct(path)


def _keeps(rows: RowOptions) -> Callable[[int | None], bool]:
    """Returns what tells by a row's error status, None for no error, whether it is done."""
    return lambda status: status is None or not (rows.retry_failed or status in RESUMABLE_STATUSES)


def _show(
    items: Items,
    questions: RequestBuilder,
    shape: AnswerReader,
    options: LoadedOptions,
    env: Environment,
) -> ExitStatus:
    """Prints the requests in place of sending them. Raises LlamaError where some items make none."""
    from llamacli.http.preview import print_previews

    failed = 0
    number, shards = options[LimitOptions].shard or (1, 1)

    def requests() -> Iterator[ChatRequest]:
        nonlocal failed
        for item in items:
            try:
                if item.index % shards == number - 1:
                    yield ChatRequest(shape.build_item_body(item, questions.build_body(item)))
            except LlamaError as fault:
                env.stderr.note(str(fault))
                failed += 1

    print_previews(requests(), options, options[RowOptions].output, env)
    if failed:
        raise LlamaError(ExitStatus.FAILED, f"{failed} items make no request", "the notes say why, without -q")
    return ExitStatus.OK
