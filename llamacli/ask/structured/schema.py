"""A JSON Schema (draft 2020-12, or the one that its `$schema` names): checked itself, and then values by it."""

import json
import re
from collections.abc import Iterator
from typing import Any

from llamacli.api.json import json_fault, parse_json
from llamacli.stdio.escape import one_line

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


CONCISE_FIELD = re.compile(r"([^\W\d][\w-]*)(?:\s+(.+))?", re.DOTALL)


def parse_concise(text: str) -> dict[str, Any]:
    """Returns the schema of an object with these fields and no others, all of them required.

    Fields are separated by commas or newlines; one without a type is a string, and a
    type in brackets an array. Raises ValueError with the rest of a sentence that
    begins with the text.
    """
    properties: dict[str, Any] = {}
    for part in re.split(r"[,\n]", text):
        field = CONCISE_FIELD.fullmatch(part.strip())
        if not field:
            raise ValueError(f"is neither JSON nor fields as in 'name, age int, tags [str]': look at '{part.strip()}'")
        name, kind = field[1], field[2] or "str"
        if name in properties:
            raise ValueError(f"names the field '{name}' twice")
        properties[name] = _type(kind, name)
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _type(kind: str, name: str) -> dict[str, Any]:
    kind = kind.strip()
    if kind.startswith("[") and kind.endswith("]"):
        return {"type": "array", "items": _type(kind[1:-1], name)}
    if kind not in CONCISE_TYPES:
        raise ValueError(f"gives '{name}' the type '{kind}': there is str, int, num, bool, and [str] for a list")
    return {"type": CONCISE_TYPES[kind]}


#: Keywords that hold schemas by name, and those that hold plain data (draft 2020-12, Core 10, Validation 6 and 9).
PROPERTY_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})


DATA_KEYWORDS = frozenset({"const", "enum", "default", "examples"})


class Schema:
    """A schema that is known to be a good one."""

    def __init__(self, document: dict[str, Any]) -> None:
        """Raises ValueError, saying where, if the document is no schema or refers to what is not in it."""
        # Not before a schema is given, since jsonschema takes as long to import as requests.
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError
        from jsonschema.validators import validator_for
        from jsonschema_specifications import REGISTRY

        from llamacli.ask.structured.keywords import by_json

        named = isinstance(document.get("$schema"), str)
        validator = validator_for(document, default=Draft202012Validator) if named else Draft202012Validator
        try:
            validator.check_schema(document)
            _check_references(document, validator.META_SCHEMA["$schema"])
        except SchemaError as error:
            raise ValueError(
                f"is no JSON Schema: {_where(error.absolute_path)}: {one_line(error.message, 200)}"
            ) from None
        except RecursionError:
            raise ValueError("is no JSON Schema: it is nested too deeply, or refers to itself without end") from None
        except OverflowError:
            raise ValueError("holds a pattern that repeats too often") from None
        self.document = document
        # Where a schema names its dialect, jsonschema would go on with its own validator for that.
        plain = {key: value for key, value in document.items() if key != "$schema"}
        # This registry, since the default one fetches what a $ref names from the network.
        self._validator = by_json(validator)(plain, registry=REGISTRY)

    def find_error(self, value: Any) -> str | None:
        """Says what is wrong with a value, None where it fits. `format` is an annotation, as the draft has it."""
        from jsonschema.exceptions import best_match

        try:
            error = best_match(self._validator.iter_errors(value))
        except RecursionError:
            return "it is nested too deeply to be checked"
        return f"{_where(error.absolute_path)}: {one_line(error.message, 300)}" if error else None


def parse_schema(text: str) -> Schema:
    """Reads a schema from JSON text or the short notation. Raises ValueError where it is neither, or no good one."""
    try:
        document = parse_json(text)
    except json.JSONDecodeError as error:
        if text.lstrip().startswith("{"):
            raise ValueError(json_fault(error)) from None
        return Schema(parse_concise(text))
    if not isinstance(document, dict):
        raise ValueError("is no JSON Schema: give an object, or fields as in 'name, age int, tags [str]'")
    return Schema(document)


def nested(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Returns the schema of an object whose one property has this schema, its references mended for the new place.

    Function parameters are always an object, while an answer may be an array or a number.
    """
    inside = _moved(document, f"#/properties/{name}")
    return {"type": "object", "properties": {name: inside}, "required": [name], "additionalProperties": False}


def _moved(schema: Any, root: str) -> Any:
    if isinstance(schema, list):
        return [_moved(item, root) for item in schema]
    # What has an $id is a root itself.
    if not isinstance(schema, dict) or "$id" in schema:
        return schema
    moved: dict[str, Any] = {}
    for key, value in schema.items():
        if key in PROPERTY_MAPS and isinstance(value, dict):
            moved[key] = {name: _moved(item, root) for name, item in value.items()}
        elif key in ("$ref", "$dynamicRef") and isinstance(value, str) and (value == "#" or value.startswith("#/")):
            moved[key] = root + value[1:]
        else:
            moved[key] = value if key in DATA_KEYWORDS else _moved(value, root)
    return moved


def _check_references(document: dict[str, Any], dialect: str) -> None:
    """Looks every $ref up. Raises ValueError where one leads nowhere, or only back to itself."""
    from jsonschema_specifications import REGISTRY
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import specification_with

    specification = specification_with(dialect)
    resource = specification.create_resource(document)
    waiting: list[tuple[Any, Any, tuple[int, ...]]] = [(document, REGISTRY.resolver_with_root(resource), ())]
    seen: set[int] = set()
    while waiting:
        schema, resolver, chain = waiting.pop()
        if id(schema) in chain:
            raise ValueError(f"is no JSON Schema: the $ref '{schema['$ref']}' refers to itself without end")
        if id(schema) in seen:
            continue
        seen.add(id(schema))
        for reference in _references(schema):
            try:
                found = resolver.lookup(reference)
            except Unresolvable:
                words = f"the $ref '{reference}' leads nowhere (nothing is fetched from the network)"
                raise ValueError(f"is no JSON Schema: {words}") from None
            if not str(reference).startswith(tuple(REGISTRY)):
                waiting.append((found.contents, found.resolver, (*chain, id(schema))))
        for inner in specification.subresources_of(schema):
            waiting.append((inner, resolver.in_subresource(specification.create_resource(inner)), ()))


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from (schema[key] for key in ("$ref", "$dynamicRef") if isinstance(schema.get(key), str))


def _where(path: Any) -> str:
    """Returns a place in a JSON value as `$.tags[2]`."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
