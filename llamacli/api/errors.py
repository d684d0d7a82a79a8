"""Error documents in the dialects of several servers."""

import json
import re
from contextlib import suppress
from typing import cast

from llamacli.api.json import JsonObject, encode, loads
from llamacli.api.messages import unwrap
from llamacli.api.sse import PING_NAMES

#: The most that is read: bytes of an error's body, characters of a document without words.
MAX_ERROR_BYTES = 1 << 16
MAX_DOCUMENT_CHARS = 2000

#: How servers say that a request is longer than the model's context.
CONTEXT_LENGTH_WORDS = (
    r"context.{0,9}(length|window|size)|sequence length|too (long|large)|reduce the length"
    r"|tokens?.{0,40}(exceed|maximum|must be <=)"
    r"|(exceed|maximum|less than).{0,40}tokens?|max_seq_len|max(imum)? (prompt |input )?length|(prompt|input) length"
)

#: How servers say in a 429 that waiting will not help: the account is empty, not the rate exceeded.
OUT_OF_QUOTA_WORDS = (
    r"insufficient[_ ](quota|balance|credits?|funds)|exceeded your current quota|billing_(hard_limit|not_active)"
    r"|run out of (credits?|quota|funds)|out of (credits?|funds)|quota_exhausted|payment[_ ]required"
    r"|(balance|credits?)( \w+){0,3} (exhausted|too low|depleted)|account( \w+){0,3} (suspended|arrears|overdue)"
    r"|arrearage|good standing|\u4f59\u989d\u4e0d\u8db3|(spend(ing)?|billing)[_ ](limit|cap)"
)

#: How servers say in an error document when to try again, in seconds.
RETRY_DELAY = (
    r'(?:"(?:retry|(?:quota)?resets?)[_-]?(?:delay|after|in)(?:_?s(?:ec(?:onds)?)?|(_?ms))?": ?"?'
    r"|\b(?:retry|again|available|resets?) (?:in|after) |\bretry-after: |\bwait (?:for )?)"
    r"(?:(\d{1,9}) ?m(?:in(?:utes?)?)?(?![a-z]) ?)?(?:(\d{1,9}(?:\.\d{1,9})?) ?(m?s|m?sec(?:onds?)?|(?! ?[hdm]))\b)?"
)

MILLISECONDS = ("ms", "msec", "msecond", "mseconds")

#: How servers say that they do not offer the model.
UNKNOWN_MODEL_WORDS = (
    r"model_not_found|not a valid model|(unknown|invalid|no such|unsupported|unrecognized) model"
    r"|\bmodel\b.{0,120}(not (be )?(found|exist|supported|available|offered|loaded)|unknown|invalid|unavailable)"
)

#: How servers say that the key is wrong without a 401.
INVALID_KEY_WORDS = r"api[_ ]key[_ ](is |was )?(not[_ ]valid|invalid|not[_ ]found)|invalid[_ ]api[_ ]key"

#: How servers say that the URL is not one of theirs.
WRONG_PATH_WORDS = (
    r"unexpected endpoint|unknown (endpoint|path|route|url)|no (such )?(route|endpoint)|cannot (post|get) /"
    r"|^not found$|(endpoint|path|route|page|url) (was )?not found"
)

#: The keys of an error document that hold words, by the order in which they are read, in lower case.
WORD_KEYS = ("message", "error", "detail", "title", "msg", "reason", "description")
#: The ends of further keys that hold words.
MORE_WORD_KEYS = (
    r"(message|msg|err|error|errors|details?|reason|description|fault|faultstring|raw|metadata|base_resp"
    r"|validation|issues|violations|cause|exception)$"
)
#: The keys that may mark a document without choices as an error.
DOUBTFUL_KEYS = r"(message|msg|details?|title)$"

#: The keys whose value is an error, those among them that are beside choices, and keys that say how a request went.
ERROR_KEYS = r"(.*[a-z_])?(errors?|exception|failure|fault|traceback)|err"
ERRORS = frozenset({"error", "errors"})
STATE_KEYS = r"type|event|object|result|status|(status_?)?code"
#: Longer values do not name a state, and matching them takes quadratic time.
MAX_STATE_CHARS = 200
FAILURE_WORDS = (
    r"(.*[^a-z])?(error|fail(ed|ure)?|exception|abort(ed)?|reject(ed)?|cancell?ed|incomplete|timeout)([^a-z].*)?"
    r"|[45]\d\d"
)

