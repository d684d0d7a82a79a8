"""Runs the program: turns errors and signals into exit statuses."""

import errno
import os
import resource
import sys
import traceback
import warnings
from typing import NoReturn

import typer

from llamacli import shadowing_hint, signals
from llamacli.cli import app
from llamacli.cli.spec import LoadedOptions, ParsedCall, apply_options, load_group, load_options
from llamacli.cli.table import DisplayOptions
from llamacli.errors import ExitStatus, LlamaError, Stopped, UsageError
from llamacli.stdio.input import Environment
from llamacli.stdio.stderr import Stderr

#: Memory reserved for reporting a MemoryError.
MEMORY_RESERVE: list[bytes] = []
OUT_OF_MEMORY = b"llamacli: out of memory; see 'ulimit -a'\n"


def main(arguments: list[str]) -> int:
    """Runs a command line, returns its status. Raises Stopped."""
    _keep_standard_descriptors()
    stderr = Stderr()
    # Errors in the command line are reported before its options are loaded.
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
        if stopped := signals.find_stopped():
            raise stopped from None
        if isinstance(error, FileNotFoundError) and _is_folder_removed():
            stderr.error(UsageError("the working directory was removed", "change to another one"))
            return ExitStatus.USAGE
        return report_internal_error(error, stderr)


def _is_folder_removed() -> bool:
    """True if there is no working directory, which relative paths need."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _load(call: ParsedCall, env: Environment) -> LoadedOptions:
    """Loads a call's options and prompt file. Raises UsageError."""
    if "prompt_file" not in call.flags and "role" not in call.flags:
        return load_options(call, env)
    from llamacli.ask.options import QUESTION_OPTIONS
    from llamacli.ask.prompt_file import expand

    # A note may tell what the prompt file waits for.
    apply_options(load_group(DisplayOptions, call, env), env)
    call, settings = expand(call, QUESTION_OPTIONS, env.input)
    return load_options(call, env, settings)


def report_internal_error(error: BaseException, stderr: Stderr) -> int:
    """Reports an unexpected exception and returns the exit status."""
    if os.environ.get("LLAMACLI_DEBUG"):
        stderr.write("".join(traceback.format_exception(error)))
    message, hint = f"internal error: {type(error).__name__}: {error}", shadowing_hint() or "please report it"
    if _is_out_of_resources(error):
        message, hint = f"out of memory, processes or file descriptors: {str(error) or 'no memory'}", "see 'ulimit -a'"
    stderr.error(LlamaError(ExitStatus.INTERNAL, message, f"LLAMACLI_DEBUG=1 shows the traceback; {hint}"))
    return ExitStatus.INTERNAL


def _is_out_of_resources(error: BaseException | None) -> bool:
    """True if an error, or its cause, is a lack of memory, threads or files."""
    limits = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)
    texts = ("failed to map segment", "start new thread", "Cannot allocate", "Too many open files")
    while error:
        is_limit = isinstance(error, OSError) and error.errno in limits
        if isinstance(error, MemoryError) or is_limit or any(text in str(error) for text in texts):
            return True
        error = error.__cause__ or error.__context__
    return False


def run() -> NoReturn:
    """Entry point: runs sys.argv and exits."""
    if not sys.warnoptions:
        # Warnings of libraries are not for the user; PYTHONWARNINGS and -W still apply.
        warnings.simplefilter("ignore")
        if not os.environ.get("LLAMACLI_DEBUG"):
            # Nor are the messages of Python itself about threads without memory. Ours are written to descriptor 2.
            sys.stderr = None
            sys.excepthook = _exit_uncaught
    MEMORY_RESERVE.append(bytes(1 << 19))
    try:
        # A core dump (Ctrl-\\, a crash) would leave the key in a file.
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        status = main(sys.argv[1:])
    except Stopped as stopped:
        signals.die(stopped.number)
    except BaseException as error:
        MEMORY_RESERVE.clear()
        _exit_uncaught(type(error), error, None)
    # Nothing is left to flush, and an orderly shutdown of the interpreter takes milliseconds.
    os._exit(status)


def _exit_uncaught(kind: type[BaseException], error: BaseException, trace: object) -> NoReturn:
    """Exits after what `main` did not catch, such as a lack of memory."""
    if stopped := signals.find_stopped():
        signals.die(stopped.number)
    try:
        report_internal_error(error, Stderr())
    except BaseException:
        # There is no memory to build a message, so this one exists from the start.
        os.write(2, OUT_OF_MEMORY)
    finally:
        os._exit(ExitStatus.INTERNAL)


def _keep_standard_descriptors() -> None:
    """Opens closed standard descriptors (`>&-`) so that writes fail.

    Otherwise the next file or socket would get the number, and output meant for
    stdout would go there.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is used: this one.
            os.open(os.devnull, os.O_RDONLY)
    if sys.stdout is None:
        # Python sets it to None if 1 was closed.
        sys.stdout = os.fdopen(1, "w", closefd=False)
