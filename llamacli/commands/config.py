"""`llamacli config`: settings, the key, and a check of the connection."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from llamacli import PROGRAM
from llamacli.api.json import encode
from llamacli.ask.options import UsageOptions
from llamacli.ask.params import Params
from llamacli.cli import app
from llamacli.cli.docs.help import KEYS, OTHER_VARIABLES, variables
from llamacli.cli.spec import FlagSpec, LoadedOptions, all_groups, load_group, parse_value, split_values
from llamacli.cli.suggest import did_you_mean, unknown_action
from llamacli.cli.table import DisplayOptions, Flag, Operand, Options
from llamacli.cli.types import ParamType, PathType, Switch
from llamacli.config import KEY_SOURCES, KEY_VARIABLES, MAX_FILE_BYTES, SETTINGS, read_file, with_value, without_value
from llamacli.errors import ExitStatus, LlamaError, UsageError
from llamacli.http import endpoint
from llamacli.http.options import EndpointOptions, NetworkOptions
from llamacli.http.request import ChatRequest
from llamacli.stdio import terminal
from llamacli.stdio.files import write_atomically
from llamacli.stdio.input import Environment
from llamacli.stdio.output import Output
from llamacli.stdio.text import expand_home, masked

if TYPE_CHECKING:
    from llamacli.http.client import Client

DESCRIPTION = """
Settings and the key are stored in the user's .env, whose other lines and comments stay. NAME
is the name of a flag or of a variable. The key is shown masked. `check` takes the options
below, and its exit status is that of its call.
"""
ACTION_HELP = {
    "show [NAME]": "Print what is set, and by which source (the default).",
    "set NAME VALUE": "Store a setting.",
    "unset NAME": "Remove a stored setting.",
    "set-key": "Store the key, from a hidden prompt or from stdin.",
    "check": "Make the cheapest real call and report what it found.",
}
EXAMPLES = (
    "llamacli config set model gpt-4o-mini",
    "pass show aimlapi | llamacli config set-key",
    "llamacli config check",
    "llamacli config unset model",
    "llamacli config show --all",
)
ACTIONS = ("show", "set", "unset", "set-key", "check")
OPERANDS = (
    Operand("action", ParamType(values=ACTIONS)),
    Operand("name", ParamType("NAME")),
    Operand("value", ParamType("VALUE"), multiple=True),
)
#: The key is not an argument, because ps would show it.
KEY_HINT = f"{PROGRAM} config set-key reads the key from a hidden prompt or stdin"
#: An invalid setting is still shown, and does not prevent storing a key.
IS_LENIENT = True
_SEE_ENVIRONMENT = f"see '{PROGRAM} help environment'"


class ConfigOptions(Options):
    """Which settings are listed."""

    title = "Output"

    all: Flag[bool] = Flag(False, Switch(), "With show: include default settings.", "-a", common=True)


OPTIONS = (ConfigOptions, Params, UsageOptions, DisplayOptions, EndpointOptions, NetworkOptions)
#: The other flags only change what `check` sends and `show` prints.
COMMON_OPTIONS = (ConfigOptions,)


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Runs the action that the first operand names."""
    action = env.input.argument(options.operand("action") or "show", "the action")
    name, values = options.operand("name"), options.operands("value")
    if action not in ACTIONS:
        message = f"unknown action{_quoted(action)}"
        is_setting = action.replace("_", "-") in _settings_by_flag()
        instead = f"did you mean 'config set {action} VALUE'?" if is_setting else unknown_action(action, ACTIONS)
        raise UsageError(message, instead)
    if options[ConfigOptions].all and action != "show":
        raise UsageError("--all is for 'config show'")
    if action in ("set-key", "check") and name:
        hint = KEY_HINT.removeprefix(f"{PROGRAM} config ") if action == "set-key" else ""
        raise UsageError(f"'config {action}' takes no argument", hint)
    if action == "show" and values:
        raise UsageError("'config show' takes one NAME")
    if action == "unset" and (not name or values):
        raise UsageError("'config unset' needs one NAME", "'llamacli config' lists what is set")
    if action == "set" and (not name or not values):
        raise UsageError("'config set' needs a NAME and a VALUE", f"example: {PROGRAM} config set model gpt-4o-mini")
    with Output(None, before=env.stderr.clear_status) as out:
        if action == "set-key":
            _set_key(out, env)
        elif action == "set":
            _set(name or "", values, out, env)
        elif action == "unset":
            _unset(name or "", out, env)
        else:
            _note_unknown_names(env)
            if action == "check":
                for error in [error for group in options for error in group.errors.values()]:
                    raise error
                _check(out, options, env)
            else:
                _show(name or "", out, options, env)
    return ExitStatus.OK


def _flags() -> dict[str, FlagSpec]:
    """Returns the flags that have an environment variable, by its name."""
    return variables(all_groups(app.commands()))


