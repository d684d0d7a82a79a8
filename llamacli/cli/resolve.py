"""Fills a table of flags: flag before environment before .env files before default."""

import re
from typing import Any

from llamacli.api.json import parse_json
from llamacli.cli.table import AnyOptions, Flag, long_name
from llamacli.cli.types import ParamType
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.environment import Environment


def load(table: type[AnyOptions], given: dict[str, Any], env: Environment) -> AnyOptions:
    """Returns the table's values: flag before environment before files before default.

    `given` holds what the command line gave, None where it gave nothing.
    Raises LlamaError (usage) naming the flag or variable whose value is wrong.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    faults: dict[str, LlamaError] = {}
    for name, flag in table.flags().items():
        raw, origin = given.get(name), long_name(name)
        variable = flag.variable(name)
        if raw is None and variable and (found := env.settings.find(variable, flag.untrusted)):
            text, source = found
            raw, origin = _split(text) if flag.multiple else text, f"{variable} in {source}"
        if raw is None:
            continue
        origins[name] = origin
        try:
            values[name] = parse_value(flag, raw, origin, env)
        except LlamaError as error:
            if not env.is_lenient:
                raise
            faults[name] = error
    made = table(values, origins, faults)
    made.on_loaded(env)
    return made


def parse_value(flag: Flag, raw: Any, origin: str, env: Environment) -> Any:
    """Returns what a flag's text means, a list of texts where it is repeated. Raises LlamaError (usage)."""
    if isinstance(raw, list):
        return flag.type.join([_parse(flag.type, text, origin, env) for text in raw])
    return raw if isinstance(raw, bool) else _parse(flag.type, raw, origin, env)


def _split(text: str) -> list[str]:
    """Reads the environment default of a repeated flag: a JSON array of strings, or one string."""
    try:
        value = parse_json(text)
    except ValueError:
        return [text]
    return value if isinstance(value, list) and all(isinstance(item, str) for item in value) else [text]


def _parse(kind: ParamType, text: str, origin: str, env: Environment) -> object:
    # Of a file an error shows the name, of a URL no password: what they hold may be a secret.
    shown = re.sub(r"//.*@", "//...@", text)
    if kind.at_file:
        text = env.input.at_file(text, origin)
    elif not kind.undecoded:
        text = env.input.argument(text, origin)
    try:
        return kind.parse(text)
    except ValueError as error:
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        raise LlamaError(ExitStatus.USAGE, f"{origin}: '{shown}' {error}") from None
