"""The composition root: builds every part once, starts them in order, and closes what it built. It knows everyone."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.accounts.accounts import Accounts
from soap_handler.accounts.throttle import Throttle
from soap_handler.console.health import Health
from soap_handler.dispatch.dispatcher import Dispatcher
from soap_handler.dispatch.run import Runner
from soap_handler.errors import HandlerNotFoundError, JournalUnavailableError, SoapHandlerError, TracingError
from soap_handler.faces.form_post.face import FormPost
from soap_handler.faces.soap.endpoint import Endpoint
from soap_handler.faces.xml_push import XmlPush

# -- fast path: begin (this block, the one below, and the folder fast/ can be deleted together) ------------------------
from soap_handler.fast.assembly import FastSeams

# -- fast path: end ----------------------------------------------------------------------------------------------------
from soap_handler.inbox.deleters import Deleters
from soap_handler.inbox.reconcile_schedule import ReconcileSchedule
from soap_handler.journal import Journal, adopt
from soap_handler.journal.retention import Retention
from soap_handler.journal.watched import WatchedJournal, tell_accepted
from soap_handler.metrics.events import count_in
from soap_handler.metrics.instruments import detach_all
from soap_handler.metrics.shared_memory import MetricsSlot, SharedMemory
from soap_handler.metrics.status import Status
from soap_handler.receive.keeping import KeepingReceiver
from soap_handler.receive.receiver import Receiver
from soap_handler.seams import Seams
from soap_handler.server.console_listener import ConsoleListener, listen_for_console
from soap_handler.server.reload import applied, unapplied_changes
from soap_handler.server.server import Server
from soap_handler.sinks import routes
from soap_handler.web.application import Application
from soap_handler.web.client_address import Callers
from soap_handler.web.pages.pages import Pages
from soap_handler.xml.parser import Limits

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from soap_handler.dispatch.destination import Destination
    from soap_handler.dispatch.handlers import Handlers
    from soap_handler.faces.base import Face
    from soap_handler.server.worker_process import ParentLink
    from soap_handler.settings import ServerSettings, Settings
    from soap_handler.tracing.assembly import Tracing

_STOP_SECONDS: Final = 0.5  # what each part gets to end, even if another took all the time there was


def seams(settings: ServerSettings, workers: int = 1) -> Seams:
    """Return the seams that ``server.fast_path`` asks for."""
    # -- fast path: begin ----------------------------------------------------------------------------------------------
    if settings.fast_path == "auto":
        return FastSeams(workers)
    # -- fast path: end ------------------------------------------------------------------------------------------------
    return Seams()


def build_faces(server: ServerSettings, receiver: Receiver, seams: Seams) -> list[Face]:
    """Build the versions of the API that are served. In the form of the first, a request without a face is refused."""
    limits = Limits(server.max_depth, server.max_attributes)
    return [
        Endpoint(receiver, limits, seams.read_many(Endpoint, receiver)),
        FormPost(receiver, seams.read_many(FormPost, receiver)),
        XmlPush(receiver, limits, seams.read_many(XmlPush, receiver)),
    ]


def build_application(
    server: ServerSettings,
    faces: Sequence[Face],
    journal: Journal,
    callers: Callers,
    is_ready: Callable[[], bool] | None = None,
) -> Application:
    """Build what serves the faces over HTTP, and the pages for people."""
    paths = [path for face in faces for path in face.paths]
    return Application(
        faces,
        journal,
        public_url=server.prefixed_url,
        max_body=server.max_body,
        callers=callers,
        path_prefix=server.path_prefix or "",
        pages=Pages(paths, server.test_form) if server.help_pages else None,
        is_ready=is_ready if server.health else None,
    )


def build_console(
    settings: Settings, journal: Journal, memory: SharedMemory, sockets: Sequence[socket.socket]
) -> tuple[ConsoleListener, Callable[[Settings], None]]:
    """Build what serves the operators' application on these sockets, and what takes up a reload there."""
    from soap_handler.console import application, exposition  # noqa: PLC0415 - Flask, only where it is on

    health = Health(journal, memory.statuses)
    metrics = exposition.Exposition(memory, journal, health, references(settings))
    app = application.build(settings, journal, health, metrics)
    return ConsoleListener(app, sockets), lambda after: application.take_up(app, applied(settings, after))


def references(settings: Settings) -> list[str]:
    """Return the references of the accounts, which are labels of metrics."""
    return [account.reference for account in settings.account]


def shared_memory_for(settings: Settings, workers: int = 1) -> SharedMemory:
    """Build what the workers count in, with room for what the settings name."""
    return SharedMemory(workers, len(settings.account) + len(settings.sink))


