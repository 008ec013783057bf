"""The five seams at which an optional layer may step in, and their plain way: each part's own defaults.

``fast/`` fills them all. Which of the two is taken is ``app``'s decision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from soap_handler.dispatch.admission import Admission

if TYPE_CHECKING:
    from soap_handler.faces.base import Face, ReadMany
    from soap_handler.journal import Journal
    from soap_handler.receive.receiver import Receiver
    from soap_handler.server.server import Server
    from soap_handler.settings import Settings
    from soap_handler.web.application import Application
    from soap_handler.web.client_address import Callers


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
        """Return what says how much one destination may handle now, and whether deletes may go on."""
        return Admission()

    def read_many(self, _face: type[Face], _receiver: Receiver) -> ReadMany | None:
        """Return what reads several requests to a face at once."""
        return None

    def server(
        self, _settings: Settings, _journal: Journal, _application: Application, _callers: Callers
    ) -> dict[str, Any]:
        """Return what the server takes besides its settings: a dispatcher and a class of channels."""
        return {}

    def begin(self, server: Server) -> None:
        """Begin just before the server's loop runs, in the thread that calls :meth:`run`."""

    def run(self, server: Server, drain: float) -> bool:
        """Run the server's loop until it has drained; return whether everything in flight was answered."""
        return server.run(drain)

    def stop(self) -> None:
        """Note that no more is accepted. Safe in a signal handler."""

    def end(self) -> None:
        """End in that thread, when the loop has ended."""
