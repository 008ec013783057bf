"""systemd unit of the service, with a sandbox that allows only what the service needs."""

from __future__ import annotations

import ipaddress
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import make_url

from soap_handler.deploy.limits import STOP_MARGIN_SECONDS, open_files, stop_seconds
from soap_handler.deploy.template import fill
from soap_handler.errors import SettingsError
from soap_handler.settings.sinks import FilesSettings

if TYPE_CHECKING:
    from sqlalchemy import URL

    from soap_handler.settings import Settings

_DEFAULT_CONFIG: Final = Path("/etc/soap-handler/soap-handler.toml")
_STATE_FOLDER: Final = Path("/var/lib/soap-handler")  # of StateDirectory
_TEMPORARY: Final = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - they are compared
_WATCHDOG_SECONDS: Final = 60  # at least, and longer than a drain, in which the loop ends before the process does
_PLAIN: Final = re.compile(r"[\w@%+=:,./-]+", re.ASCII)


def systemd(settings: Settings, config: Path = _DEFAULT_CONFIG, command: Path | None = None) -> str:
    """Return a unit file. ``config`` is the configuration it reads, ``command`` the program (this one, by default).

    Raises:
        SettingsError: a path has a character that no unit can hold.
    """
    url = make_url(settings.journal.url.get_secret_value())
    stop = stop_seconds(settings.server)
    return fill(
        "soap-handler.service",
        command=_executable(command or _this_command()),
        config=quoted(config, argument=True),
        config_in_shell=shlex.quote(str(config)),
        stop=stop,
        watchdog=max(_WATCHDOG_SECONDS, stop + STOP_MARGIN_SECONDS),
        files=open_files(settings.server),
        writable=_writable(url) + _writable_for_sinks(settings),
        requires="postgresql.service" if _is_local_server(url) else "network.target",
        private_tmp="no" if _is_temporary(_folder_needed(url)) else "yes",
        modules=quoted(f"PYTHONPATH={config.parent}"),
        handlers=_where_handlers_lie(settings, config.parent),
    )


def quoted(value: Path | str, *, argument: bool = False) -> str:
    """Return a value as a unit holds it, whatever blanks, quotes and ``%`` it has (systemd.syntax(7)).

    In an ``argument`` of a command, ``$`` would begin a variable.

    Raises:
        SettingsError: it has a line end or another control character.
    """
    text = str(value)
    if not text.isprintable():
        raise SettingsError(
            [f"{text!r} cannot stand in a unit of systemd; expected a path without control characters."]
        )
    text = text.replace("%", "%%")
    text = text.replace("$", "$$") if argument else text
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _executable(command: Path) -> str:
    if {"'", '"', "\\"} & set(str(command)):  # systemd takes none of them there, quoted or not
        raise SettingsError(
            [f"{str(command)!r} cannot be run by systemd; expected a path without quotes and backslashes."]
        )
    return quoted(command)


def _this_command() -> Path:
    beside = Path(sys.executable).with_name("soap-handler")
    found = beside if beside.exists() else shutil.which("soap-handler")
    return Path(found or "/usr/local/bin/soap-handler")


def _writable(url: URL) -> str:
    folder = _folder_needed(url)
    if url.get_backend_name() != "sqlite" or folder is None or folder == _STATE_FOLDER:
        return "# The journal is in the state directory, or in a database."
    return (
        f"# The user soap-handler must own {shlex.quote(str(folder))}, where the journal is. In the state\n"
        f'# directory, which systemd makes, it would be journal.url = "sqlite:///{_STATE_FOLDER}/soap-handler.db".\n'
        f"ReadWritePaths={quoted(folder)}"
    )


def _writable_for_sinks(settings: Settings) -> str:
    """Return what lets the sinks for files write. A relative directory is in the state directory."""
    folders = [sink.directory for sink in settings.sink.values() if isinstance(sink, FilesSettings)]
    needed = dict.fromkeys(folder for folder in folders if folder.is_absolute())
    if not needed:
        return ""
    head = "\n# The user soap-handler must own the directories of sinks. Each must be there when the service starts."
    return head + "".join(f"\nReadWritePaths={quoted(f'-{folder}')}" for folder in needed)


def _folder_needed(url: URL) -> Path | None:
    """Return the folder of a SQLite file or of a PostgreSQL socket, as far as the URL says."""
    if url.get_backend_name() == "sqlite":
        path = Path(url.database or "")
        return path.parent if path.is_absolute() else None
    return next((Path(host) for host in _hosts(url) if host.startswith("/")), None)


def _is_temporary(folder: Path | None) -> bool:
    """Whether a folder is one that PrivateTmp would hide, and empty at each stop."""
    return folder is not None and any(folder.is_relative_to(each) for each in _TEMPORARY)


def _is_local_server(url: URL) -> bool:
    """Whether the journal is in a PostgreSQL on this machine: by its socket, which is the default, or by loopback."""
    return url.get_backend_name() == "postgresql" and any(_is_this_machine(host) for host in _hosts(url))


def _hosts(url: URL) -> list[str]:
    """Return the hosts of a URL; an empty one is libpq's default, a socket."""
    found = url.query.get("host", url.host or "")
    listed = [found] if isinstance(found, str) else found
    return [host.partition(":")[0] if host.count(":") == 1 else host for each in listed for host in each.split(",")]


def _is_this_machine(host: str) -> bool:
    if host in {"", "localhost"} or host.startswith(("/", "@")):  # the last is an abstract socket
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _where_handlers_lie(settings: Settings, folder: Path) -> str:
    target = settings.handler.target
    if target is None and settings.route:
        return "# Notifications go to sinks: there is no module of handlers."
    if target is None:
        return "# handler.target is not set: notifications go to the standard output, which is the system's journal."
    module = target.partition(":")[0].partition(".")[0]
    return (
        f"# Your handlers, {target}: the module {module} must lie beside the configuration, in\n"
        f"# {shlex.quote(str(folder))}, or be installed where the command is (its bin/pip install …)."
    )
