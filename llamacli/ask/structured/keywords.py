"""JSON Schema keywords with JSON's numbers and patterns.

jsonschema uses Python's. Numbers are decimal, so that 0.07 is a multiple of 0.01
(Validation, 6.2.1). Patterns are those of ECMA-262 (Core, 6.4), as far as Python's
engine allows.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from jsonschema import validators
from jsonschema.exceptions import ValidationError

from llamacli.api.json import JsonObject
from llamacli.ask.structured.patterns import search


def by_json(validator: Any) -> Any:
    """Returns a subclass of a jsonschema validator that has these keywords."""

    def additional_properties(validator_: Any, rule: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if not isinstance(instance, dict):
            return
        patterns = schema.get("patternProperties", ())
        rest = {key: value for key, value in instance.items() if not any(search(name, key) for name in patterns)}
        plain = {key: value for key, value in schema.items() if key != "patternProperties"}
        yield from validator.VALIDATORS["additionalProperties"](validator_, rule, rest, plain)

    keywords = {
        "additionalProperties": additional_properties,
        "multipleOf": _multiple_of,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
    }
    return validators.extend(validator, keywords)  # type: ignore[no-untyped-call]


def _multiple_of(validator: Any, divisor: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "number") and Fraction(repr(instance)) % Fraction(repr(divisor)):
        yield ValidationError(f"{instance!r} is not a multiple of {divisor}")


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not search(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, schemas: JsonObject, instance: Any, schema: Any) -> Iterator[ValidationError]:
    for pattern, inner in schemas.items() if isinstance(instance, dict) else ():
        for key, value in instance.items():
            if search(pattern, key):
                yield from validator.descend(value, inner, path=key, schema_path=pattern)
