"""The composition root: builds every part once, starts them in order, and closes what it built. It knows everyone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from soap_handler import telemetry
from soap_handler.accounts.accounts import Accounts
from soap_handler.accounts.throttle import Throttle
from soap_handler.dispatch import handlers
from soap_handler.dispatch.admission import Unlimited
from soap_handler.dispatch.dispatcher import Dispatcher
from soap_handler.faces.soap.endpoint import Endpoint

# -- fast path: begin (this block, the one below, and the folder fast/ can be deleted together) ------------------------
from soap_handler.fast.batching import BatchingDispatcher
from soap_handler.fast.batching_channel import BatchingChannel
from soap_handler.fast.committers import pipeline_of, quick_committer
from soap_handler.fast.compiled_sql import COMPILED
from soap_handler.fast.load_shedding import LoadShedding
from soap_handler.fast.scoreboard import Scoreboard, WorkerSlot
from soap_handler.fast.usual_pushes import UsualPushes

# -- fast path: end ----------------------------------------------------------------------------------------------------
from soap_handler.inbox.deleters import Deleters
from soap_handler.inbox.reconcile_schedule import ReconcileSchedule
from soap_handler.journal import Journal
from soap_handler.journal.retention import Retention
from soap_handler.receive.receiver import Receiver
from soap_handler.server.reload import unapplied_changes
from soap_handler.server.server import Server
from soap_handler.sinks.stdout import TARGET as LOG_SINK
from soap_handler.web.application import Application
from soap_handler.web.client_address import Callers
from soap_handler.xml.limits import Limits

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from soap_handler.dispatch.admission import Admission
    from soap_handler.dispatch.handlers import Handlers
    from soap_handler.faces.base import ReadMany
    from soap_handler.settings import ServerSettings, Settings

_STOP_SECONDS: Final = 0.5  # what each part gets to end, even if another took all the time there was


class Seams:
    """What stands at the seams of the service in the plain way: nothing but the defaults of each part.

    Where several worker processes share the port, it is made before they are forked.
    """

    def take_slot(self, number: int) -> None:
        """Note which worker this process is, from 0."""

    def worker_ended(self, number: int) -> None:
        """Note in the parent that a worker process is gone."""

    def journal(self) -> dict[str, Any]:
        """Return what the journal takes besides its settings."""
        return {}

    def admission(self) -> Admission:
        """Return what says how much may be handled and deleted now."""
        return Unlimited()

    def read_many(self, _receiver: Receiver) -> ReadMany | None:
        """Return what reads several SOAP requests at once."""
        return None

    def server(
        self, _settings: Settings, _journal: Journal, _application: Application, _callers: Callers
    ) -> dict[str, Any]:
        """Return what the server takes besides its settings: a dispatcher and a class of channels."""
        return {}

    def begin(self, server: Server) -> None:
        """Begin in the thread of the server's loop, just before that runs."""

    def stop(self) -> None:
        """Note that no more is accepted. Safe in a signal handler."""

    def end(self) -> None:
        """End in the thread of the server's loop, when that has ended."""


def seams(settings: ServerSettings, workers: int = 1) -> Seams:
    """Return the seams that ``server.fast_path`` asks for."""
    # -- fast path: begin ----------------------------------------------------------------------------------------------
    if settings.fast_path == "auto":
        return FastSeams(workers)
    # -- fast path: end ------------------------------------------------------------------------------------------------
    return Seams()


