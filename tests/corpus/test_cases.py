"""Every case of the table, through the real endpoint into a real journal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from soap_handler.contract import NAMESPACE, SOAP_11
from soap_handler.journal import Selection
from soap_handler.notifications import stored
from tests.corpus.cases import CASES
from tests.corpus.messages import PASSWORD
from tests.corpus.positions import positions
from tests.corpus.strictness import strictness
from tests.corpus.unread import unread_parts

if TYPE_CHECKING:
    from tests.corpus.cases import Case
    from tests.corpus.conftest import SoapService


def test_the_table_is_long_enough() -> None:
    """At least 400 inputs, all of them different, each with a name of its own."""
    print(f"{len(CASES)} cases")  # noqa: T201 - for people who look
    assert len({case.body + case.content_type.encode() for case in CASES}) == len(CASES) >= 400
    assert len({case.id for case in CASES}) == len(CASES)


def test_names_identities_and_strictness_have_their_share() -> None:
    """Each place, spelling, prefix, stray byte and odd time that once cost a value is an input of its own."""
    share = {name for group in (positions, unread_parts, strictness) for name, _ in group()}
    assert len(share) >= 120
    assert share <= {case.id for case in CASES}


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES if case.stored is not None])
def test_what_can_be_stored_is_stored(soap: SoapService, case: Case) -> None:
    """The answer is 200, the journal holds the values, and repairs are marked, with the envelope."""
    exchange = soap.prepare(case.body, case.content_type, case.content_encoding)
    assert case.stored is not None
    assert exchange.entry is not None, exchange.answer
    assert exchange.answer.status.startswith("200")
    (content,) = etree.fromstring(exchange.answer.body)[0]
    assert content.tag == f"{{{NAMESPACE}}}{case.stored.kind}Response"
    soap.journal.record(exchange.entry)
    (record,) = soap.journal.records(Selection(key=exchange.entry.notification.key))
    assert replace(record.notification, digest="") == case.stored
    assert record.notification.digest or record.key == case.stored.key
    assert record.notification.digest == "" or case.stored.repaired
    with closing(sqlite3.connect(soap.path)) as connection:
        query = "SELECT envelope, message_id FROM notification WHERE seq = ?"
        ((envelope, message_id),) = connection.execute(query, [record.seq]).fetchall()
    assert message_id == stored(record.notification)[1]
    assert (envelope is not None) == bool(case.stored.repaired)
    if envelope is not None:
        assert _around_password(envelope) == _around_password(case.body)


def _around_password(body: bytes) -> tuple[bytes, bytes]:
    """Return the bytes before and after the password. Only the password may differ: it is redacted where it is kept."""
    for codec in ("utf-8", "utf-16-le", "utf-16-be"):
        for hidden in (PASSWORD.encode(codec), "***".encode(codec)):
            before, found, after = body.partition(hidden)
            if found:
                assert PASSWORD.encode(codec) not in after
                return before, after
    raise AssertionError(body)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES if case.fault is not None])
def test_what_stays_refused(soap: SoapService, case: Case) -> None:
    """The answer is the fault that blames the caller, and nothing is stored."""
    before = soap.journal.counts()
    answer = soap.post(case.body, case.content_type, case.content_encoding)
    assert answer.status.startswith("500")
    fault = etree.fromstring(answer.body).find(f"{{{SOAP_11}}}Body/{{{SOAP_11}}}Fault")
    assert fault is not None
    assert fault.findtext("faultcode") == f"soap:{case.fault}"
    assert PASSWORD.encode() not in answer.body
    assert soap.journal.counts() == before
