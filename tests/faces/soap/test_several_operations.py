"""Several operations in one Body: all are taken in one commit, and the first one is answered."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from soap_handler.contract import NAMESPACE
from soap_handler.journal import Selection
from soap_handler.notifications import Kind
from tests.support.wire import (
    DEFAULTS,
    OTHER_PASSWORD,
    OTHER_REFERENCE,
    OTHER_USERNAME,
    PASSWORD,
    REFERENCE,
    USERNAME,
    elements,
    envelope,
    operation,
)

if TYPE_CHECKING:
    from tests.support.service import Service


def kinds_since(service: Service, count: int) -> list[str]:
    records = service.app.journal.records(Selection(), count)
    return [record.kind.value for record in reversed(records)]


def stored(service: Service) -> int:
    return sum(service.app.journal.counts().values())


def fresh(name: str) -> str:
    """Return an operation that no other test sends."""
    if name == "SubscriptionEvent":
        return operation(name, contactID=str(uuid.uuid4()))
    return operation(name, id=str(uuid.uuid4()))


def test_all_are_taken_and_the_first_is_answered(shared: Service) -> None:
    """Each becomes a row; nothing was repaired, so none is marked."""
    names = [kind.value for kind in Kind]
    before = stored(shared)
    body = envelope("".join(map(fresh, names)))
    assert shared.post(body).confirms == "MessageReceived"
    assert stored(shared) == before + 4
    assert kinds_since(shared, 4) == names
    assert {record.notification.repaired for record in shared.app.journal.records(Selection(), 4)} == {()}
    assert shared.post(body).confirms == "MessageReceived"
    assert stored(shared) == before + 4


def test_a_known_one_hides_no_other(shared: Service) -> None:
    """First A alone, then A and B: B is taken."""
    first, second = fresh("MessageReceived"), fresh("SubscriptionEvent")
    assert shared.post(envelope(first)).confirms
    before = stored(shared)
    assert shared.post(envelope(first + second)).confirms
    assert stored(shared) == before + 1


def test_one_that_cannot_be_read_refuses_all(shared: Service) -> None:
    """Nothing is stored of a Body that is refused."""
    before = stored(shared)
    answer = shared.post(envelope(fresh("MessageReceived") + f'<MessageEvent xmlns="{NAMESPACE}"/>'))
    assert answer.fault == ("Client", "The operation has none of its parameters")
    assert stored(shared) == before


@pytest.mark.parametrize("name", [kind.value for kind in Kind])
@pytest.mark.parametrize("inner", ["", "<x>1</x>", "hello", "<parameters><id>1</id><body>x</body></parameters>"])
def test_an_operation_without_any_of_its_parameters_is_refused(shared: Service, name: str, inner: str) -> None:
    """There would be an empty row, and the message would be lost."""
    before = stored(shared)
    assert shared.post(envelope(operation(name, inner))).fault == ("Client", "The operation has none of its parameters")
    assert stored(shared) == before


def test_operations_of_two_accounts_are_refused(shared: Service) -> None:
    """The credentials of the first are not those of the second."""
    ours = {"username": USERNAME, "password": PASSWORD, "account": REFERENCE}
    theirs = {"username": OTHER_USERNAME, "password": OTHER_PASSWORD, "account": OTHER_REFERENCE}
    texts = DEFAULTS["MessageEvent"]
    body = "".join(operation("MessageEvent", elements(login | texts)) for login in (ours, theirs))
    assert shared.post(envelope(body, head="")).fault == (
        "Client",
        "The operations of the Body have different credentials",
    )


def test_two_bodies_are_refused(shared: Service) -> None:
    """SOAP has one, and the second would be read by no one."""
    body = envelope(fresh("MessageReceived")).replace(b"</soap:Envelope>", b"<soap:Body/></soap:Envelope>")
    assert shared.post(body).fault == ("Client", "The envelope has more than one Body")


def test_what_stands_beside_an_operation_is_kept(shared: Service) -> None:
    """An element that is no operation may be one under another name: it is marked, and the request is kept."""
    answer = shared.post(envelope(fresh("MessageReceived") + "<MessageRecieved><id>1</id></MessageRecieved>"))
    assert answer.confirms
    (record,) = shared.app.journal.records(Selection(), 1)
    assert record.notification.repaired == ("unknown element",)
    assert b"MessageRecieved" in (shared.submitted[-1].envelope or b"")
