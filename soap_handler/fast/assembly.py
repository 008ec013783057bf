"""The accelerations, each behind its seam, put together for one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from soap_handler.faces.form_post.face import FormPost
from soap_handler.faces.plain_text import CONFIRMED, denied
from soap_handler.faces.soap.endpoint import Endpoint
from soap_handler.faces.xml_push import XmlPush
from soap_handler.fast.batching import BatchingDispatcher
from soap_handler.fast.batching_channel import BatchingChannel
from soap_handler.fast.compiled_sql import COMPILED
from soap_handler.fast.inline_commit import InlineCommit
from soap_handler.fast.load_shedding import LoadShedding
from soap_handler.fast.loop_takeover import LoopTakeover
from soap_handler.fast.postgresql_pipeline import PipelinedCommit
from soap_handler.fast.scoreboard import Scoreboard, WorkerSlot
from soap_handler.fast.usual_elements import UsualElements
from soap_handler.fast.usual_forms import read_usual_forms
from soap_handler.fast.usual_pushes import UsualPushes
from soap_handler.journal.databases.postgresql import is_psycopg
from soap_handler.journal.group_commit import GroupCommit
from soap_handler.notifications import Kind
from soap_handler.seams import Seams

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

    from soap_handler.faces.base import Face, ReadMany
    from soap_handler.journal import Journal
    from soap_handler.journal.announcer import Announcer
    from soap_handler.journal.execute import Verb
    from soap_handler.journal.group_commit import Committer
    from soap_handler.receive.receiver import Receiver
    from soap_handler.server.server import Server
    from soap_handler.settings import Settings
    from soap_handler.web.application import Application
    from soap_handler.web.client_address import Callers


class FastSeams(Seams):
    """The accelerations of ``fast/``, each behind its seam."""

    def __init__(self, workers: int = 1) -> None:
        self._scoreboard = Scoreboard(workers)
        self.slot = WorkerSlot(self._scoreboard, 0)
        """This process's part of what the workers share."""
        self._sheddings: list[LoadShedding] = []

    def take_slot(self, number: int) -> None:
        """Take a part of the shared memory."""
        self.slot = WorkerSlot(self._scoreboard, number)

    def worker_ended(self, number: int) -> None:
        """Have the other workers do the share of one that is gone."""
        self._scoreboard.leave(number)

    def journal(self) -> dict[str, Any]:
        """Compiled SQL, inline commit or a pipeline; arrivals are counted in the shared memory."""
        return {"note_arrivals": self.slot.note_arrivals, "committer": fast_committer, "execute": COMPILED}

    def admission(self) -> LoadShedding:
        """Load shedding: in a burst, handling gives way to receiving."""
        self._sheddings.append(LoadShedding(self.slot, all_here=self._sheddings))
        return self._sheddings[-1]

    def read_many(self, face: type[Face], receiver: Receiver) -> ReadMany | None:
        """Read usual envelopes, forms and elements of XML push in one pass, in the loop."""
        readers: dict[type[Face], Callable[[], ReadMany]] = {
            Endpoint: lambda: UsualPushes(receiver),
            FormPost: lambda: UsualPushes(receiver, read_usual_forms, dict.fromkeys(Kind, CONFIRMED), denied),
            XmlPush: lambda: UsualElements(receiver),
        }
        return readers[face]() if face in readers else None

    def server(
        self, settings: Settings, journal: Journal, application: Application, callers: Callers
    ) -> dict[str, Any]:
        """Request batching: what arrives together is read, committed and answered together."""
        self._pipeline = journal.committer if isinstance(journal.committer, PipelinedCommit) else None
        self._may_stall = isinstance(journal.committer, InlineCommit)
        self._dispatcher = BatchingDispatcher(
            journal,
            application.face_for,
            callers,
            max_body=settings.server.max_body,
            threads=settings.server.threads,
            timeout=settings.journal.timeout,
        )
        return {"dispatcher": self._dispatcher, "channel_class": BatchingChannel}

    def begin(self, server: Server) -> None:
        """Have the loop wait for answers of PostgreSQL too, beside the server's own sockets."""
        self.slot.join()
        if self._pipeline is not None:
            self._pipeline.attach(server.sockets)

    def run(self, server: Server, drain: float) -> bool:
        """Run the server's loop, in another thread where the one that it has is stuck in a commit."""
        if self._may_stall:
            return LoopTakeover(self._dispatcher).run(lambda: server.run(drain))
        return server.run(drain)

    def stop(self) -> None:
        """Have the other workers do this one's share."""
        self.slot.leave()

    def end(self) -> None:
        """Give back the connection to PostgreSQL."""
        if self._pipeline is not None:
            self._pipeline.detach()


def fast_committer(engine: Engine, announcer: Announcer, last: Verb) -> Committer:
    """Return the quickest committer for an engine. For ``Journal(committer=...)``."""
    if engine.dialect.name == "sqlite":
        return InlineCommit(engine, announcer, last)
    return PipelinedCommit(engine, announcer, last) if is_psycopg(engine) else GroupCommit(engine, announcer, last)
