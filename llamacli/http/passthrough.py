"""Passes the body of a response on as it comes, and tells a whole one from one that was cut short."""

import json
from collections.abc import Iterator
from contextlib import suppress

from llamacli.api import sse
from llamacli.http.reply import DONE, MAX_BODY_BYTES, SSE_START, Reply
from llamacli.stdio.output import Output


def copy_body(reply: Reply, out: Output, as_received: bool, is_answer: bool) -> None:
    """Prints a body, a stream `as_received` or each event's data as a line.

    A model's answer may be a stream under any Content-Type, as servers have it. Raises
    LlamaError (broken) where a body is cut short, so far as it shows: by HTTP's own
    framing, by JSON that does not end, or by a stream that ends before its answer.
    """
    start, blocks = reply.sniff()
    kind = reply.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    first, is_stream = start[:1], kind == "text/event-stream"
    if (is_stream and first not in (b"{", b"[", b"<")) or (is_answer and SSE_START.match(start)):
        _events(reply, blocks, out, as_received)
    elif first in (b"{", b"[") and (is_stream or kind.endswith(("/json", "+json"))):
        # Only JSON shows by itself where it ends.
        _document(reply, blocks, out)
    else:
        for block in blocks:
            out.verbatim(block)
        if not start and reply.is_close_delimited:
            raise reply.error("the connection was closed before the body")


def _document(reply: Reply, blocks: Iterator[bytes], out: Output) -> None:
    kept: list[bytes] = []
    size, end = 0, b""
    for block in blocks:
        out.verbatim(block)
        size += len(block)
        end = (end + block)[-64:].rstrip()
        # Memory is not for the server to fill: of what is longer only its last byte is looked at.
        if size <= MAX_BODY_BYTES:
            kept.append(block)
    is_whole = _is_json(b"".join(kept)) if size <= MAX_BODY_BYTES else end[-1:] in b"}]"
    if not is_whole:
        raise reply.error("the server sent malformed or incomplete JSON")


def _events(reply: Reply, blocks: Iterator[bytes], out: Output, as_received: bool) -> None:
    decoder, has_events = sse.Decoder(), False
    try:
        for block in blocks:
            if as_received:
                out.verbatim(block)
            for event in decoder.feed(block):
                if event.data.strip() == DONE:
                    return
                if not as_received:
                    out.json_text(event.data + "\n")
                has_events = True
                # Whatever it is, it was printed; it counts only for whether the stream is whole.
                with suppress(ValueError, RecursionError):
                    reply.accumulator.add(json.loads(event.data))
    except sse.EventTooLong:
        raise reply.error(f"the server sent an event of more than {sse.MAX_EVENT_BYTES >> 20} MiB") from None
    if reply.accumulator.is_whole:
        return
    if reply.accumulator.has_choices or decoder.is_inside:
        raise reply.error("the stream ended before the answer did")
    if not has_events:
        raise reply.error("the stream held no answer")


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data.decode("utf-8-sig", "replace"), parse_int=str, parse_float=str)
    except RecursionError:
        # Too deep to be checked, and no less an answer.
        return True
    except ValueError:
        return False
    return True
