"""Positional calls: read by position where the count fits, and by names alone where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from soap_handler.notifications import MessageEvent
from tests.support.wire import PASSWORD, REFERENCE, USERNAME, envelope, header, operation

if TYPE_CHECKING:
    from tests.support.service import Service

IDENTITY: Final = "3d1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c5"
VALUES: Final = ["Delivered", "2008-06-12T10:16:02Z"]
CREDENTIALS: Final = [USERNAME, PASSWORD, REFERENCE]


def call(names: list[str], values: list[str], head: str | None = None) -> bytes:
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in zip(names, values, strict=True))
    return envelope(operation("MessageEvent", inner=inner), head=head)


def taken(shared: Service, body: bytes) -> MessageEvent:
    assert shared.post(body).confirms
    notification = shared.submitted[-1].notification
    assert isinstance(notification, MessageEvent)
    return notification


@pytest.mark.parametrize("name", ["param", "arg", "in", "v", "c-gensym", "s-gensym", "Parameter_", "value-no.", "p"])
def test_names_by_number_are_positions(shared: Service, name: str) -> None:
    """In the order of the elements, whatever their numbers."""
    identity = f"{IDENTITY}{len(name)}"
    event = taken(shared, call([f"{name}{number}" for number in (9, 10, 4)], [identity, *VALUES]))
    assert (event.id, event.event_type, event.original) == (identity, "Delivered", {})
    assert event.occurred_at is not None
    assert event.repaired == ("positional call",)


def test_credentials_come_first_where_there_is_no_header(shared: Service) -> None:
    """The version without headers, called by position; the request is kept without the password."""
    names = [f"param{number}" for number in range(6)]
    event = taken(shared, call(names, [*CREDENTIALS, f"{IDENTITY}a", *VALUES], head=""))
    assert event.id == f"{IDENTITY}a"
    assert "positional call" in event.repaired
    assert PASSWORD.encode() not in (shared.submitted[-1].envelope or b"")
    assert shared.post(call(names, [USERNAME, "wrong", REFERENCE, f"{IDENTITY}b", *VALUES], head="")).fault is not None


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (["param0", "param1"], VALUES),
        (["param0", "param1", "param2", "param3"], [f"{IDENTITY}c", *VALUES, "x"]),
        (["param0", "param0", "param1"], [f"{IDENTITY}d", *VALUES]),
        (["param", "param1", "param2"], [f"{IDENTITY}e", *VALUES]),
        (["param0", "arg1", "in2"], [f"{IDENTITY}e", *VALUES]),
    ],
    ids=["too few", "too many", "twice the same", "no number", "several stems"],
)
def test_what_does_not_fit_is_not_guessed(shared: Service, names: list[str], values: list[str]) -> None:
    """Nothing of it is recognised, so it is refused: an empty row would lose it."""
    before = sum(shared.app.journal.counts().values())
    answer = shared.post(call(names, values, head=header()))
    assert answer.fault == ("Client", "The operation has none of its parameters")
    assert sum(shared.app.journal.counts().values()) == before


def test_a_name_among_positions_is_taken_alone(shared: Service) -> None:
    """It is stored as far as its names are known, marked as incomplete, and kept."""
    event = taken(shared, call(["id", "param1", "param2"], [f"{IDENTITY}f", *VALUES], head=header()))
    assert event.id == f"{IDENTITY}f"
    assert {"event_type missing", "occurred_at missing", "unknown element"} == set(event.repaired)
    assert b"param2" in (shared.submitted[-1].envelope or b"")


def test_an_encoded_call_has_its_parameters_in_order(shared: Service) -> None:
    """Whatever their names are, if their number fits."""
    body = call(["uuid", "what", "when"], [f"{IDENTITY}9", *VALUES], head=header())
    style = b' xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="urn:x"'
    event = taken(shared, body.replace(b"<MessageEvent", b"<MessageEvent" + style))
    assert (event.id, event.event_type) == (f"{IDENTITY}9", "Delivered")
    assert event.repaired == ("encoded call", "positional call")
