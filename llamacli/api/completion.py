"""What a completion reports: how it ended, its tokens and its cost."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import cast

from llamacli.api.json import Json, JsonObject
from llamacli.api.messages import (
    REASONING_KEYS,
    Choice,
    Completion,
    Usage,
    choice_index,
    joined_reasoning,
    joined_text,
)
from llamacli.api.tool_calls import tool_calls
from llamacli.errors import ExitStatus, LlamaError

OK, CUT, WITHHELD, SERVER = ExitStatus.OK, ExitStatus.CUT, ExitStatus.WITHHELD, ExitStatus.SERVER

#: The words of several servers, as letters and digits alone: `MAX_TOKENS` is maxtokens.
FINISH_WORDS = {
    OK: """stop stopped stopsequence stoptoken eos eostoken eot eom endturn endofturn endoftext endofsequence end
    stopstr stopword stoppedeos stoppedword stoptokenid imend
    finish finished done complete completed success normal natural naturalstop
    tool tools toolcall toolcalls tooluse function functioncall functioncalls requiresaction""",
    CUT: """length maxlength modellength maxtokens maxtoken maxnewtokens maxoutputtokens maxcompletiontokens
    modelcontextwindowexceeded contextwindowexceeded contextlengthexceeded contextlength
    tokenlimit tokenlimitreached outputlimit errorlimit truncated truncation incomplete pauseturn""",
    WITHHELD: """contentfilter contentfiltered filtered filter sensitive safety recitation language blocklist
    prohibitedcontent spii imagesafety guardrail guardrailintervened refusal refused moderation moderated
    blocked flagged unsafe errortoxic""",
    SERVER: """error fail failed failure abort aborted cancel cancelled canceled usercancel other
    networkerror insufficientsystemresource servererror internalerror timeout userstop
    malformedfunctioncall malformedtoolcall malformedresponse unexpectedtoolcall noimage imageother""",
}

#: Words that stand for no finish_reason, or for an answer that is still being written.
EMPTY_WORDS = frozenset({"", "null", "none", "undefined", "unspecified", "unknown", "nan", "false"})
PENDING_WORDS = frozenset(
    {"notfinished", "unfinished", "inprogress", "pending", "queued", "running"}
    | {"ongoing", "generating", "streaming", "continue"}
)

#: The keys that hold the reason on servers that have no finish_reason.
OTHER_REASON_KEYS = frozenset(
    {"finishReason", "stop_reason", "stopReason", "finish_details", "done_reason", "stop_type"}
)
REASON_KEYS = OTHER_REASON_KEYS | {"finish_reason"}
#: Keys that may say more than finish_reason. vLLM's stop_reason is not one of them: it can be any text.
DETAIL_KEYS = ("native_finish_reason", "finish_details", "stop_type")

#: The parts that classify a word that is not in the table.
FINISH_PATTERNS = (
    ("filter|safety|moderat|polic|refus|block|sensitiv|guardrail|censor|unsafe|prohibit|violat", WITHHELD),
    ("risk|copyright|inappropriate|modelarmor|complian|harm|toxic|illegal|denied|recitation", WITHHELD),
    ("jailbreak|^hate|sexual|violen|^spam|csam|^pii|porn|nsfw|security|banned|audit|inspection", WITHHELD),
    ("escalation|abus|declin", WITHHELD),
    ("error|fail|abort|cancel|timeout|timedout|deadline|interrupt|overload|unavailable", SERVER),
    ("malformed|exception|crash|disconnect|ratelimit|quota|resource|toomany|invalid|missing", SERVER),
    (
        "preempt|^oom|oom$|died|byuser|timelimit|credit|balance|outofmemory|shutdown|shuttingdown|killed|expired|evicted|terminated|dropped",
        SERVER,
    ),
    ("connection|hangup|gateway|throttl|capacity|loadshed|reject|stall|noresponse|^kill", SERVER),
    ("length|maxtok|truncat|contextwindow|limit|budget|maxedout|overflow|exceed|exhaust|outof(token|context)", CUT),
    (
        "^max|^long$|toolong|cutoff|(cache|context)full|partial|incomplete|earlystop|stopearly|repetit|repeat|loop|degenerat|compact",
        CUT,
    ),
)

#: Reasons of an answer that was cut, but not because of its length.
REPETITION_WORDS = "repetit|repeat|loop|degenerat"


def finish_status(reason: object) -> ExitStatus | None:
    """Returns the exit status that a finish_reason stands for, or None.

    It returns None if the word is unknown.

    `content_filter: RECITATION`, `stop: length` and `FINISH_REASON_SAFETY` are read as their parts.
    """
    if reason == "stop" or not reason:
        # Most answers end like this, and every chunk and row is checked.
        return OK
    words = _words(reason)
    if words[0] in EMPTY_WORDS:
        return OK
    if words[0] in PENDING_WORDS:
        return SERVER
    statuses = [
        next((status for status, known in FINISH_WORDS.items() if word in known.split()), None) for word in words
    ]
    if statuses[0] is not None:
        # The second part says more than `stop`.
        return statuses[0] or statuses[1] or OK
    for pattern, status in FINISH_PATTERNS:
        if re.search(pattern, "".join(words)):
            return status
    return None


def _words(reason: object) -> list[str]:
    """Returns the two parts of a reason, in small letters and digits."""
    if isinstance(reason, dict):
        reason = next((reason[key] for key in ("type", "reason", "value") if reason.get(key)), None)
    first, _, rest = str(reason or "")[:200].partition(":")
    return ["".join(filter(str.isalnum, part.lower())).removeprefix("finishreason") for part in (first, rest)]


def has_ended(reason: object) -> bool:
    """True if a finish_reason means that the answer is over, for whatever reason."""
    return bool(reason) and (reason == "stop" or _words(reason)[0] not in EMPTY_WORDS | PENDING_WORDS)


def to_api_form(part: JsonObject, chunk: JsonObject, is_only: bool) -> JsonObject:
    """Returns a choice with its answer and its finish_reason where the API has them."""
    message = part.get("delta")
    if (
        message
        and message.__class__ is dict
        and (
            part.get("finish_reason")
            or (
                REASON_KEYS.isdisjoint(message) and OTHER_REASON_KEYS.isdisjoint(part) and REASON_KEYS.isdisjoint(chunk)
            )
        )
    ):
        return part
    name = "delta" if "delta" in part else "message"
    message = part.get(name)
    if not message and isinstance(part.get("text"), str):
        # The form of the older completions API.
        part = {**part, "delta": {"content": part["text"]}}
    elif isinstance(message, str):
        part = {**part, name: {"content": message}}
    elif not part.get("finish_reason"):
        holders = [part, message or {}, chunk] if is_only else [part, message or {}]
        if reason := reason_elsewhere(*holders):
            part = {**part, "finish_reason": reason}
    return part


def reason_elsewhere(*holders: JsonObject) -> object:
    """Returns the reason that a choice without a finish_reason holds under another key, None if there is none."""
    reasons = (holder.get(key) for holder in holders for key in sorted(REASON_KEYS))
    # A number is the token that vLLM stopped at.
    return next((reason for reason in reasons if has_ended(reason) and isinstance(reason, (str, dict))), None)


def is_worse(reason: object, than: object) -> bool:
    """True if only the first of two finish_reasons means incomplete."""
    return has_ended(reason) and finish_status(reason) not in (OK, None) and finish_status(than) in (OK, None)


def unknown_reason(completion: Completion) -> object:
    """Returns a finish_reason that is not known, None if there is none."""
    reasons = (choice.get("finish_reason") for choice in completion.get("choices") or [])
    return next((reason for reason in reasons if finish_status(reason) is None), None)


def _reason(choice: Choice) -> object:
    """Returns a choice's finish_reason, or a more detailed one if only that one means incomplete."""
    reason = choice.get("finish_reason")
    details = (cast("JsonObject", choice).get(key) for key in DETAIL_KEYS)
    return next((detail for detail in details if detail and is_worse(detail, reason)), reason)


