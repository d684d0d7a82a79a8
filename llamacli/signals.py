"""The signals that end a call."""

import _thread
import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from llamacli.errors import Stopped

#: They end a call once open files and connections are closed.
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
#: True once the thread that wakes the main one runs.
_is_woken = False
#: The signal that raised Stopped last, None if there was none or the program continued.
_number: int | None = None


def catch() -> None:
    """Makes signals raise Stopped; an ignored one stays ignored."""
    forget()
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)
    # Some parents leave SIGCHLD ignored, which would hide the exit status of the key command and the editor.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    sys.unraisablehook = _stop_later
    if not _is_woken:
        _wake_up()


def _wake_up() -> None:
    """Starts a thread that wakes the main thread after each signal.

    A signal that arrives between Python's check and a blocking call is otherwise
    handled only when the call returns, which may be never.
    """
    global _is_woken
    # Its default is to be ignored, so a late one does no harm.
    signal.signal(signal.SIGURG, lambda number, frame: None)
    # Without a pipe or a thread all else still works.
    with suppress(OSError, RuntimeError):
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        _thread.start_new_thread(_wake, (read_end, _thread.get_ident()))
    _is_woken = True


def _wake(read_end: int, thread: int) -> None:
    while number := os.read(read_end, 1):
        if number[0] != signal.SIGURG:
            time.sleep(0.05)
            signal.pthread_kill(thread, signal.SIGURG)


def _stop_later(ignored: "sys.UnraisableHookArgs") -> None:
    """Sends a signal again if Python ignored it, as it may in an import."""
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
    # A second signal ends the program at once.
    for other in SIGNALS:
        signal.signal(other, signal.SIG_DFL)
    stop(number)


def stop(number: int) -> NoReturn:
    """Raises Stopped for a signal that arrived."""
    global _number
    _number = number
    raise Stopped(number)


def forget() -> None:
    """Forgets the signal, because the program goes on after it."""
    global _number
    _number = None


def find_stopped() -> Stopped | None:
    """Returns the signal that another error may have replaced, None if there was none.

    Python raises an error of its own where a signal interrupts a failing import (TypeError),
    a lock or a queue, or where a second signal arrives before the first is handled.
    """
    return None if _number is None else Stopped(_number)


def die(number: int) -> NoReturn:
    """Ends the process by the signal; exit(130) would not stop a loop."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)
