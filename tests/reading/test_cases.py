"""Every case of the table, through the real endpoint into a real journal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from soap_handler.contract import NAMESPACE, SOAP_11
from soap_handler.journal import Selection

from .cases import CASES
from .messages import PASSWORD

if TYPE_CHECKING:
    from .cases import Case
    from .conftest import Front


def test_the_table_is_long_enough() -> None:
    """At least 400 inputs, all of them different, each with a name of its own."""
    print(f"{len(CASES)} cases")  # noqa: T201 - for people who look
    assert len({case.body + case.content_type.encode() for case in CASES}) == len(CASES) >= 400
    assert len({case.id for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES if case.stored is not None])
def test_what_can_be_stored_is_stored(front: Front, case: Case) -> None:
    """The answer is 200, the journal holds the values, and what was mended is noted, with the envelope."""
    answer = front.post(case.body, case.content_type)
    assert case.stored is not None
    assert answer.status.startswith("200"), answer.body
    (content,) = etree.fromstring(answer.body)[0]
    assert content.tag == f"{{{NAMESPACE}}}{case.stored.kind}Response"
    (record,) = front.journal.records(Selection(key=case.stored.key))
    assert record.notification == case.stored
    with closing(sqlite3.connect(front.path)) as connection:
        ((envelope,),) = connection.execute("SELECT envelope FROM notification WHERE seq = ?", [record.seq]).fetchall()
    assert (envelope is not None) == bool(case.stored.repaired)
    if envelope is not None:
        assert _shape(envelope) == _shape(case.body)


def _shape(body: bytes) -> tuple[bytes, bytes]:
    """Return what is before and after the password, which alone may differ: in the kept one it is masked."""
    wide = next((codec for codec in ("utf-16-le", "utf-16-be") if PASSWORD.encode(codec) in body or "***".encode(codec) in body), "utf-8")  # fmt: skip
    secret, mask = PASSWORD.encode(wide), "***".encode(wide)
    before, found, after = body.partition(mask) if mask in body else body.partition(secret)
    assert found
    assert secret not in before + after
    return before, after


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES if case.fault is not None])
def test_what_stays_refused(front: Front, case: Case) -> None:
    """The answer is the fault that blames the caller, and nothing is stored."""
    before = front.journal.counts()
    answer = front.post(case.body, case.content_type)
    assert answer.status.startswith("500")
    fault = etree.fromstring(answer.body).find(f"{{{SOAP_11}}}Body/{{{SOAP_11}}}Fault")
    assert fault is not None
    assert fault.findtext("faultcode") == f"soap:{case.fault}"
    assert PASSWORD.encode() not in answer.body
    assert front.journal.counts() == before