def find_problem(completion: Completion, allow_truncated: bool = False) -> LlamaError | None:
    """Returns why a completion is not a complete answer, None if it is one.

    Withheld takes precedence over cut, and an empty answer is broken.
    """
    choices = completion.get("choices") or []
    refusal = next((text for choice in choices if (text := (choice.get("message") or {}).get("refusal"))), None)
    if refusal:
        return LlamaError(WITHHELD, f"the model refused: {refusal}", "rephrase the request")
    reasons = list(map(_reason, choices))
    if WITHHELD in (statuses := list(map(finish_status, reasons))):
        reason = reasons[statuses.index(WITHHELD)]
        detail = "" if reason == "content_filter" else f" ({reason})"
        return LlamaError(WITHHELD, f"the answer was withheld by a content filter{detail}", "rephrase the request")
    for choice, reason, status in zip(choices, reasons, statuses, strict=True):
        if choice.get("error") or status == SERVER:
            from llamacli.api.errors import error_message

            words = error_message(choice.get("error")) or f"its finish_reason is {reason}"
            return LlamaError(SERVER, f"the server failed: {words}", "try again later")
    if CUT in statuses:
        if allow_truncated:
            return None
        where = ", while the model was still reasoning" if any(map(_has_only_reasoning, choices)) else ""
        reason = reasons[statuses.index(CUT)]
        if re.search(REPETITION_WORDS, _words(reason)[0]):
            message = f"the answer was cut because it repeated itself (finish_reason {reason})"
            return LlamaError(CUT, message, "try again, or pass --allow-truncated")
        message = f"the answer was cut at the token limit{where}"
        return LlamaError(CUT, message, "raise --max-tokens, or pass --allow-truncated")
    if not all(map(_has_named_calls, choices)):
        return LlamaError(ExitStatus.BROKEN, "the server sent a tool call without a name", "try again")
    if any(map(_has_only_reasoning, choices)):
        message = "the model sent its reasoning but no answer"
        return LlamaError(ExitStatus.BROKEN, message, "try again, or see it with --reasoning")
    empty = [choice for choice in choices if not _has_answer(choice)]
    # Some servers put the text and the calls of one answer into two choices.
    called = {choice_index(choice) for choice in choices if tool_calls(choice.get("message") or {})} if empty else set()
    if not choices or any(choice_index(choice) not in called for choice in empty):
        if _is_blocked(completion):
            return LlamaError(WITHHELD, "the prompt was blocked by a content filter", "rephrase the request")
        return LlamaError(ExitStatus.BROKEN, "the server sent an empty answer", "try again")
    return None


