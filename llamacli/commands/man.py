"""`llamacli man`: prints or installs the man page."""

from __future__ import annotations

from llamacli.cli.spec import LoadedOptions
from llamacli.cli.table import DisplayOptions, Flag, Options
from llamacli.cli.types import Switch
from llamacli.errors import ExitStatus
from llamacli.stdio.input import Environment
from llamacli.stdio.output import Output

DESCRIPTION = """
Prints roff source: all commands, flags, topics, exit statuses, variables and files.
`make install` puts the page where man looks. After installing with pip, pipx or uv, use
--install.
"""
EXAMPLES = ("llamacli man | man -l -", "llamacli man --install && man llamacli", "llamacli man | mandoc -T utf8 | less")


class ManOptions(Options):
    """Where the page goes."""

    title = "Output"

    install: Flag[bool] = Flag(False, Switch(), "Write the page to where man finds it.", common=True)


OPTIONS = (ManOptions, DisplayOptions)


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Prints or installs the page."""
    from llamacli.cli import app
    from llamacli.cli.docs import man

    page = man.page(app.commands()).encode()
    with Output(None) as out:
        if options[ManOptions].install:
            from llamacli.cli.docs.generate import install
            from llamacli.config import DATA

            path = DATA.path().parent / "man" / "man1" / "llamacli.1"
            install(path, page)
            out.write(f"{path}\n")
        else:
            out.verbatim(page)
    return ExitStatus.OK
