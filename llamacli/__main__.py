"""The program's first lines: Ctrl-C is silent from here on, and a broken installation ends with 70, never with 1."""

import signal

if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def program() -> None:
    """Starts the program."""
    try:
        from llamacli.main import run
    except Exception as error:
        import os

        os.write(2, f"llamacli: cannot start: {error or 'no memory'}; install it again\n".encode())
        os._exit(70)
    run()


if __name__ == "__main__":
    program()
