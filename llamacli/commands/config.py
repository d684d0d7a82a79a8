"""`llamacli config`: the settings and where each came from; a key to be stored; a connection to be tried."""

import os
import re
import signal
import sys
import time
from getpass import getpass
from typing import TYPE_CHECKING

from llamacli.api.json import encode
from llamacli.ask.options import UsageOptions
from llamacli.ask.params import Params
from llamacli.cli.shared import DisplayOptions
from llamacli.cli.spec import LoadedOptions
from llamacli.cli.table import Operand
from llamacli.cli.types import ParamType
from llamacli.config import dotenv
from llamacli.config.paths import SETTINGS
from llamacli.config.settings import KEY_SOURCES, KEY_VARIABLES
from llamacli.errors import ExitStatus, LlamaError, Stopped
from llamacli.http import endpoint
from llamacli.http.options import EndpointOptions, NetworkOptions
from llamacli.http.request import ChatRequest
from llamacli.stdio import table
from llamacli.stdio.environment import Environment
from llamacli.stdio.escape import masked
from llamacli.stdio.files import write_atomically
from llamacli.stdio.output import Output

if TYPE_CHECKING:
    from llamacli.http.client import Client

DESCRIPTION = """
`show` (the default) prints every setting, its value and where it came from, with the key
masked. `set-key` reads a key from a hidden prompt, or from stdin if that is not a
terminal, and stores it in the user's .env. `check` makes the cheapest real call and
reports what it found; its exit status is that of the call.
"""
EXAMPLES = (
    "llamacli config show",
    "pass show aimlapi | llamacli config set-key",
    "llamacli config check",
)
ACTIONS = ("show", "set-key", "check")
#: What is told who gives more operands: it may be a key.
OPERANDS = (Operand("action", ParamType(values=ACTIONS)),)
OPTIONS = (Params, UsageOptions, DisplayOptions, EndpointOptions, NetworkOptions)
SURPLUS_HINT = "set-key reads the key from a hidden prompt or stdin, since an argument would show in ps"
#: A wrong setting is shown, and does not keep a key from being stored.
IS_LENIENT = True


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Does what the first operand says."""
    action = env.input.argument(options.operand("action") or "show", "the action")
    if action not in ACTIONS:
        # What may be a key is not repeated.
        what = "that is no action" if re.fullmatch(r"[!-~]{16,}", action) else f"no action '{action}'"
        raise LlamaError(ExitStatus.USAGE, what, f"there is {', '.join(ACTIONS)}")
    with Output(None, before=env.stderr.clear_status) as out:
        if action == "set-key":
            _set_key(out, env)
        elif action == "check":
            for error in [error for group in options for error in group.errors.values()]:
                raise error
            _check(out, options, env)
        else:
            _show(out, options, env)
    return ExitStatus.OK


def _show(out: Output, options: LoadedOptions, env: Environment) -> None:
    """Prints name, value and source of each setting."""
    rows = [("key", *_key(options[EndpointOptions], env))]
    for variable in KEY_SOURCES:
        setting = env.settings.find(variable, untrusted=False)
        # A command may contain a secret itself.
        text = "" if not setting else setting[0] if variable.endswith("FILE") else "(set)"
        rows.append((variable, text, f"{variable} in {setting[1]}" if setting else "default"))
    for group in options:
        for name, flag in group.flags().items():
            if setting_name := flag.variable(name):
                value = str(group.errors[name]) if name in group.errors else _text(getattr(group, name))
                value = "(set)" if value and flag.type.is_secret and name not in group.errors else value
                rows.append((setting_name, value, group.origins.get(name, "default")))
    table.print_table([(name, " ".join(value.split()), origin) for name, value, origin in rows], out)


def _key(server: EndpointOptions, env: Environment) -> tuple[str, str]:
    """Returns the key that a call would carry, masked, and its source; or why there is none."""
    try:
        found = endpoint.find_allowed_key(server, env)
    except LlamaError as error:
        return str(error), "error"
    return (masked(found[0]), found[1]) if found else ("", "none")


def _text(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else encode(value).decode()


def _set_key(out: Output, env: Environment) -> None:
    key = _ask_for_key() if os.isatty(0) else env.input.stdin("config set-key")
    key = endpoint.validate_key(key, "the prompt" if os.isatty(0) else "stdin")
    env.stderr.redact(key)
    path = SETTINGS.path()
    try:
        os.makedirs(path.parent, mode=0o700, exist_ok=True)
        os.chmod(path.parent, 0o700)
        # A device or a FIFO in its place is not waited for, and refused below.
        content = path.read_bytes() if path.is_file() else b""
        write_atomically(path, dotenv.with_value(content, KEY_VARIABLES[0], key), 0o600, follow=True)
    except ValueError as error:
        raise LlamaError(ExitStatus.USAGE, f"{path} cannot hold the key: {error}", "mend it first") from None
    except OSError as error:
        raise LlamaError(ExitStatus.OUTPUT, f"cannot write {path}: {error.strerror}") from None
    out.write(f"stored {masked(key)} in {path}\n")
    for source in env.settings.sources:
        if source.name == str(path):
            break
        for variable in (*KEY_VARIABLES, *KEY_SOURCES):
            if source.values.get(variable) and not (source.untrusted and variable in KEY_SOURCES):
                env.stderr.note(f"{variable} in {source} goes before it")


def _ask_for_key() -> str:
    # Ctrl-\\ would leave a terminal that shows nothing of what is typed.
    former = signal.signal(signal.SIGQUIT, _stop)
    # getpass asks here where there is no /dev/tty.
    sys.stderr = sys.stderr or open(2, "w", errors="replace", closefd=False)  # noqa: SIM115
    try:
        typed = getpass("API key (it is not shown): ")
    except (EOFError, UnicodeError) as error:
        fault = "was not given" if isinstance(error, EOFError) else "holds a character that no key has"
        raise LlamaError(ExitStatus.KEY, f"the key {fault}") from None
    finally:
        signal.signal(signal.SIGQUIT, former)
    # What a terminal puts around pasted text.
    return typed.removeprefix("\x1b[200~").removesuffix("\x1b[201~")


def _stop(number: int, frame: object) -> None:
    raise Stopped(number)


def _check(out: Output, options: LoadedOptions, env: Environment) -> None:
    network, model = options[NetworkOptions], options[Params].model
    where = endpoint.resolve(options[EndpointOptions], env)

    from llamacli.http import open as early

    if "retry" not in network.origins:
        network = network.replace("retry", 0, "default")
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    start = time.monotonic()
    with early.open_client(where, network, env.stderr) as client:
        try:
            _ask_once(client, ChatRequest(body))
        except LlamaError as error:
            raise _explained(error, where.base_url) from None
    key = f"the key {masked(where.key)} from {where.key_origin}" if where.key else "no key"
    out.write(f"{model} at {where.base_url} answers, with {key}, in {time.monotonic() - start:.2f} s\n")


def _ask_once(client: "Client", request: ChatRequest) -> None:
    """Sends a request and reads the answer. Raises LlamaError if there is none."""
    try:
        with client.chat(request) as reply:
            for _ in reply:
                pass
    except LlamaError as error:
        # Some models have another name for the limit, or need more than one token.
        if error.http_status not in (400, 422) or "max_" not in error.message or "max_tokens" not in request.parameters:
            raise
        _ask_once(client, request.replace(max_tokens=None))
        return
    if not reply.accumulator.has_choices:
        raise reply.error("the server sent an answer with nothing in it")


def _explained(error: LlamaError, base_url: str) -> LlamaError:
    """Adds what is most likely wrong, where the call alone cannot know it."""
    # The rest of the text may hold anything: a request id, the server's words.
    if (error.message.startswith("404 ") or "an HTML page" in error.message) and "/v1" not in base_url:
        return error.add_hint(f"the base URL has no /v1: try --base-url {base_url}/v1")
    return error