#: Values that only say that nothing failed.
SUCCESS_WORDS = ("0", "200", "success", "succeeded", "ok", "none", "null", "no error", "false")

#: The keys of a server's own error numbers.
CODE_KEYS = "(error_?|err|ret_?|status_?)?code"


def is_context_length_error(words: str) -> bool:
    """True if a refusal says that the messages are too long for the model."""
    return bool(re.search(CONTEXT_LENGTH_WORDS, words, re.IGNORECASE | re.DOTALL))


def is_out_of_quota(words: str) -> bool:
    """True if the words of a 429 say that waiting will not help."""
    return bool(re.search(OUT_OF_QUOTA_WORDS, words, re.IGNORECASE))


def is_unknown_model(words: str) -> bool:
    """True if a refusal says that the server does not offer the model."""
    return bool(re.search(UNKNOWN_MODEL_WORDS, words, re.IGNORECASE))


def is_invalid_key(words: str) -> bool:
    """True if an error's text says that the key is not valid, as Gemini does in a 400."""
    return bool(re.search(INVALID_KEY_WORDS, words, re.IGNORECASE))


def is_wrong_path(words: str) -> bool:
    """True if an error's text says that nothing exists at the URL."""
    return bool(re.search(WRONG_PATH_WORDS, words, re.IGNORECASE))


def is_failure(value: object, depth: int = 9) -> bool:
    """True if the value of an `error` key says that something failed."""
    if isinstance(value, dict) and depth:
        return any(is_failure(part, depth - 1) for part in value.values())
    return str(value).lower() not in SUCCESS_WORDS if value else False


def reports_error(chunk: object, depth: int = 3) -> bool:
    """True if a document says that it is an error, alone or as part of a stream."""
    if not isinstance(chunk, dict) or chunk.get("type") in PING_NAMES:
        return False
    if chunk.get("choices"):
        return any(is_failure(chunk.get(key)) for key in ERRORS)
    has_answer = unwrap(chunk) is not chunk
    for key, value in chunk.items():
        name, text = str(key).lower(), str(value)[:MAX_STATE_CHARS].lower() if isinstance(value, (str, int)) else ""
        if re.fullmatch(ERROR_KEYS, name) and is_failure(value):
            return True
        if re.fullmatch(STATE_KEYS, name) and is_failure(text) and re.fullmatch(FAILURE_WORDS, text):
            return True
        if name in ("success", "ok") and text == "false":
            return True
        if not has_answer and (
            (re.fullmatch(CODE_KEYS, name) and re.fullmatch(r"-?\d+", text) and is_failure(text) and words_in(chunk))
            or (depth and reports_error(value, depth - 1))
        ):
            return True
    return False


def error_inside(data: str) -> JsonObject | None:
    """Returns the error that a relay wrote into an unfinished event, None if there is none."""
    for line in data.split("\n")[1:]:
        with suppress(ValueError):
            if reports_error(document := loads(line)):
                return cast("JsonObject", document)
    return None


def has_error_words(chunk: JsonObject) -> bool:
    """True if a document without choices is worded like an error."""
    return (
        chunk.get("choices") is None
        and chunk.get("type") not in PING_NAMES
        and any(words_in(value) for key, value in chunk.items() if re.search(DOUBTFUL_KEYS, str(key).lower()))
    )


def error_message(document: object) -> str:
    """Returns the server's words in an error document, else all of it."""
    words = words_in(document)
    if words or document in (None, "", [], {}):
        return words
    return encode(document).decode("utf-8", "replace")[:MAX_DOCUMENT_CHARS]


