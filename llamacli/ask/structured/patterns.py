"""A JSON Schema's regular expressions, searched for in bounded time.

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
from collections.abc import Iterator
from functools import cache
from typing import Any

from llamacli.api.json import JsonObject

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
    """True if the pattern matches anywhere. Raises PatternTimeout."""
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
    """True if a pattern can take quadratic time at worst."""
    pieces = list(SIMPLE_PIECE.finditer(pattern))
    return sum(len(piece[0]) for piece in pieces) == len(pattern) and sum(bool(piece[1]) for piece in pieces) < 2


@cache
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compiles a pattern of ECMA-262.

    Raises re.error or OverflowError if Python cannot. Its $ is the very end, while Python's allows
    a newline after it. Its \\d, \\w and \\b are limited to ASCII.
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
    """Returns the helper's result and its time, None after a timeout."""
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


def by_json(validator: Any) -> Any:
    """Returns a subclass of a jsonschema validator with JSON's own rules.

    jsonschema uses Python's. Numbers are decimal, so that 0.07 is a multiple of 0.01 (Validation,
    6.2.1). Patterns are those of ECMA-262 (Core, 6.4), as far as Python's engine allows.
    """
    # Only with a schema: jsonschema takes as long as requests.
    from fractions import Fraction

    from jsonschema import validators
    from jsonschema.exceptions import ValidationError

    def multiple_of(self: Any, divisor: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if self.is_type(instance, "number") and Fraction(repr(instance)) % Fraction(repr(divisor)):
            yield ValidationError(f"{instance!r} is not a multiple of {divisor}")

    def pattern(self: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if isinstance(instance, str) and not search(pattern, instance):
            yield ValidationError(f"{instance!r} does not match {pattern!r}")

    def pattern_properties(self: Any, schemas: JsonObject, instance: Any, schema: Any) -> Iterator[ValidationError]:
        for pattern, inner in schemas.items() if isinstance(instance, dict) else ():
            for key, value in instance.items():
                if search(pattern, key):
                    yield from self.descend(value, inner, path=key, schema_path=pattern)

    def additional_properties(self: Any, rule: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if not isinstance(instance, dict):
            return
        patterns = schema.get("patternProperties", ())
        rest = {key: value for key, value in instance.items() if not any(search(name, key) for name in patterns)}
        plain = {key: value for key, value in schema.items() if key != "patternProperties"}
        yield from validator.VALIDATORS["additionalProperties"](self, rule, rest, plain)

    keywords = {
        "additionalProperties": additional_properties,
        "multipleOf": multiple_of,
        "pattern": pattern,
        "patternProperties": pattern_properties,
    }
    return validators.extend(validator, keywords)  # type: ignore[no-untyped-call]
