"""Location of the configuration: ``--config``, the default file, or the environment. ``settings`` reads it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from soap_handler.settings import Settings

DEFAULT_FILE: Final = Path("soap-handler.toml")
PUSH_PASSWORD: Final = "SOAP_HANDLER_PUSH_PASSWORD"  # noqa: S105 - the name of a variable
INBOX_PASSWORD: Final = "SOAP_HANDLER_INBOX_PASSWORD"  # noqa: S105 - the name of a variable


def find(given: Path | None) -> Path | None:
    """Return the file to read: the given one, else the default if it exists, else SOAP_HANDLER_CONFIG, else none."""
    if given is not None:
        return given
    try:
        if DEFAULT_FILE.exists():
            return DEFAULT_FILE
    except OSError:  # the working directory may not be entered
        pass
    named = os.environ.get("SOAP_HANDLER_CONFIG")
    return Path(named) if named else None


def located(given: Path | None) -> Path | None:
    """Return the file to read as an absolute path: later the working directory may be another one."""
    found = find(given)
    return found.absolute() if found is not None else None


def load(given: Path | None) -> Settings:
    """Return the settings of the configuration that ``find`` names, overlaid by the environment.

    Raises:
        SettingsError: something is wrong with them.
    """
    from soap_handler.settings import load_settings  # noqa: PLC0415 - pydantic takes its time; --help need not wait

    # These two are read by commands. The settings would report them as unknown names.
    environ = {name: value for name, value in os.environ.items() if name not in {PUSH_PASSWORD, INBOX_PASSWORD}}
    return load_settings(find(given), environ)
