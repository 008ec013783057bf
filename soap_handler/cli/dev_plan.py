"""Plan of ``dev``: what differs from the configuration, as variables, and which files are watched."""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from soap_handler.cli import configuration
from soap_handler.cli.push_target import address_of, login_of
from soap_handler.contract import Version
from soap_handler.ems import EmsAccount
from soap_handler.settings import ConsoleSettings, load_settings
from soap_handler.settings.environment import PREFIX
from soap_handler.sinks.stdout import TARGET as STANDARD_OUTPUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from soap_handler.notifications import Kind
    from soap_handler.settings import Settings

JOURNAL: Final = "dev.db"
_DRAIN_SECONDS: Final = "2"  # a change is to show soon
_OWN: Final = {  # where there is no configuration
    "ACCOUNT__0__REFERENCE": "EX0012345",
    "ACCOUNT__0__ALIASES": '["447786204254"]',
    "ACCOUNT__0__PUSH__0__USERNAME": "ems",
    "ACCOUNT__0__PUSH__0__PASSWORD": "dev",
    "ACCOUNT__0__INBOX__USERNAME": "inbox",
    "ACCOUNT__0__INBOX__PASSWORD": "dev",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of the command."""

    config: Path | None
    target: str | None
    ignore: tuple[Kind, ...]
    port: int | None
    rate: float

    @property
    def file(self) -> Path | None:
        """The configuration, if there is one."""
        return configuration.located(self.config)

    @property
    def is_configured(self) -> bool:
        """Whether there are accounts of the user's own, in a file or in the environment."""
        return self.file is not None or any(name.startswith(f"{PREFIX}ACCOUNT__") for name in os.environ)


@dataclass(frozen=True, slots=True)
class Plan:
    """One start of the service."""

    settings: Settings
    """As the service sees them."""
    environment: Mapping[str, str]
    """All variables of its process."""
    wanted: Wanted

    @property
    def file(self) -> Path | None:
        """The configuration, if there is one."""
        return self.wanted.file

    @property
    def url(self) -> str:
        """The address of the service on this machine."""
        return address_of(self.settings, Version.SOAP, local=True) or ""

    @property
    def ports(self) -> tuple[int, int]:
        """Those of the service and of the console."""
        return self.settings.server.port, (self.settings.console or ConsoleSettings()).port

    @property
    def console(self) -> str:
        """The address of the operators' console."""
        console = self.settings.console or ConsoleSettings()
        return f"http://{_bracketed(console.host)}:{console.port}/"


@contextmanager
def journal_place(config: Path | None, *, throwaway: bool) -> Iterator[Path]:
    """Yield the file of the journal: beside the configuration, or in a folder that is deleted afterwards."""
    if throwaway:
        with TemporaryDirectory(prefix="soap-handler-dev-") as folder:
            yield Path(folder) / JOURNAL
    else:
        found = configuration.located(config)
        yield (found.parent if found else Path.cwd()) / JOURNAL


def accounts(wanted: Wanted) -> list[EmsAccount]:
    """Return the accounts of the EMS to simulate.

    Raises:
        SettingsError: the configuration cannot be used.
    """
    settings = load_settings(wanted.file, _variables(_base(wanted, "http://127.0.0.1/")))
    found = []
    for each in settings.account:
        login = login_of(each, None, None)
        inbox = each.inbox
        found.append(
            EmsAccount(
                reference=each.reference,
                number=next((alias for alias in each.aliases if alias.isdecimal()), ""),
                username=inbox.username if inbox else "none",
                password=inbox.password.get_secret_value() if inbox else "none",
                push_username=login.username or "anonymous",
                push_password=login.password or "",  # the configuration may have its hash alone
            )
        )
    return found


def plan(wanted: Wanted, journal: Path, inbox_url: str, ports: tuple[int, int] | None = None) -> Plan:
    """Return how the service is to be started; ``ports`` are those of the start before.

    Raises:
        SettingsError: the configuration cannot be used.
    """
    changes = _base(wanted, inbox_url) | {
        "JOURNAL__URL": f"sqlite:///{journal}",
        "SERVER__WORKERS": "1",
        "SERVER__DRAIN_TIMEOUT": _DRAIN_SECONDS,
    }
    configured = load_settings(wanted.file, _variables(changes))
    server, console = configured.server, configured.console or ConsoleSettings()
    ports = ports or (wanted.port or _free(server.host, server.port), _free(console.host, console.port))
    changes["SERVER__PORT"] = str(ports[0])
    changes["CONSOLE__PORT"] = str(ports[1])
    if configured.handler.target is None and not configured.route:
        changes["HANDLER__TARGET"] = STANDARD_OUTPUT
    variables = _variables(changes)
    return Plan(load_settings(wanted.file, variables), {**os.environ, **variables}, wanted)


def _base(wanted: Wanted, inbox_url: str) -> dict[str, str]:
    """Return the changes that the accounts need, and what the command line says."""
    changes = {} if wanted.is_configured else dict(_OWN)
    if wanted.is_configured:
        known = configuration.load(wanted.config).account
        inboxes = [number for number, account in enumerate(known) if account.inbox is not None]
    else:
        inboxes = [0]
    changes |= {f"ACCOUNT__{number}__INBOX__URL": inbox_url for number in inboxes}
    if wanted.target is not None:
        changes["HANDLER__TARGET"] = wanted.target
    if wanted.ignore:
        changes["HANDLER__IGNORE"] = json.dumps([kind.value for kind in wanted.ignore])
    return changes


def _variables(changes: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of settings that the service gets: those that are set here, and the changes."""
    own = {configuration.PUSH_PASSWORD, configuration.INBOX_PASSWORD}
    set_here = {name: text for name, text in os.environ.items() if name not in own}
    return set_here | {f"{PREFIX}{name}": text for name, text in changes.items()}


def _free(host: str, configured: int) -> int:
    """Return the port that is configured, or another one where that is taken, or any is meant."""
    for port in (configured, 0):
        with suppress(OSError), socket.create_server((host, port), family=_family(host)) as free:
            return int(free.getsockname()[1])
    return configured  # the service says what is wrong with its address


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def watched(found: Plan) -> dict[Path, tuple[int, int]]:
    """Return the files whose change starts the service anew, each with when it changed and its size.

    They are polled: that needs no further package, and also sees changes on network drives and in containers, of which
    the system tells nothing. Some dozens of files cost a millisecond.
    """
    files = [found.file] if found.file else []
    if found.settings.handler.target is not None:
        files += _modules(found.settings.handler.target.partition(":")[0].partition(".")[0])
    signatures = {}
    for file in files:
        try:
            state = file.stat()
        except OSError:  # an editor is just replacing it
            continue
        signatures[file] = state.st_mtime_ns, state.st_size
    return signatures


def _modules(top: str) -> list[Path]:
    """Return the files of the module or package of the handlers, and the modules that lie beside it."""
    for place in (Path.cwd(), *map(Path, sys.path)):
        if (place / top).is_dir() and top:
            beside = place.glob("*.py") if place == Path.cwd() else ()
            return [*(place / top).rglob("*.py"), *beside]
        if (place / f"{top}.py").is_file():
            return [*place.glob("*.py")]
    return []
