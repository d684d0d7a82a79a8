"""llamacli: a Unix-style command-line client for chat models."""

PROGRAM = "llamacli"
__version__ = "0.1.0"
#: The day of this version, which the man page shows.
RELEASED = "2026-11-23"


def shadowing_hint() -> str:
    """Returns a hint if a file shadows one of Python's own modules."""
    import os
    import sys

    library = os.path.realpath(os.path.dirname(os.__file__))
    paths = [path for path in dict.fromkeys(sys.path) if os.path.isdir(path or ".") and "site-packages" not in path]
    for folder in paths:
        if os.path.realpath(folder or ".").startswith(library):
            continue
        for name in sys.stdlib_module_names:
            if os.path.isfile(path := os.path.join(folder, f"{name}.py")):
                return f"{path} hides a module of Python; rename it, or leave its folder out of PYTHONPATH"
    return ""
