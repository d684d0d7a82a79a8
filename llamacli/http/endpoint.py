"""Where a call goes and with which key, and who may see the key."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from ipaddress import ip_address
from urllib.parse import urlsplit

from llamacli.config import KEY_SOURCES, KEY_VARIABLES, Settings, Source, is_allowed
from llamacli.errors import ExitStatus, LlamaError, UsageError
from llamacli.http.options import DEFAULT_BASE_URL, EndpointOptions
from llamacli.stdio.input import Environment

KEYS_PAGE = "https://aimlapi.com/app/keys"
MAX_KEY_BYTES = 1 << 16
KEY_COMMAND = KEY_SOURCES[1]


class Endpoint:
    """A server and the key to send it, None for none.

    `key_origin` says where the key is from, or why there is none; `fetch_key`, if there
    is one, runs the key command again.
    """

    def __init__(
        self, base_url: str, key: str | None, key_origin: str, fetch_key: Callable[[], str] | None = None
    ) -> None:
        self.base_url, self.key, self.key_origin, self.fetch_key = base_url, key, key_origin, fetch_key

    @property
    def host(self) -> str:
        """Host and port as in the base URL."""
        return urlsplit(self.base_url).netloc


def resolve(options: EndpointOptions, env: Environment, need_key: bool = True) -> Endpoint:
    """Returns the server to call and the key to send it.

    Raises LlamaError: key if there is none or it cannot be read and `need_key` asks for
    one, usage if sending it there would reveal it.
    """
    announce(options, env)
    try:
        key_and_origin = find_allowed_key(options, env)
    except LlamaError as error:
        if need_key or error.status != ExitStatus.KEY:
            raise
        env.stderr.note(f"{error}; continuing without a key")
        key_and_origin = None
    key, key_origin = key_and_origin or (None, _why_none(options, env))
    if key is None and need_key and not options.no_key and options.base_url == DEFAULT_BASE_URL:
        raise LlamaError(
            ExitStatus.KEY,
            "no API key",
            f"create one at {KEYS_PAGE}, then store it with: llamacli config set-key (or set {KEY_VARIABLES[0]})",
        )
    if key and is_unencrypted(options):
        host = urlsplit(options.base_url).hostname
        raise UsageError(f"refusing to send the key unencrypted to {host}", "use https, --no-key or --allow-http")
    fetch_key = None
    if key:
        env.stderr.redact(key)
        if key_origin == KEY_COMMAND:
            fetch_key = partial(_fetch_key, env)
    return Endpoint(options.base_url, key, key_origin, fetch_key)


def announce(options: EndpointOptions, env: Environment) -> None:
    """Reports what a project's .env decides, even with --quiet."""
    origin = _origin(options, env.settings)
    if origin and origin.untrusted:
        env.stderr.announce(f"calling {options.base_url}, as set in {origin}")


def find_allowed_key(options: EndpointOptions, env: Environment) -> tuple[str, str] | None:
    """Returns the key that may go to the server and its origin, or None.

    It returns None if there is none or it may not. Raises LlamaError.
    """
    origin = _origin(options, env.settings)
    return _untrusted_key(options, origin) if origin and origin.untrusted else _find_key(options, env)


def _why_none(options: EndpointOptions, env: Environment) -> str:
    """Returns why a call carries no key, and what to do about it."""
    origin = _origin(options, env.settings)
    if origin and origin.untrusted and not options.no_key:
        return f"no key was sent: {origin} sets the server but no key; to send yours, pass --base-url"
    return "no key was sent" + (" (--no-key)" if options.no_key else f": set {KEY_VARIABLES[0]}")


def untrusted_key_source(options: EndpointOptions, env: Environment) -> Source | None:
    """Returns the project's .env whose own key a call would carry."""
    origin = _origin(options, env.settings)
    has_key = origin is not None and origin.untrusted and any(origin.values.get(name) for name in KEY_VARIABLES)
    return origin if has_key and not options.no_key else None


def would_send_key(options: EndpointOptions, env: Environment) -> bool:
    """True if a call would carry the user's own key; does not read it."""
    origin = _origin(options, env.settings)
    if options.no_key or (origin and origin.untrusted) or is_unencrypted(options):
        return False
    has_key = options.key_file is not None or _have_key(env.settings.sources)
    return has_key or options.base_url == DEFAULT_BASE_URL


def is_unencrypted(options: EndpointOptions) -> bool:
    """True if a key would go over plain http, without --allow-http."""
    return options.base_url.startswith("http:") and not options.allow_http and not is_loopback(options.base_url)


def _origin(options: EndpointOptions, settings: Settings) -> Source | None:
    """Returns the source of the base URL, None for a flag or the default."""
    if options.from_flag("base_url"):
        return None
    setting = settings.find("AIMLAPI_BASE_URL", untrusted=True)
    # A URL that only repeats the default changes nothing.
    return setting[1] if setting and options.base_url != DEFAULT_BASE_URL else None


def _untrusted_key(options: EndpointOptions, source: Source) -> tuple[str, str] | None:
    """Returns the key from the .env that also sets the server."""
    for variable in KEY_VARIABLES:
        if (key := source.values.get(variable)) and not options.no_key:
            return validate_key(key, f"{variable} in {source}"), f"{variable} in {source}"
    if options.no_key or is_loopback(options.base_url):
        return None
    raise UsageError(
        f"{source} sends this call to {urlsplit(options.base_url).hostname}, and your key is never sent to a server "
        "that a project's .env names",
        f"to call it anyway, pass --base-url {options.base_url}",
    )


