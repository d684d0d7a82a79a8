"""What each HTTP error status means, and what the user can do."""

from urllib.parse import urlsplit

from llamacli import PROGRAM
from llamacli.api.errors import is_context_length_error, is_out_of_quota, is_unknown_model, is_wrong_path
from llamacli.errors import ExitStatus

#: Statuses after which to retry: the request timed out, came too early or too often, or the server failed.
#: 520 to 524 are Cloudflare's for a failure of the server behind it, 529 is Anthropic's for an overload.
RETRYABLE_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})


CHECK_BASE_URL = "check --base-url (it usually ends in /v1)"
CHECK_MODEL = f"check the model; '{PROGRAM} models' lists what the server offers"
CHECK_PICTURES = "check that the model accepts pictures; -m chooses another"


#: The statuses with a meaning of their own.
STATUS_MEANINGS = {
    401: (ExitStatus.KEY, "check the key"),
    402: (ExitStatus.CREDITS, "top up the account"),
    403: (ExitStatus.CREDITS, "top up the account, or check the key's permissions"),
    404: (ExitStatus.REFUSED, CHECK_BASE_URL),
    405: (ExitStatus.REFUSED, CHECK_BASE_URL),
    408: (ExitStatus.SERVER, "try again later"),
    413: (ExitStatus.REFUSED, "send less"),
    425: (ExitStatus.SERVER, "try again later"),
    429: (ExitStatus.RATE, "wait, or send fewer requests"),
}


def meaning(code: int, words: str, url: str, is_chat: bool, has_pictures: bool = False) -> tuple[ExitStatus, str]:
    """Returns the exit status and a hint for a response that is not a 2xx.

    `words` is the server's message, `url` the one that was called. A request with
    pictures is refused by models that read only text, in any words.
    """
    if code >= 500:
        return ExitStatus.SERVER, "try again later"
    if code < 400:
        return ExitStatus.REFUSED, "use the address that the server names as --base-url"
    status, hint = STATUS_MEANINGS.get(code, (ExitStatus.REFUSED, "correct the request"))
    if code == 429 and is_out_of_quota(words):
        return ExitStatus.CREDITS, "top up the account, or check its plan"
    if code in (404, 405) or words.startswith("an HTML page") or is_wrong_path(words):
        hint = path_hint(url)
        if code == 404 and is_chat and hint == CHECK_BASE_URL:
            hint = f"check the model and {hint.removeprefix('check ')}"
            hint = CHECK_PICTURES if has_pictures else CHECK_MODEL if is_unknown_model(words) else hint
    elif status == ExitStatus.REFUSED and is_chat and is_context_length_error(words):
        hint = "send less text"
    elif has_pictures and code in (400, 415, 422):
        hint = CHECK_PICTURES
    elif is_chat and code in (400, 422) and is_unknown_model(words):
        hint = CHECK_MODEL
    return status, hint


def path_hint(url: str) -> str:
    """Returns what to check if there is nothing under a URL."""
    parts = urlsplit(url).path.split("/")[1:]
    for size in range(len(parts) // 2, 0, -1):
        for start in range(len(parts) - 2 * size + 1):
            if parts[start : start + size] == parts[start + size : start + 2 * size]:
                return f"check --base-url: /{'/'.join(parts[start : start + size])} is in the URL twice"
    return CHECK_BASE_URL


def reason(code: int) -> str:
    """Returns `404 Not Found`; an unregistered status stands alone."""
    from http import HTTPStatus

    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)
