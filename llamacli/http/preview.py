"""--dry-run and --curl: prints a request instead of sending it."""

import os
from collections.abc import Iterable

from llamacli.cli.spec import LoadedOptions
from llamacli.config import KEY_VARIABLES
from llamacli.http import endpoint, request
from llamacli.http.options import EndpointOptions, NetworkOptions, PreviewOptions, certificates
from llamacli.http.request import Request
from llamacli.stdio.escape import shell_quoted
from llamacli.stdio.input import Environment
from llamacli.stdio.output import Output


def print_previews(requests: Iterable[Request], options: LoadedOptions, path: str | None, env: Environment) -> None:
    """Prints each request on a line; fetches no key and sends nothing."""
    server, network, is_curl = options[EndpointOptions], options[NetworkOptions], options[PreviewOptions].curl
    with Output(path) as out:
        if is_curl:
            endpoint.announce(server, env)
            with_key = endpoint.would_send_key(server, env)
            if not with_key and (holder := endpoint.untrusted_key_source(server, env)):
                env.stderr.note(f"the command sends no key, but the call itself would send the one in {holder}")
            if with_key and not os.environ.get(KEY_VARIABLES[0]):
                env.stderr.note(f"the command takes the key from {KEY_VARIABLES[0]}, which is not set here")
        for outgoing in requests:
            if is_curl:
                url = request.join_url(server.base_url, outgoing.path)
                out.write(curl_command(outgoing, url, network, with_key))
            else:
                out.json_text((outgoing.body or b"").decode())
            out.end()
        out.commit()


def curl_command(outgoing: Request, url: str, network: NetworkOptions, with_key: bool) -> str:
    """Returns a POSIX shell command that sends exactly the same bytes.

    printf passes the body, because it is built into the shell: an argument of a program
    is limited to 128 KiB on Linux. The key stays in a variable.
    """
    # Without -g, curl expands braces and brackets in a URL.
    words = ["curl", "-sS", "-N", "-g"]
    # With -X HEAD, curl would wait for the body that the headers announce.
    is_head = outgoing.method == "HEAD" and not outgoing.body
    words += [*(["--head"] if is_head else ["-X", outgoing.method]), shell_quoted(url)]
    if request.is_loopback(url):
        words += ["--noproxy", "'*'"]
    if bundle := certificates(network):
        words += ["--capath" if os.path.isdir(bundle) else "--cacert", shell_quoted(bundle)]
    headers = outgoing.headers(network.request_id, network.header or ())
    for name, value in headers.items():
        words += ["-H", shell_quoted(f"{name}: {value}" if value else f"{name};")]
    if with_key:
        words += ["-H", f'"Authorization: Bearer ${KEY_VARIABLES[0]}"']
    if outgoing.body:
        return f"printf %s {shell_quoted(outgoing.body.decode())} | {' '.join(words)} --data-binary @-"
    if outgoing.method not in ("GET", "HEAD"):
        # curl would send a Content-Type for an empty body.
        untyped = "content-type" not in map(str.lower, headers)
        words += [*(["-H", "'Content-Type:'"] if untyped else []), "--data-binary", "''"]
    return " ".join(words)
