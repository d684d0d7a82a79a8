"""The program's first lines: a silent Ctrl-C, and 70 if it cannot start."""

import gc
import sys

from llamacli import shadowing_hint

try:
    import signal

    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
except (Exception, SystemExit):
    # If a file of the user's hides the module, the imports below fail and report it.
    pass

# Imports create many objects and no garbage; a search at every 700 objects takes a fifteenth of an ask.
gc.set_threshold(50_000, 20, 100)


def program() -> None:
    """Starts the program."""
    try:
        if sys.argv[1:2] == ["ask"]:
            from llamacli.http.client import connect_early

            connect_early(sys.argv[2:])
        from llamacli.main import run
    except (Exception, SystemExit) as error:
        import os

        hint = "see 'ulimit -a'" if isinstance(error, MemoryError) else shadowing_hint() or "install it again"
        message = repr(error) if isinstance(error, SystemExit) else str(error) or "no memory"
        os.write(2, f"llamacli: cannot start: {message}; {hint}\n".encode())
        os._exit(70)
    run()


if __name__ == "__main__":
    program()
