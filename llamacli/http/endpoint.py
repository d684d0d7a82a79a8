"""Where a call goes and with which key: the base URL, the key's sources, and who may see it."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from llamacli.config.settings import KEY_SOURCES, KEY_VARIABLES, Settings, Source, is_allowed
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.options import DEFAULT_BASE_URL, EndpointOptions
from llamacli.http.request import is_loopback
from llamacli.stdio.environment import Environment

KEYS_PAGE = "https://aimlapi.com/app/keys"


MAX_KEY_BYTES = 1 << 16


class Endpoint:
    """A server that may be called, and the key that it may see; None sends no Authorization.

    `key_origin` says where the key is from, or why there is none.
    """

    def __init__(self, base_url: str, key: str | None, key_origin: str) -> None:
        self.base_url, self.key, self.key_origin = base_url, key, key_origin

    @property
    def host(self) -> str:
        """Host and port as the base URL names them."""
        return urlsplit(self.base_url).netloc


def resolve(options: EndpointOptions, env: Environment, need_key: bool = True) -> Endpoint:
    """Decides where the call goes and with which key; where none is needed, none is missed.

    Raises LlamaError: key where there is none or it cannot be had, usage where
    sending it there would give it away.
    """
    announce(options, env)
    try:
        found = find_allowed_key(options, env)
    except LlamaError as error:
        if need_key or error.status != ExitStatus.KEY:
            raise
        env.stderr.note(f"{error}; going on without a key")
        found = None
    key, key_origin = found or (None, _why_none(options, env))
    if key is None and need_key and not options.no_key and options.base_url == DEFAULT_BASE_URL:
        raise LlamaError(
            ExitStatus.KEY,
            "no API key",
            f"make one at {KEYS_PAGE}, then set {KEY_VARIABLES[0]}, or store it with: llamacli config set-key",
        )
    if key and is_unencrypted(options):
        raise LlamaError(
            ExitStatus.USAGE,
            f"the key would go over plain http to {urlsplit(options.base_url).hostname}, readable on the way",
            "use https, or --no-key, or --allow-http",
        )
    if key:
        env.stderr.redact(key)
    return Endpoint(options.base_url, key, key_origin)


def announce(options: EndpointOptions, env: Environment) -> None:
    """Says so where it was a stranger who chose the server."""
    origin = _origin(options, env.settings)
    if origin and origin.untrusted:
        env.stderr.note(f"calling {options.base_url}, as {origin} says")


def find_allowed_key(options: EndpointOptions, env: Environment) -> tuple[str, str] | None:
    """Returns the key that may go to the server, and where it came from; None where none may or there is none."""
    origin = _origin(options, env.settings)
    return _key_of_stranger(options, origin) if origin and origin.untrusted else _find_key(options, env)


def _why_none(options: EndpointOptions, env: Environment) -> str:
    """Says why a call carries no key, and what to do about it."""
    origin = _origin(options, env.settings)
    if origin and origin.untrusted and not options.no_key:
        return f"no key was sent: {origin} names the server and holds none; --base-url sends yours there"
    return "no key was sent" + (", as --no-key wants it" if options.no_key else f": set {KEY_VARIABLES[0]}")


def untrusted_key_source(options: EndpointOptions, env: Environment) -> Source | None:
    """Returns the stranger's .env whose own key a call would carry, None where there is none."""
    origin = _origin(options, env.settings)
    holds = origin is not None and origin.untrusted and any(origin.values.get(name) for name in KEY_VARIABLES)
    return origin if holds and not options.no_key else None


def would_send_key(options: EndpointOptions, env: Environment) -> bool:
    """Tells whether a call would carry the user's own key, without fetching it."""
    origin = _origin(options, env.settings)
    if options.no_key or (origin and origin.untrusted) or is_unencrypted(options):
        return False
    names = (*KEY_VARIABLES, *KEY_SOURCES)
    held = any(source.values.get(name) for source in env.settings.sources for name in names)
    return held or options.key_file is not None or options.base_url == DEFAULT_BASE_URL


def is_unencrypted(options: EndpointOptions) -> bool:
    """Tells whether a key would go over plain http to another machine, unasked."""
    return options.base_url.startswith("http:") and not options.allow_http and not is_loopback(options.base_url)


def _origin(options: EndpointOptions, settings: Settings) -> Source | None:
    if options.from_flag("base_url"):
        return None
    found = settings.find("AIMLAPI_BASE_URL", stranger=True)
    # Naming the default leads nowhere else.
    return found[1] if found and options.base_url != DEFAULT_BASE_URL else None


def _key_of_stranger(options: EndpointOptions, source: Source) -> tuple[str, str] | None:
    """Returns the key for a server named by a stranger's .env: one of that same file or none."""
    for variable in KEY_VARIABLES:
        if (key := source.values.get(variable)) and not options.no_key:
            return validate_key(key, f"{variable} in {source}"), f"{variable} in {source}"
    if options.no_key or is_loopback(options.base_url):
        return None
    raise LlamaError(
        ExitStatus.USAGE,
        f"{source} sends this call to {urlsplit(options.base_url).hostname}, and your key is not sent where a "
        "working directory's .env says",
        f"to call it all the same, pass --base-url {options.base_url}",
    )


def _find_key(options: EndpointOptions, env: Environment) -> tuple[str, str] | None:
    """Returns the user's key and where it came from, by the order of the sources; None where there is none.

    Raises LlamaError (key) where the one that counts cannot be had.
    """
    if options.no_key:
        return None
    if options.key_file is not None:
        return validate_key(_from_file(options.key_file, "--key-file"), "--key-file"), "--key-file"
    for source in env.settings.sources:
        for key, origin in _keys_in(source, env.stderr.note):
            return validate_key(key, origin), origin
    return None


def _keys_in(source: Source, note: Callable[[str], None]) -> Iterator[tuple[str, str]]:
    """Yields the keys that a source holds with their origins, each fetched only when it is asked for."""
    for variable in KEY_VARIABLES:
        if key := source.values.get(variable):
            yield key, f"{variable} in {source}"
    for variable, fetch in zip(KEY_SOURCES, (_from_file, _from_command), strict=True):
        # What names a file or a command is not for a stranger to say.
        if (text := source.values.get(variable)) and is_allowed(variable, source, note):
            yield fetch(text, variable), variable


def _from_file(path: str, origin: str) -> str:
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            # What is longer is no key, and may be endless.
            return file.read(MAX_KEY_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise LlamaError(ExitStatus.KEY, f"{origin}: {path}: {reason}") from None


def _from_command(command: str, origin: str) -> str:
    """Runs the key command, whose own text may be a secret and is never shown."""
    # A prompt that is piped in is not for the command to eat.
    stdin = None if sys.stdin and sys.stdin.isatty() else subprocess.DEVNULL
    from llamacli.stdio.shell import run_shell

    done = run_shell(command, stdin=stdin, stdout=subprocess.PIPE)
    if done.returncode:
        how = (
            f"ended with status {done.returncode}"
            if done.returncode > 0
            else f"was killed by signal {-done.returncode}"
        )
        raise LlamaError(ExitStatus.KEY, f"the command in {origin} {how}")
    return done.stdout.decode("utf-8", "replace")


def validate_key(key: str, origin: str) -> str:
    """Returns a key without the space around it. Raises LlamaError (key) where no header could carry it."""
    key = key.strip()
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        fault = "holds a space, a line break or a character that no key has" if key else "is empty"
        raise LlamaError(ExitStatus.KEY, f"the key from {origin} {fault}")
    return key
