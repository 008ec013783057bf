"""The composition root: builds every part once, starts them in order, and closes what it built. It knows everyone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from soap_handler import handlers
from soap_handler.accounts import Accounts
from soap_handler.deletion import Deleter
from soap_handler.dispatch import Dispatcher
from soap_handler.inbox import Inbox
from soap_handler.journal import Journal
from soap_handler.receive import Receiver
from soap_handler.server import Server
from soap_handler.sinks.log import TARGET as LOG_SINK
from soap_handler.web.application import Application

if TYPE_CHECKING:
    from soap_handler.handlers import Handlers
    from soap_handler.settings import Settings

log = structlog.get_logger(__name__)


class App:
    """The whole service in one process: the server, the journal, the handlers and the inbox call-backs."""

    def __init__(self, settings: Settings, plugged: Handlers | None = None) -> None:
        """Build everything and listen. ``plugged`` are the handlers to use instead of ``handler.target``.

        Raises:
            HandlerNotFoundError: the target cannot be loaded.
            JournalUnavailableError: the journal cannot be opened.
            SchemaError: the journal is of a newer release.
            OSError: the address cannot be listened on.
        """
        plugged = plugged or handlers.load(settings.handler.target or LOG_SINK)
        accounts = Accounts(settings.account)
        self._drain = settings.server.drain
        self.journal = Journal(settings.journal.url.get_secret_value(), timeout=settings.journal.timeout)
        self.deleters = [
            Deleter(account.reference, Inbox(account.reference, account.inbox), self.journal, settings.delete)
            for account in accounts
            if account.inbox is not None
        ]
        with_inbox = {deleter.account for deleter in self.deleters}
        self.dispatcher = Dispatcher(self.journal, plugged, settings.handler, with_inbox.__contains__)
        receiver = Receiver(accounts, self.journal)
        application = Application(receiver, public_url=settings.server.public_url, max_body=settings.server.max_body)
        try:
            self.server = Server(application, settings.server)
        except OSError:
            self.journal.close()
            raise

    def run(self) -> bool:
        """Serve until :meth:`stop`; then drain and close everything. Return whether nothing was left in flight."""
        self.dispatcher.start()
        for deleter in self.deleters:
            self.journal.listen(deleter.wake)
            deleter.start()
        log.info("serving", port=self.server.port)
        answered = self.server.run(self._drain)
        handled = self.dispatcher.stop(self._drain)
        deleted = sum(deleter.stop(self._drain) for deleter in self.deleters) == len(self.deleters)
        self.journal.close()
        log.info("stopped", answered=answered, handled=handled, deleted=deleted)
        return answered and handled and deleted

    def stop(self) -> None:
        """Let :meth:`run` return. Safe in a signal handler."""
        self.server.stop()
