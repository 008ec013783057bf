"""The choice of the quick committer for each engine: inline commit on SQLite, a pipeline on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soap_handler.fast.inline_commit import InlineCommit
from soap_handler.fast.postgresql_pipeline import PipelinedCommit
from soap_handler.journal.group_commit import GroupCommit
from soap_handler.journal.postgresql import is_psycopg

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from soap_handler.journal import Journal
    from soap_handler.journal.announcer import Announcer
    from soap_handler.journal.execute import Verb
    from soap_handler.journal.group_commit import Committer


def quick_committer(engine: Engine, announcer: Announcer, last: Verb) -> Committer:
    """Return the quickest committer for an engine. For ``Journal(committer=...)``."""
    if engine.dialect.name == "sqlite":
        return InlineCommit(engine, announcer, last)
    if is_psycopg(engine):
        return PipelinedCommit(engine, announcer, last)
    return GroupCommit(engine, announcer, last)


def pipeline_of(journal: Journal) -> PipelinedCommit | None:
    """Return the journal's pipeline, which a loop may attach to its sockets; ``None`` where it has none."""
    return journal.committer if isinstance(journal.committer, PipelinedCommit) else None
