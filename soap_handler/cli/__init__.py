"""The command ``soap-handler``: how it is entered and how it ends. Each command lives in a file of its own."""

from __future__ import annotations

import importlib
import sys
from typing import Final

from soap_handler.errors import HandlerNotFoundError, SchemaError, SettingsError, SoapHandlerError

_NEEDS_ANOTHER_SETUP: Final = (SettingsError, HandlerNotFoundError, SchemaError)


def main() -> None:
    """Run the command line; end with 0, with 1 for what failed, or with 2 for what was asked for wrongly."""
    _load_structlog()
    from soap_handler.cli.program import program  # noqa: PLC0415 - here, so that nothing is loaded by a mere import

    try:
        program()
    except _NEEDS_ANOTHER_SETUP as error:
        _end(error, 2)
    # OSError: a file or an address; ImportError: the driver of a database, which is not installed with us
    except (SoapHandlerError, OSError, ImportError) as error:
        _end(error, 1)


def _load_structlog() -> None:
    """Load structlog without rich, which it would load too where that is installed: 4 MB that a server never needs.

    It would draw tracebacks with it. Ours are plain, because rich's show local variables, and so passwords. Whoever
    imports rich later gets it as usual.
    """
    if "rich" not in sys.modules:
        sys.modules["rich"] = None  # type: ignore[assignment] # so an import fails, says the reference of sys.modules
        try:
            importlib.import_module("structlog")
        finally:
            del sys.modules["rich"]


def _end(error: Exception, code: int) -> None:
    problems = error.problems if isinstance(error, SettingsError) else [str(error)]
    sys.stderr.write("".join(f"soap-handler: {problem}\n" for problem in problems))
    sys.exit(code)
