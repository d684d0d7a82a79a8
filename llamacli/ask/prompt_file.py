"""Prompt files: a prompt together with its settings and variables.

A file is an optional `#!` line, an optional front matter of `name: value` lines between
two lines `---`, and the text. Roles are read by the same parser.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from llamacli.cli.spec import ParsedCall
from llamacli.cli.table import FileValue, Flag, Options, Raw, Setting, long_name
from llamacli.config import PROMPTS, ROLES, StoredFile
from llamacli.errors import LlamaError, UsageError
from llamacli.http.options import SECONDS
from llamacli.stdio.input import InputReader, display_path, is_stdin
from llamacli.stdio.text import expand_home

#: A doubled brace, a placeholder, or a brace that is neither.
PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
VARIABLE_NAME = re.compile(r"[A-Za-z0-9_-]+")

#: The names of stdin and of the words of the command line, which no variable can have.
STDIN, WORDS = "stdin", "words"

#: Fields and flags by their names in a prompt file.
FlagsByName = Mapping[str, tuple[str, Flag[object]]]

#: Fields that exclude each other: the answer formats, and the sources of the system message.
EXCLUSIVE_FIELDS = (("choice", "yes_no", "schema", "extract"), ("system", "role"))


class PromptFile(FileValue):
    """A prompt file or role.

    `settings` are values of flags by field, `defaults` those of variables, which may be
    `@FILE`; `line` is the number of the first line of the text.
    """

    def __init__(
        self, path: str, settings: Mapping[str, Setting], defaults: Mapping[str, str], text: str, line: int
    ) -> None:
        self.path, self.settings, self.defaults, self.text, self.line = path, settings, defaults, text, line
        names = {match[1] for match in PLACEHOLDER.finditer(text) if match[1] is not None}
        #: The names of the variables in the text, and what else it has a place for.
        self.variables = names - {STDIN, WORDS}
        self.has_stdin, self.has_words = STDIN in names, WORDS in names

    def render(self, variables: Mapping[str, str], words: str, stdin: str | None) -> str:
        """Returns the text with its variables. Raises UsageError."""
        values = {**variables, WORDS: words}
        if stdin is not None:
            values[STDIN] = stdin
        return self._replace(values, lambda text: text, self._missing)

    def template(self, variables: Mapping[str, str]) -> str:
        """Returns a batch's template: {stdin} is the item, {name} a field."""
        return self._replace(
            variables,
            lambda text: re.sub(r"[{}]", r"\g<0>\g<0>", text),
            lambda name, line: "{}" if name == STDIN else f"{{{name}}}",
        )

    def _replace(
        self, values: Mapping[str, str], escape: Callable[[str], str], missing: Callable[[str, int], str]
    ) -> str:
        parts: list[str] = []
        position, line = 0, self.line
        for match in PLACEHOLDER.finditer(self.text):
            plain = self.text[position : match.start()]
            position, line = match.end(), line + plain.count("\n")
            name: str | None = match[1]
            if match[0] in ("{{", "}}"):
                value = escape(match[0][0])
            elif name is None:
                message = f"{display_path(self.path)}:{line}: '{match[0]}' is not part of a variable"
                raise UsageError(message, f"write {match[0] * 2} for a literal brace")
            elif name in values:
                value = escape(values[name])
            else:
                value = missing(name, line)
            parts += [plain, value]
        return "".join([*parts, self.text[position:]])

    def _missing(self, name: str, line: int) -> str:
        where = f"{display_path(self.path)}:{line}"
        if name == STDIN:
            raise UsageError(f"{where}: {{stdin}} needs text on stdin", "pipe text in")
        if not VARIABLE_NAME.fullmatch(name):
            raise UsageError(f"{where}: {{{name}}} is not a variable", "write {{ and }} for braces")
        raise UsageError(f"{where}: variable '{name}' has no value", f"set it with -V {name}=VALUE")

    def render_role(self, values: Mapping[str, str]) -> str:
        """Returns a role's text; only known variables are replaced."""
        return re.sub(r"\{([A-Za-z0-9_-]+)\}", lambda match: values.get(match[1], match[0]), self.text)


def expand(
    call: ParsedCall, groups: Sequence[type[Options]], inputs: InputReader
) -> tuple[ParsedCall, dict[str, Setting]]:
    """Reads the files that --prompt-file and --role name.

    Returns the call with the files as values of these flags, and the settings in them that the
    command line does not replace. `groups` are all flags that a file may name. Raises UsageError.
    """
    if "system" in call.flags and "role" in call.flags:
        raise UsageError("--system and --role both set the system message", "drop one of them")
    inputs.lossy = bool(call.flags.get("lossy"))
    with suppress(ValueError):
        # A wrong value is reported with those of the other flags.
        inputs.max_time = SECONDS.parse(str(call.flags["max_time"])) if "max_time" in call.flags else None
    flags = {long_name(field)[2:]: (field, flag) for group in groups for field, flag in group.flags().items()}
    values: dict[str, Raw] = dict(call.flags)
    settings: dict[str, Setting] = {}
    # What a prompt file sets takes precedence over the role.
    for field, stored in (("role", ROLES), ("prompt_file", PROMPTS)):
        if field in call.flags:
            path = find(stored, str(call.flags[field]), long_name(field))
            values[field] = file = parse(inputs.file(path), path, flags)
            settings |= file.settings
    for fields in EXCLUSIVE_FIELDS:
        if any(field in call.flags for field in fields):
            settings = {field: setting for field, setting in settings.items() if field not in fields}
    return ParsedCall(call.command, values, call.operands, call.has_separator), settings


