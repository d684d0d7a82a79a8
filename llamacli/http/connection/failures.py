"""What requests, urllib3 and the system raise, in words."""

import re
import ssl
import zlib
from http.client import HTTPException, IncompleteRead

from urllib3.exceptions import DecodeError, HTTPError, ProtocolError

from llamacli.http.connection.lean_requests import requests
from llamacli.stdio.escape import one_line


def _is_certain(error: BaseException, cause: BaseException) -> bool:
    """Tells a failure to connect that the next try would meet again: a bad URL, a missing SOCKS library, TLS."""
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
        return True
    return isinstance(cause, ssl.SSLError) and not isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError))


def root_cause(error: BaseException) -> BaseException:
    """Digs the operating system's or TLS's own error out of requests' and urllib3's wrappings."""
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
    """Says in a few words what went wrong on the line."""
    if isinstance(cause, (DecodeError, zlib.error)):
        return "its compression is broken"
    # What http.client says of a body that ends too early speaks of its own inside.
    if isinstance(cause, (IncompleteRead, ProtocolError)) or type(cause) is ValueError:
        return "the connection was closed"
    text = getattr(cause, "verify_message", None) or getattr(cause, "strerror", None) or str(cause)
    # OpenSSL's texts end with the line of C that raised them.
    text = re.sub(r" ?\(_ssl\.c:\d+\)|^\[SSL[^]]*\] ?", "", str(text or type(cause).__name__))
    return ("TLS: " if isinstance(cause, ssl.SSLError) else "") + one_line(text, 200)


#: What requests, urllib3 and http.client raise when a connection or a response fails.
FAILURES = (requests.RequestException, HTTPError, HTTPException, OSError, UnicodeError)
