"""Searches for a JSON Schema's regular expressions in bounded time.

The expressions are read as ECMA-262. Python's engine backtracks, holds the GIL and
handles no signal while it works, so a pattern like ^(a+)+$ could stop the whole
program. All but the simplest patterns are therefore searched for in a helper process,
which a timer ends.
"""

import atexit
import json
import re
import subprocess
import sys
import threading
import time
from functools import cache

#: Processor time for checking one answer against all patterns of a schema.
MAX_SECONDS = 2.0
#: Time for one search, however busy the machine is.
MAX_WALL_SECONDS = 60.0

#: An escaped character, a class, or the end.
TOKENS = r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$"

#: What a pattern may consist of to be searched for here: characters, classes, exact counts.
SIMPLE_PIECE = re.compile(r"\\[dDwWsS.$/-]|\[\^?[^\\\[\]]+\]|\{\d{1,2}\}|([*+?])|[^\\\[\](){}|]")
MAX_SIMPLE_CHARACTERS = 1000

HELPER = """
import json, re, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
signal.signal(signal.SIGALRM, signal.SIG_DFL)
for line in sys.stdin:
    pattern, text, seconds, wall_seconds = json.loads(line)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, wall_seconds)
    start = time.process_time()
    is_match = re.search(pattern, text) is not None
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(json.dumps([is_match, time.process_time() - start]), flush=True)
"""


class PatternTimeout(Exception):
    """A pattern took too long; the text is the pattern."""


class PatternBudget(threading.local):
    """The processor time and --max-time that are left to check an answer."""

    seconds = MAX_SECONDS
    deadline = float("inf")


BUDGET = PatternBudget()


def search(pattern: str, text: str) -> bool:
    """Returns True if the pattern matches anywhere in the text.

    Raises PatternTimeout.
    """
    compiled = compile_pattern(pattern)
    if len(text) <= MAX_SIMPLE_CHARACTERS and _is_simple(pattern):
        return bool(compiled.search(text))
    wall_seconds = min(MAX_WALL_SECONDS, BUDGET.deadline - time.monotonic())
    if BUDGET.seconds > 0 and wall_seconds > 0:
        with _LOCK:
            result = _ask_helper([compiled.pattern, text, BUDGET.seconds, wall_seconds])
        if result:
            is_match, seconds = result
            BUDGET.seconds -= seconds
            return bool(is_match)
    raise PatternTimeout(pattern)


@cache
def _is_simple(pattern: str) -> bool:
    """Returns True if a pattern has at most one quantifier.

    Searching for it takes quadratic time at worst.
    """
    pieces = list(SIMPLE_PIECE.finditer(pattern))
    return sum(len(piece[0]) for piece in pieces) == len(pattern) and sum(bool(piece[1]) for piece in pieces) < 2


@cache
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compiles a pattern of ECMA-262.

    Raises re.error or OverflowError if Python cannot.

    Its $ is the very end, while Python's allows a newline after it. Its \\d, \\w and
    \\b are limited to ASCII.
    """

    def as_python(match: re.Match[str]) -> str:
        token = match[0]
        if token == "$":
            return r"\Z"
        return f"(?a:{token})" if re.search(r"\\[bdw]", token, re.IGNORECASE) else token

    return re.compile(re.sub(TOKENS, as_python, pattern, flags=re.DOTALL))


_LOCK = threading.Lock()
_helper: "subprocess.Popen[str] | None" = None


def _ask_helper(query: list[object]) -> tuple[bool, float] | None:
    """Returns what the helper found and the time it took, or None.

    It returns None if it ran out of time.
    """
    global _helper
    result = None
    if _helper is None:
        command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", HELPER]
        pipe, null = subprocess.PIPE, subprocess.DEVNULL
        _helper = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=null, encoding="utf-8")
    assert _helper.stdin
    assert _helper.stdout
    try:
        _helper.stdin.write(json.dumps(query) + "\n")
        _helper.stdin.flush()
        result = _helper.stdout.readline()
    except OSError:
        pass
    finally:
        # After a timeout, or a signal, it is of no more use.
        if not result:
            _end_helper()
    return json.loads(result) if result else None


@atexit.register
def _end_helper() -> None:
    global _helper
    helper, _helper = _helper, None
    if helper:
        helper.kill()
        helper.communicate()
