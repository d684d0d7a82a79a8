"""The program's first lines: Ctrl-C is silent from here on, and a broken installation ends with 70, never with 1."""

import gc
import signal

if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

# Importing makes many objects and no garbage: looking for it at every 700 of them costs a fifteenth of an ask.
gc.set_threshold(50_000, 20, 100)


def program() -> None:
    """Starts the program."""
    try:
        from llamacli.main import run
    except Exception as error:
        import os

        todo = "see 'ulimit -a'" if isinstance(error, MemoryError) else "install it again"
        os.write(2, f"llamacli: cannot start: {str(error) or 'no memory'}; {todo}\n".encode())
        os._exit(70)
    run()


if __name__ == "__main__":
    program()
