"""The dialects of servers, as a table: what is sent, and what a user sees.

Most rows come from bug reports against other clients.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.support.fake_api import Behavior, delta, event, raw

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
DONE = b"data: [DONE]\n\n"
HELLO = (delta("he"), delta("llo"))
STOP = delta(finish="stop")


@dataclass(frozen=True)
class Dialect:
    """A response; `status` and `text` are what ask makes of it, `words` what its error line mentions."""

    behavior: Behavior
    text: str = "hello"
    status: int = 0
    words: str = ""
    #: The status of raw, which does not interpret the body.
    raw: int = 0


def parts(*parts: Any, in_list: bool = True) -> dict[str, Any]:
    """Returns a chunk whose content is an array of parts, or only the first one."""
    return {"choices": [{"index": 0, "delta": {"content": list(parts) if in_list else parts[0]}}]}


def sent(*events: Any) -> Behavior:
    """Sends a stream and closes; bytes as they are, anything else as an event."""
    return raw(HEAD + b"".join(part if isinstance(part, bytes) else event(part) for part in events))


def data(*lines: Any) -> bytes:
    """Returns lines of data that only one newline separates."""
    return b"".join(
        b"data: " + (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines
    )


def whole(*events: Any, text: str = "hello", **more: Any) -> Dialect:
    return Dialect(sent(*events), text, **more)


def broken(*events: Any, text: str = "so far", status: int = 9, words: str = "", raw: int = 9) -> Dialect:
    return Dialect(sent(*events), text, status, words, raw)


SO_FAR = delta("so far")
FAILED = b'{"code":500,"message":"context shift is disabled","type":"server_error"}'
PRETTY = b'{\n  "error": {\n    "code": 503,\n    "message": "high demand",\n    "status": "UNAVAILABLE"\n  }\n}\n'


GROWING = (("he", None), ("hello", None), ("hello", "stop"))
STREAMS: dict[str, Dialect] = {
    # Errors outside of the standard's fields
    "error field": broken(SO_FAR, b"error: " + FAILED + b"\n\n", DONE, status=7, words="context shift", raw=0),
    "error field first": broken(b"error: " + FAILED + b"\n\n", DONE, text="", status=7, words="context shift", raw=0),
    "error field in capitals": broken(SO_FAR, b"ERROR: engine died\n\n", DONE, status=7, words="engine died", raw=0),
    "error in words": broken(SO_FAR, b"Error code: 524\n", DONE, status=7, words="Error code: 524", raw=0),
    "bare json": broken(SO_FAR, PRETTY, status=7, words="high demand"),
    "bare json and done": broken(SO_FAR, PRETTY, b"\n", DONE, status=7, words="high demand", raw=0),
    "bare json on one line": broken(SO_FAR, b'{"error": "gone"}\n', DONE, status=7, words="gone", raw=0),
    "bare json of no end": broken(SO_FAR, b'{"error": {\n"message": \n', words='{"error"'),
    "a list of errors": broken(SO_FAR, [{"error": {"message": "high demand"}}], status=7, words="high demand"),
    "error event in words": broken(SO_FAR, b"event: error\ndata: timed out\n\n", status=7, words="timed out"),
    "error event cut off": broken(SO_FAR, b"event: error\ndata: timed out", status=7, words="timed out"),
    "error event of no words": broken(SO_FAR, b"event: error\ndata: {}\n\n", words="an error without a message"),
    "error data in words": broken(SO_FAR, b"data: error: engine died\n\n", status=7, words="engine died"),
    "details": broken(
        SO_FAR, b'event: error\ndata: {"details":"logprobs of 21"}\n\n', status=7, words="logprobs of 21"
    ),
    "FastChat": broken(SO_FAR, {"object": "error", "message": "HIGH TRAFFIC"}, DONE, status=7, words="TRAFFIC", raw=0),
    "Anthropic": broken(
        SO_FAR,
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
        status=7,
        words="Overloaded",
    ),
    "OpenRouter": broken(
        SO_FAR,
        {**delta("", "error"), "error": {"message": "Provider returned error", "metadata": {"raw": "pool exhausted"}}},
        status=7,
        words="pool exhausted",
        raw=0,
    ),
    "MiniMax": broken(
        {"choices": None, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}},
        text="",
        status=7,
        words="insufficient balance",
        raw=0,
    ),
    "an error in a choice": broken(
        SO_FAR, {"choices": [{"index": 0, "delta": {}, "error": {"message": "died"}}]}, status=7, words="died"
    ),
    "an error in a delta": broken(
        SO_FAR, {"choices": [{"index": 0, "delta": {"error": "died"}}]}, DONE, status=7, words="died", raw=0
    ),
    "an error as a JSON string": broken(SO_FAR, b'data: "Error: died"\n\n', DONE, status=7, words="died", raw=0),
    "a code of HTTP as a string": broken(
        SO_FAR, {"choices": [], "code": "500", "reason": "died"}, DONE, status=7, words="died", raw=0
    ),
    "err field": broken(SO_FAR, b"err: engine died\n\n", DONE, status=7, words="engine died", raw=0),
    "unknown field with an error": broken(
        SO_FAR, b'result: {"error": {"message": "died"}}\n\n', DONE, status=7, words="died", raw=0
    ),
    "Bedrock": broken(
        SO_FAR, {"throttlingException": {"message": "Too many"}}, DONE, status=7, words="Too many", raw=0
    ),
    "Groq": broken(SO_FAR, {**delta(), "x_groq": {"error": "no room"}}, DONE, status=7, words="no room", raw=0),
    "a number of the server's own": broken(
        SO_FAR, {"code": 10013, "message": "audit failed", "choices": []}, DONE, status=7, words="audit failed", raw=0
    ),
    "words without a mark": broken(SO_FAR, {"detail": "died"}, STOP, DONE, status=7, words="died", raw=0),
    "words before the text": whole({"message": "loading the model"}, *HELLO, STOP, DONE),
    "words after the answer": whole(*HELLO, STOP, {"type": "metrics", "detail": "9 tokens/s"}, DONE),
    "an error that is none": whole(
        *({**chunk, "error": {"code": 0, "message": "success"}} for chunk in HELLO), STOP, DONE
    ),
    "success: false": broken(SO_FAR, {"success": False, "info": "E17"}, status=7, words='"info":"E17"'),
    "a code of HTTP": broken(SO_FAR, {"statusCode": 503, "hint": "E17"}, status=7, words='"hint":"E17"'),
    "a status in words": broken(SO_FAR, {"status": "failed", "reason": "no GPU"}, status=7, words="no GPU"),
    **{
        name: broken(SO_FAR, chunk, DONE, status=7, words="died", raw=0)
        for name, chunk in {
            "Cohere": {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "died"}},
            "iFlytek": {"header": {"code": 10013, "message": "died"}, "payload": {}},
            "Tencent": {"Response": {"Error": {"Code": "InternalError", "Message": "died"}}},
            "another API's failure": {"type": "response.failed", "response": {"error": {"message": "died"}}},
            "an error named err": {"err": {"msg": "died"}},
            "an error in an envelope": {"data": {"error": "died"}},
            "a result in words": {"result": "error", "info": "died"},
            "an event inside of the data": {"event": "error", "data": "died"},
            "errors beside choices": {**delta(), "errors": [{"message": "died"}]},
            "a name with a period": b'event: upstream.error\ndata: {"info": "died"}\n\n',
            "a name and a blank line": b'event: error\n\ndata: {"info": "died"}\n\n',
            "an exception in words": b"data: RuntimeError: died\n\n",
        }.items()
    },
    "an error event without data": broken(SO_FAR, b"event: error\n\n", DONE, status=7, raw=9),
    "no error in an envelope": whole({"metrics": {"errors": 0, "code": 200}, "success": True}, *HELLO, STOP, DONE),
    "Azure's filter failed": whole(
        {"choices": [], "prompt_filter_results": [{"error": {"message": "x"}}]}, *HELLO, STOP
    ),
    "no words": broken(SO_FAR, {"error": {"code": "E17", "param": "x"}}, status=7, words='"code":"E17"'),
    "a gateway's page": broken(SO_FAR, b"<html><title>502</title></html>\n", words="<html>"),
    "a gateway's page and done": whole(delta("hello"), b"upstream closed\n\n", STOP, DONE),
    "a gateway's page and done in place of the end": broken(
        SO_FAR, b"Internal Server Error\n\n", DONE, words="Internal Server Error", raw=0
    ),
    # Fields
    "data twice": whole(*(b"data: " + data(chunk) + b"\n" for chunk in (*HELLO, STOP)), b"data: data: [DONE]\n\n"),
    "chunks in another field": whole(*(data(chunk).replace(b"data", b"chunk", 1) for chunk in HELLO), STOP, DONE),
    # Signs of life
    "null events": whole(b"data: null\n\n", HELLO[0], b"data: null\n\n", HELLO[1], STOP, DONE),
    "empty lists": whole(b"data: []\n\n", HELLO[0], b"data: {}\n\n", HELLO[1], STOP, DONE),
    "empty strings": whole(b'data: ""\n\n', HELLO[0], b"data:\n\ndata\n\n", HELLO[1], STOP, DONE),
    "ping events": whole(b"event: ping\ndata: 1\n\n", *HELLO, b'data: {"type": "ping"}\n\n', STOP, DONE),
    "unknown fields": whole(b"foo: bar\n", *HELLO, b"x-time: 5\n\n", STOP, DONE),
    "comments": whole(b": PROCESSING\n\n" * 2, *HELLO, b":\n\n", STOP, DONE),
    "pings in words": whole(
        b"data: [PING]\n\n", HELLO[0], b"data: keep-alive\n\ndata:   \n\n", HELLO[1], b"event: Ping\ndata: 5\n\n", STOP
    ),
    "only signs of life": broken(b"data: null\n\n", b": x\n\n", b"data:\n\n", text="", words="contained no answer"),
    "only events without data": broken(b"data:\n\n" * 3, text="", words="contained no answer"),
    "comments in the data": whole(b"data: : PROCESSING\n\n" * 2, HELLO[0], b"data: :ping\n\n", HELLO[1], STOP, DONE),
    "times and numbers": whole(
        b"data: 2026-04-07 20:20:50.554328\n\n", HELLO[0], b"data: 1\n\n", b'data: "17:04:05"\n\n', HELLO[1], STOP, DONE
    ),
    "pings with more words": whole(
        b"data: ping - 2026-01-01 00:00:00\n\n",
        HELLO[0],
        b"data: [PROCESSING]\n\ndata: heartbeat 12\n\n",
        HELLO[1],
        STOP,
    ),
    # The end of an event
    "no blank line": whole(*HELLO, data(STOP)),
    "no newline": whole(*HELLO, data(STOP).rstrip()),
    "done without a blank line": whole(*HELLO, b"data: [DONE]\n"),
    "done without a newline": whole(*HELLO, b"data: [DONE]"),
    "one newline each": whole(data(*HELLO, STOP, b"[DONE]"), b"\n"),
    "one newline each and no end": whole(data(*HELLO, STOP)),
    "JSON on several lines": whole(
        *(b"data: " + json.dumps(chunk, indent=1).encode() + b"\n\n" for chunk in (*HELLO, STOP)), DONE
    ),
    "quoted newlines between events": whole(
        b"\\n\\n".join(b"data: " + json.dumps(chunk).encode() for chunk in (*HELLO, STOP)) + b"\\n\\ndata: [DONE]\\n\\n"
    ),
    "an error in an event that was cut": broken(
        SO_FAR,
        b'data: {"id":"x","cho\ndata: {"type":"error","error":{"message":"died"}}\n\n',
        DONE,
        status=7,
        words="died",
        raw=0,
    ),
    "one event in pieces": whole(
        b'event: message\ndata: {"choices":\ndata: [{"delta": {"content": "hello"}}]}\n\n', DONE
    ),
    "cut in an event": broken(SO_FAR, data(STOP)[:-9], words="ended before the answer did"),
    "whole events run together": whole(
        data(HELLO[0]).rstrip() + data(HELLO[1]).rstrip() + b"\\n\\n" + data(STOP), b"\ndata: {},\n\n", DONE
    ),
    "blanks around a field's name": whole(b" data : " + json.dumps(HELLO[0]).encode() + b"\n\n", HELLO[1], STOP, DONE),
    "two events run together": broken(SO_FAR, b'data: {"id":"x","objdata: {}\n\n', STOP, words="malformed", raw=0),
    "a list of chunks": whole([*HELLO, STOP], DONE),
    # The end of a stream
    "done as a name": whole(*HELLO, b"event: done\ndata: {}\n\n"),
    "end as a name": whole(*HELLO, b"event: end\ndata:\n\n"),
    "another word for done": whole(*HELLO, b"data: [END]\n\n"),
    "done in quotes": whole(*HELLO, STOP, b'data: "[DONE]"\n\n'),
    "done without brackets": whole(*HELLO, STOP, b"data: DONE\n\n"),
    "done in small letters": whole(*HELLO, STOP, b"data: [done]\n\n"),
    "done with blanks": whole(*HELLO, STOP, b"data:  [DONE] \r\n\r\n"),
    "another end": whole(*HELLO, STOP, b"data: finished!\n\n"),
    "text after finish_reason": whole(delta("he", "stop"), delta("llo", "stop"), DONE),
    "finish_reason first": whole(delta("", "stop"), delta(reasoning_content="r"), *HELLO, STOP, DONE),
    "text after done": whole(delta("he"), STOP, DONE, delta("llo"), STOP, DONE),
    "an error after done": whole(*HELLO, STOP, DONE, {"error": "late"}, b"\xff garbage\n\n"),
    "no end": broken(SO_FAR, words="ended before the answer did"),
    "usage and no end": broken(SO_FAR, {"choices": [], "usage": {"total_tokens": 1}}, words="ended before"),
    # What is not the answer
    "parts of reasoning": whole(
        parts({"type": "reasoning", "text": "HM"}), parts({"type": "text", "text": "hello"}), STOP
    ),
    "a summary of reasoning": whole(
        parts({"type": "reasoning", "summary": [{"type": "summary_text", "text": "HM"}]}, {"text": "hello"}),
        STOP,
    ),
    "thinking parts": whole(
        parts({"type": "thinking", "thinking": [{"type": "text", "text": "HM"}]}),
        *HELLO,
        STOP,
    ),
    "Gemini's thoughts": whole(parts({"text": "HM", "thought": True}), parts({"text": "hello"}), STOP),
    "deltas of parts": whole(
        parts({"type": "thinking_delta", "thinking": "HM"}), parts(None, {"type": "text_delta", "text": "hello"}), STOP
    ),
    "a value in a part": whole(parts({"type": "text", "text": {"value": "hello", "annotations": []}}), STOP),
    "another type of text": whole(parts({"type": "MARKDOWN", "content": "hello"}), STOP),
    "parts without text": whole(parts({"type": "reference", "text": "[1]"}), *HELLO, STOP),
    "only reasoning": broken(delta("", reasoning_content="42"), STOP, text="", words="reasoning but no answer", raw=0),
    "only parts of reasoning": broken(
        parts({"type": "reasoning", "text": "42"}),
        STOP,
        text="",
        words="reasoning but no answer",
        raw=0,
    ),
    "Azure": whole(
        {"choices": [], "prompt_filter_results": []},
        *HELLO,
        STOP,
        {"id": "", "choices": [{"index": 0, "finish_reason": None, "content_filter_offsets": {"check_offset": 4}}]},
        DONE,
    ),
    "messages for deltas": whole(
        *({"choices": [{"message": {"content": text}}]} for text in ("he", "llo")),
        {"choices": [{"finish_reason": "stop"}]},
    ),
    "growing messages for deltas": whole(
        *({"choices": [{"message": {"content": text}, "finish_reason": reason}]} for text, reason in GROWING)
    ),
    "message beside an empty delta": whole(
        {"choices": [{"delta": {}, "message": {"content": "hello"}, "finish_reason": "stop"}]}
    ),
    "words beside a delta": broken(
        SO_FAR, {"choices": [{"delta": {}, "message": "died", "finish_reason": "error"}]}, status=7, raw=0
    ),
    "text beside an empty delta": whole({"choices": [{"delta": {}, "text": "hello", "finish_reason": "stop"}]}),
    "message beside delta": whole(
        *({**chunk, "choices": [{**chunk["choices"][0], "message": {"content": "so far"}}]} for chunk in HELLO), STOP
    ),
    "huge numbers": whole(
        *HELLO, {**STOP, "created": 10**400, "usage": {"prompt_tokens": 10**400, "completion_tokens": -1}}, DONE
    ),
    "an integer of 5000 digits": whole(
        *HELLO, STOP, b'data: {"choices": [], "created": ' + b"9" * 5000 + b"}\n\n", DONE
    ),
    "odd ids": whole(*({**chunk, "id": {"a": [1]}, "created": "soon", "model": 5} for chunk in HELLO), STOP, DONE),
    "a reason while it is written": broken(delta("so", "null"), delta(" far", "FINISH_REASON_UNSPECIFIED")),
    "a reason in progress": whole(delta("he", "in_progress"), delta("llo", "in_progress"), STOP),
    "a reason in the delta": Dialect(
        sent(*HELLO, {"choices": [{"index": 0, "delta": {"finish_reason": "length"}}]}), status=10
    ),
    "a reason of another name": Dialect(
        sent(*HELLO, {"choices": [{"index": 0, "delta": {}, "finishReason": "MAX_TOKENS"}]}), status=10
    ),
    "a reason and no choices": Dialect(sent(*HELLO, {"choices": [], "finish_reason": "length"}), status=10),
    "Ollama's reason": Dialect(sent(*HELLO, {"choices": [{"delta": {}, "done_reason": "length"}]}), status=10),
    "a reason beside the choices": Dialect(
        sent(*HELLO, {"choices": [{"index": 0, "delta": {}}], "stop_reason": "max_tokens"}), status=10
    ),
    "the provider's own reason": Dialect(
        sent(*HELLO, {"choices": [{**STOP["choices"][0], "native_finish_reason": "SAFETY"}]}), status=11
    ),
    "a part in place of the list": whole(
        *(parts({"type": "text", "text": text}, in_list=False) for text in ("he", "llo")), STOP
    ),
    "parts that are texts": whole(parts("he", "l"), parts("lo"), STOP),
    "a delta that is a text": whole(*({"choices": [{"index": 0, "delta": text}]} for text in ("he", "llo")), STOP),
    "completions": whole(
        *({"choices": [{"index": 0, "text": text, "finish_reason": None}]} for text in ("he", "l", "l", "o")),
        {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]},
    ),
    "completions cut off": broken({"choices": [{"index": 0, "text": "so far"}]}),
    "chunks in an envelope": whole(*({"code": 0, "message": "ok", "data": chunk} for chunk in (*HELLO, STOP))),
    "a refusal in parts": broken(
        parts({"type": "text", "text": "so far"}, {"type": "refusal", "refusal": "No."}), STOP, DONE, status=11, raw=0
    ),
    "reasoning under another key": broken(
        delta("", reasoning_details=[{"text": "42"}]), STOP, text="", words="reasoning but no answer", raw=0
    ),
    "numbers for text": whole(
        {"choices": [{"delta": {"content": 4}}]},
        *({"choices": [{"delta": {"content": part}}]} for part in (0.5, True)),
        STOP,
        text="40.5true",
    ),
    "null for a choice": whole(HELLO[0], {"choices": [None]}, HELLO[1], STOP, DONE),
    "characters that are not escaped": whole(
        b'data: {"choices": [{"delta": {"content": "a\tb"}}]}\n\n', STOP, text="a\tb"
    ),
    "a newline that is not escaped": whole(
        b'data: {"choices": [{"delta": {"content": "a\ndata: b"}}]}\n\n', STOP, text="a\nb"
    ),
    "Azure's blocked prompt": broken(
        {"choices": [], "prompt_filter_results": [{"content_filter_results": {"hate": {"filtered": True}}}]},
        DONE,
        text="",
        status=11,
        words="the prompt was blocked",
        raw=0,
    ),
    "details of the reason": Dialect(
        sent(*HELLO, {"choices": [{**STOP["choices"][0], "finish_details": {"type": "max_tokens"}}]}), status=10
    ),
    "llama.cpp's reason": Dialect(sent(*HELLO, {"choices": [{"delta": {}, "stop_type": "limit"}]}), status=10),
    "an index in words": whole(*({"choices": [{**chunk["choices"][0], "index": "0"}]} for chunk in (*HELLO, STOP))),
}


#: finish_reason -> the exit status of an answer with text.
FINISH_REASONS: dict[str, int] = {
    **dict.fromkeys(("stop", "STOP", "eos", "eos_token", "end_turn", "stop_sequence", "tool_calls", "COMPLETE"), 0),
    **dict.fromkeys(("FINISH_REASON_STOP", "stop: <|eot_id|>", "pigeon", "function_call"), 0),
    **dict.fromkeys(("stop: length", "context_limit", "budget_exceeded", "limit"), 10),
    **dict.fromkeys(("risk_control", "MODEL_ARMOR", "copyright", "inappropriate"), 11),
    **dict.fromkeys(("TOO_MANY_TOOL_CALLS", "preempted", "oom", "server_shutdown", "killed", "expired"), 7),
    **dict.fromkeys(("length", "max_tokens", "MAX_TOKENS", "model_length", "model_context_window_exceeded"), 10),
    **dict.fromkeys(("FINISH_REASON_MAX_TOKENS", "MaxTokens", "max_output_tokens", "token_limit"), 10),
    **dict.fromkeys(("content_filter", "sensitive", "SAFETY", "content_filter: RECITATION", "refusal"), 11),
    **dict.fromkeys(("guardrail_intervened", "ContentFilter", "PROHIBITED_CONTENT", "input_moderation"), 11),
    **dict.fromkeys(("error", "network_error", "insufficient_system_resource", "malformed_function_call"), 7),
    **dict.fromkeys(("null", "None", "FINISH_REASON_UNSPECIFIED", "unknown", "tool_use", "stop_str"), 0),
    **dict.fromkeys(("repetition", "loop_detected", "pause_turn", "max_turns", "partial", "out_of_tokens"), 10),
    **dict.fromkeys(
        ("hate", "IMAGE_RECITATION", "jailbreak", "pii", "nsfw", "DataInspectionFailed", "security", "escalation"), 11
    ),
    **dict.fromkeys(("cut_off", "out_of_context", "kv_cache_full", "context_full", "too_long"), 10),
    **dict.fromkeys(("rejected", "stalled", "no_response", "kill", "stopped_by_user", "time_limit", "no_credits"), 7),
    **dict.fromkeys(("not_finished", "in_progress", "NO_IMAGE", "throttled", "bad_gateway", "connection_lost"), 7),
    **dict.fromkeys(("abort", "MALFORMED_FUNCTION_CALL", "error: upstream", "request_timeout", "OTHER"), 7),
}
