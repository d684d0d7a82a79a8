"""Loads the options of a call.

A value is taken from its flag, then the environment, then .env files, then the default.
"""

import re
from collections.abc import Mapping
from typing import Any

from llamacli.api.json import parse_json
from llamacli.cli.spec import LoadedOptions, ParsedCall
from llamacli.cli.table import DisplayOptions, FileValue, Flag, Options, Raw, Setting, StdinOptions, long_name
from llamacli.cli.types import ParamType
from llamacli.errors import ExitStatus, LlamaError
from llamacli.stdio.input import Environment


def load(call: ParsedCall, env: Environment, settings: Mapping[str, Setting] | None = None) -> LoadedOptions:
    """Loads every group of the command's flags.

    `settings` holds values that rank between flag and environment, each with its
    origin: those of a prompt file. Raises LlamaError (usage) naming the flag or
    variable with a wrong value.
    """
    env.input.flags = frozenset(field for group in call.command.groups for field in group.flags())
    loaded: dict[type[Options], Options] = {}
    for group in sorted(call.command.groups, key=_loading_order):
        loaded[group] = load_group(group, call, env, settings)
        apply(loaded[group], env)
    return LoadedOptions(call, {group: loaded[group] for group in call.command.groups})


def _loading_order(group: type[Options]) -> bool:
    """Sorts first the groups that affect how the others are loaded."""
    return not (issubclass(group, (DisplayOptions, StdinOptions)) or hasattr(group, "max_time"))


def apply(group: Options, env: Environment) -> None:
    """Applies the options for reading and reporting."""
    if isinstance(group, DisplayOptions):
        env.stderr.configure(quiet=group.quiet, verbose=group.verbose, color=not group.no_color)
    elif isinstance(group, StdinOptions):
        env.input.stdin_timeout, env.input.lossy = group.stdin_timeout, getattr(group, "lossy", False)
    elif hasattr(group, "max_time"):
        env.input.max_time = group.max_time


def load_group(
    group: type[Options], call: ParsedCall, env: Environment, settings: Mapping[str, Setting] | None = None
) -> Options:
    """Loads one group; see `load`."""
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    errors: dict[str, LlamaError] = {}
    for name, flag in group.flags().items():
        source = _find(name, flag, call, env, settings or {})
        if source is None:
            continue
        raw, origins[name] = source
        try:
            values[name] = parse_value(flag, raw, origins[name], env)
        except LlamaError as error:
            if not call.command.is_lenient:
                raise
            errors[name] = error
    return group(values, origins, errors, call.command.name)


def _find(name: str, flag: Flag, call: ParsedCall, env: Environment, settings: Mapping[str, Setting]) -> Setting | None:
    """Returns the text of a flag and its origin, None if nothing sets it."""
    if name in call.flags:
        return call.flags[name], long_name(name)
    if name in settings:
        return settings[name]
    variable = flag.variable(name)
    if variable and (setting := env.settings.find(variable, flag.untrusted)):
        text, source = setting
        if source.untrusted and flag.costly:
            env.stderr.announce(f"{source} sets {long_name(name)} to {text}")
        return split_values(text) if flag.multiple else text, f"{variable} in {source}"
    return None


def parse_value(flag: Flag, raw: Raw, origin: str, env: Environment) -> Any:
    """Returns the value of a flag. Raises LlamaError (usage)."""
    if isinstance(raw, list):
        return flag.type.join([_parse(flag.type, text, origin, env) for text in raw])
    return raw if isinstance(raw, (bool, FileValue)) else _parse(flag.type, raw, origin, env)


def split_values(text: str) -> list[str]:
    """Returns the strings of a JSON array, or the text as the only value."""
    try:
        value = parse_json(text)
    except ValueError:
        return [text]
    return value if isinstance(value, list) and all(isinstance(item, str) for item in value) else [text]


def _parse(kind: ParamType, text: str, origin: str, env: Environment) -> object:
    typed = text
    if not text and kind.completes:
        # The name of a file, a model, a session.
        raise LlamaError(ExitStatus.USAGE, f"{origin}: the value is empty", "is a variable unset?")
    if kind.at_file:
        text = env.input.at_file(text, origin)
    elif not kind.undecoded:
        text = env.input.argument(text, origin)
    try:
        return kind.parse(text)
    except ValueError as error:
        # The name of a file, not its content, and a URL without its password: both may be secret.
        label = re.sub(r"//.*@", "//...@", typed)
        label = label if len(label) <= 60 else label[:57] + "..."
        what = f"{error}" if kind.is_secret else f"'{label}' {error}"
        raise LlamaError(ExitStatus.USAGE, f"{origin}: {what}") from None