class App:
    """The whole service in one process: the server, the journal, the handlers and the inbox call-backs."""

    def __init__(
        self,
        settings: Settings,
        plugged: Handlers | None = None,
        sockets: Sequence[socket.socket] = (),
        shared: Seams | None = None,
    ) -> None:
        """Build everything and listen. ``plugged`` are the handlers to use instead of ``handler.target``.

        ``sockets`` are to be listened on in place of the settings' address. Other processes may share them; ``shared``
        is then what was made before the fork.

        Raises:
            HandlerNotFoundError: the target cannot be loaded.
            JournalUnavailableError: the journal cannot be opened.
            SchemaError: the journal is of a newer release.
            OSError: the address cannot be listened on.
        """
        plugged = plugged or handlers.load(settings.handler.target or LOG_SINK)
        self._settings = settings
        self._drain = settings.server.drain_timeout
        self._stop_by = 0.0
        self.seams = shared or seams(settings.server)
        self._accounts = Accounts(settings.account)
        self.journal = Journal(
            settings.journal.url.get_secret_value(), timeout=settings.journal.timeout, **self.seams.journal()
        )
        self._build_background(settings, plugged)
        try:
            self.server = self._build_server(settings, sockets)
        except OSError:
            self.journal.close()
            raise

    def _build_background(self, settings: Settings, plugged: Handlers) -> None:
        """Build what runs beside the server."""
        admission = self.seams.admission()
        self.deleters = Deleters(self._accounts, self.journal, settings.delete, admission)
        self.reconcile_schedule = ReconcileSchedule(self._accounts, self.journal, settings.reconcile, settings.delete)
        self.retention = Retention(self.journal, settings.journal.retention)
        self.dispatcher = Dispatcher(
            self.journal,
            plugged,
            settings.handler,
            self.deleters.__contains__,
            in_order=settings.dispatch.order == "originator",
            admission=admission,
        )

    def _build_server(self, settings: Settings, sockets: Sequence[socket.socket]) -> Server:
        """Build the way of a push, from the journal back to the socket."""
        server = settings.server
        self._receiver = Receiver(self._accounts, Throttle(server.login_failures_allowed, server.login_failure_delay))
        faces = [
            Endpoint(
                self._receiver, Limits(server.max_depth, server.max_attributes), self.seams.read_many(self._receiver)
            ),
        ]
        callers = Callers(server.allow_from, server.trusted_proxies)
        application = Application(
            faces, self.journal, public_url=server.public_url, max_body=server.max_body, callers=callers
        )
        fast = self.seams.server(settings, self.journal, application, callers)
        return Server(application, server, application.face_or_first, sockets=sockets, **fast)

    def run(self) -> bool:
        """Serve until :meth:`stop`; then drain and close everything. Return whether nothing was left in flight."""
        self.dispatcher.start()
        self.deleters.start()
        self.reconcile_schedule.start()
        self.retention.start()
        telemetry.emit("serving", port=self.server.port)
        self.seams.begin(self.server)
        answered = self.server.run(self._drain)
        self.seams.end()
        self.retention.stop(self._time_left())  # the next round goes on where this one ends
        reconciled = self.reconcile_schedule.stop(self._time_left)
        handled = self.dispatcher.stop(self._time_left())
        deleted = self.deleters.stop(self._time_left)
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
        self.reconcile_schedule.change(accounts, settings.reconcile, settings.delete)
        unapplied = unapplied_changes(self._settings, settings)
        if unapplied:
            telemetry.emit("reload_needs_restart", settings=unapplied)
        telemetry.emit("reloaded", accounts=[account.reference for account in accounts])

    def stop(self) -> None:
        """Let :meth:`run` return, after ``server.drain_timeout`` seconds at most. Safe in a signal handler."""
        self._stop_by = time.monotonic() + self._drain
        self.seams.stop()
        self.server.stop()

    def _time_left(self) -> float:
        return max(_STOP_SECONDS, self._stop_by - time.monotonic())


# -- fast path: begin --------------------------------------------------------------------------------------------------
class FastSeams(Seams):
    """The accelerations of ``fast/``, each behind its seam."""

    def __init__(self, workers: int = 1) -> None:
        self._scoreboard = Scoreboard(workers)
        self.slot = WorkerSlot(self._scoreboard, 0)
        """This process's part of what the workers share."""

    def take_slot(self, number: int) -> None:
        """Take a part of the shared memory."""
        self.slot = WorkerSlot(self._scoreboard, number)

    def worker_ended(self, number: int) -> None:
        """Have the other workers do the share of one that is gone."""
        self._scoreboard.leave(number)

    def journal(self) -> dict[str, Any]:
        """Compiled SQL, inline commit or a pipeline; arrivals are counted in the shared memory."""
        return {"note_arrivals": self.slot.note_arrivals, "committer": quick_committer, "execute": COMPILED}

    def admission(self) -> LoadShedding:
        """Load shedding: in a burst, handling gives way to receiving."""
        return LoadShedding(self.slot)

    def read_many(self, receiver: Receiver) -> ReadMany:
        """Read usual envelopes in one pass."""
        return UsualPushes(receiver)

    def server(
        self, settings: Settings, journal: Journal, application: Application, callers: Callers
    ) -> dict[str, Any]:
        """Request batching: what arrives together is read, committed and answered together."""
        self._pipeline = pipeline_of(journal)
        dispatcher = BatchingDispatcher(
            journal,
            application.face_at,
            callers,
            max_body=settings.server.max_body,
            threads=settings.server.threads,
            timeout=settings.journal.timeout,
        )
        return {"dispatcher": dispatcher, "channel_class": BatchingChannel}

    def begin(self, server: Server) -> None:
        """Have the loop wait for answers of PostgreSQL too, beside the server's own sockets."""
        self.slot.join()
        if self._pipeline is not None:
            self._pipeline.attach(server.sockets)

    def stop(self) -> None:
        """Have the other workers do this one's share."""
        self.slot.leave()

    def end(self) -> None:
        """Give back the connection to PostgreSQL."""
        if self._pipeline is not None:
            self._pipeline.detach()


# -- fast path: end ----------------------------------------------------------------------------------------------------
