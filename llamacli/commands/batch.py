"""`llamacli batch`: one question for each line, record or file."""

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from llamacli.ask.answers import AnswerReader
from llamacli.ask.options import CacheOptions, ContextOptions, FallbackOptions, FormatOptions
from llamacli.ask.params import Params
from llamacli.ask.prompt import variables
from llamacli.batch.input.items import Items, ItemSource, RequestBuilder, Template
from llamacli.batch.input.records import format_of, open_inputs
from llamacli.batch.options import EditOptions, ItemOptions, LimitOptions, RowOptions
from llamacli.batch.output.rows import RESUMABLE_STATUSES, OrderedPrinter, RowPrinter, Sink
from llamacli.cli.spec import LoadedOptions
from llamacli.cli.table import DecodingOptions, DisplayOptions, Operand
from llamacli.cli.types import ParamType, PathType
from llamacli.errors import ExitStatus, LlamaError, UsageError
from llamacli.http import endpoint
from llamacli.http.options import EndpointOptions, NetworkOptions, PreviewOptions
from llamacli.http.request import ChatRequest, print_previews
from llamacli.stdio.files import descriptor, is_direct
from llamacli.stdio.input import Environment, display_path
from llamacli.stdio.output import Output

DESCRIPTION = """
The items are the lines of stdin or of the FILEs, or the records of .jsonl, .csv and .tsv
files. With --input files, each FILE is one item.

TEMPLATE is the prompt: {} stands for the item, and {name} for a field of a record. An item
that TEMPLATE does not mention is appended. Write {{ and }} for braces. A file has the
fields path, dir, name, stem and ext. Without TEMPLATE, or with - in its place, each line is
a prompt, and a record needs a prompt, messages or body field (OpenAI's batch input format).

Each answer is printed as a line of JSON, in the order of the input; --plain prints only the
answers. A failed item does not stop the batch; the exit status is then 13. The first Ctrl-C
waits for the calls in flight. With -o FILE, --resume later asks for the rest.
"""
OPERANDS = (Operand("template", ParamType("TEMPLATE")), Operand("files", PathType(), multiple=True))
OPTIONS = (
    ItemOptions,
    ContextOptions,
    DecodingOptions,
    Params,
    FormatOptions,
    RowOptions,
    EditOptions,
    LimitOptions,
    PreviewOptions,
    DisplayOptions,
    EndpointOptions,
    NetworkOptions,
    FallbackOptions,
    CacheOptions,
)
EXAMPLES = (
    "llamacli batch 'Translate to German: {}' <words.txt",
    "llamacli batch -o out.jsonl --resume 'Is {name} in {country}?' cities.csv",
    "llamacli batch --plain -j 20 - questions.jsonl >answers.txt",
    "llamacli batch --input files --diff 'Correct the spelling:' docs/*.md",
)


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Asks all questions and prints a row for each."""
    template, files, source = options.operand("template"), options.operands("files"), options[ItemOptions]
    if template is not None and options[ContextOptions].prompt_file:
        # The prompt file is the template, so every operand is an input.
        files = [template, *files]
        template = None
    params, rows, limits = options[Params], options[RowOptions], options[LimitOptions]
    preview, network = options[PreviewOptions], options[NetworkOptions]
    edits = options[EditOptions]
    _check(template, files, source.input, rows)
    _check_edits(edits, template, source.input, rows, params)
    parsed = None if template in (None, "-") else Template(env.input.argument(template or "", "TEMPLATE"))
    if file := options[ContextOptions].prompt_file:
        parsed = Template(file.template(variables(file, options[ContextOptions], env.input)))
    # A note for each answer would be too many.
    reader = AnswerReader(options, rows.allow_truncated, lambda text: env.stderr.verbose(f"* {text}"))
    builder = RequestBuilder(parsed, options[ContextOptions], params, env.input, reader)
    # Parameters that conflict with the answer's format fail before anything is sent.
    reader.build_body(params.body([], stream=None, usage=False))
    inputs = open_inputs(files, source.input, env.input)
    items = Items(inputs, parsed, source.limit)
    if preview.is_used:
        return _preview(items, builder, options, env)
    if network.usage_log:
        _check_output(_status(network.usage_log), f"{network.usage_log} (--usage-log)", inputs)
    # A stored answer needs no key.
    server = cache(lambda: endpoint.resolve(options[EndpointOptions], env))
    if not reader.cache:
        server()

    # Imported only when everything is ready to send: requests is the slowest import.
    from llamacli.batch.output.journal import Journal
    from llamacli.batch.runner import BatchRunner

    def run_to(sink: Sink) -> ExitStatus:
        BatchRunner(items, builder.build_body, sink, limits, network, server, env.stderr, reader).run()
        return ExitStatus.OK

    journal = None
    if rows.output and not rows.plain and _is_file(rows.output):
        _check_output(_status(rows.output), rows.output, inputs)
        is_resumed = rows.resume or rows.retry_failed
        ignored = [ExitStatus.CUT] if rows.allow_truncated else []
        # With a limit, the rows of later items stay in the file.
        is_partial = source.limit is not None
        journal = Journal(rows.output, is_resumed, _is_done(rows), not rows.unordered, ignored, is_partial)
    if edits.is_used:
        from llamacli.batch.output.edits import FileEditor, Targets

        paths = [path for file_list in inputs for path in file_list.paths()]
        targets = Targets(paths[: source.limit], edits, rows.output)
        with Output(None) as out:
            printer = OrderedPrinter(out, env.stderr, not rows.unordered) if edits.diff else None
            editor = FileEditor(targets, edits, journal, printer, builder.edit_digest, reader.is_json, env.stderr)
            return run_to(editor)
    if journal:
        return run_to(journal)
    to_stdout = rows.output is None or descriptor(rows.output) == 1 or rows.output == "-"
    _check_output(os.fstat(1) if to_stdout else _status(rows.output or ""), rows.output or "stdout", inputs)
    with Output(rows.output, note=env.stderr.note) as out:
        terminator = ("\0" if rows.null else "\n") if rows.plain else None
        return run_to(RowPrinter(out, env.stderr, not rows.unordered, terminator, reader.is_json))


def _check(template: str | None, files: list[str], format: str | None, rows: RowOptions) -> None:
    """Raises UsageError if operands and flags do not fit together."""
    if template not in (None, "-") and (not files or format == "files") and os.path.exists(template or ""):
        name = display_path(template or "")
        if format == "files":
            hint = "try llamacli batch --input files 'PROMPT' FILE..."
        elif (format or format_of(template or "")) == "lines":
            hint = f"try llamacli batch 'PROMPT with {{}}' {name}; if each line is a prompt: llamacli batch - {name}"
        else:
            hint = (
                f"try llamacli batch 'PROMPT with {{field}}' {name}; "
                f"if each record has its own prompt: llamacli batch - {name}"
            )
        raise UsageError(f"no prompt: '{name}' is a file", hint)
    if (
        template
        and files
        and os.path.isfile(template)
        and re.search(r"[\s{]", files[0])
        and not os.path.exists(files[0])
    ):
        message = f"'{display_path(files[0])}' is not a file, but '{display_path(template)}' is"
        raise UsageError(message, "the prompt comes first: llamacli batch 'PROMPT' FILE...")
    if rows.null and not rows.plain:
        raise UsageError("--null needs --plain", "add --plain, or drop --null")
    resuming = "--resume" if rows.resume else "--retry-failed" if rows.retry_failed else ""
    path = rows.output
    if resuming and (not path or rows.plain or not _is_file(path)):
        raise UsageError(f"{resuming} needs a file of rows", "name it with -o FILE, without --plain")
    if path and rows.plain and _is_file(path) and (status := _status(path)) and status.st_size:
        raise UsageError(f"{path} is not empty", "choose another file; with --plain it cannot be resumed")


def _check_edits(
    edits: EditOptions, template: str | None, format: str | None, rows: RowOptions, params: Params
) -> None:
    """Raises UsageError if --write etc. do not fit the others."""
    if not edits.is_used:
        return
    flag = "--write" if edits.write is not None else "--in-place" if edits.in_place is not None else "--diff"
    if edits.in_place == "" and template is not None and re.fullmatch(r"([.~][\w.~-]*)?", template):
        # As with `sed -i .bak` and `sed -i ''` of BSD: each file would be replaced by the answer to this.
        hint = f"use --in-place={template}" if template else "drop it; for files without a prompt, use -"
        raise UsageError(f"'{template}' would be the prompt, not the suffix of --in-place", hint)
    if format != "files":
        raise UsageError(f"{flag} needs --input files", f"add it, or drop {flag}")
    if edits.write is not None and edits.in_place is not None:
        raise UsageError("--write and --in-place cannot be combined", "drop one")
    if rows.plain or (rows.output and not _is_file(rows.output)):
        other = "--plain" if rows.plain else f"-o {rows.output}"
        hint = f"drop {other}" if rows.plain else "save the rows in a regular file, or drop -o"
        raise UsageError(f"{flag} cannot be combined with {other}", hint)
    if params.n not in (None, 1):
        raise UsageError(f"{flag} needs one answer, but --n is {params.n}", "drop --n")


def _check_output(output: os.stat_result | None, name: str, inputs: Sequence[ItemSource]) -> None:
    """Raises UsageError if an input is the output, which grows."""
    if output is None or not stat.S_ISREG(output.st_mode):
        return
    for source in inputs:
        if any(os.path.samestat(status, output) for status in source.statuses()):
            message = f"the input is also the output: {display_path(name)}"
            raise UsageError(message, "write to another file; nothing was sent")


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None


def _is_file(path: str) -> bool:
    """True for a regular file, not for a pipe, a device or stdout."""
    return path != "-" and not is_direct(path)


def _is_done(rows: RowOptions) -> Callable[[int | None], bool]:
    """Returns a function that says whether to keep a row, by its status."""
    return lambda status: status is None or not (rows.retry_failed or status in RESUMABLE_STATUSES)


def _preview(items: Items, builder: RequestBuilder, options: LoadedOptions, env: Environment) -> ExitStatus:
    """Prints the requests. Raises LlamaError if an item has none."""
    failed = 0
    number, shards = options[LimitOptions].shard or (1, 1)

    def requests() -> Iterator[ChatRequest]:
        nonlocal failed
        for item in items:
            try:
                if item.index % shards == number - 1:
                    yield ChatRequest(builder.build_body(item))
            except LlamaError as error:
                env.stderr.note(str(error))
                failed += 1

    print_previews(requests(), options, options[RowOptions].output, env)
    if failed:
        message = f"items that could not be turned into requests: {failed}"
        raise LlamaError(ExitStatus.FAILED, message, "run without -q to see why" if env.stderr.is_quiet else "")
    return ExitStatus.OK
