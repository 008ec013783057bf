"""Where a command finds its configuration. What is in it is the business of ``settings``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from soap_handler.settings import Settings

DEFAULT_FILE: Final = Path("soap-handler.toml")
PUSH_PASSWORD: Final = "SOAP_HANDLER_PUSH_PASSWORD"  # noqa: S105 - the name of a variable
INBOX_PASSWORD: Final = "SOAP_HANDLER_INBOX_PASSWORD"  # noqa: S105 - likewise


def find(given: Path | None) -> Path | None:
    """Return the file to read: the given one, the default one if it exists, the environment's; or none of them."""
    if given is not None:
        return given
    if DEFAULT_FILE.exists():
        return DEFAULT_FILE
    named = os.environ.get("SOAP_HANDLER_CONFIG")
    return Path(named) if named else None


def load(given: Path | None) -> Settings:
    """Return the settings.

    Raises:
        SettingsError: something is wrong with them.
    """
    from soap_handler.settings import load_settings  # noqa: PLC0415 - pydantic takes its time; --help need not wait

    # Those two belong to commands; to the settings they would be misspelt.
    environ = {name: value for name, value in os.environ.items() if name not in {PUSH_PASSWORD, INBOX_PASSWORD}}
    return load_settings(find(given), environ)
