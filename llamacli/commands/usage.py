"""`llamacli usage`: sums up a usage log by day and model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from io import BufferedReader

from llamacli.api.completion import token_counts
from llamacli.api.json import JsonObject
from llamacli.cli.spec import LoadedOptions
from llamacli.cli.table import DisplayOptions, Flag, Operand, Options
from llamacli.cli.types import ParamType, Switch
from llamacli.errors import ExitStatus, UsageError
from llamacli.stdio.input import Environment
from llamacli.stdio.output import Output

DESCRIPTION = """
Each line shows the calls, failures, tokens and cost of one model on one day. FILE is a usage
log, by default the one that LLAMACLI_USAGE_LOG names. On a terminal a bar compares the costs,
or the tokens if the log contains no cost. See also: llamacli help usage-log.
"""
OPERANDS = (Operand("file", ParamType("FILE", completes="file")),)
EXAMPLES = (
    "llamacli usage",
    "llamacli usage calls.jsonl --json | jq 'map(.usd // 0) | add'",
    "jq -s 'sort_by(-.seconds) | .[:5]' calls.jsonl",
)
COLUMNS = ("DAY", "MODEL", "CALLS", "FAILED", "IN", "OUT", "USD", "")
VARIABLE = "LLAMACLI_USAGE_LOG"
BAR_COLUMNS = 20
MAX_LINE_BYTES = 64 << 20
#: How a line begins. A full disk may have left half a line before it.
START = b'{"time": '


class UsageLogOptions(Options):
    """How the log is shown."""

    title = "Output"

    json: Flag[bool] = Flag(False, Switch(), "Print JSON.", common=True)


OPTIONS = (UsageLogOptions, DisplayOptions)


class Total:
    """What a model did in a day; `usd` is None if no cost is known."""

    def __init__(self, day: str, model: str) -> None:
        self.day, self.model = day, model
        self.calls = self.failures = self.prompt_tokens = self.completion_tokens = 0
        self.usd: float | None = None


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Prints the totals."""
    path = env.input.argument(options.operand("file") or "", "FILE")
    setting = env.settings.find(VARIABLE, False)
    if not path and not setting:
        raise UsageError("no usage log", "name a FILE, or start a log with: llamacli config set usage-log FILE")
    path = path or setting[0]  # type: ignore[index]
    totals: dict[tuple[str, str], Total] = {}
    damaged = 0
    try:
        with env.input.waiting(f"waiting for {path}"), open(0 if path == "-" else path, "rb") as file:
            for record in _records(file, path):
                if record is None:
                    damaged += 1
                else:
                    _add(totals, record)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    rows = [totals[key] for key in sorted(totals)]
    with Output(None, before=env.stderr.clear_status) as out:
        if options[UsageLogOptions].json:
            out.document(list(map(vars, rows)))
        else:
            out.table(list(_rows(rows, out.is_terminal)), COLUMNS, right=(2, 3, 4, 5, 6))
    if damaged:
        skipped = f"{damaged} lines that are not records" if damaged > 1 else "1 line that is not a record"
        env.stderr.note(f"{path}: skipped {skipped} of a call")
    return ExitStatus.OK


def _records(file: BufferedReader, path: str) -> Iterator[JsonObject | None]:
    while line := file.readline(MAX_LINE_BYTES):
        if len(line) == MAX_LINE_BYTES:
            raise UsageError(f"{path} is not a usage log: a line is longer than {MAX_LINE_BYTES >> 20} MiB")
        if not line.strip():
            continue
        try:
            record = json.loads(line[max(line.rfind(START), 0) :])
            datetime.fromisoformat(record["time"])
            yield record
        except (ValueError, TypeError, KeyError, RecursionError):
            yield None


def _add(totals: dict[tuple[str, str], Total], record: JsonObject) -> None:
    try:
        day = datetime.fromisoformat(record["time"]).astimezone().date().isoformat()
    except (OverflowError, OSError, ValueError):
        day = str(record["time"])[:10]
    model = str(record.get("response_model") or record.get("model") or "-")
    total = totals.setdefault((day, model), Total(day, model))
    tokens_in, tokens_out = token_counts(record)
    total.calls += 1
    # Status 1 is the "no" of --yes-no, and a cut answer is still an answer.
    total.failures += record.get("status") not in (ExitStatus.OK, ExitStatus.NO, ExitStatus.CUT)
    total.prompt_tokens += 0 if record.get("cached") else tokens_in
    total.completion_tokens += 0 if record.get("cached") else tokens_out
    usd = record.get("usd")
    if isinstance(usd, (int, float)) and not isinstance(usd, bool) and 0 <= usd < 1e12:
        total.usd = round((total.usd or 0.0) + usd, 9)


def _rows(totals: list[Total], is_terminal: bool) -> Iterator[list[object]]:
    has_cost = any(total.usd for total in totals)
    shares = [
        (total.usd or 0.0) if has_cost else float(total.prompt_tokens + total.completion_tokens) for total in totals
    ]
    largest = max(shares, default=0.0) or 1.0
    for total, share in zip(totals, shares, strict=True):
        usd = "" if total.usd is None else f"{total.usd:.6f}"
        cells = [*(value for key, value in vars(total).items() if key != "usd"), usd]
        yield [*cells, "█" * round(BAR_COLUMNS * share / largest)] if is_terminal else cells
