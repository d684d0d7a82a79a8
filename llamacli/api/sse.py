"""Bytes of a text/event-stream to events.

The rules are those of the WHATWG HTML standard, section 9.2, and of servers that deviate from it.
"""

import re
from collections.abc import Iterable

from llamacli.api.json import loads, split_json

#: Bytes that one line, and characters that one event may hold. Anything longer is an error or an attack.
MAX_EVENT_BYTES = 64 << 20

#: Added for each line of an event, since even an empty line takes memory.
LINE_OVERHEAD_BYTES = 64

#: Characters of JSON outside of any field, and of other stray text, that are kept.
MAX_BARE_CHARS = 1 << 16
MAX_STRAY_CHARS = 1000

#: Only this many characters of a name or text are searched for an error: the patterns take quadratic time.
MAX_ERROR_CHARS = 200

#: Attempts to read JSON outside of any field, which has as many lines as its sender likes.
MAX_BARE_ATTEMPTS = 100

#: Names of events and fields that report an error: `event: error`, `error: {...}`.
ERROR_NAME = r"(?i)err|fatal|aborted|[\w.-]*(error|exception|failure|failed)[\w.-]*"

#: How a text that reports an error begins: `Error code: 524`, `[ERROR] engine died`, `RuntimeError: out of memory`.
ERROR_TEXT = r"(?i)\W*([\w.]*(error|exception)|fatal|traceback)\b"

#: A field that the standard does not know: ignored, unless its value is JSON.
UNKNOWN_FIELD = r"\ufeff?\s*[\w.-]+\s*:"


#: Names of empty events that mark the end.
DONE_NAMES = ("done", "end", "eof", "eos", "complete", "completed", "finished")

#: Names of events, types of documents and texts that only show that the server is alive.
PING_NAMES = ("ping", "keepalive", "keep-alive", "keep_alive", "heartbeat")

#: Texts that show the same: a comment that a relay put into the data, a time, a number, or one of these words.
PING_TEXT = (
    r"(?i)\s*(:(?!\W*\w*(error|exception|fatal)).*|\"?[\d\s:.,TZ+-]+\"?|true|ok"
    r"|[\W_]*(ping|pong|keep.?alive|heartbeat|processing|waiting)\b[\W\dTZ_]*)"
)
MAX_PING_CHARS = 80

#: The data of an event that says nothing.
EMPTY_DATA = ("", "null", "[]", "{}", '""', ".", "...")

#: The last character of a line of JSON that goes on in the next line.
OPEN_ENDS = ("{", "[", ",")

#: The event that ends most streams.
DONE = "[DONE]"
#: Variants of it: other brackets, or another word in square brackets.
DONE_TEXT = r"(?i)[ \t\[\](){}<>\"'.]*done[ \t\[\](){}<>\"'.]*|\s*\[(end|eof|eos|completed?|finished)\]\s*"


class Event:
    """An event's data and its name, "" for none."""

    __slots__ = ("data", "name")

    def __init__(self, data: str, name: str = "") -> None:
        self.data, self.name = data, name

    @property
    def is_error(self) -> bool:
        """True if the event's name reports an error."""
        return bool(self.name) and _is_error_name(self.name)

    @property
    def is_error_text(self) -> bool:
        """True if the data, which is not JSON, reports an error."""
        return self.is_error or _is_error_text(self.data)

    @property
    def is_ping(self) -> bool:
        """True if the event is empty and only shows a live server."""
        if len(self.data) > MAX_PING_CHARS or self.data == DONE:
            return False
        return self.data.strip() in EMPTY_DATA or re.fullmatch(PING_TEXT, self.data) is not None

    @property
    def is_done(self) -> bool:
        """True if the event marks the end: [DONE] or a variant."""
        if self.data == DONE and not self.name:
            # Most streams end like this, and compiling the pattern would slow down all of them.
            return True
        if self.name in DONE_NAMES and self.is_ping:
            return True
        return len(self.data) < 20 and re.fullmatch(DONE_TEXT, self.data) is not None and not self.is_error

    @property
    def is_json(self) -> bool:
        """True if the data is a whole JSON text."""
        try:
            loads(self.data)
        except ValueError:
            return False
        return True

    @property
    def is_whole(self) -> bool:
        """True if the data is visibly complete.

        It is then JSON, an error or the mark of the end.
        """
        return self.is_json or self.is_done or self.is_error_text or bool(split_json(self.data))


class EventTooLong(ValueError):
    """A line or an event is longer than MAX_EVENT_BYTES."""


