"""systemd unit of the service, with a sandbox that allows only what the service needs."""

from __future__ import annotations

import math
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from soap_handler.deploy.template import fill

if TYPE_CHECKING:
    from soap_handler.settings import Settings

_DEFAULT_CONFIG: Final = Path("/etc/soap-handler/soap-handler.toml")
_PATH_SEPARATOR: Final = ":///"
_STOP_MARGIN_SECONDS: Final = 15  # beyond the drain, to release leases and close the journal
_OTHER_OPEN_FILES: Final = 512  # besides the connections


def systemd(settings: Settings, config: Path = _DEFAULT_CONFIG, command: Path | None = None) -> str:
    """Return a unit file. ``config`` is the configuration it reads, ``command`` the program (this one, by default)."""
    return fill(
        "soap-handler.service",
        command=command or _this_command(),
        config=config,
        stop=math.ceil(settings.server.drain_timeout) + _STOP_MARGIN_SECONDS,
        files=settings.server.connections + _OTHER_OPEN_FILES,
        writable=_writable(settings),
        requires=_requires(settings),
    )


def _this_command() -> Path:
    beside = Path(sys.executable).with_name("soap-handler")
    found = beside if beside.exists() else shutil.which("soap-handler")
    return Path(found or "/usr/local/bin/soap-handler")


def _writable(settings: Settings) -> str:
    url = settings.journal.url.get_secret_value()
    path = Path(url.partition(_PATH_SEPARATOR)[2].partition("?")[0])
    if url.startswith("sqlite") and path.is_absolute():
        return f"ReadWritePaths={path.parent}"
    return "# The journal is in the state directory, or in a database."


def _requires(settings: Settings) -> str:
    local = any(host in settings.journal.url.get_secret_value() for host in ("@localhost", "@127.0.0.1", "@/"))
    return "postgresql.service" if local else "network.target"
