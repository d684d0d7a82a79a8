"""Prints the body of a response as it arrives, and detects truncation."""

import json
from collections.abc import Iterator
from contextlib import suppress

from llamacli.http.body import MAX_BODY_BYTES
from llamacli.http.reply import Reply
from llamacli.stdio.output import Output


def copy_body(reply: Reply, out: Output, as_received: bool, is_answer: bool) -> None:
    """Prints a body.

    A stream is printed `as_received`, or else the data of each event as a line. A
    model's answer may be a stream under any Content-Type. Raises LlamaError (broken) if
    the body is visibly truncated: by HTTP's framing, by JSON that does not end, or by a
    stream that ends before its answer.
    """
    start, blocks = reply.sniff()
    kind = reply.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    is_json = start[:1] in (b"{", b"[") and kind.endswith(("/json", "+json", "/event-stream"))
    if reply.is_stream(start) and (is_answer or kind == "text/event-stream"):
        _copy_events(reply, blocks, out, as_received)
    elif is_json:
        # Of all bodies without events, only JSON shows where it ends.
        _copy_document(reply, blocks, out, is_answer)
    else:
        for block in blocks:
            out.verbatim(block)
        if not start and reply.is_close_delimited:
            raise reply.error("the connection was closed before the body")


def _copy_document(reply: Reply, blocks: Iterator[bytes], out: Output, is_answer: bool) -> None:
    pieces: list[bytes] = []
    size, end = 0, b""
    for block in blocks:
        out.verbatim(block)
        size += len(block)
        end = (end + block)[-64:].rstrip()
        # Of a longer document only the last byte is checked, so that memory stays bounded.
        if size <= MAX_BODY_BYTES:
            pieces.append(block)
    document = b"".join(pieces)
    is_whole = _is_json(document) if size <= MAX_BODY_BYTES else end[-1:] in b"}]"
    if not is_whole:
        raise reply.malformed()
    if is_answer and reply.is_logged and size <= MAX_BODY_BYTES:
        # For the usage log, which names the model and the tokens of each answer.
        with suppress(ValueError, RecursionError):
            reply.accumulator.add(json.loads(document))


def _copy_events(reply: Reply, blocks: Iterator[bytes], out: Output, as_received: bool) -> None:
    def printed(blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            out.verbatim(block)
            yield block

    for events in reply.events(printed(blocks) if as_received else blocks, needs_answer=False):
        for event in events:
            if not as_received and event.data:
                out.json_text(event.data + "\n")
            # Events are printed whatever they contain; the accumulator decides only whether the stream is whole.
            with suppress(ValueError, RecursionError):
                reply.accumulator.add(json.loads(event.data))


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data.decode("utf-8-sig", "replace"), parse_int=str, parse_float=str)
    except RecursionError:
        # Nested too deeply to be checked, which is not an error.
        return True
    except ValueError:
        return False
    return True