def serve_console(
    load: Callable[[], Settings], memory: SharedMemory, sockets: Sequence[socket.socket], link: ParentLink
) -> int:
    """Serve the console in this process, beside those of the workers, until the parent says stop; return 0.

    ``load`` gives the settings, now and at each reload.
    """
    settings = load()
    detach_all()
    told_to_stop = threading.Event()
    with Journal(settings.journal.url.get_secret_value(), timeout=settings.journal.timeout) as journal:
        console, take_up = build_console(settings, journal, memory, sockets)
        console.start()
        link.follow(lambda: take_up(load()), told_to_stop.set)
        told_to_stop.wait()
        console.stop(_STOP_SECONDS)
    return 0


def tracing(settings: Settings) -> Tracing | None:
    """Return what makes traces; ``None``, and nothing is imported for it, where they are off.

    Raises:
        TracingError: they cannot be made.
    """
    if not settings.tracing.enabled:
        return None
    try:
        from soap_handler.tracing.assembly import Tracing  # noqa: PLC0415 - installed only with the extra
    except ImportError as error:
        raise TracingError("tracing.enabled needs a library that is not installed: soap-handler[otel]") from error
    return Tracing()


def open_journal(settings: Settings, seams: Seams, traced: Tracing | None) -> Journal:
    """Open the journal: the plain one, but where the log or traces are to tell of each push."""
    terms = {"timeout": settings.journal.timeout, **seams.journal()}
    watchers = [tell_accepted] if settings.log.level == "debug" else []
    url = settings.journal.url.get_secret_value()
    if traced:
        return traced.journal(url, watchers=watchers, **terms)
    return WatchedJournal(url, watchers=watchers, **terms) if watchers else Journal(url, **terms)


