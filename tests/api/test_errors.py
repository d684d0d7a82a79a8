"""Error bodies of many servers, and the message that the user sees."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest

from llamacli.api.errors import (
    error_in,
    has_error_words,
    is_context_length_error,
    is_out_of_quota,
    is_unknown_model,
    reports_error,
    retry_delay_in,
)
from llamacli.api.json import loads
from llamacli.http.retry import CHECK_MODEL, path_hint, status_meaning

BODIES: list[tuple[Any, str]] = [
    ({"error_code": 17, "error_msg": "daily limit reached"}, "daily limit reached"),
    ({"base_resp": {"status_code": 1004, "status_msg": "login fail"}}, "login fail"),
    ({"fault": {"faultstring": "Invalid ApiKey", "detail": {"errorcode": "x"}}}, "Invalid ApiKey"),
    ({"errorMessage": "model busy"}, "model busy"),
    ({"Message": "denied by policy"}, "denied by policy"),
    ({"error": True, "reason": "no such thing"}, "no such thing"),
    ({"err": {"msg": "out of memory"}}, "out of memory"),
    ({"error": {"details": "Requested logprobs of 21"}}, "Requested logprobs of 21"),
    ({"errors": ["one", {"message": "two"}]}, "one, two"),
    ({"error": {"code": "InvalidParameter", "param": "x"}}, '{"error":{"code":"InvalidParameter","param":"x"}}'),
    ({"code": 5}, '{"code":5}'),
    ([{"error": {"message": "in a list"}}], "in a list"),
    ("quoted", "quoted"),
    ({"error": {"message": "No access to it.", "detail": "Ask us. "}}, "No access to it, Ask us"),
    ({"error": "wait..."}, "wait..."),
    ({}, ""),
    ([], ""),
    (None, ""),
    (
        {"error": {"message": "Provider returned error", "metadata": {"raw": '{"error":{"message":"1 image"}}'}}},
        "Provider returned error, 1 image",
    ),
    (
        {"object": "error", "message": {"detail": [{"loc": ["body", "x"], "msg": "Extra inputs are not permitted"}]}},
        "Extra inputs are not permitted, in body.x",
    ),
    ({"error": {"message": "boom", "code": "context_length_exceeded"}}, "boom, context_length_exceeded"),
    ({"error": {"message": "maximum context length", "code": "context_length_exceeded"}}, "maximum context length"),
    (
        {"error": {"message": "bad type", "expected": "text", "received": "list"}},
        "bad type, expected text, received list",
    ),
    ({"title": "Bad", "detail": "worse", "validation": [{"message": "v1"}]}, "worse, Bad, v1"),
]


@pytest.mark.parametrize(("body", "words"), BODIES)
def test_an_error_quotes_the_server(body: Any, words: str) -> None:
    assert error_in(json.dumps(body).encode()) == words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html><head><title>\n Login </title></head>", "an HTML page, 'Login'"),
        (b"<TITLE lang=en>502 Bad Gateway", "an HTML page, '502 Bad Gateway'"),
        (b"<h1 class=x>Oops</h1>", "an HTML page, 'Oops'"),
        (b"<p>x", "an HTML page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Not yours.</Message></Error>", "Not yours"),
        (b"plain words", "plain words"),
    ],
)
def test_a_body_that_is_not_json_is_quoted(body: bytes, words: str) -> None:
    assert error_in(body) == words


@pytest.mark.parametrize(
    "body",
    [
        b"<h1>" * 300_000,
        b"<title" * 300_000,
        b"<title>" * 300_000,
        b"<h1 " + b" " * 1_000_000,
        b'{"a":' * 300_000,
        b'{"message": "' + b"x" * 2_000_000 + b'"}',
        json.dumps({"errors": [{"message": "x" * 100}] * 20_000}).encode(),
        json.dumps({f"error{number}": "x" for number in range(5000)}).encode(),
        json.dumps({"status": " error" * 200_000 + "\n!"}).encode(),
    ],
    ids=lambda body: body[:12].decode(),
)
def test_only_the_start_of_a_huge_error_is_looked_at(body: bytes) -> None:
    start = time.monotonic()
    assert len(error_in(body)) <= 1 << 16
    with suppress(ValueError):
        reports_error(loads(body.decode()))
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("chunk", "is_error"),
    [
        ({"error": {"message": "x"}}, True),
        ({"choices": [], "error": "x"}, True),
        ({"object": "error", "message": "x"}, True),
        ({"type": "error"}, True),
        ({"type": "response.incomplete"}, True),
        ({"status": "rejected"}, True),
        ({"status": "completed"}, False),
        ({"detail": "x"}, True),
        ({"choices": [], "base_resp": {"status_code": 1008, "status_msg": "x"}}, True),
        ({"choices": [], "base_resp": {"status_code": 0, "status_msg": "success"}}, False),
        ({"choices": [], "message": "x"}, False),
        ({"choices": [], "code": "500", "reason": "x"}, True),
        ({"code": 200, "reason": "x"}, False),
        ({"type": "ping", "message": "x"}, False),
        ({"usage": {"total_tokens": 1}}, False),
        ({"object": "chat.completion.chunk", "id": "x"}, False),
        ({"error": None, "choices": []}, False),
        ({"error": {}, "choices": []}, False),
    ],
)
def test_errors_and_chunks_are_told_apart(chunk: dict[str, Any], is_error: bool) -> None:
    assert (reports_error(chunk) or has_error_words(chunk)) is is_error


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ('{"error": {"code": "insufficient_quota"}}', True),
        ("You exceeded your current quota, please check your plan and billing details.", True),
        ("Your account balance is too low", True),
        ("You've run out of credits", True),
        ("Free-tier limit: You've reached your free limit for the hour", False),
        ('{"code": "Arrearage", "message": "check that the account is in good standing"}', True),
        ("You have reached your monthly spend limit", True),
        ("余额不足或无可用资源包,请充值。", True),
        ("Too Many Requests", False),
        ("Rate limit reached for requests", False),
    ],
)
def test_an_empty_account_and_a_rate_limit_are_told_apart(words: str, expected: bool) -> None:
    assert is_out_of_quota(words) is expected


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Please retry after 2 seconds.", 2),
        ("Please try again in 1m30s.", 90),
        ("try again in 6m0s", 360),
        ("try again in 1500ms", 1.5),
        ("retry in 5 minutes", 300),
        ('{"error": {"retry_after_seconds": 2.5}}', 2.5),
        ('{"retryDelay": "1.9s"}', 1.9),
        ('{"quotaResetDelay": "1.9s"}', 1.9),
        ('{"resets_in_seconds": 2}', 2),
        ('{"message": "{\\"retryDelay\\": \\"2s\\"}"}', 2),
        ('{"retry_after_ms": 1500}', 1.5),
        ("Please wait 2 seconds. The limit resets in 9 s", 2),
        ("Retry-After: 2", 2),
        ("try again in 2 hours", None),
        ("try again in a moment", None),
    ],
)
def test_the_words_of_an_error_say_when_to_retry(words: str, seconds: float | None) -> None:
    assert retry_delay_in(words.encode()) == seconds


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("The model `x` does not exist or you do not have access to it", True),
        ("model 'x' not found, try pulling it first", True),
        ("Unknown model: x", True),
        ("x is not a valid model ID", True),
        ("model_not_found", True),
        ("Cannot POST /v1/chat", False),
        ("This model does not support tools", False),
    ],
)
def test_the_words_of_an_error_say_that_there_is_no_such_model(words: str, expected: bool) -> None:
    assert is_unknown_model(words) == expected
    assert (status_meaning(404, words, "http://x/v1/chat/completions", True)[1] == CHECK_MODEL) == expected
    assert (status_meaning(400, words, "http://x/v1/chat/completions", True)[1] == CHECK_MODEL) == expected


@pytest.mark.parametrize(
    ("code", "words", "hint"),
    [
        (400, "Your credit balance is too low to access the API", "top up the account, or check its plan"),
        (
            400,
            "Billing hard limit has been reached, billing_hard_limit_reached",
            "top up the account, or check its plan",
        ),
        (400, "API key not valid. Please pass a valid API key, API_KEY_INVALID", "check the key"),
        (400, "temperature must be at most 2", "correct the request"),
        (413, "an HTML page, '413 Request Entity Too Large'", "send less text"),
        (403, "an HTML page, 'Login'", "check --base-url (it usually ends in /v1)"),
    ],
)
def test_a_hint_fits_the_words_more_than_the_status(code: int, words: str, hint: str) -> None:
    assert status_meaning(code, words, "http://x/v1/chat/completions", True)[1] == hint


def test_a_context_length_error_is_recognized() -> None:
    assert is_context_length_error("This model's maximum context length is 8192 tokens")
    for words in (
        "Prompt length 5000 is greater than max_seq_len 4096",
        "`inputs` must have less than 4096 tokens. Given: 5000",
        "Range of input length should be [1, 4096]",
        "This model's maximum prompt length is 4096 but the request contains 5000 tokens.",
        "Prompt exceeds max length",
    ):
        assert is_context_length_error(words)
    assert not is_context_length_error("temperature must be at most 2")


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/v1/chat/completions", "check --base-url (it usually ends in /v1)"),
        ("/v1/v1/chat/completions", "check --base-url: /v1 is in the URL twice"),
        ("/v1/chat/completions/chat/completions", "check --base-url: /chat/completions is in the URL twice"),
        ("/a/b/a/b/models", "check --base-url: /a/b is in the URL twice"),
        ("/models", "check --base-url (it usually ends in /v1)"),
        ("", "check --base-url (it usually ends in /v1)"),
    ],
)
def test_a_repeated_path_is_named(path: str, hint: str) -> None:
    assert path_hint(f"http://host{path}?x=/v1/v1") == hint
