"""The table of malformed and odd requests: mutations, times operations, times elements, each with its outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from soap_handler.notifications import Kind
from tests.corpus.charsets import encodings
from tests.corpus.elements import odd_elements
from tests.corpus.messages import message
from tests.corpus.packaging import packages
from tests.corpus.positions import positions
from tests.corpus.refusals import REFUSED
from tests.corpus.soap12 import soap12
from tests.corpus.strictness import strictness
from tests.corpus.structures import structures
from tests.corpus.texts import wrong_texts
from tests.corpus.unread import unread_parts
from tests.corpus.values import wrong_reasons, wrong_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soap_handler.notifications import Notification


@dataclass(frozen=True)
class Case:
    """One request and what must become of it."""

    id: str
    body: bytes
    content_type: str
    stored: Notification | None = None
    fault: str | None = None
    content_encoding: str = ""


def _stored() -> Iterator[Case]:
    groups = (
        wrong_texts,
        wrong_values,
        wrong_reasons,
        odd_elements,
        encodings,
        structures,
        strictness,
        soap12,
        packages,
        positions,
        unread_parts,
    )
    for group in groups:
        for name, told in group():
            yield Case(
                name,
                told.bytes_(),
                told.content_type,
                stored=told.notification,
                content_encoding=told.content_encoding,
            )


def _refused() -> Iterator[Case]:
    for case, (change, code) in REFUSED.items():
        for kind in (Kind.MESSAGE_RECEIVED, Kind.SUBSCRIPTION_EVENT):
            told = change(message(kind, case))
            yield Case(f"{kind}: {case}", told.bytes_(), told.content_type, fault=code)


CASES: Final = (*_stored(), *_refused())
