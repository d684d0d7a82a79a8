"""Bytes of a text/event-stream to events, by the rules of the WHATWG HTML standard, section 9.2."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

#: Bytes that one line, and characters that one event may hold. A longer one is no answer but a fault or an attack.
MAX_EVENT_BYTES = 64 << 20


#: Counted for each line of an event beside its characters, since that is what an empty one takes.
LINE = 64


class Event(NamedTuple):
    data: str
    name: str = ""


class EventTooLong(ValueError):
    """A line or an event is longer than MAX_EVENT_BYTES."""


class Decoder:
    """Cuts blocks of bytes, as they come, into events.

    Lines end with CR LF, CR or LF and with nothing else: U+2028 and U+0085 stand
    inside of JSON strings. Only whole lines are decoded, so that a character may be
    cut anywhere.
    """

    def __init__(self) -> None:
        #: The pieces of a line that has not ended: joining them at each block would be quadratic.
        self._rest: list[bytes] = []
        self._rest_size = 0
        self._skip_lf = False
        self._first = True
        self._name = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, block: bytes) -> list[Event]:
        """Returns the events that end in this block. Raises EventTooLong."""
        ended = []
        for line in self._lines(block):
            if not line:
                if self._data:
                    ended.append(Event("\n".join(self._data), self._name))
                self._name, self._data, self._size = "", [], 0
            elif line.startswith("data:"):
                self._data.append(line[6:] if line.startswith("data: ") else line[5:])
                self._grow(len(line))
            else:
                # A field's name may stand alone, and then its value is empty.
                field, _, value = line.partition(":")
                if field == "event":
                    self._name = value.removeprefix(" ")
                elif field == "data":
                    self._data.append("")
                    self._grow(0)
        return ended

    @property
    def is_inside(self) -> bool:
        """Whether an event has begun that has not ended."""
        return bool(self._rest or self._data)

    def _grow(self, size: int) -> None:
        self._size += size + LINE
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


def events(blocks: Iterable[bytes]) -> Iterator[list[Event]]:
    """Yields, for each block, the list of events that it completed.

    An event that the end of the stream cuts off is dropped, as the standard demands.
    """
    decoder = Decoder()
    for block in blocks:
        yield decoder.feed(block)
