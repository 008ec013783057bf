"""The module of ``handler.target``: its name, and where it lies beside the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from soap_handler.settings import Settings

_OURS = "soap_handler"


def handler_module(settings: Settings) -> str | None:
    """Return the top-level module of the handlers, or ``None`` where there are none but those of this package."""
    module = (settings.handler.target or "").partition(":")[0].partition(".")[0]
    return module if module not in {"", _OURS} else None


def found_in(folder: Path, module: str) -> str | None:
    """Return the file or the folder of a module in a folder, by its name; ``None`` where it is elsewhere."""
    if (folder / module).is_dir():
        return module
    return f"{module}.py" if (folder / f"{module}.py").is_file() else None
