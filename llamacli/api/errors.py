"""Error documents in the dialects of several servers."""

import json
import re

#: How servers say that a request is longer than the model's context.
CONTEXT_LENGTH_WORDS = (
    r"context.{0,9}(length|window|size)|too (long|large)|reduce the length|tokens?.{0,40}(exceed|maximum|must be <=)"
    r"|(exceed|maximum).{0,40}tokens?"
)


def is_context_length_error(words: str) -> bool:
    """Tells whether a server's refusal says that the messages are too long for the model."""
    return bool(re.search(CONTEXT_LENGTH_WORDS, words, re.IGNORECASE | re.DOTALL))


def error_message(document: object, depth: int = 9) -> str:
    """Finds the server's own words in an error document, no deeper than so, "" where it has none.

    Knows AIMLAPI's {message, ...}, OpenAI's {error: {message}}, {error: "text"},
    FastAPI's {detail: "text" or [{loc, msg}]}, problem+json (RFC 9457) and lists of
    validation faults beside any of them.
    """
    if isinstance(document, str):
        return document
    if isinstance(document, list) and depth:
        return ", ".join(filter(None, (error_message(part, depth - 1) for part in document[:5])))
    if not isinstance(document, dict) or not depth:
        return ""
    words = ("message", "error", "detail", "title", "msg")
    parts = [error_message(document[key], depth - 1) for key in words if document.get(key)]
    location = document.get("loc") or document.get("path")
    # AIMLAPI's `path` is the URL's, a text; a validation fault's names the field.
    if isinstance(location, list):
        parts.append("in " + ".".join(map(str, location)))
    for key in ("validation", "errors", "issues"):
        if document.get(key):
            parts.append(error_message(document[key], depth - 1))
    for key in ("expected", "received"):
        if isinstance(document.get(key), str):
            parts.append(f"{key} {document[key]}")
    return ", ".join(dict.fromkeys(filter(None, parts)))


def error_in(body: bytes) -> str:
    """Finds the server's own words in the body of an HTTP error: JSON, HTML, text or nothing."""
    text = body.decode("utf-8", "replace").strip()
    try:
        return error_message(json.loads(text))
    except (ValueError, RecursionError):
        pass
    if text.startswith("<"):
        title = re.search(r"<(title|h1)[^>]*>(.*?)</\1", text, re.IGNORECASE | re.DOTALL)
        return f"an HTML page, '{title[2].strip()}'" if title else "an HTML page"
    return text


def request_id(document: object) -> str | None:
    """Returns the id under which AIMLAPI's error document names the request."""
    found = document.get("requestId") if isinstance(document, dict) else None
    return found if isinstance(found, str) else None


def request_id_in(body: bytes) -> str | None:
    """Returns the request id in the body of an HTTP error."""
    try:
        return request_id(json.loads(body))
    except (ValueError, RecursionError):
        return None
