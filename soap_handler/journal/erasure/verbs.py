"""The verbs of erasure: what ``Journal.erasures`` offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soap_handler.journal.access import SubjectVerbs
from soap_handler.journal.databases.proof import operator
from soap_handler.journal.erasure import book, sqlite_file
from soap_handler.journal.erasure import erase as statements
from soap_handler.journal.erasure.erase import Erasure, ErasureRequest

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Engine

    from soap_handler.journal.access import Access
    from soap_handler.journal.erasure.book import ErasureRecord
    from soap_handler.journal.erasure.phone_number import Trace


class Erasures(SubjectVerbs):
    """Erasures from one journal."""

    def __init__(self, journal: Access, engine: Engine) -> None:
        """``engine`` is the journal's own."""
        super().__init__(journal)
        self._engine = engine

    def erase(self, trace: Trace, account: str | None = None, inboxes: Collection[str] = ()) -> Erasure:
        """Remove every trace of a phone number, in one account or in all; return how much there was.

        ``inboxes`` are the accounts from whose EMS inbox messages are deleted; what waits there is not handled any
        more, but still deleted. The erasure itself is recorded, without the number.
        """
        wanted = self._request(trace, account, inboxes)
        number = self._write(book.begin, book.Begun(book.digest_of(trace), account, operator(), wanted.now))
        found = self._journal.read(lambda connection: list(statements.find(connection, wanted)))
        erased = sum((self._write(statements.erase, batch) for batch in found), Erasure())
        self._write(book.end, book.Ended(number, self._journal.now(), erased))
        return erased

    def records(self) -> list[ErasureRecord]:
        """Return the record of all erasures, latest first."""
        return self._journal.read(book.records)

    def rehearse(self, trace: Trace, account: str | None = None) -> Erasure:
        """Count what :meth:`erase` would remove, and write nothing."""
        wanted = self._request(trace, account, ())
        return self._journal.read(lambda connection: statements.rehearse(connection, wanted))

    def wipe(self, trace: Trace) -> sqlite_file.Wiped:
        """Remove what is left of an erased number in the journal's files, where that can be done."""
        return sqlite_file.wipe(self._engine, trace.digits)

    def _request(self, trace: Trace, account: str | None, inboxes: Collection[str]) -> ErasureRequest:
        return ErasureRequest(trace, self._journal.now(), account, frozenset(inboxes))
