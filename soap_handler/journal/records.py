"""The values that go into the journal and come out of it. No SQL here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from soap_handler.notifications import Kind, Notification, from_dict

if TYPE_CHECKING:
    from datetime import datetime


_JSON: Final = json.JSONDecoder()


class State(StrEnum):
    """The state of a notification (design, "The life of a notification")."""

    RECEIVED = "received"
    """On disk; the handler has yet to return."""
    HANDLED = "handled"
    """The handler returned; the message has yet to leave the EMS inbox."""
    DONE = "done"
    DEAD = "dead"
    """The handler failed too often. Kept until a person sends it round again."""


class Step(StrEnum):
    """The step of a line of a history: the handler, the inbox delete, another push, or an order of a person."""

    HANDLE = "handle"
    DELETE = "delete"
    PUSH = "push"
    """A duplicate. It is kept with its content where it says what the first copy, which had to be repaired, did not."""
    REPLAY = "replay"
    """A person sent it round again although it was done."""
    GIVE_UP = "give-up"
    """A person made it dead although it was still waiting for its handler."""


class Source(StrEnum):
    """The way by which a notification reached us."""

    PUSH = "push"
    INBOX = "inbox"
    TEST = "test"
    """A push of ``soap-handler doctor``: stored as done, and never handed to a handler or deleted anywhere."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A notification that is to be recorded."""

    notification: Notification
    received_at: datetime
    source: Source = Source.PUSH
    envelope: bytes | None = None
    """The request as it came, password masked; kept where it was repaired, or a sink writes requests."""
    others: tuple[Entry, ...] = ()
    """Further notifications of the same request: they are committed with it."""
    trace_context: str | None = None
    """The span of the push, as a W3C ``traceparent``, where traces are on; then each entry of the process has one."""
    caller: str | None = None
    """The address from which it was pushed, or ``unknown``; ``None`` where it was not pushed."""
    api: str | None = None
    """The version of the API in which it was pushed (``faces.origin``)."""


class Claim(NamedTuple):
    """A lease on one notification: it settles only while its owner still holds it.

    A named tuple: two are made for each notification, and a frozen dataclass takes three times as long to make.
    """

    seq: int
    key: str
    account: str
    kind: Kind
    message_id: str | None
    owner: str
    attempts: int
    """The number of the attempt that this claim is for: one more than are known to have begun."""
    received_at: datetime
    leased_at: datetime
    """By the wall clock, for the history."""
    payload: str
    due_at: datetime
    """Since when it had been due, by the queue's clock."""
    claimed_at: float
    """By the monotonic clock, for what is left of the lease."""
    envelope: bytes | None = None
    """The request that brought it, password masked, where it is kept."""
    is_suspect: bool = False
    """Whether the lease before this one ran out without a result: the handler may have ended its process."""
    has_left_inbox: bool = False
    """Whether EMS has confirmed its delete already: it is replayed, and is not deleted again."""
    trace_context: str | None = None
    """The span of its push, where traces are on and were on then."""

    @property
    def notification(self) -> Notification:
        """The notification as it was recorded."""
        return notification_of(self.kind, self.payload)


class Settlement(NamedTuple):
    """The end of one attempt, and the state that the notification takes from it. A named tuple, like a claim."""

    claim: Claim
    step: Step
    state: State
    """The state after this attempt; the same as before when there will be another."""
    due_at: datetime | None
    """When the next attempt or step is due, by ``Journal.queue_now``; ``None`` when nothing more is to be done."""
    started_at: datetime
    ended_at: datetime
    error: str | None = None
    """Why the attempt failed, without personal data; ``None`` when it did not."""
    uncalled: str | None = None
    """Where no handler was called: the outcome that the history shows. Then it is no attempt, and counts as none."""
    trace: str | None = None
    """The frames of the error, without any value."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One line of a notification's history."""

    step: Step
    started_at: datetime
    ended_at: datetime
    outcome: str
    error: str | None
    owner: str
    times: int = 1
    """How many attempts at a delete this stands for, which failed alike, or how many pushes.

    It begins with the first of them and ends with the last, of which :attr:`caller` and :attr:`api` are.
    """
    envelope: bytes | None = None
    """Of another push: the request where it had to be repaired, password masked, or else its values as JSON."""
    trace: str | None = None
    """Of a failed attempt: the frames of its error. Where later ones failed at the same place, the last has it."""
    caller: str | None = None
    """Of another push: the address that it came from; ``None`` where that is not recorded, or it was no push."""
    api: str | None = None
    """Of another push: the version of the API."""


@dataclass(frozen=True, slots=True)
class Record:
    """A notification as the journal holds it, for people."""

    seq: int
    key: str
    account: str
    kind: Kind
    state: State
    source: Source
    originator: str | None
    received_at: datetime
    due_at: datetime | None
    handled_at: datetime | None
    done_at: datetime | None
    attempts: int
    delete_attempts: int
    leased: bool
    """Whether a claim holds it. One whose process died holds it until ``due_at``."""
    erased_at: datetime | None
    """When its content was erased with a phone number; ``None`` when it was not."""
    payload: str
    caller: str | None = None
    """The address from which it was pushed, or ``unknown``; ``None`` where it was not, or that is not recorded."""
    api: str | None = None
    """The version of the API in which it was pushed; ``None`` as that is."""

    @property
    def notification(self) -> Notification:
        """The notification as it was recorded."""
        return notification_of(self.kind, self.payload)


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter for records. ``None`` means any."""

    state: State | None = None
    kind: Kind | None = None
    account: str | tuple[str, ...] | None = None
    """A name, or several of one account."""
    originator: str | None = None
    key: str | None = None
    message_id: str | None = None
    """In any spelling of a GUID."""
    number: str | None = None
    """The phone number of the originator, in whatever form (``conditions``)."""
    error: str | None = None
    """A part of the last error, in whatever letter case."""
    since: datetime | None = None
    """Stored then or later."""
    until: datetime | None = None
    """Stored earlier."""
    after: int | None = None
    """Behind the row of this number."""
    seqs: tuple[int, ...] | None = None
    """The rows of these numbers: at most some thousands."""


def notification_of(kind: Kind, payload: str) -> Notification:
    """Return the notification whose stored form this is."""
    values, _ = _JSON.raw_decode(payload)  # ours, so there are no blanks around it to look for
    return from_dict(kind, values)
