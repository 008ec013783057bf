"""Templates in which ``@{name}`` stands for a value: nginx, Caddy and systemd use ``$`` and ``%`` themselves."""

from __future__ import annotations

import string
from importlib.resources import files
from typing import Final

_FOLDER: Final = "templates"


class _Template(string.Template):
    delimiter = "@"


def fill(name: str, /, **values: object) -> str:
    """Return the template of this name with these values in it; every one of its names must be given."""
    text = files("soap_handler.deploy").joinpath(_FOLDER, name).read_text(encoding="utf-8")
    return _Template(text).substitute(values)