def _find_key(options: EndpointOptions, env: Environment) -> tuple[str, str] | None:
    """Returns the user's key and its origin, or None without any.

    The first source that has a key is used. Raises LlamaError (key) if that one cannot be read.
    """
    if options.no_key:
        return None
    if options.key_file is not None:
        return validate_key(_from_file(options.key_file, "--key-file", env), "--key-file"), "--key-file"
    for source in env.settings.sources:
        for key, origin in _keys_in(source, env):
            if source.untrusted and _have_key(source for source in env.settings.sources if not source.untrusted):
                env.stderr.announce(f"using the key from {source} instead of your own")
            return validate_key(key, origin), origin
    return None


def _have_key(sources: Iterable[Source]) -> bool:
    return any(source.values.get(name) for source in sources for name in (*KEY_VARIABLES, *KEY_SOURCES))


def _keys_in(source: Source, env: Environment) -> Iterator[tuple[str, str]]:
    """Yields a source's keys and their origins, each read when needed."""
    for variable in KEY_VARIABLES:
        if key := source.values.get(variable):
            yield key, f"{variable} in {source}"
    for variable, read in zip(KEY_SOURCES, (_from_file, _from_command), strict=True):
        if (text := source.values.get(variable)) and is_allowed(variable, source, env.stderr.note):
            yield read(text, variable, env), variable


def _from_file(path: str, origin: str, env: Environment) -> str:
    data = b""
    try:
        # It may be a FIFO: --key-file <(pass show aimlapi).
        for block in env.input.file_blocks(os.path.expanduser(path)):
            data += block
            # Longer than any key, and perhaps endless.
            if len(data) >= MAX_KEY_BYTES:
                break
        return data[:MAX_KEY_BYTES].decode("utf-8-sig")
    except LlamaError as error:
        raise LlamaError(ExitStatus.KEY, f"{origin}: {error.message}") from None
    except ValueError:
        raise LlamaError(ExitStatus.KEY, f"{origin}: {path}: not UTF-8 text") from None


def _fetch_key(env: Environment) -> str:
    """Runs the key command for a new key."""
    commands = (source.values.get(KEY_COMMAND) for source in env.settings.sources if not source.untrusted)
    key = validate_key(_from_command(next(filter(None, commands)), KEY_COMMAND, env), KEY_COMMAND)
    env.stderr.redact(key)
    return key


def _from_command(command: str, origin: str, env: Environment) -> str:
    """Runs the key command, whose text may be secret and is not shown."""
    import subprocess

    from llamacli.stdio.shell import describe_end, read_output

    # It must not read a prompt that is piped in.
    stdin = None if sys.stdin and sys.stdin.isatty() else subprocess.DEVNULL
    limit, start = env.input.max_time, time.monotonic()
    left = None if limit is None else max(limit - env.input.seconds_spent, 0.001)
    with env.input.waiting("waiting for the key command"):
        status, output = read_output(command, stdin, MAX_KEY_BYTES, left)
    env.input.seconds_spent += time.monotonic() - start
    if status is None:
        raise LlamaError(ExitStatus.KEY, f"the command in {origin} did not end within --max-time {limit:g} s")
    if status:
        raise LlamaError(ExitStatus.KEY, f"the command in {origin} {describe_end(status)}")
    return output.decode("utf-8", "replace")


def validate_key(key: str, origin: str) -> str:
    """Returns a key without space around it. Raises LlamaError (key)."""
    key = key.strip().removeprefix("\ufeff")
    if problem := _problem_of(key):
        raise LlamaError(ExitStatus.KEY, f"the key from {origin} {problem}")
    return key


def _problem_of(key: str) -> str:
    """Returns why a text cannot be a key, without quoting any of it."""
    if not key:
        return "is empty"
    if len(key) >= MAX_KEY_BYTES - 1:
        return "is too long"
    if key[0] in "'\"`" and key[-1] == key[0]:
        return "is in quotes; remove them"
    if key.lower().startswith(("bearer ", "authorization:")):
        return "begins with Bearer or Authorization; remove that"
    name, equal_sign, _ = key.partition("=")
    if equal_sign and name.upper().endswith("_KEY"):
        return f"begins with {name}=; remove that" if name in KEY_VARIABLES else "begins with NAME=; remove that"
    if "\n" in key or "\r" in key:
        return "contains a line break; it must be the key alone"
    if not (key.isascii() and key.isprintable()) or " " in key:
        return "contains a space or a character that no key can contain"
    return ""


def join_url(base_url: str, path: str) -> str:
    """Returns the URL of a path; `//path` is below the host's root."""
    if path.startswith("//"):
        parts = urlsplit(base_url)
        return f"{parts.scheme}://{parts.netloc}{path[1:]}"
    return base_url + path


def is_loopback(url: str) -> bool:
    """True if a URL's host is this machine, by its name or address alone."""
    host = urlsplit(url).hostname or ""
    try:
        return is_localhost(host) or ip_address(host.rstrip(".")).is_loopback
    except ValueError:
        return False


def is_localhost(host: str) -> bool:
    """True for localhost and its subdomains, never looked up (RFC 6761)."""
    return f".{host.lower()}".rstrip(".").endswith(".localhost")
