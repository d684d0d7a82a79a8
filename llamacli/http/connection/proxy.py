"""Which proxy a call uses, by the usual environment variables."""

import os
import re
import sys
from urllib.parse import urlsplit

from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.request import is_loopback
from llamacli.stdio.stderr import Stderr

SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
#: User and password, host, port.
NETLOC = r"(?:(?P<user>[!-~]*)@)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?"


def has_any_proxy() -> bool:
    """True if the environment names a proxy for any URL.

    It is cheap, since it does not use requests.
    """
    if sys.platform == "darwin":
        from urllib.request import getproxies

        return bool(getproxies().keys() - {"no"})
    names = [name.lower() for name, value in os.environ.items() if value]
    return any(name.endswith("_proxy") and name != "no_proxy" for name in names)


class Proxy:
    """The proxy for one URL.

    `host` is None without one, `proxies` is for requests.
    """

    def __init__(self, url: str, stderr: Stderr) -> None:
        """Looks it up.

        Raises LlamaError (network) if it is malformed, without showing what may be a password.
        """
        self.host: str | None = None
        self.proxies: dict[str, str] = {}
        # requests would send even localhost, and the key with it, to a proxy.
        proxy = None if is_loopback(url) else _look_up(url)
        if not proxy:
            return
        proxy_url = proxy if "://" in proxy else f"http://{proxy}"
        try:
            parts = urlsplit(proxy_url)
            self.host = parts.hostname
            match = re.fullmatch(NETLOC, parts.netloc)
            # urlsplit drops line breaks.
            is_printable = re.fullmatch(r"[!-~]+", proxy_url)
            is_valid = is_printable and parts.scheme in SCHEMES and (parts.port is None or parts.port > 0)
        except ValueError:
            is_valid = match = None
        if not match or not is_valid:
            scheme = urlsplit(url).scheme
            raise LlamaError(
                ExitStatus.NETWORK, f"invalid proxy URL for {scheme}", f"check {scheme}_proxy, or all_proxy"
            )
        if match["user"]:
            stderr.redact(match["user"])
        self.proxies = {"all": proxy_url}


def _look_up(url: str) -> str | None:
    from llamacli.http.connection.lean_requests import requests

    # The public way to do what `requests.get` does, including no_proxy with networks and wildcards.
    settings = requests.Session().merge_environment_settings(url, {}, None, None, None)
    proxies = settings["proxies"]
    return proxies.get(urlsplit(url).scheme) or proxies.get("all")
