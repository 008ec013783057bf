"""Reload: reads the configuration anew when asked to, in a thread of its own, and says what of it can be taken up."""

from __future__ import annotations

import queue
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.background import BackgroundLoop
from soap_handler.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from soap_handler.settings import ConsoleSettings, Settings

_RELOAD: Final = "reload"


class Reloader(BackgroundLoop):
    """Waits for requests to reload. A configuration that is wrong changes nothing; each of its problems is logged."""

    def __init__(
        self,
        load: Callable[[], Settings],
        apply: Callable[[Settings], None],
        under_way: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """``under_way`` is entered at the begin of each reload and left at its end."""
        super().__init__("reload")
        self._under_way = under_way
        self._load = load
        self._apply = apply
        self._requests: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def request(self) -> None:
        """Ask for a reload. Returns at once; safe in a signal handler, as a SimpleQueue is and an Event is not."""
        self._requests.put(_RELOAD)

    def stop(self, timeout: float | None = 5.0) -> bool:
        """Wait no more; a reload that is under way is finished."""
        return super().stop(timeout)

    def wake(self) -> None:
        """End the wait for a request."""
        self._requests.put(None)

    def round(self) -> float:
        """Wait for one request and carry it out."""
        if self._requests.get() is not None:
            with self._under_way():
                self._reload()
        return 0.0

    def failed(self, error: Exception) -> float:
        """Log a defect; the next request is carried out all the same."""
        telemetry.emit("reload_broke", exc_info=error)
        return 0.0

    def _reload(self) -> None:
        try:
            settings = self._load()
        except SettingsError as error:
            refused(error)
            return
        self._apply(settings)


def refused(error: SettingsError) -> None:
    """Log each problem of a configuration that changes nothing."""
    for problem in error.problems:
        telemetry.emit("reload_refused", problem=problem)


_TAKEN_UP: Final = ("account", "delete", "reconcile")
"""The tables that a reload takes up whole."""


def applied(before: Settings, after: Settings) -> Settings:
    """Return the settings in use after a reload: accounts, deletes, reconciliations and who may enter the console.

    Everything else is that of the start, ``before``.
    """
    kept = {name: getattr(before, name) for name in type(before).model_fields if name not in _TAKEN_UP}
    return after.model_copy(update={**kept, "console": _console(before.console, after.console)})


def _console(before: ConsoleSettings | None, after: ConsoleSettings | None) -> ConsoleSettings | None:
    """Return the console's settings in use: at the address of before, and never there without a guard."""
    if before is None or after is None or (after.is_open and not before.is_local):
        return before
    return after.model_copy(update={"host": before.host, "port": before.port})


def unapplied_changes(before: Settings, after: Settings) -> list[str]:
    """Return the names of the settings that differ but are taken up only by a restart: all that no reload applies."""
    whole = [name for name in ("sink", "route") if getattr(before, name) != getattr(after, name)]
    whole += ["console"] if _console(before.console, after.console) != after.console else []
    return whole + [
        f"{table}.{name}"
        for table in ("server", "journal", "handler", "dispatch", "log", "tracing")
        for name in type(getattr(before, table)).model_fields
        if getattr(getattr(before, table), name) != getattr(getattr(after, table), name)
    ]
