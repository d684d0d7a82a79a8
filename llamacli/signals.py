"""The signals that end a call, and how they do."""

import _thread
import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

from llamacli.errors import Stopped

#: They end a call after what is open has been put in order.
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
#: Whether there is a thread that wakes the main one.
_is_woken = False


def catch() -> None:
    """Makes the signals raise Stopped. One that is ignored (nohup, a background job) stays ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)
    sys.unraisablehook = _stop_later
    if not _is_woken:
        _wake_up()


def _wake_up() -> None:
    """Has a thread interrupt what the main thread waits for soon after each signal.

    Python looks for signals before it waits, and is woken by those that come while it
    does; one between the two would be heard when the waiting ends: never, with a
    server that hangs.
    """
    global _is_woken
    # Ignored by default, so that a late one does no harm.
    signal.signal(signal.SIGURG, lambda number, frame: None)
    # Where there can be no pipe or no thread, the rest goes as well without.
    with suppress(OSError, RuntimeError):
        came, comes = os.pipe()
        os.set_blocking(comes, False)
        signal.set_wakeup_fd(comes, warn_on_full_buffer=False)
        _thread.start_new_thread(_wake, (came, _thread.get_ident()))
    _is_woken = True


def _wake(came: int, thread: int) -> None:
    while number := os.read(came, 1):
        if number[0] != signal.SIGURG:
            time.sleep(0.05)
            signal.pthread_kill(thread, signal.SIGURG)


def _stop_later(ignored: Any) -> None:
    """Sends a signal again whose exception was raised where Python ignores it: in a callback of the import system."""
    if not isinstance(ignored.exc_value, Stopped):
        sys.__unraisablehook__(ignored)
        return
    from threading import Timer

    for number in SIGNALS:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _stop)
    again = Timer(0.01, os.kill, (os.getpid(), ignored.exc_value.number))
    again.daemon = True
    again.start()


def _stop(number: int, frame: FrameType | None) -> None:
    # The second one is not waited for.
    for each in SIGNALS:
        signal.signal(each, signal.SIG_DFL)
    raise Stopped(number)


def behind(error: BaseException | None) -> Stopped | None:
    """Returns the signal that has led to an error, None where none has.

    Python's locks and queues can fail on their own where a signal has broken one of
    their methods off, and C code where a second one comes before the first was heard.
    """
    while error:
        if isinstance(error, Stopped):
            return error
        error = error.__context__
    return None


def die(number: int) -> NoReturn:
    """Ends by the signal itself: an exit status of 130 would not stop a shell's loop."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)
