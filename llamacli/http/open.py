"""Opens a client: the connection first, in a thread, while requests is still being imported."""

from typing import TYPE_CHECKING

from llamacli.http.connection.preconnect import Preconnect
from llamacli.http.connection.proxy import has_any_proxy
from llamacli.http.endpoint import Endpoint
from llamacli.http.options import NetworkOptions, certificates
from llamacli.http.request import is_loopback
from llamacli.stdio.stderr import Stderr

if TYPE_CHECKING:
    from llamacli.http.client import Client


#: Seconds for connecting below which there is no early connection: importing would eat up a part of them.
PRECONNECT_MIN_SECONDS = 1


def open_client(where: Endpoint, options: NetworkOptions, stderr: Stderr) -> "Client":
    """Returns a client that is about to send a request. Raises LlamaError (usage) if the CA bundle is missing."""
    bundle = certificates(options)
    if options.usage_log:
        from llamacli.http.usage_log import usage_log

        # An error of the log comes before the connection.
        usage_log(options, stderr.note)
    early = None
    if options.connect_timeout >= PRECONNECT_MIN_SECONDS and (is_loopback(where.base_url) or not has_any_proxy()):
        early = Preconnect(where.base_url, options.connect_timeout)
        if early.is_tls:
            early.secure(bundle)
    # Nothing takes longer to import than requests.
    from llamacli.http.client import Client

    return Client(where, options, stderr, early)
