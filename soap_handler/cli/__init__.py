"""Entry point of the command ``soap-handler`` and its exit codes. Each command lives in a file of its own."""

from __future__ import annotations

import contextlib
import gc
import importlib
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Final, NoReturn

from soap_handler.cli import early_signals, interrupts, standard_streams
from soap_handler.errors import HandlerNotFoundError, SchemaError, SettingsError, SoapHandlerError

if TYPE_CHECKING:
    from collections.abc import Callable

_NEEDS_ANOTHER_SETUP: Final = (SettingsError, HandlerNotFoundError, SchemaError)
_INTERRUPTED: Final = 130  # 128 and the number of SIGINT, as shells have it


def main() -> None:
    """Run the command line and exit: 0 for success, 1 for a failure, 2 for wrong usage or a wrong setup.

    Nothing that it can meet ends in a traceback: a person reads what comes out here.
    """
    try:
        standard_streams.prepare()
        if "serve" in sys.argv[1:]:
            with early_signals.held():
                _program()()
        else:
            command = _program()
            gc.enable()
            interrupts.raise_interrupts()
            command()
    except _NEEDS_ANOTHER_SETUP as error:
        _end(error, 2)
    except KeyboardInterrupt:
        _end_by_interrupt()
    except SystemExit as end:
        if end.code == _INTERRUPTED:  # typer's own answer to Ctrl-C
            _let_the_next_end_it()
        raise
    except BrokenPipeError:  # the reader of the output has seen enough, as head does
        sys.exit(1)
    # OSError: a file or an address; ImportError: the driver of a database, which is not installed with us
    except (SoapHandlerError, OSError, ImportError) as error:
        _end(error, 1)
    except UnicodeError:
        _say("an argument, a variable of the environment or the input is not UTF-8; expected UTF-8")
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the outermost wall
        _end_unexpectedly(error)


def _end_by_interrupt() -> NoReturn:
    _let_the_next_end_it()
    sys.exit(_INTERRUPTED)


def _stems_from_interrupt(error: BaseException) -> bool:
    """Whether Ctrl-C is behind an error: Python 3.11 wraps what interrupts the making of a class in a RuntimeError."""
    below = error.__cause__
    return below is not None and (isinstance(below, KeyboardInterrupt) or _stems_from_interrupt(below))


def _let_the_next_end_it() -> None:
    """Have a further Ctrl-C end the process at once: while Python waits for threads it would show a traceback."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _program() -> Callable[[], None]:
    """Load the commands; return what runs the one that was given."""
    load_structlog()
    from soap_handler.cli.program import command  # noqa: PLC0415 - here, so that nothing is loaded by a mere import

    def run() -> None:
        try:
            command(prog_name="soap-handler")
        finally:
            standard_streams.flush()

    return run


def load_structlog() -> None:
    """Import structlog while rich is hidden, which saves a server 4 MB.

    structlog imports rich where it is installed, to draw tracebacks. Ours are plain, because rich's show local
    variables and so passwords. A later import of rich works as usual.
    """
    if "rich" not in sys.modules:
        sys.modules["rich"] = None  # type: ignore[assignment] # documented: makes an import fail
        try:
            importlib.import_module("structlog")
        finally:
            del sys.modules["rich"]


def _end(error: Exception, code: int) -> NoReturn:
    problems = error.problems if isinstance(error, SettingsError) else [_words(error)]
    _say(*problems)
    sys.exit(code)


def _words(error: Exception) -> str:
    """Return what an error says; of one of the system, the file and the reason without number and quotes."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _end_unexpectedly(error: Exception) -> NoReturn:
    """Name a defect and its place. Its text stays out: it may quote a URL, a password or a message."""
    if _stems_from_interrupt(error):
        _end_by_interrupt()
    place = traceback.extract_tb(error.__traceback__)[-1]
    _say(f"a defect ended the command: {type(error).__name__} at {place.filename}:{place.lineno}; please report it")
    sys.exit(1)


def _say(*problems: str) -> None:
    with contextlib.suppress(OSError):  # the error output is closed or full: the exit code is left to tell
        sys.stderr.write("".join(f"soap-handler: {problem}\n" for problem in problems))
        sys.stderr.flush()