class App:
    """The whole service in one process: the server, the journal, the handlers and the inbox call-backs."""

    def __init__(
        self,
        settings: Settings,
        plugged: Handlers | None = None,
        sockets: Sequence[socket.socket] = (),
        shared: Seams | None = None,
        slot: MetricsSlot | None = None,
    ) -> None:
        """Build everything and listen. ``plugged`` are the handlers to use instead of ``handler.target``.

        ``sockets`` are to be listened on in place of the settings' address. Other processes may share them; ``shared``
        is then what was made before the fork, and so is ``slot``. A service in one process has the console in it.

        Raises:
            ConsoleAddressError: the console's address cannot be listened on.
            HandlerNotFoundError: the target cannot be loaded, or a kind has neither a handler nor is it ignored.
            JournalUnavailableError: the journal cannot be opened, or cannot be written.
            SchemaError: the journal is of a newer release.
            TracingError: traces are on, and cannot be made.
            OSError: the address cannot be listened on.
        """
        self._settings = settings
        self._loads_target = plugged is None
        self._drain = settings.server.drain_timeout
        self._stop_by = 0.0
        self.must_renew = False
        """Whether :meth:`run` ended as all handler threads hang: only another process goes on."""
        self.seams = shared or seams(settings.server)
        self._tracing = tracing(settings)
        self._slot = slot or MetricsSlot(shared_memory_for(settings))
        self._slot.clear_gauges()
        self._end_counting = count_in(self._slot) if settings.console else lambda: None
        self.console: ConsoleListener | None = None
        """What serves the console; ``None`` where there is none, or where it is a process of its own."""
        self._tell_console: Callable[[Settings], None] = lambda _: None  # it is another process, or there is none
        for_console = listen_for_console(settings.console) if slot is None else []
        self.accounts = Accounts(settings.account)
        """Those whose pushes are taken now; a reload replaces them."""
        self.journal = open_journal(settings, self.seams, self._tracing)
        try:  # after the journal is open: the customer's module may change the working directory
            self.journal.prove_writable()
            adopt(self.journal, self.accounts)
            self._build_background(settings, routes.destinations(settings, plugged))
            self.server = self._build_server(settings, sockets)
        except (OSError, HandlerNotFoundError, JournalUnavailableError):
            self._end_counting()
            self.journal.close()
            raise
        if for_console:
            self.console, self._tell_console = build_console(settings, self.journal, self._slot.memory, for_console)

    def _build_background(self, settings: Settings, destinations: Sequence[Destination]) -> None:
        """Build what runs beside the server."""
        admissions = [self.seams.admission() for _ in destinations]
        self.deleters = Deleters(self.accounts, self.journal, settings.delete, admissions[0])
        self.reconcile_schedule = ReconcileSchedule(
            self.accounts, self.journal, settings.reconcile, settings.delete, self.deleters.connections
        )
        self.retention = Retention(
            self.journal, settings.journal.retention, audit_days=settings.journal.audit_retention
        )
        self.dispatchers = [
            Dispatcher(
                self.journal,
                destination,
                self.deleters.__contains__,
                in_order=settings.dispatch.order == "originator",
                admission=admission,
                stands_still=self._renew,
                runner=self._tracing.runner if self._tracing else Runner,
            )
            for destination, admission in zip(destinations, admissions, strict=True)
        ]

    def _build_server(self, settings: Settings, sockets: Sequence[socket.socket]) -> Server:
        """Build the way of a push, from the journal back to the socket."""
        server = settings.server
        throttle = Throttle(server.login_failures_allowed, server.login_failure_delay)
        if wanted := routes.wants_requests(settings):
            self._receiver: Receiver = KeepingReceiver(wanted, self.accounts, throttle)
            faces = build_faces(server, self._receiver, Seams())  # the quick readers keep no request
        else:
            self._receiver = Receiver(self.accounts, throttle)
            faces = build_faces(server, self._receiver, self.seams)
        if self._tracing:
            faces = self._tracing.faces(faces)
        callers = Callers(server.allow_from, server.trusted_proxies)
        health = Health(self.journal, self._slot.memory.statuses)
        application = build_application(server, faces, self.journal, callers, lambda: health.readiness().is_ready)
        fast = self.seams.server(settings, self.journal, application, callers)
        return Server(application, server, application.face_or_first, sockets=sockets, **fast)

    def run(self) -> bool:
        """Serve until :meth:`stop`; then drain and close everything. Return whether nothing was left in flight."""
        if self.console is not None:
            self.console.start()
        for dispatcher in self.dispatchers:
            dispatcher.start()
        self.deleters.start()
        self.reconcile_schedule.start()
        self.retention.start()
        telemetry.emit("serving", port=self.server.port)
        self.seams.begin(self.server)
        self._slot.note(Status.DRAINING if self._stop_by else Status.SERVING)
        answered = self.seams.run(self.server, self._drain)
        self.seams.end()
        self.retention.stop(self._time_left())  # the next round goes on where this one ends
        reconciled = self.reconcile_schedule.stop(self._time_left)
        for dispatcher in self.dispatchers:
            dispatcher.claim_no_more()
        stopped = [dispatcher.stop(self._time_left()) for dispatcher in self.dispatchers]
        handled = all(stopped)
        deleted = self.deleters.stop(self._time_left)
        closed = self.journal.close(self._time_left())
        self._slot.note(Status.ABSENT)
        self._end_counting()
        if self.console is not None:
            self.console.stop(_STOP_SECONDS)
        if self._tracing:
            self._tracing.end(self._time_left())
        telemetry.emit("stopped", answered=answered, reconciled=reconciled, handled=handled, deleted=deleted)
        return answered and reconciled and handled and deleted and closed

    def reload(self, settings: Settings) -> None:
        """Take up new accounts, passwords and inboxes while serving; no request is dropped or answered differently.

        A request is checked against the accounts of before or of after, never of both. Everything else in the
        settings waits for a restart, which the log says. Waits for the deletes in flight where a login changes.
        """
        try:
            if self._loads_target:
                routes.refuse_unserved(settings, self._settings)
            accounts = Accounts(settings.account, self.accounts)
            deleters = self.deleters.prepare(list(accounts), settings.delete)
            runs = self.reconcile_schedule.prepare(accounts, settings.reconcile, settings.delete)
            adopt(self.journal, accounts)
        except (SoapHandlerError, OSError) as error:
            telemetry.emit("reload_refused", problem=str(error))
            return
        self.accounts = accounts
        self.deleters.expect(accounts)
        self._receiver.accounts = accounts
        self._tell_console(settings)
        self._adopt_late()
        self.deleters.change(deleters, self._drain)
        self.reconcile_schedule.change(runs)
        unapplied = unapplied_changes(self._settings, settings)
        if unapplied:
            telemetry.emit("reload_needs_restart", settings=unapplied)
        telemetry.emit("reloaded", accounts=[account.reference for account in accounts])

    def _adopt_late(self) -> None:
        """Adopt what came under the former names until the receiver had the new ones."""
        try:
            adopt(self.journal, self.accounts)
        except JournalUnavailableError as error:  # it is found at the next start or reload
            telemetry.emit("adoption_put_off", reason=str(error))

    def stop(self) -> None:
        """Let :meth:`run` return, after ``server.drain_timeout`` seconds at most. Safe in a signal handler."""
        self._stop_by = time.monotonic() + self._drain
        self._slot.note(Status.DRAINING)
        self.seams.stop()
        self.server.stop()

    def _renew(self) -> None:
        """End for another process to go on. It has all threads again; no thread of this one can be taken back."""
        if not self.must_renew:
            self.must_renew = True
            self.stop()

    def _time_left(self) -> float:
        return max(_STOP_SECONDS, self._stop_by - time.monotonic())
