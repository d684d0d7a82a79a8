"""The signals that end a call, and how they do."""

import os
import signal
import sys
from types import FrameType
from typing import Any, NoReturn

from llamacli.errors import Stopped

#: They end a call after what is open has been put in order.
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def catch() -> None:
    """Makes the signals raise Stopped. One that is ignored (nohup, a background job) stays ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)
    sys.unraisablehook = _stop_later


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


def die(number: int) -> NoReturn:
    """Ends by the signal itself: an exit status of 130 would not stop a shell's loop."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)