def _settings_by_flag() -> dict[str, str]:
    """Returns the variables by their flags or names, as in `config set`."""
    names = {variable.removeprefix("LLAMACLI_").replace("_", "-").lower(): variable for variable in KEY_SOURCES}
    return names | {option.lstrip("-"): variable for variable, flag in _flags().items() for option in flag.names}


def _quoted(text: str) -> str:
    """Returns a word for an error, "" for what may be a key."""
    return "" if re.fullmatch(r"[!-~]{16,}", text) else f" '{text}'"


def _show(name: str, out: Output, options: LoadedOptions, env: Environment) -> None:
    rows = [("key", *_key(options[EndpointOptions], env))]
    for variable in KEY_SOURCES:
        setting = env.settings.find(variable, untrusted=False)
        # A command may contain a secret itself.
        text = "" if not setting else setting[0] if variable.endswith("FILE") else "(set)"
        rows.append((variable, text, f"{variable} in {setting[1]}" if setting else "default"))
    groups = {type(group): group for group in options}
    for variable, flag in _flags().items():
        if flag.group not in groups:
            groups[flag.group] = load_group(flag.group, options.call, env)
        group = groups[flag.group]
        value = str(group.errors.get(flag.field) or _text(getattr(group, flag.field)))
        is_hidden = value and flag.flag.type.is_secret and flag.field not in group.errors
        rows.append((variable, "(set)" if is_hidden else value, group.origins.get(flag.field, "default")))
    if name:
        variable = "key" if name in ("key", *KEY_VARIABLES) else _setting_name(name)
        rows = [row for row in rows if row[0] == variable]
    elif not options[ConfigOptions].all:
        rows = [row for row in rows if row[0] == "key" or row[2] != "default"]
    out.table(rows)


def _note_unknown_names(env: Environment) -> None:
    """Names every LLAMACLI_ variable that is not a setting."""
    known = [*_flags(), *KEYS, *OTHER_VARIABLES]
    for source in env.settings.sources:
        for name in source.values:
            if name.startswith("LLAMACLI_") and name not in known:
                same = [other for other in known if other.partition("_")[2] == name.partition("_")[2]]
                advice = f"did you mean '{same[0]}'?" if same else did_you_mean(name, known, _SEE_ENVIRONMENT)
                env.stderr.note(f"{name} in {source} is not a setting; {advice}")


def _setting_name(name: str) -> str:
    """Returns the variable of a setting.

    `model`, `--model` and LLAMACLI_MODEL are one. Raises UsageError.
    """
    if name in KEY_VARIABLES or name in ("key", "api-key"):
        raise UsageError("'config set' cannot store the key", KEY_HINT)
    flags = _flags()
    by_flag = _settings_by_flag()
    if name in flags or name in KEY_SOURCES:
        return name
    if name in OTHER_VARIABLES:
        raise UsageError(f"{name} is read from the environment only", "export it in your shell")
    variable = by_flag.get(name.lstrip("-").replace("_", "-").lower())
    if variable is None:
        known = [*flags, *by_flag] if name.isupper() else list(by_flag)
        raise UsageError(f"unknown setting{_quoted(name)}", did_you_mean(name, known, _SEE_ENVIRONMENT))
    return variable


def _set(name: str, words: list[str], out: Output, env: Environment) -> None:
    name = env.input.argument(name, "NAME")
    variable, flag = _setting_name(name), _flags().get(_setting_name(name))
    texts = [env.input.argument(word, variable) for word in words]
    if len(texts) > 1 and not (flag and flag.flag.multiple):
        raise UsageError(f"{variable} takes one VALUE", "quote a value that contains spaces")
    text = texts[0] if len(texts) == 1 else encode(texts).decode()
    if not text.strip():
        raise UsageError(f"{variable}: the value is empty", f"'config unset {name}' removes it")
    if flag:
        parse_value(flag.flag, split_values(text) if flag.flag.multiple else text, name, env)
    if (flag and isinstance(flag.flag.type, PathType)) or variable == "LLAMACLI_KEY_FILE":
        # A setting applies in every folder.
        text = os.path.abspath(expand_home(text))
    _write(lambda content: with_value(content, variable, text), env)
    is_hidden = (flag and flag.flag.type.is_secret) or variable == "LLAMACLI_KEY_COMMAND"
    out.write(f"set {variable}{'' if is_hidden else f' to {text}'} in {SETTINGS.path()}\n")
    _note_precedence([variable], env)


def _unset(name: str, out: Output, env: Environment) -> None:
    name = env.input.argument(name, "NAME")
    variable = name if name in KEY_VARIABLES else _setting_name(name)
    if any(variable in source.values for source in env.settings.sources if source.name == str(SETTINGS.path())):
        _write(lambda content: without_value(content, variable), env)
        out.write(f"removed {variable} from {SETTINGS.path()}\n")
    else:
        env.stderr.note(f"{variable} is not set in {SETTINGS.path()}")
    _note_precedence([variable], env)