def find(stored: StoredFile, name: str, flag: str) -> str:
    """Returns the path of a prompt file or role by its name or path.

    A prompt file may be anywhere; a role is in its folder. Raises UsageError.
    """
    if stored is PROMPTS and ("/" in name or is_stdin(name)):
        return expand_home(name)
    kind = stored.name.removesuffix("s")
    if not name or "/" in name or name.startswith("."):
        message = f"{flag}: '{display_path(name)}' is not the name of a {kind}"
        raise UsageError(message, f"{stored.name} are in {stored.path()}")
    path = stored.path(name)
    if os.path.lexists(path):
        return str(path)
    if stored is PROMPTS and os.path.exists(name):
        return name
    try:
        names = sorted(stored.names())
    except OSError:
        names = []
    from llamacli.cli.suggest import did_you_mean

    file = f"{name}{stored.suffix}"
    is_here = stored is PROMPTS and os.path.isfile(file)
    otherwise = f"for the file in this folder: {flag} {display_path(file)}" if is_here else f"create {path}"
    hint = did_you_mean(name.removesuffix(stored.suffix), names, otherwise)
    raise UsageError(f"{flag}: there is no {kind} '{display_path(name)}'", hint)


def parse(text: str, path: str, flags: FlagsByName) -> PromptFile:
    """Parses a prompt file or role. Raises UsageError."""
    # An editor on Windows ends lines with CR LF, which is not part of the prompt.
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    start = 1 if lines[0].startswith("#!") else 0
    settings: dict[str, Setting] = {}
    defaults: dict[str, str] = {}
    if start < len(lines) and lines[start].rstrip() == "---":
        for number, name, value in _front_matter(lines, start + 1, path):
            start = number
            if name is None:
                break
            where = f"{display_path(path)}:{number}"
            if name.startswith("var."):
                variable = check_variable(name.removeprefix("var."), where)
                if variable in defaults:
                    raise UsageError(f"{where}: {name} is set twice", "remove one line")
                defaults[variable] = _relative(value, path) if value.startswith("@") else value
            else:
                _add(settings, name, value, path, flags, where)
    while start < len(lines) and not lines[start].strip():
        start += 1
    return PromptFile(path, settings, defaults, "\n".join(lines[start:]).rstrip("\n"), start + 1)


def _front_matter(lines: list[str], start: int, path: str) -> Iterator[tuple[int, str | None, str]]:
    """Yields each line's number, name and value; the last name is None."""
    for number, line in enumerate(lines[start:], start + 1):
        if line.rstrip() == "---":
            yield number, None, ""
            return
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, value = line.partition(":")
        if not colon:
            message = f"{display_path(path)}:{number}: '{line.strip()[:60]}' is not 'name: value'"
            raise UsageError(message, "end the front matter with a line ---")
        yield number, name.strip(), value.strip()
    raise UsageError(f"{display_path(path)}:{start}: the front matter has no end", "end it with a line ---")


def _add(settings: dict[str, Setting], name: str, value: str, path: str, flags: FlagsByName, where: str) -> None:
    """Adds a setting. Raises UsageError if no file can set it."""
    field, flag = flags.get(name, ("", None))
    if flag is None and (positive := flags.get(name.removeprefix("no-"))) and positive[1].negated(positive[0]):
        # no-stream: true
        field, flag = positive
        value = {"true": "false", "false": "true"}.get(value.lower(), value)
    if flag is None or not flag.in_prompt_file:
        raise _unsuitable(name, flags, where)
    if not value:
        raise UsageError(f"{where}: {name} has no value", "add one, or remove the line")
    if (flag.type.at_file and value.startswith("@")) or flag.type.completes == "file":
        value = _relative(value, path)
    origin = f"{where}: {name}"
    if not flag.multiple:
        if field in settings:
            raise UsageError(f"{origin} is set twice", "remove one line")
        settings[field] = (value, origin)
        return
    former = settings[field][0] if field in settings else []
    settings[field] = ([*former, value] if isinstance(former, list) else [value], origin)


def _unsuitable(name: str, flags: FlagsByName, where: str) -> LlamaError:
    if name in flags:
        return UsageError(f"{where}: a prompt file cannot set {name}", f"use --{name} on the command line")
    from llamacli.cli.suggest import did_you_mean

    known = [setting for setting, (_, flag) in flags.items() if flag.in_prompt_file]
    hint = did_you_mean(name, known, "a setting is the long name of a flag, without dashes")
    return UsageError(f"{where}: unknown setting '{name[:60]}'", hint)


def _relative(value: str, path: str) -> str:
    """Returns a path or `@FILE` relative to the prompt file's folder."""
    if value.startswith("@@") or value == "@-":
        return value
    sign, name = ("@", value[1:]) if value.startswith("@") else ("", value)
    folder = os.path.dirname(os.path.realpath(path) if os.path.islink(path) else path)
    return sign + os.path.join(folder, expand_home(name)) if name else value


def check_variable(name: str, origin: str) -> str:
    """Returns the name of a variable. Raises UsageError."""
    if not VARIABLE_NAME.fullmatch(name) or name in (STDIN, WORDS):
        message = f"{origin}: '{name[:60]}' cannot be the name of a variable"
        raise UsageError(message, "use letters, digits, _ and -; stdin and words are reserved")
    return name
