"""Imports only the parts of requests that are needed; describes its errors."""

import re
import ssl
import sys
import warnings
import zlib
from http.client import HTTPException, IncompleteRead

from urllib3.exceptions import DecodeError, HTTPError, ProtocolError

from llamacli.stdio.text import one_line

#: Libraries that guess encodings, a tenth of requests' import. requests works without them, and llamacli never guesses.
GUESSERS = [name for name in ("chardet", "charset_normalizer") if name not in sys.modules]

with warnings.catch_warnings():
    # requests warns if both are missing.
    warnings.simplefilter("ignore")
    try:
        # None in sys.modules makes an import fail as if the module were not installed (Python's reference, 5.3.1).
        sys.modules.update(dict.fromkeys(GUESSERS))  # type: ignore[arg-type]
        import requests as requests
    finally:
        for name in GUESSERS:
            sys.modules.pop(name, None)

#: What requests, urllib3, http.client and zlib raise when a connection or a response fails.
FAILURES = (requests.RequestException, HTTPError, HTTPException, OSError, UnicodeError, zlib.error)


def is_permanent(error: BaseException, cause: BaseException) -> bool:
    """True if connecting would fail in the same way, as for a bad URL."""
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
        return True
    return isinstance(cause, ssl.SSLError) and not isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError))


def root_cause(error: BaseException) -> BaseException:
    """Returns the system's or TLS's error inside one of requests."""
    seen = set()
    while id(error) not in seen:
        seen.add(id(error))
        inner = getattr(error, "reason", None) or error.__cause__ or error.__context__
        if isinstance(inner, str) or inner is None:
            inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        if isinstance(inner, BaseException):
            error = inner
    return error


def describe(cause: BaseException) -> str:
    """Returns in a few words what went wrong with a connection."""
    if isinstance(cause, DecodeError):
        return one_line(str(cause), 100)
    if isinstance(cause, zlib.error):
        return "its compression is broken"
    # http.client's own texts about bodies that end too early name its internals.
    if isinstance(cause, (IncompleteRead, ProtocolError)) or type(cause) is ValueError:
        return "the connection was closed"
    text = getattr(cause, "verify_message", None) or getattr(cause, "strerror", None) or str(cause)
    # OpenSSL's texts end with the line of C that raised them.
    text = re.sub(r" ?\(_ssl\.c:\d+\)|^\[SSL[^]]*\] ?", "", str(text or type(cause).__name__))
    return ("TLS: " if isinstance(cause, ssl.SSLError) else "") + one_line(text, 200)
