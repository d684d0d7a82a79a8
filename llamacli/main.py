"""Runs the program: the one place where errors and signals become exit statuses."""

import errno
import os
import resource
import sys
import traceback
import warnings
from typing import NoReturn

import typer

from llamacli import signals
from llamacli.cli import app, resolve
from llamacli.cli.spec import LoadedOptions, ParsedCall
from llamacli.errors import ExitStatus, LlamaError, Stopped
from llamacli.stdio.environment import Environment
from llamacli.stdio.stderr import Stderr

#: Memory that is let go where there is no other, so that there is some to say so with.
MEMORY_RESERVE: list[bytes] = []


def main(arguments: list[str]) -> int:
    """Runs one command line and returns its exit status. Raises Stopped where a signal came."""
    _keep_standard_descriptors()
    stderr = Stderr()
    # The command line may be one that no option can be read from.
    stderr.is_colored = stderr.is_colored and "--no-color" not in arguments
    try:
        call = app.parse(arguments)
        signals.catch()
        env = Environment(stderr)
        with env.input.keeping_draft():
            return call.command.run(_load(call, env), env)
    except LlamaError as error:
        stderr.error(error)
        return error.status
    except typer.Exit as exit:
        return exit.exit_code
    except BrokenPipeError:
        return ExitStatus.PIPE
    except Exception as error:
        MEMORY_RESERVE.clear()
        if stopped := signals.behind(error):
            raise stopped from None
        return report_internal_error(error, stderr)


def _load(call: ParsedCall, env: Environment) -> LoadedOptions:
    """Loads the options of a call, with the settings of its prompt file or role. Raises LlamaError (usage)."""
    if "prompt_file" not in call.flags and "role" not in call.flags:
        return resolve.load(call, env)
    from llamacli.ask.options import QUESTION_OPTIONS
    from llamacli.ask.prompt_file import expand

    call, settings = expand(call, QUESTION_OPTIONS, env.input)
    return resolve.load(call, env, settings)


def report_internal_error(error: BaseException, stderr: Stderr) -> int:
    """Reports what should not have happened."""
    if os.environ.get("LLAMACLI_DEBUG"):
        stderr.write("".join(traceback.format_exception(error)))
    what, todo = f"internal fault: {type(error).__name__}: {error}", "please report it"
    if _is_out_of_resources(error):
        what, todo = f"memory, processes or open files do not suffice: {str(error) or 'no memory'}", "see 'ulimit -a'"
    stderr.error(LlamaError(ExitStatus.INTERNAL, what, f"LLAMACLI_DEBUG=1 shows the traceback; {todo}"))
    return ExitStatus.INTERNAL


def _is_out_of_resources(error: BaseException | None) -> bool:
    """Tells whether the system had no more to give, which shows in many ways, and often behind another error."""
    texts = ("failed to map segment", "start new thread", "Cannot allocate", "Too many open files")
    while error:
        is_limit = isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
        if isinstance(error, MemoryError) or is_limit or any(text in str(error) for text in texts):
            return True
        error = error.__cause__ or error.__context__
    return False


def run() -> NoReturn:
    """Is the program: runs the process's own command line and ends the process."""
    # A core dump (Ctrl-\\, a crash) would leave the key in a file.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if not sys.warnoptions:
        # What libraries think of each other is not for stderr; PYTHONWARNINGS and -W still count.
        warnings.simplefilter("ignore")
        if not os.environ.get("LLAMACLI_DEBUG"):
            # Nor is what Python itself says of a thread that got no memory. All that is ours goes to descriptor 2.
            sys.stderr = None
            sys.excepthook = _escaped
    MEMORY_RESERVE.append(bytes(1 << 19))
    try:
        status = main(sys.argv[1:])
    except Stopped as stopped:
        signals.die(stopped.number)
    except BaseException as error:
        MEMORY_RESERVE.clear()
        _escaped(type(error), error, None)
    # Nothing is left to be flushed, and taking the interpreter down in order takes longer than an answer's last byte.
    os._exit(status)


def _escaped(kind: type[BaseException], error: BaseException, trace: object) -> NoReturn:
    """Ends the program after what not even `main` has caught: Python had no memory to call it, say."""
    if isinstance(error, Stopped):
        signals.die(error.number)
    os._exit(report_internal_error(error, Stderr()))


def _keep_standard_descriptors() -> None:
    """Opens 0, 1 and 2 for reading nothing where they were closed (`>&-`), so that writing fails as it should.

    Else the next file or socket would get that number, and what is written to
    stdout would go into it.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is taken, and that is this one.
            os.open(os.devnull, os.O_RDONLY)
    if sys.stdout is None:
        # Python has none where 1 was closed, and Typer would print into the void.
        sys.stdout = os.fdopen(1, "w", closefd=False)
