"""The composition root: builds every part once, starts them in order, and closes what it built. It knows everyone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.accounts.accounts import Accounts
from soap_handler.accounts.throttle import Throttle
from soap_handler.dispatch import handlers
from soap_handler.dispatch.dispatcher import Dispatcher
from soap_handler.fast.batching import Intake
from soap_handler.fast.load_shedding import Pace
from soap_handler.fast.scoreboard import Board, Place
from soap_handler.inbox.deleters import Deleters
from soap_handler.inbox.reconcile_schedule import Reconciliations
from soap_handler.journal import Journal
from soap_handler.journal.retention import Retention
from soap_handler.receive.receiver import Receiver
from soap_handler.server.reload import left_alone
from soap_handler.server.server import Server
from soap_handler.sinks.stdout import TARGET as LOG_SINK
from soap_handler.web.application import Application
from soap_handler.web.client_address import Guard
from soap_handler.xml.limits import Shape

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from soap_handler.dispatch.handlers import Handlers
    from soap_handler.settings import Settings

_LEAST: Final = 0.5  # seconds: what each part gets to end, even if another took all the time there was


class App:
    """The whole service in one process: the server, the journal, the handlers and the inbox call-backs."""

    def __init__(
        self,
        settings: Settings,
        plugged: Handlers | None = None,
        sockets: Sequence[socket.socket] = (),
        place: Place | None = None,
    ) -> None:
        """Build everything and listen. ``plugged`` are the handlers to use instead of ``handler.target``.

        ``sockets`` are to be listened on in place of the settings' address; they may be shared with other processes,
        among which this one has its ``place``.

        Raises:
            HandlerNotFoundError: the target cannot be loaded.
            JournalUnavailableError: the journal cannot be opened.
            SchemaError: the journal is of a newer release.
            OSError: the address cannot be listened on.
        """
        plugged = plugged or handlers.load(settings.handler.target or LOG_SINK)
        self._settings = settings
        self._accounts = Accounts(settings.account)
        self._drain = settings.server.drain_timeout
        self._stop_by = 0.0
        self.place = place or Place(Board(), 0)
        """Its place among the processes that share the port; there may be no others."""
        self.journal = Journal(
            settings.journal.url.get_secret_value(),
            timeout=settings.journal.timeout,
            note_arrivals=self.place.note_arrivals,
        )
        pace = Pace(self.place)
        self.deleters = Deleters(self._accounts, self.journal, settings.delete, lambda: pace.gap)
        self.reconciliations = Reconciliations(self._accounts, self.journal, settings.reconcile, settings.delete)
        self.retention = Retention(self.journal, settings.journal.retention)
        in_order = settings.dispatch.order == "originator"
        self.dispatcher = Dispatcher(
            self.journal,
            plugged,
            settings.handler,
            self.deleters.__contains__,
            in_order=in_order,
            pace=pace,
        )
        server = settings.server
        self._receiver = Receiver(self._accounts, Throttle(server.login_failures_allowed, server.login_failure_delay))
        application = Application(
            self._receiver,
            self.journal,
            public_url=server.public_url,
            max_body=server.max_body,
            guard=Guard(server.allow_from, server.trusted_proxies),
            shape=Shape(server.max_depth, server.max_attributes),
        )
        intake = Intake(application, self.journal, threads=server.threads, timeout=settings.journal.timeout)
        try:
            self.server = Server(application, settings.server, intake, sockets, place)
        except OSError:
            self.journal.close()
            raise

    def run(self) -> bool:
        """Serve until :meth:`stop`; then drain and close everything. Return whether nothing was left in flight."""
        self.dispatcher.start()
        self.deleters.start()
        self.reconciliations.start()
        self.retention.start()
        telemetry.emit("serving", port=self.server.port)
        answered = self.server.run(self._drain)
        self.retention.stop(self._left())  # the next round goes on where this one ends
        reconciled = self.reconciliations.stop(self._left)
        handled = self.dispatcher.stop(self._left())
        deleted = self.deleters.stop(self._left)
        self.journal.close()
        telemetry.emit("stopped", answered=answered, reconciled=reconciled, handled=handled, deleted=deleted)
        return answered and reconciled and handled and deleted

    def reload(self, settings: Settings) -> None:
        """Take up new accounts, passwords and inboxes while serving; no request is dropped or answered differently.

        A request is checked against the accounts of before or of after, never of both. Everything else in the
        settings waits for a restart, which the log says. Waits for the deletes in flight where a login changes.
        """
        accounts = Accounts(settings.account, self._accounts)
        self._accounts = accounts
        self.deleters.expect(accounts)
        self._receiver.accounts = accounts
        self.deleters.change(accounts, settings.delete, self._drain)
        self.reconciliations.change(accounts, settings.reconcile, settings.delete)
        waiting = left_alone(self._settings, settings)
        if waiting:
            telemetry.emit("reload_needs_restart", settings=waiting)
        telemetry.emit("reloaded", accounts=[account.reference for account in accounts])

    def stop(self) -> None:
        """Let :meth:`run` return, after ``server.drain_timeout`` seconds at most. Safe in a signal handler."""
        self._stop_by = time.monotonic() + self._drain
        self.server.stop()

    def _left(self) -> float:
        return max(_LEAST, self._stop_by - time.monotonic())
