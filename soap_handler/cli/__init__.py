"""Entry point of the command ``soap-handler`` and its exit codes. Each command lives in a file of its own."""

from __future__ import annotations

import importlib
import sys
from typing import Final

from soap_handler.errors import HandlerNotFoundError, SchemaError, SettingsError, SoapHandlerError

_NEEDS_ANOTHER_SETUP: Final = (SettingsError, HandlerNotFoundError, SchemaError)


def main() -> None:
    """Run the command line and exit: 0 for success, 1 for a failure, 2 for wrong usage or a wrong setup."""
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


def _end(error: Exception, code: int) -> None:
    problems = error.problems if isinstance(error, SettingsError) else [str(error)]
    sys.stderr.write("".join(f"soap-handler: {problem}\n" for problem in problems))
    sys.exit(code)
