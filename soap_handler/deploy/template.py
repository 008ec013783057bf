"""Templates with ``@{name}`` as placeholder, because nginx, Caddy and systemd use ``$`` and ``%`` themselves."""

from __future__ import annotations

import string
from importlib.resources import files
from typing import Final

_FOLDER: Final = "templates"


class _Template(string.Template):
    delimiter = "@"


def fill(name: str, /, **values: object) -> str:
    """Return a template with its placeholders replaced; a missing value is a KeyError."""
    text = files("soap_handler.deploy").joinpath(_FOLDER, name).read_text(encoding="utf-8")
    return _Template(text).substitute(values)
