"""TLS contexts that connections share: loading certificates takes longer than a handshake, and a megabyte each time."""

import os
import ssl
from collections.abc import Iterable
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection


#: What decides how urllib3 does a handshake: the certificates to trust, and all else.
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
    """A context that is used by many threads at once."""

    _protocols: list[str] | None = None

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Sets them, or leaves them be where they are set already.

        urllib3 sets them for each connection, at which moment OpenSSL may be reading them for another one.
        """
        protocols = list(alpn_protocols)
        if protocols != self._protocols:
            super().set_alpn_protocols(protocols)
            self._protocols = protocols


def trusting(bundle: str) -> Context | None:
    """Returns a context that trusts a bundle; None where that cannot be loaded, which urllib3 shall find out."""
    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(**{"capath" if os.path.isdir(bundle) else "cafile": bundle})
    except Exception:
        return None
    return context


def set_like_urllib3(context: Context) -> bool:
    """Sets a context as urllib3 sets its own; tells whether that was possible."""
    from urllib3.util.ssl_ import ALPN_PROTOCOLS, create_urllib3_context

    model = create_urllib3_context()
    for name in SETTINGS:
        if getattr(context, name, None) != (value := getattr(model, name, None)):
            setattr(context, name, value)
    context.set_alpn_protocols(ALPN_PROTOCOLS)
    return context.get_ciphers() == model.get_ciphers()


def use(context: Context, connection: Any) -> None:
    """Has a connection of urllib3's use a context, whose certificates it would load once more otherwise."""
    connection.ssl_context, connection.ca_certs, connection.ca_cert_dir = context, None, None


def settings(connection: "HTTPConnection") -> tuple[object, ...]:
    """Returns all that decides how a connection does its handshake."""
    return tuple(getattr(connection, name) for name in ("cert_reqs", "server_hostname", *TRUST, *OTHER_TRUST_SETTINGS))


class ContextCache:
    """One context for all connections that trust the same certificates."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._made: dict[tuple[object, ...], Context] = {}

    def get(self, connection: Any) -> None:
        """Has a connection use the one context, where it goes over TLS and asks for nothing that is its own."""
        if (trusted := _trusted(connection)) is None:
            return
        with self._lock:
            if trusted not in self._made:
                context = trusting(connection.ca_cert_dir or connection.ca_certs)
                if not context or not set_like_urllib3(context):
                    return
                self._made[trusted] = context
        use(self._made[trusted], connection)

    def keep(self, connection: Any, context: object) -> None:
        """Keeps the context that a connection was opened with before its time."""
        if isinstance(context, Context) and (trusted := _trusted(connection)):
            self._made[trusted] = context


def _trusted(connection: Any) -> tuple[object, ...] | None:
    """Returns the certificates that a connection trusts; None where its handshake is not an ordinary one."""
    if getattr(connection, "cert_reqs", None) not in ("CERT_REQUIRED", ssl.CERT_REQUIRED):
        return None
    if any(getattr(connection, name) is not None for name in OTHER_TRUST_SETTINGS):
        return None
    if connection.proxy and connection.proxy.scheme == "https":
        # Its own handshake takes the certificates, but not the context.
        return None
    trusted = tuple(getattr(connection, name) for name in TRUST)
    return trusted if any(trusted) else None
