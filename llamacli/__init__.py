"""llamacli: a Unix-style command-line client for chat models."""

PROGRAM = "llamacli"
__version__ = "0.1.0"
#: The day of this version, which the man page shows.
RELEASED = "2026-11-23"
LIBRARIES = ("certifi", "dotenv", "idna", "requests", "rich", "typer", "urllib3")


def shadowing_hint() -> str:
    """Returns a hint if a file shadows a module of Python or of a library."""
    import os
    import sys

    library = os.path.realpath(os.path.dirname(os.__file__))
    paths = [path for path in dict.fromkeys(sys.path) if os.path.isdir(path or ".") and "site-packages" not in path]
    for folder in paths:
        if os.path.realpath(folder or ".").startswith(library):
            continue
        for name in (*sys.stdlib_module_names, *LIBRARIES):
            for path in (os.path.join(folder, f"{name}.py"), os.path.join(folder, name, "__init__.py")):
                if os.path.isfile(path):
                    return f"{path} hides the module {name}; rename it, or leave its folder out of PYTHONPATH"
    return ""
