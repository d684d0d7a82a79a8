"""`llamacli config`: the settings and where each came from; a key to be stored; a connection to be tried."""

import os
import re
import time
from getpass import getpass
from typing import Annotated, Any

from typer import Argument

from llamacli import endpoint
from llamacli.display import DisplayOptions, UsageOptions
from llamacli.endpoint import KEY_VARIABLES, EndpointOptions
from llamacli.environment import Environment
from llamacli.errors import ExitStatus, LlamaError
from llamacli.network import NetworkOptions
from llamacli.output import Output
from llamacli.params import Params
from llamacli.settings import config_folder, write_atomically
from llamacli.terminal import masked

EXAMPLES = (
    "llamacli config show",
    "pass show aimlapi | llamacli config set-key",
    "llamacli config check",
)
ACTIONS = ("show", "set-key", "check")


def config(
    action: Annotated[str | None, Argument(metavar="[show|set-key|check]", show_default=False)],
    params: Params,
    shown: UsageOptions,
    display: DisplayOptions,
    server: EndpointOptions,
    network: NetworkOptions,
    env: Environment,
) -> ExitStatus:
    """Show the settings, store a key, try the connection.

    `show` (the default) prints every setting, its value and where it came from, the
    key masked. `set-key` reads a key from a hidden prompt, or from stdin where that is
    no terminal, and stores it in the user's .env. `check` makes the cheapest real call
    and says in plain words what it found; its exit status is that of the call.
    """
    if action not in (None, *ACTIONS):
        raise LlamaError(ExitStatus.USAGE, f"no action '{action}'", f"there is {', '.join(ACTIONS)}")
    with Output(None, before=env.stderr.settle) as out:
        if action == "set-key":
            _set_key(out, env)
        elif action == "check":
            _check(out, params, server, network, env)
        else:
            _show(out, [server, params, network, shown, display], env)
    return ExitStatus.OK


def _show(out: Output, tables: list[Any], env: Environment) -> None:
    """Prints NAME, value and source of each setting, aligned on a terminal and tab-separated in a pipe."""
    rows = [("key", *_key(tables[0], env))]
    for table in tables:
        for name, flag in table.flags().items():
            if flag.variable(name):
                value = getattr(table, name)
                rows.append((flag.variable(name), _text(value), table.origins.get(name, "default")))
    rows = [(name, " ".join(value.split()), origin) for name, value, origin in rows]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, origin in rows:
        if out.is_terminal:
            out.write(f"{name:<{widths[0]}}  {value:<{min(widths[1], 44)}}  {origin}\n")
        else:
            out.write(f"{name}\t{value}\t{origin}\n")


def _key(server: EndpointOptions, env: Environment) -> tuple[str, str]:
    """Returns the key, masked, and its source; a key that cannot be had is said so in its place."""
    try:
        found = endpoint.find_key(server, env)
    except LlamaError as error:
        return str(error), "error"
    return (masked(found[0]), found[1]) if found else ("", "none")


def _text(value: object) -> str:
    from llamacli.wire import encode

    return "" if value is None else value if isinstance(value, str) else encode(value).decode()


def _set_key(out: Output, env: Environment) -> None:
    typed = os.isatty(0)
    key = getpass("API key (it is not shown): ") if typed else env.inputs.stdin("config set-key")
    key = endpoint.checked_key(key, "the prompt" if typed else "stdin")
    env.stderr.hide(key)
    path = config_folder() / ".env"
    try:
        os.makedirs(path.parent, mode=0o700, exist_ok=True)
        os.chmod(path.parent, 0o700)
        write_atomically(path, _with_key(path.read_bytes() if path.exists() else b"", key), 0o600)
    except OSError as error:
        raise LlamaError(ExitStatus.OUTPUT, f"cannot write {path}: {error.strerror}") from None
    out.write(f"stored {masked(key)} in {path}\n")
    for variable in KEY_VARIABLES:
        if os.environ.get(variable):
            env.stderr.note(f"{variable} in the environment goes before it")


def _with_key(content: bytes, key: str) -> bytes:
    """Returns a .env's content with the key in it, and every other line as it was."""
    from io import StringIO

    from dotenv.parser import parse_stream

    name, kept, is_there = KEY_VARIABLES[0], [], False
    # A value that begins with a quote, say, would be read as a quoted one.
    quoted = key if re.fullmatch(r"[\w.:/+=@%-]+", key) else "'" + key.replace("\\", "\\\\").replace("'", "\\'") + "'"
    for binding in parse_stream(StringIO(content.decode("utf-8", "surrogateescape"))):
        text = binding.original.string
        if binding.key == name and not binding.error:
            # An `export` before it and a comment after it are the user's and stay.
            before, after = text[: text.index(name)], re.search(r"(\s+#[^\n]*)?\n?$", text)
            text = "" if is_there else f"{before}{name}={quoted}{(after and after[1]) or ''}\n"
            is_there = True
        kept.append(text)
    whole = "".join(kept)
    if not is_there:
        whole += ("" if not whole or whole.endswith("\n") else "\n") + f"{name}={quoted}\n"
    return whole.encode("utf-8", "surrogateescape")


def _check(out: Output, params: Params, server: EndpointOptions, network: NetworkOptions, env: Environment) -> None:
    where = endpoint.resolve(server, env)

    from llamacli.client import Client

    if "retry" not in network.origins:
        network.retry = 0
    params.max_tokens = 1
    body = params.body([{"role": "user", "content": "Hi"}], stream=None, usage=False)
    start = time.monotonic()
    with Client(where, network, env.stderr) as client:
        try:
            with client.chat(body) as reply:
                for _ in reply:
                    pass
        except LlamaError as error:
            raise _explained(error, where.base_url) from None
    key = f"the key {masked(where.key)} from {where.key_origin}" if where.key else "no key"
    seconds = time.monotonic() - start
    out.write(f"{params.model} at {where.base_url} answers, with {key}, in {seconds:.2f} s\n")


def _explained(error: LlamaError, base_url: str) -> LlamaError:
    """Adds what is most likely wrong, where the call alone cannot know it."""
    if error.status in (ExitStatus.REFUSED, ExitStatus.BROKEN) and "/v1" not in base_url:
        error.todo = f"the base URL has no /v1: try --base-url {base_url}/v1"
    return error