def words_in(document: object, depth: int = 9) -> str:
    """Returns the server's own words in an error document, "" if it has none.

    Knows AIMLAPI's {message, ...}, OpenAI's {error: {message}}, {error: "text"},
    FastAPI's {detail: "text" or [{loc, msg}]}, problem+json (RFC 9457), lists of
    validation errors beside any of them, and the words of OpenRouter's providers.
    """
    if isinstance(document, str):
        return _words_in_text(document, depth)
    if isinstance(document, list) and depth:
        return ", ".join(filter(None, (words_in(part, depth - 1) for part in document[:5])))
    if not isinstance(document, dict) or not depth:
        return ""
    values = {str(key).lower(): value for key, value in list(document.items())[:100]}
    parts = [words_in(values[key], depth - 1) for key in WORD_KEYS if values.get(key)]
    location = values.get("loc") or values.get("path")
    # AIMLAPI's `path` is the URL's, a text; that of a validation error names the field.
    if isinstance(location, list):
        parts.append("in " + ".".join(map(str, location[:9])))
    for key, value in values.items():
        if value and key not in WORD_KEYS and re.search(MORE_WORD_KEYS, key):
            parts.append(words_in(value, depth - 1))
    for key in ("code", "type"):
        code = str(values.get(key))
        # The code may say what the words leave out.
        if parts and any(
            test(code) and not any(map(test, parts)) for test in (is_context_length_error, is_out_of_quota)
        ):
            parts.append(code[:100])
    for key in ("expected", "received"):
        if isinstance(values.get(key), str):
            parts.append(f"{key} {values[key]}")
    return ", ".join(dict.fromkeys(filter(None, parts)))


def _words_in_text(text: str, depth: int) -> str:
    """Returns a text, or the words in the JSON that it quotes."""
    if depth and text.lstrip()[:1] in ("{", "[") and len(text) < MAX_ERROR_BYTES:
        try:
            return words_in(loads(text), depth - 1) or text
        except ValueError:
            pass
    return _without_period(text)


def _without_period(text: str) -> str:
    """Returns a text without its final period: more words follow it."""
    text = text.rstrip()
    return text[:-1] if text.endswith(".") and not text.endswith("..") else text


def error_in(body: bytes) -> str:
    """Returns the server's own words in an error's body of any kind."""
    text = body[:MAX_ERROR_BYTES].decode("utf-8", "replace").strip()
    if text.startswith("<"):
        # The XML of Amazon and Azure, else a page.
        if words := _inside(text, "message"):
            return _without_period(words)
        title = _inside(text, "title") or _inside(text, "h1")
        return f"an HTML page, '{title}'" if title else "an HTML page"
    try:
        return error_message(loads(text))
    except ValueError:
        return _without_period(text)


def _inside(page: str, tag: str) -> str:
    """Returns the text in the first element with a tag, "" if there is none."""
    start = re.search(rf"<{tag}\b[^<>]{{0,200}}>", page, re.IGNORECASE)
    return page[start.end() : start.end() + 200].partition("<")[0].strip() if start else ""


def retry_delay_in(body: bytes) -> float | None:
    """Returns the seconds that an error document asks to wait, or None."""
    # Relays quote the document of another server.
    text = body[:MAX_ERROR_BYTES].decode("utf-8", "replace").replace('\\"', '"')
    for match in re.finditer(RETRY_DELAY, text, re.IGNORECASE):
        in_milliseconds, minutes, number, unit = match.groups()
        if minutes or number:
            size = 0.001 if in_milliseconds or (unit or "").lower() in MILLISECONDS else 1
            return float(minutes or 0) * 60 + float(number or 0) * size
    return None


def quoted_headers(body: bytes) -> dict[str, str]:
    """Returns the headers that OpenRouter quotes in `error.metadata.headers`, their names in lower case."""
    try:
        headers = loads(body[:MAX_ERROR_BYTES].decode("utf-8", "replace"))["error"]["metadata"]["headers"]
        return {str(name).lower(): str(value) for name, value in headers.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def request_id(document: object) -> str | None:
    """Returns the id of the request in AIMLAPI's error document."""
    value = document.get("requestId") if isinstance(document, dict) else None
    return value if isinstance(value, str) else None


def request_id_in(body: bytes) -> str | None:
    """Returns the request id in the body of an HTTP error."""
    try:
        return request_id(json.loads(body[:MAX_ERROR_BYTES]))
    except (ValueError, RecursionError):
        return None
