"""JSON Schemas and the concise notation for them.

The draft is 2020-12, or the one that `$schema` names.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from llamacli.api.json import Json, JsonObject, json_fault, parse_json
from llamacli.ask.structured.patterns import BUDGET, MAX_SECONDS, PatternTimeout, by_json, compile_pattern
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.text import one_line

CONCISE_TYPES = {
    "str": "string",
    "string": "string",
    "int": "integer",
    "integer": "integer",
    "num": "number",
    "number": "number",
    "float": "number",
    "bool": "boolean",
    "boolean": "boolean",
}
#: A field of the concise notation: its name, an optional mark, its type and its description.
CONCISE_FIELD = re.compile(r"([^\W\d][\w-]*)(\?)?(?:\s+([^:]+?))?\s*(?::\s*(.*))?", re.DOTALL)
#: Values as they may appear in a list; in a field they may contain spaces.
VALUES = re.compile(r"[^\s,:|]+(\s*\|\s*[^\s,:|]+)+")
#: The name in errors of a list that is not a field.
LIST_NAME = "the list"
CONCISE_EXAMPLE = "'name, age int, tags [str]'"


def parse_concise(text: str) -> JsonObject:
    """Returns the schema that the concise notation stands for.

    `name, age int` is an object with these fields and no others; a list of such fields in brackets
    is an array of objects. Fields are separated by commas or newlines. Each is a name, a type (str
    if left out) and, after a colon, a description. A type is one of CONCISE_TYPES, `[type]`,
    `[fields]`, or values as in `small|big`; a `?` after it makes the field optional. This includes
    llm's notation. Raises ValueError with the rest of a sentence that begins with the text.
    """
    text = text.strip()
    if _is_bracketed(text):
        return _array(text[1:-1], LIST_NAME)
    properties: JsonObject = {}
    required = []
    for part in _split_fields(text):
        field = CONCISE_FIELD.fullmatch(part)
        if not field:
            raise ValueError(
                f"is neither JSON nor fields like {CONCISE_EXAMPLE}: '{one_line(part, 80)}' is not a field"
            )
        name, mark, kind, description = field.groups()
        if not kind and (description or "").rstrip("?") in CONCISE_TYPES:
            raise ValueError(
                f"describes '{name}' as '{description}'; for a type, leave out the colon: {name} {description}"
            )
        if name in properties:
            raise ValueError(f"has two fields named '{name}'")
        kind = (kind or "str").strip()
        if not mark and not kind.endswith("?"):
            required.append(name)
        properties[name] = _type(kind.removesuffix("?").rstrip(), name)
        if description:
            properties[name]["description"] = description.strip()
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _split_fields(text: str) -> list[str]:
    """Splits fields at commas and newlines outside of brackets.

    If the fields stand on lines, a description is the rest of its line, commas included.
    """
    has_lines = "\n" in text
    fields, start, depth, in_description = [], 0, 0, False
    for place, character in enumerate(text):
        is_end = character == "\n" if in_description and has_lines else character in ",\n"
        if is_end and depth == 0:
            fields.append(text[start:place].strip())
            start, in_description = place + 1, False
        elif character == ":" and depth == 0:
            in_description = True
        elif not in_description:
            depth += (character == "[") - (character == "]")
    fields.append(text[start:].strip())
    return list(filter(None, fields)) or [""]


def _is_bracketed(text: str) -> bool:
    return text.startswith("[") and text.endswith("]")


def _array(items: str, name: str) -> JsonObject:
    """Returns the schema of a list, of records if the items are fields."""
    items = items.strip()
    is_type = items in CONCISE_TYPES or _is_bracketed(items) or VALUES.fullmatch(items)
    has_fields = name == LIST_NAME or re.search(r"[\s,:?]", items)
    return {"type": "array", "items": parse_concise(items) if has_fields and not is_type else _type(items, name)}


def _type(kind: str, name: str) -> JsonObject:
    if _is_bracketed(kind):
        return _array(kind[1:-1], name)
    values = [value.strip() for value in kind.split("|")]
    if len(values) > 1 and all(values) and not CONCISE_TYPES.keys() & set(values):
        return {"type": "string", "enum": list(dict.fromkeys(values))}
    if kind not in CONCISE_TYPES:
        expected = "expected str, int, num or bool, [str] for a list, or values like small|big"
        raise ValueError(f"gives '{name}' the type '{one_line(kind, 80)}'; {expected}")
    return {"type": CONCISE_TYPES[kind]}


#: Keywords that hold schemas by name, and those that hold plain data (draft 2020-12, Core 10, Validation 6 and 9).
PROPERTY_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
DATA_KEYWORDS = frozenset({"const", "enum", "default", "examples"})


class Schema:
    """A valid schema."""

    def __init__(self, document: JsonObject) -> None:
        """Raises ValueError, saying where, for an invalid schema.

        A document that refers to anything outside of it is invalid too.
        """
        # Imported only if there is a schema: jsonschema takes as long as requests.
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError
        from jsonschema.validators import validator_for
        from jsonschema_specifications import REGISTRY

        has_draft = isinstance(document.get("$schema"), str)
        validator = validator_for(document, default=Draft202012Validator) if has_draft else Draft202012Validator
        try:
            validator.check_schema(document)
            _check_parts(document, validator.META_SCHEMA["$schema"])
        except SchemaError as error:
            path, message = _json_path(error.absolute_path), one_line(error.message, 200)
            raise ValueError(f"is not a JSON Schema: {path}: {message}") from None
        except RecursionError:
            raise ValueError("is not a JSON Schema: it is nested too deeply, or refers to itself forever") from None
        except OverflowError:
            raise ValueError("has a pattern that repeats too often") from None
        self.document = document
        # With a $schema in it, jsonschema would choose its own validator for references.
        plain = {key: value for key, value in document.items() if key != "$schema"}
        # The default registry fetches remote references from the network; this one does not.
        self._validator = by_json(validator)(plain, registry=REGISTRY)

    def find_error(self, value: object) -> str | None:
        """Returns what is wrong with a value, None if it is valid.

        `format` is an annotation, as in the draft. Raises LlamaError (mismatch) if a pattern of the
        schema takes too long.
        """
        from jsonschema.exceptions import best_match
        from referencing.exceptions import Unresolvable

        BUDGET.seconds = MAX_SECONDS
        try:
            error = best_match(self._validator.iter_errors(value))
        except RecursionError:
            return "it is nested too deeply to be checked"
        except PatternTimeout as pattern:
            message = f"the answer could not be checked against --schema: the pattern '{one_line(str(pattern), 80)}'"
            raise LlamaError(ExitStatus.MISMATCH, f"{message} takes too long", "simplify the pattern") from None
        except Unresolvable as reference:
            raise LlamaError(ExitStatus.MISMATCH, f"--schema: cannot resolve {reference}", "fix its $ref") from None
        return f"{_json_path(error.absolute_path)}: {one_line(error.message, 300)}" if error else None


def parse_schema(text: str) -> Schema:
    """Parses JSON or the concise notation. Raises ValueError."""
    try:
        document = parse_json(text)
    except json.JSONDecodeError as error:
        if text.lstrip().startswith("{"):
            raise ValueError(json_fault(error)) from None
        return Schema(parse_concise(text))
    if not isinstance(document, dict):
        raise ValueError(f"is not a JSON Schema: expected an object, or fields like {CONCISE_EXAMPLE}")
    return Schema(document)


def nested(document: JsonObject, name: str) -> JsonObject:
    """Returns the schema of an object with one property, of this schema.

    References are adjusted to the new place. Function parameters are always an object,
    while an answer may be an array or a number.
    """
    inner = _rebased(document, f"#/properties/{name}")
    return {"type": "object", "properties": {name: inner}, "required": [name], "additionalProperties": False}


def _rebased(schema: object, root: str) -> object:
    if isinstance(schema, list):
        return [_rebased(item, root) for item in schema]
    # A schema with an $id is the root of its own references.
    if not isinstance(schema, dict) or "$id" in schema:
        return schema
    moved: JsonObject = {}
    for key, value in schema.items():
        if key in PROPERTY_MAPS and isinstance(value, dict):
            moved[key] = {name: _rebased(item, root) for name, item in value.items()}
        elif key in ("$ref", "$dynamicRef") and isinstance(value, str) and (value == "#" or value.startswith("#/")):
            moved[key] = root + value[1:]
        else:
            moved[key] = value if key in DATA_KEYWORDS else _rebased(value, root)
    return moved


def _check_parts(document: JsonObject, dialect: str) -> None:
    """Resolves every reference and compiles every pattern of a schema.

    Raises ValueError if a reference leads nowhere or only back to itself, or if Python
    cannot compile a pattern.
    """
    from jsonschema_specifications import REGISTRY
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import specification_with

    specification = specification_with(dialect)
    resource = specification.create_resource(document)
    queue: list[tuple[Json, Any, tuple[int, ...]]] = [(document, REGISTRY.resolver_with_root(resource), ())]
    seen: set[int] = set()
    while queue:
        schema, resolver, chain = queue.pop()
        if id(schema) in chain:
            raise ValueError(f"is not a JSON Schema: the $ref '{schema['$ref']}' refers to itself forever")
        if id(schema) in seen:
            continue
        seen.add(id(schema))
        _check_patterns(schema)
        for reference in _references(schema):
            try:
                target = resolver.lookup(reference)
            except Unresolvable:
                words = f"the $ref '{reference}' leads nowhere (nothing is fetched from the network)"
                raise ValueError(f"is not a JSON Schema: {words}") from None
            if not str(reference).startswith(tuple(REGISTRY)):
                queue.append((target.contents, target.resolver, (*chain, id(schema))))
        for inner in specification.subresources_of(schema):
            queue.append((inner, resolver.in_subresource(specification.create_resource(inner)), ()))


def _check_patterns(schema: object) -> None:
    if not isinstance(schema, dict):
        return
    properties = schema.get("patternProperties")
    for pattern in (schema.get("pattern"), *(properties if isinstance(properties, dict) else ())):
        try:
            if isinstance(pattern, str):
                compile_pattern(pattern)
        except re.error as error:
            raise ValueError(f"has a pattern that cannot be checked: '{one_line(pattern, 80)}': {error}") from None


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from (schema[key] for key in ("$ref", "$dynamicRef") if isinstance(schema.get(key), str))


def _json_path(path: Iterable[str | int]) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