def _write(change: Callable[[bytes], bytes], env: Environment) -> None:
    """Changes the user's .env; only the user can read it."""
    path = SETTINGS.path()
    try:
        os.makedirs(path.parent, mode=0o700, exist_ok=True)
        os.chmod(path.parent, 0o700)
        # A device or FIFO is not read here; writing it is refused below.
        content = change(read_file(path) if path.is_file() else b"")
        if len(content) > MAX_FILE_BYTES:
            raise ValueError(f"it would be longer than {MAX_FILE_BYTES >> 10} KiB, which is not read")
        if not write_atomically(path, content, 0o600, follow=True):
            env.stderr.note(f"{path} was written in place, not replaced: it is a mount, or its folder is read-only")
    except ValueError as error:
        raise UsageError(f"cannot change {path}: {error}", "fix the file first") from None
    except OSError as error:
        raise LlamaError(ExitStatus.OUTPUT, f"cannot write {path}: {error.strerror}") from None


def _note_precedence(names: Sequence[str], env: Environment) -> None:
    """Notes each source that takes precedence over the user's .env."""
    for source in env.settings.sources:
        if source.name == str(SETTINGS.path()):
            break
        for name in names:
            if source.values.get(name) and not (source.untrusted and name in KEY_SOURCES):
                env.stderr.note(f"{name} in {source} takes precedence")


def _key(server: EndpointOptions, env: Environment) -> tuple[str, str]:
    """Returns the key, masked, and its source, or why there is none."""
    try:
        key = endpoint.find_allowed_key(server, env)
    except LlamaError as error:
        return str(error), "error"
    return (masked(key[0]), key[1]) if key else ("", "none")


def _text(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else encode(value).decode()


def _set_key(out: Output, env: Environment) -> None:
    text = _ask_for_key() if os.isatty(0) else env.input.stdin("config set-key")
    key = endpoint.validate_key(_bare_key(text), "the prompt" if os.isatty(0) else "stdin")
    env.stderr.redact(key)
    _write(lambda content: with_value(content, KEY_VARIABLES[0], key), env)
    out.write(f"stored {masked(key)} in {SETTINGS.path()}\n")
    _note_precedence([*KEY_VARIABLES, *KEY_SOURCES], env)


def _bare_key(text: str) -> str:
    """Strips `export NAME=` and quotes that were copied along with a key."""
    if assignment := re.fullmatch(r"(?:export\s+)?[A-Z][A-Z0-9_]*(?:KEY|TOKEN)\s*=\s*(.*)", text.strip()):
        text = assignment[1]
    quoted = re.fullmatch(r"(['\"])(.*)\1", text.strip())
    return quoted[2] if quoted else text


def _ask_for_key() -> str:
    try:
        typed = terminal.read_hidden("API key (hidden): ")
    except EOFError:
        raise LlamaError(ExitStatus.KEY, "no key was typed") from None
    except UnicodeError:
        raise LlamaError(ExitStatus.KEY, "the key contains a character that no key can contain") from None
    except OSError as error:
        message = f"cannot read the key from the terminal: {error.strerror}"
        raise LlamaError(ExitStatus.KEY, message, "pipe it to stdin") from None
    # Terminals bracket pasted text.
    return typed.removeprefix("\x1b[200~").removesuffix("\x1b[201~")


def _check(out: Output, options: LoadedOptions, env: Environment) -> None:
    network, model = options[NetworkOptions], options[Params].model
    where = endpoint.resolve(options[EndpointOptions], env)

    from llamacli.http.client import open_client

    if "retry" not in network.origins:
        network = network.replace("retry", 0, "default")
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    start = time.monotonic()
    with open_client(where, network, env.stderr) as client:
        try:
            _ask_once(client, ChatRequest(body))
        except LlamaError as error:
            # The rest of the text may contain anything: a request id, the server's words.
            is_not_found = error.message.startswith("404 ") or "an HTML page" in error.message
            if is_not_found and "/v1" not in where.base_url:
                raise error.add_hint(f"the base URL has no /v1: try --base-url {where.base_url}/v1") from None
            raise
    key = f"the key {masked(where.key)} from {where.key_origin}" if where.key else "no key"
    out.write(f"{model} at {where.base_url} answers, with {key}, in {time.monotonic() - start:.2f} s\n")


def _ask_once(client: Client, request: ChatRequest) -> None:
    """Sends a request, reads the answer. Raises LlamaError without one."""
    from llamacli.http.call import Call
    from llamacli.http.reply import Reply

    try:
        call = Call(client, request)
        with Reply(call, call.send()) as reply:
            for _ in reply:
                pass
    except LlamaError as error:
        # Some models use another name for the limit, or need more than one token.
        if error.http_status not in (400, 422) or "max_" not in error.message or "max_tokens" not in request.parameters:
            raise
        _ask_once(client, request.replace(max_tokens=None))
        return
    if not reply.accumulator.has_choices:
        raise reply.error("the server sent an empty answer")
