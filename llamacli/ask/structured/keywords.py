"""Keywords of JSON Schema by the numbers and patterns that JSON means, where jsonschema goes by Python's.

A number is its decimal text, so that 0.07 is a multiple of 0.01 (Validation, 6.2.1).
A pattern is one of ECMA-262 (Core, 6.4), as far as Python's engine can be told so.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Any

from jsonschema import validators
from jsonschema.exceptions import ValidationError

#: An escaped character, a class, or the end.
TOKENS = r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$"


def by_json(validator: Any) -> Any:
    """Returns a class of jsonschema's validators with these keywords in place of its own."""

    def additional(validator_: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if not isinstance(instance, dict):
            return
        patterns = schema.get("patternProperties", ())
        left = {key: value for key, value in instance.items() if not any(_fits(each, key) for each in patterns)}
        plain = {key: value for key, value in schema.items() if key != "patternProperties"}
        yield from validator.VALIDATORS["additionalProperties"](validator_, wanted, left, plain)

    own = {
        "additionalProperties": additional,
        "multipleOf": _multiple_of,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
    }
    return validators.extend(validator, own)  # type: ignore[no-untyped-call]


def _multiple_of(validator: Any, divisor: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "number") and Fraction(repr(instance)) % Fraction(repr(divisor)):
        yield ValidationError(f"{instance!r} is not a multiple of {divisor}")


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _fits(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, schemas: dict[str, Any], instance: Any, schema: Any
) -> Iterator[ValidationError]:
    for pattern, inner in schemas.items() if isinstance(instance, dict) else ():
        for key, value in instance.items():
            if _fits(pattern, key):
                yield from validator.descend(value, inner, path=key, schema_path=pattern)


def _fits(pattern: str, text: str) -> bool:
    return bool(_compiled(pattern).search(text))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compiles a pattern of ECMA-262.

    Its $ is the very end, where Python's may have a newline after it; its \\d, \\w
    and \\b know no other letters and digits than ASCII's.
    """

    def as_python(match: re.Match[str]) -> str:
        token = match[0]
        if token == "$":
            return r"\Z"
        return f"(?a:{token})" if re.search(r"\\[bdw]", token, re.IGNORECASE) else token

    return re.compile(re.sub(TOKENS, as_python, pattern, flags=re.DOTALL))
