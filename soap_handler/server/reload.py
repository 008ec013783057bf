"""Reload: reads the configuration anew when asked to, in a thread of its own. What changes then, ``app`` decides."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.settings import Settings

_RELOAD: Final = "reload"


class Reloader:
    """Waits for requests to reload. A configuration that is wrong changes nothing; each of its problems is logged."""

    def __init__(self, load: Callable[[], Settings], apply: Callable[[Settings], None]) -> None:
        self._load = load
        self._apply = apply
        self._requests: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def request(self) -> None:
        """Ask for a reload. Returns at once; safe in a signal handler, because a SimpleQueue is."""
        self._requests.put(_RELOAD)

    def stop(self, timeout: float = 5.0) -> None:
        """Wait no more; a reload that is under way is finished."""
        self._requests.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while self._requests.get() is not None:
            try:
                self._reload()
            except Exception as error:  # noqa: BLE001 - a defect is told with its traceback, and the work goes on
                telemetry.emit("reload_broke", exc_info=error)

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


def unapplied_changes(before: Settings, after: Settings) -> list[str]:
    """Return the names of the settings that differ but wait for a restart: all but accounts and deletes."""
    return [
        f"{table}.{name}"
        for table in ("server", "journal", "handler", "dispatch", "log")
        for name in type(getattr(before, table)).model_fields
        if getattr(getattr(before, table), name) != getattr(getattr(after, table), name)
    ]
