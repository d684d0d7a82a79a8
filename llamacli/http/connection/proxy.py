"""Which proxy a call goes through, by the variables that everybody reads."""

import re
from urllib.parse import urlsplit

from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.connection.lean_requests import requests
from llamacli.http.request import is_loopback
from llamacli.stdio.stderr import Stderr

SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


#: A user and password, a host, a port.
NETLOC = r"(?:(?P<user>[!-~]*)@)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?"


class Proxy:
    """The proxy for one URL. `host` is None where there is none; `proxies` is what requests is told."""

    def __init__(self, url: str, stderr: Stderr) -> None:
        """Looks it up. Raises LlamaError (network) where it is none, and shows nothing of what may hold a password."""
        self.host: str | None = None
        self.proxies: dict[str, str] = {}
        # Requests would send even localhost, and the key with it, to a proxy.
        named = None if is_loopback(url) else requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))
        if not named:
            return
        whole = named if "://" in named else f"http://{named}"
        try:
            parts = urlsplit(whole)
            self.host = parts.hostname
            match = re.fullmatch(NETLOC, parts.netloc)
            # urlsplit drops line breaks.
            is_sound = (
                re.fullmatch(r"[!-~]+", whole) and parts.scheme in SCHEMES and (parts.port is None or parts.port > 0)
            )
        except ValueError:
            is_sound = match = None
        if not match or not is_sound:
            scheme = urlsplit(url).scheme
            what = f"the proxy that the environment names for {scheme} is no URL of a proxy"
            raise LlamaError(ExitStatus.NETWORK, what, f"mend {scheme}_proxy, or whichever variable holds it")
        if match["user"]:
            stderr.redact(match["user"])
        self.proxies = {"all": whole}
