"""The program's first lines: a silent Ctrl-C, and 70 if it cannot start."""

import gc
import signal
import sys

if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

# Imports create many objects and no garbage; a search at every 700 objects takes a fifteenth of an ask.
gc.set_threshold(50_000, 20, 100)


def _shadowing_hint() -> str:
    """Names a file that Python has imported in place of one of its own modules."""
    import os

    library = os.path.realpath(os.path.dirname(os.__file__))
    paths = [path for path in dict.fromkeys(sys.path) if os.path.isdir(path or ".") and "site-packages" not in path]
    for folder in paths:
        if os.path.realpath(folder or ".").startswith(library):
            continue
        for name in sys.stdlib_module_names:
            if os.path.isfile(path := os.path.join(folder, f"{name}.py")):
                return f"{path} hides a module of Python; rename it, or leave its folder out of PYTHONPATH"
    return ""


def program() -> None:
    """Starts the program."""
    try:
        if sys.argv[1:2] == ["ask"]:
            from llamacli.http.open import connect_early

            connect_early(sys.argv[2:])
        from llamacli.main import run
    except Exception as error:
        import os

        hint = "see 'ulimit -a'" if isinstance(error, MemoryError) else _shadowing_hint() or "install it again"
        os.write(2, f"llamacli: cannot start: {str(error) or 'no memory'}; {hint}\n".encode())
        os._exit(70)
    run()


if __name__ == "__main__":
    program()