def _is_blocked(value: object, depth: int = 8) -> bool:
    """True if a completion without an answer reports a content filter, as Azure and Gemini do."""
    if not depth:
        return False
    if isinstance(value, list):
        return any(_is_blocked(part, depth - 1) for part in value)
    if not isinstance(value, dict):
        return False
    is_blocked = value.get("filtered") is True or value.get("blockReason") or value.get("block_reason")
    return bool(is_blocked) or any(_is_blocked(part, depth - 1) for part in value.values())


def _has_answer(choice: Choice) -> bool:
    message = choice.get("message") or {}
    content: object = message.get("content")
    return bool((joined_text(content) if isinstance(content, list) else content) or tool_calls(message))


def _has_named_calls(choice: Choice) -> bool:
    calls = (choice.get("message") or {}).get("tool_calls")
    return not calls or all(call["name"] for call in tool_calls({"tool_calls": calls}))


def _has_only_reasoning(choice: Choice) -> bool:
    message: JsonObject = dict(choice.get("message") or {})
    content = message.get("content")
    reasoning = any(map(message.get, (*REASONING_KEYS, *OTHER_REASONING_KEYS))) or (
        isinstance(content, list) and joined_reasoning(content)
    )
    return bool(reasoning) and not _has_answer(choice)


#: Keys that show that there was reasoning, without its text.
OTHER_REASONING_KEYS = ("reasoning_details", "thinking", "analysis")

