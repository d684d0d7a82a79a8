"""Loads readline so that nothing typed is lost, whatever the locale."""

import codecs
import locale
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from llamacli.errors import UsageError

#: Locales tried if the user's does not use UTF-8; "" is the user's.
UTF8_LOCALES = ("", "C.UTF-8", "C.utf8", "en_US.UTF-8", "UTF-8")

#: Whole characters, after which readline no longer waits for the rest of half a one.
FILLER = "\u00e9".encode() * 8


def _terminal_charset() -> str:
    """Returns the locale's charset, UTF-8 in place of ASCII or none."""
    name = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    charset = name.partition(".")[2].partition("@")[0]
    with suppress(locale.Error):
        locale.setlocale(locale.LC_CTYPE, "")
        charset = locale.nl_langinfo(locale.CODESET)
    try:
        codec = codecs.lookup(charset).name
        "".encode(codec)
    except LookupError:
        return "utf-8"
    return "utf-8" if codec == "ascii" else codec


def _readline_locale_name(charset: str) -> str:
    """Switches to a locale in which readline loses no byte.

    Returns its name, "" if it is the user's. readline drops bytes that its locale does
    not know. Set up for the C locale, it takes each byte for a character.
    """
    for name in UTF8_LOCALES if charset == "utf-8" else ():
        with suppress(locale.Error):
            locale.setlocale(locale.LC_CTYPE, name)
            if locale.nl_langinfo(locale.CODESET).upper() in ("UTF-8", "UTF8"):
                return name
    locale.setlocale(locale.LC_CTYPE, "C")
    return "C"


CHARSET = _terminal_charset()
LOCALE = _readline_locale_name(CHARSET)


@contextmanager
def readline_locale() -> Iterator[None]:
    """Sets LC_ALL for readline; child processes get the user's."""
    before = os.environ.get("LC_ALL")
    if LOCALE:
        os.environ["LC_ALL"] = LOCALE
    try:
        yield
    finally:
        if LOCALE and before is None:
            del os.environ["LC_ALL"]
        elif LOCALE:
            os.environ["LC_ALL"] = str(before)


with readline_locale():
    import readline as readline

IS_LIBEDIT = "libedit" in (readline.__doc__ or "")


def check_charset() -> None:
    """Raises UsageError if libedit would drop what is typed: it knows no charset but UTF-8 here."""
    if IS_LIBEDIT and LOCALE == "C":
        message = f"with libedit, an interactive chat cannot read {CHARSET.upper()}"
        raise UsageError(message, "set LC_ALL to a UTF-8 locale")


class _ReadBytes:
    """Sees each byte that GNU readline reads.

    In a UTF-8 locale, readline silently drops some bytes that are not UTF-8, and what is
    left would be sent. A signal that arrives in `_read` is sent again, see `signals`.
    """

    def __init__(self) -> None:
        self.are_watched, self.are_valid = False, True
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        if IS_LIBEDIT or LOCALE == "C":
            return
        # Without ctypes, or if readline is built in without this symbol, nothing is noticed.
        with suppress(ImportError, OSError, ValueError):
            import ctypes

            library = ctypes.CDLL(getattr(readline, "__file__", None))
            function = ctypes.c_void_p.in_dll(library, "rl_getc_function")
            self._insert = library.rl_insert
            prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
            self._original = prototype(function.value or 0)
            # It must live as long as readline may call it.
            self._callback = prototype(self._read)
            function.value = ctypes.cast(self._callback, ctypes.c_void_p).value
            self.are_watched = True

    def begin(self) -> None:
        """Forgets the bytes so far, and makes readline forget half a character."""
        if not self.are_valid:
            for byte in FILLER:
                self._insert(1, byte)
        self.are_valid = True
        self._decoder.reset()

    def _read(self, stream: int) -> int:
        byte: int = self._original(stream)
        if byte >= 0:
            try:
                self._decoder.decode(bytes((byte,)))
            except UnicodeDecodeError:
                self.are_valid = False
                self._decoder.reset()
        return byte


read_bytes = _ReadBytes()


def line_buffer() -> str:
    """Returns what has been typed so far."""
    # libedit updates its buffer only if it is asked for a copy. A preloaded library takes precedence over a linked one.
    for path in (None, getattr(readline, "__file__", None)) if IS_LIBEDIT else ():
        with suppress(ImportError, OSError, AttributeError):
            import ctypes

            ctypes.CDLL(path).rl_copy_text(0, 0)
            break
    return readline.get_line_buffer()


def decoded(text: str) -> str:
    """Returns what was typed. Raises UsageError."""
    data = text.encode("utf-8", "surrogateescape")
    if read_bytes.are_watched:
        data = data if read_bytes.are_valid else b"\xff"
    for charset in ("utf-8", CHARSET):
        with suppress(UnicodeDecodeError):
            return data.decode(charset)
    raise UsageError(f"the terminal sent bytes that are not {CHARSET.upper()}", "set its encoding to UTF-8")


def to_readline(text: str) -> str:
    """Returns text that readline encodes to the right bytes."""
    try:
        data = text.encode(CHARSET)
    except UnicodeEncodeError:
        data = text.encode("utf-8", "replace")
    return data.decode(locale.nl_langinfo(locale.CODESET), "surrogateescape")


def from_readline(text: str) -> str:
    """Returns the text whose bytes readline decoded."""
    return text.encode(locale.nl_langinfo(locale.CODESET), "surrogateescape").decode(CHARSET, "replace")


def allows_bracketed_paste() -> bool:
    """False if the user's inputrc turns bracketed paste off."""
    for path in (os.environ.get("INPUTRC"), os.path.expanduser("~/.inputrc"), "/etc/inputrc"):
        with suppress(OSError, ValueError):
            if path and os.path.isfile(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    values = re.findall(r"(?im)^\s*set\s+enable-bracketed-paste\b[ \t]*(\S*)", file.read())
                return not values or values[-1].lower() in ("on", "1", "")
    return True
