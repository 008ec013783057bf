"""The fast way and the general way: equal values, or the general way alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soap_handler.notifications import Kind
from tests.corpus.cases import CASES
from tests.corpus.messages import message
from tests.support.naming import naming
from tests.support.quickly import assert_alike, prepare_quickly

if TYPE_CHECKING:
    from tests.corpus.soap_service import SoapService


def test_the_fast_way_reads_what_the_general_way_reads(soap: SoapService) -> None:
    """Values and answers are the same; a request to be repaired or refused is left to the general reader."""
    for case in CASES:
        with naming(case.id):
            quick = prepare_quickly(soap.endpoint, case.body, case.content_type)
            if quick is not None:
                assert_alike(quick, soap.prepare(case.body, case.content_type))


@pytest.mark.parametrize("kind", Kind)
def test_the_fast_way_takes_the_usual(soap: SoapService, kind: Kind) -> None:
    """What EMS sends needs no general way."""
    told = message(kind, "usual")
    soap.post(told.bytes_())  # its credentials are known from now on
    assert prepare_quickly(soap.endpoint, told.bytes_(), told.content_type) is not None
