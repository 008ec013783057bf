"""Compatibility patch of spyne 2.14 for Python 3.12 and later, and silence for its logging. Import this before spyne.

spyne has its own copy of ``six``, whose importer Python 3.12 no longer accepts. A module made of the package ``six``
replaces it under spyne's name for it. The package ``six`` itself stays as it is.
Spyne's own garbage collection is switched off.
"""

from __future__ import annotations

import collections.abc
import http.cookies
import importlib
import logging
import math
import operator
import sys
import types
import urllib.error
import urllib.parse
import urllib.request
import warnings
from typing import Any, Final

import six

_SPYNE_SIX: Final = "spyne.util.six"

# The names that spyne imports from six.moves. On Python 3 these are plain standard modules.
_MOVES: Final = {
    "moves": six.moves,
    "moves.collections_abc": collections.abc,
    "moves.http_cookies": http.cookies,
    "moves.urllib": urllib,
    "moves.urllib.error": urllib.error,
    "moves.urllib.parse": urllib.parse,
    "moves.urllib.request": urllib.request,
}


def _six_for_spyne() -> types.ModuleType:
    """Return a module with the names of the package ``six``, and the one name that spyne added to its copy."""
    module = types.ModuleType(_SPYNE_SIX, "The package six, under the name by which spyne imports its own copy.")
    module.__dict__.update({name: value for name, value in vars(six).items() if not name.startswith("__")})
    module.__dict__["get_function_name"] = operator.attrgetter("__name__")
    module.__path__ = []  # makes it a package, which may have submodules
    return module


def _patch_imports() -> None:
    if _SPYNE_SIX in sys.modules:  # spyne is imported and patched already
        return
    sys.modules[_SPYNE_SIX] = _six_for_spyne()
    sys.modules.update({f"{_SPYNE_SIX}.{name}": module for name, module in _MOVES.items()})


def _import_without_warnings() -> None:
    """Import the modules that warn on import, without their warnings, which our users could not act on.

    ``cgi``, which spyne needs, is deprecated on 3.11 and 3.12 (on 3.13 it comes from legacy-cgi). One of spyne's own
    modules has an invalid escape sequence, which Python reports while it compiles the file for the first time.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", SyntaxWarning)
        importlib.import_module("cgi")
        importlib.import_module("spyne.protocol.http")


def _leave_garbage_to_python() -> None:
    """Keep spyne from a full garbage collection once a second while it answers.

    It wants files of requests closed soon. Our requests have no files.
    """
    const: Any = importlib.import_module("spyne.const")
    const.MIN_GC_INTERVAL = math.inf


def _silence_loggers() -> None:
    """Silence spyne's loggers: they write broken requests, and at DEBUG passwords, in full."""
    logger = logging.getLogger("spyne")
    logger.setLevel(logging.CRITICAL + 1)
    logger.propagate = False
    if not logger.handlers:  # without one, logging's last resort would print messages of child loggers
        logger.addHandler(logging.NullHandler())


_silence_loggers()
_patch_imports()
_import_without_warnings()
_leave_garbage_to_python()
