"""The short notation for a simple record, `name, age int, tags [str]`, as a JSON Schema."""

import re
from typing import Any

TYPES = {
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
FIELD = re.compile(r"([^\W\d][\w-]*)(?:\s+(.+))?", re.DOTALL)


def record(text: str) -> dict[str, Any]:
    """Returns the schema of an object with these fields and no others, all of them required.

    Fields are separated by commas or newlines; one without a type is a string, and a
    type in brackets an array. Raises ValueError with the rest of a sentence that
    begins with the text.
    """
    properties: dict[str, Any] = {}
    for part in re.split(r"[,\n]", text):
        field = FIELD.fullmatch(part.strip())
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
    if kind not in TYPES:
        raise ValueError(f"gives '{name}' the type '{kind}': there is str, int, num, bool, and [str] for a list")
    return {"type": TYPES[kind]}