class Decoder:
    """Cuts blocks of bytes, as they arrive, into events.

    Lines end with CR LF, CR or LF and with nothing else: U+2028 and U+0085 appear
    inside JSON strings. Only whole lines are decoded, so a character may be cut
    anywhere. Beyond the standard, an `error:` field and JSON outside of any field are
    events as well, and events that a single newline separates are told apart.
    """

    def __init__(self) -> None:
        #: Other text outside of any field, before [DONE]: an error page of a gateway, for example.
        self.stray = ""
        #: The end of the stream has cut off an event.
        self.is_truncated = False
        #: The pieces of a line that has not ended: joining them at each block would be quadratic.
        self._rest: list[bytes] = []
        self._rest_size = 0
        self._skip_lf = self._is_done = False
        self._first = True
        self._name = ""
        self._data: list[str] = []
        self._size = 0
        #: The lines so far of JSON outside of any field.
        self._bare: list[str] = []
        self._bare_size = self._bare_attempts = 0

    def feed(self, block: bytes) -> list[Event]:
        """Returns the events that end in this block. Raises EventTooLong."""
        events: list[Event] = []
        for line in self._lines(block):
            if not line:
                if self._data or self._bare:
                    self._dispatch(events)
                    self._name = ""
                elif self._name and not _is_error_name(self._name):
                    # The data of an error may follow after a blank line, or not at all.
                    self._name = ""
            elif line.startswith("data:"):
                if self._bare:
                    self._drop_bare()
                value = line[6:] if line.startswith("data: ") else line[5:]
                # Some gateways put the field in front of an existing one.
                self._add_data(value[5:].lstrip() if value.startswith("data:") else value)
            else:
                self._read_line(line, events)
        return events

    def finish(self) -> list[Event]:
        """Returns the events left at the stream's end, if complete."""
        is_cut = bool(self._rest)
        events = self.feed(b"\n\n")
        whole = [event for event in events if event.is_whole]
        self.is_truncated = len(whole) < len(events) or (is_cut and not whole)
        return whole

    def _read_line(self, line: str, events: list[Event]) -> None:
        # A field's name may stand alone, and then its value is empty.
        field, _, value = line.partition(":")
        if field == "event":
            self._name = value.removeprefix(" ")
        elif field == "data":
            self._add_data("")
        elif not field or field in ("id", "retry"):
            pass
        elif self._data and (self._data[-1][-1:] in OPEN_ENDS or line.lstrip()[:1] in ("}", "]")):
            # JSON on several lines, of which only the first one has the field's name.
            self._add_data(line)
        elif self._bare or line.lstrip()[:1] in ("{", "["):
            self._collect_bare(line, events)
        elif _is_error_name(field):
            self._dispatch(events)
            events.append(Event(value.strip(), "error"))
        elif _is_error_text(line):
            self._dispatch(events)
            events.append(Event(line.strip(), "error"))
        elif value.lstrip()[:1] == "{" and re.match(UNKNOWN_FIELD, line):
            self._dispatch(events)
            events.append(Event(value.strip()))
        elif not re.match(UNKNOWN_FIELD, line):
            self._keep_stray(line)

    def _collect_bare(self, line: str, events: list[Event]) -> None:
        """Collects JSON outside of any field until it is whole."""
        self._bare.append(line)
        self._bare_size += len(line) + 1
        if self._bare_size > MAX_BARE_CHARS or self._bare_attempts > MAX_BARE_ATTEMPTS:
            self._drop_bare()
        elif line.rstrip()[-1:] in ("}", "]"):
            self._bare_attempts += 1
            event = Event("\n".join(self._bare))
            # Not is_whole: the beginning of {"error": {...}} reads like an error too.
            if event.is_json or event.is_done:
                self._clear_bare()
                self._dispatch(events)
                events.append(event)

    def _drop_bare(self) -> None:
        self._keep_stray(" ".join(self._bare))
        self._clear_bare()

    def _clear_bare(self) -> None:
        self._bare, self._bare_size, self._bare_attempts = [], 0, 0

    def _keep_stray(self, text: str) -> None:
        if self._is_done:
            return
        self.stray = f"{self.stray} {text.strip()}".strip()[:MAX_STRAY_CHARS]

    def _dispatch(self, events: list[Event]) -> None:
        if self._bare:
            self._drop_bare()
        if self._data:
            if len(self._data) == 1:
                events.append(Event(self._data[0], self._name))
            else:
                events.extend(_separate(Event("\n".join(self._data), self._name)))
            self._is_done = self._is_done or events[-1].is_done
            self._data, self._size = [], 0

    def _add_data(self, value: str) -> None:
        self._data.append(value)
        self._size += len(value) + LINE_OVERHEAD_BYTES
        if self._size > MAX_EVENT_BYTES:
            raise EventTooLong

    def _lines(self, block: bytes) -> Iterable[str]:
        if self._skip_lf and block:
            self._skip_lf = False
            block = block.removeprefix(b"\n")
        if b"\r" in block:
            self._skip_lf = block.endswith(b"\r")
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        end = block.rfind(b"\n")
        if end < 0:
            self._rest.append(block)
            self._rest_size += len(block)
            if self._rest_size > MAX_EVENT_BYTES:
                raise EventTooLong
            return ()
        whole, rest = block[:end], block[end + 1 :]
        if self._rest:
            whole = b"".join([*self._rest, whole])
        self._rest, self._rest_size = [rest] if rest else [], len(rest)
        text = whole.decode("utf-8", "replace")
        if self._first:
            self._first = False
            text = text.removeprefix("\ufeff")
        return text.split("\n")


def _is_error_name(name: str) -> bool:
    return re.fullmatch(ERROR_NAME, name[:MAX_ERROR_CHARS]) is not None


def _is_error_text(text: str) -> bool:
    return re.match(ERROR_TEXT, text[:MAX_ERROR_CHARS]) is not None


def _separate(event: Event) -> list[Event]:
    """Returns events that one newline ends instead of two.

    Some servers separate them like this.
    """
    if event.is_whole:
        return [event]
    events = [Event(line, event.name) for line in event.data.split("\n") if line.strip()]
    return events if events and all(part.is_whole for part in events) else [event]
