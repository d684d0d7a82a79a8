"""TLS contexts that connections share.

Loading certificates takes longer than a handshake, and a megabyte.
"""

import os
import ssl
from collections.abc import Iterable
from threading import Lock
from typing import Any

#: The attributes of urllib3's connections that affect a handshake: the certificates to trust, and the rest.
TRUST = ("ca_certs", "ca_cert_dir")
OTHER_TRUST_SETTINGS = (
    *("ca_cert_data", "cert_file", "key_file", "ssl_context"),
    *("ssl_version", "ssl_minimum_version", "ssl_maximum_version"),
    *("assert_hostname", "assert_fingerprint"),
)
#: What can be set on an SSLContext.
SETTINGS = (
    *("minimum_version", "maximum_version", "options", "verify_flags", "verify_mode", "check_hostname"),
    *("hostname_checks_common_name", "post_handshake_auth", "keylog_filename"),
)


class Context(ssl.SSLContext):
    """A context that many threads use at once."""

    _protocols: list[str] | None = None

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Sets the protocols unless they are set already.

        urllib3 sets them for each connection, while OpenSSL may be reading them for another.
        """
        protocols = list(alpn_protocols)
        if protocols != self._protocols:
            super().set_alpn_protocols(protocols)
            self._protocols = protocols


def trusting(bundle: str) -> Context | None:
    """Returns a context that trusts a bundle, None if it cannot load it."""
    try:
        context = Context(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(**{"capath" if os.path.isdir(bundle) else "cafile": bundle})
    except Exception:
        return None
    return context


def configure_like_urllib3(context: Context) -> bool:
    """Gives a context the settings of urllib3's own, if possible."""
    try:
        from urllib3.util.ssl_ import ALPN_PROTOCOLS, create_urllib3_context
    except ImportError:
        return False
    model = create_urllib3_context()
    for name in SETTINGS:
        if getattr(context, name, None) != (value := getattr(model, name, None)):
            setattr(context, name, value)
    context.set_alpn_protocols(ALPN_PROTOCOLS)
    return context.get_ciphers() == model.get_ciphers()


def use(context: Context, connection: Any) -> None:
    """Makes a connection use a context instead of loading a new one."""
    connection.ssl_context, connection.ca_certs, connection.ca_cert_dir = context, None, None


def settings(connection: object) -> tuple[object, ...] | None:
    """Returns all that affects a handshake, None for another urllib3."""
    try:
        return tuple(
            getattr(connection, name) for name in ("cert_reqs", "server_hostname", *TRUST, *OTHER_TRUST_SETTINGS)
        )
    except AttributeError:
        return None


class ContextCache:
    """One context for all connections that trust the same certificates."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._contexts: dict[tuple[object, ...], Context] = {}

    def apply(self, connection: Any) -> None:
        """Makes a plain TLS connection use the shared context."""
        if (trust := _shared_trust(connection)) is None:
            return
        with self._lock:
            if trust not in self._contexts:
                context = trusting(connection.ca_cert_dir or connection.ca_certs)
                if not context or not configure_like_urllib3(context):
                    return
                self._contexts[trust] = context
        use(self._contexts[trust], connection)

    def keep(self, connection: object, context: object) -> None:
        """Shares the context of a connection that was opened early."""
        if isinstance(context, Context) and (trust := _shared_trust(connection)):
            self._contexts[trust] = context


def _shared_trust(connection: object) -> tuple[object, ...] | None:
    """Returns the trusted certificates, None for a special handshake."""
    if getattr(connection, "cert_reqs", None) not in ("CERT_REQUIRED", ssl.CERT_REQUIRED) or not settings(connection):
        return None
    if any(getattr(connection, name) is not None for name in OTHER_TRUST_SETTINGS):
        return None
    proxy = getattr(connection, "proxy", None)
    if proxy and proxy.scheme == "https":
        # The handshake with the proxy takes the certificates, but not the context.
        return None
    trust = tuple(getattr(connection, name) for name in TRUST)
    return trust if any(trust) else None