#: The token counts and the names that servers give them.
USAGE_KEYS = {
    "prompt_tokens": ("prompt_tokens", "input_tokens", "promptTokens", "inputTokens", "promptTokenCount", "prompt_n"),
    "completion_tokens": (
        *("completion_tokens", "output_tokens", "completionTokens", "outputTokens"),
        *("candidatesTokenCount", "predicted_n"),
    ),
    "total_tokens": ("total_tokens", "totalTokens", "totalTokenCount"),
}
#: The keys of objects that hold token counts.
COUNTS_KEYS = ("usage", "usageMetadata", "usage_metadata", "token_usage", "tokens", "billed_units", "timings")
#: The keys and the headers of a cost in USD.
TICKS_KEY = "cost_in_usd_ticks"
COST_KEYS = ("usd_spent", "cost", "total_cost", "estimated_cost", "cost_usd", TICKS_KEY)
COST_HEADERS = ("x-aimlapi-usd-spent", "x-litellm-response-cost")

#: A larger count is an error of the server's, and could overflow a float.
MAX_TOKENS = 10**12


def total_usage(completions: Sequence[Completion]) -> Usage:
    """Returns the token counts reported, added up; {} if there are none."""
    reported = [usage for completion in completions if (usage := usage_in(completion)) is not None]
    if len(reported) < 2:
        return reported[0] if reported else {}
    prompt, completion, total = (sum(token_count(usage, key) or 0 for usage in reported) for key in USAGE_KEYS)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}


def usage_in(completion: Completion) -> Usage | None:
    """Returns the token counts of a completion.

    Moonshot has them in its choices, Groq in `x_groq`, Cohere in `meta`, others in the message.
    """
    document: JsonObject = dict(completion)
    own = cast("Usage", document["usage"]) if isinstance(document.get("usage"), dict) else None
    if own and any(token_counts(own)):
        return own
    choices = completion.get("choices") or []
    holders: list[Json] = [document, document.get("x_groq"), document.get("meta"), document.get("usage")]
    holders += [*choices, *(choice.get("message") for choice in choices)]
    values = [holder.get(key) for key in COUNTS_KEYS for holder in holders if isinstance(holder, dict)]
    usages = [cast("Usage", value) for value in values if isinstance(value, dict)]
    return next((usage for usage in usages if any(token_counts(usage))), own)


def token_count(usage: Mapping[str, object], key: str) -> int | None:
    """Returns one count of `usage`, None if it is missing or not a count.

    Some servers send a count under one name, and 0 under another.
    """
    if count := _count(usage.get(key)):
        return count
    counts = [count for name in USAGE_KEYS[key] if (count := _count(usage.get(name))) is not None]
    return next(filter(None, counts), 0) if counts else None


def _count(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS else None


def token_counts(usage: object) -> tuple[int, int]:
    """Returns the tokens in and out of a `usage` object, 0 if missing."""
    counts = usage if isinstance(usage, dict) else {}
    return token_count(counts, "prompt_tokens") or 0, token_count(counts, "completion_tokens") or 0


def reported_cost(completion: Completion, headers: Mapping[str, str]) -> float | None:
    """Returns the USD spent, or None if the server does not report it.

    The cost is in the last chunk's meta.usage or in a document's header. Other servers
    have it in `usage`, under several names, or in a header of their own.
    """
    document: JsonObject = dict(completion)
    meta = document.get("meta")
    values = [_cost_in(meta.get("usage") if isinstance(meta, dict) else None), _cost_in(document.get("usage"))]
    values += [*map(headers.get, COST_HEADERS), _cost_in(document)]
    return next((usd for value in values if value is not None and (usd := _parse_usd(value)) is not None), None)


def _cost_in(holder: object, depth: int = 2) -> Json:
    """Returns a cost; Perplexity's is an object with the total, xAI's is in units of 1e-10 USD."""
    if not isinstance(holder, dict) or holder.keys().isdisjoint(COST_KEYS):
        return None
    if (ticks := _parse_usd(holder.get(TICKS_KEY))) is not None:
        return ticks / 10**10
    cost = next((holder[key] for key in COST_KEYS if holder.get(key) is not None), None)
    return _cost_in(cost, depth - 1) if isinstance(cost, dict) and depth else cost


def _parse_usd(value: Json) -> float | None:
    """Returns a cost, or None.

    It returns None if it is not one: NaN or a negative number would reset what has been counted.
    """
    try:
        usd = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return usd if 0 <= usd < math.inf and not isinstance(value, bool) else None
