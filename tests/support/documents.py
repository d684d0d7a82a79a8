"""Answers in one piece, as servers send them, in the manner of dialects."""

from __future__ import annotations

import gzip
import json
from typing import Any

from tests.support.dialects import DONE, HEAD, HELLO, PRETTY, STOP, Dialect
from tests.support.fake_api import completion, document, raw


def _document(value: Any, text: str = "hello", status: int = 0, words: str = "", raw: int = 0) -> Dialect:
    return Dialect(document(value), text, status, words, raw)


def _choice(**choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, **choice}]}


WHOLE = json.dumps(completion("hello")).encode()
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

DOCUMENTS: dict[str, Dialect] = {
    "chunks as lines": _document(b"".join(json.dumps(chunk).encode() + b"\n" for chunk in (*HELLO, STOP)), raw=9),
    "chunks on one line": _document(b"".join(json.dumps(chunk).encode() for chunk in (*HELLO, STOP)), raw=9),
    "more than its length": Dialect(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + WHOLE), raw=9),
    "no last chunk": Dialect(raw(CHUNKED + b"%x\r\n%s\r\n" % (len(WHOLE), WHOLE)), raw=9),
    "a length in characters": Dialect(
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(WHOLE) - 2) + WHOLE), "", 9, raw=9
    ),
    "a coding that is no more": Dialect(
        raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(WHOLE) + WHOLE)
    ),
    "gzip without its end": Dialect(
        raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzip.compress(WHOLE)[:-8]),
        raw=9,
    ),
    "a list of one completion": _document([completion("hello")]),
    "parts": _document(
        {"choices": [{"message": {"content": [{"type": "thinking", "text": "HM"}, {"text": "hello"}]}}]}
    ),
    "a part in place of the list": _document(_choice(message={"content": {"type": "text", "text": "hello"}})),
    "an object for text": _document(_choice(message={"content": {"answer": [42]}}), '{"answer":[42]}'),
    "a number for text": _document(_choice(message={"content": 42}), "42"),
    "characters that are not escaped": _document(b'{"choices": [{"message": {"content": "a\tb\nc"}}]}', "a\tb\nc"),
    "Gemini's blocked prompt": _document(
        {"choices": [], "promptFeedback": {"blockReason": "SAFETY"}}, "", 11, "the prompt was blocked"
    ),
    "a message that is a text": _document(_choice(message="hello")),
    "a choice in place of the list": _document({"choices": _choice(message={"content": "hello"})["choices"][0]}),
    "completions": _document(_choice(text="hello")),
    "an envelope": _document({"code": 200, "msg": "success", "data": completion("hello")}),
    "Cloudflare's envelope": _document({"success": True, "errors": [], "result": completion("hello")}),
    "an envelope with an error": _document({"code": 1001, "msg": "no quota", "data": {}}, "", 7, "no quota"),
    "an envelope with both": _document({"code": 500, "msg": "died", "data": completion("hello")}, "", 7, "died"),
    "an empty error": _document({**completion("hello"), "error": {"code": None, "message": ""}}),
    "a reason in the message": _document(
        _choice(message={"content": "hello", "finish_reason": "length"}, finish_reason=None), status=10
    ),
    "a reason of another name": _document(_choice(message={"content": "hello"}, finishReason="MAX_TOKENS"), status=10),
    "vLLM's stop sequence": _document(_choice(message={"content": "hello"}, finish_reason="stop", stop_reason="error")),
    "a list of chunks without an end": _document(list(HELLO), status=9, words="only the beginning"),
    "another API": _document({"output": [{"text": "hello"}]}, "", 9, "JSON without choices"),
    "an error and done": Dialect(raw(HEAD + PRETTY + DONE), "", 7, "high demand", 9),
    "a list of errors": _document([{"error": {"message": "high demand"}}], "", 7, "high demand"),
    "a wrong path": _document({"error": "Unexpected endpoint or method. (POST /x)"}, "", 7, "check --base-url"),
    "no such path": _document({"code": 404, "message": "Not Found"}, "", 7, "check --base-url"),
    "a root": Dialect(document(b"Ollama is running", kind="text/plain"), "", 9, "check --base-url"),
    "an HTML page": Dialect(document(b"<!doctype html><title>UI</title>", kind="text/html"), "", 9, "check --base-url"),
    "bare json for ever": _document(b'{"a": [' + b"{},\n{}\n," * 3000, "", 9, "malformed", raw=9),
    "an integer of 5000 digits": _document(
        json.dumps({**completion("hello"), "created": 0}).replace('"created": 0', '"created": ' + "9" * 5000).encode()
    ),
}
