"""Order beside a long backlog that a slow destination has not looked at yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import update

from soap_handler.journal import Entry, Journal
from soap_handler.journal.order import UNSEEN_ROWS
from soap_handler.journal.schema import notification
from soap_handler.journal.scope import Rule, Scope
from soap_handler.notifications import MessageReceived
from tests.journal.entries import LEASE, START
from tests.support.database import opened

if TYPE_CHECKING:
    from tests.journal.entries import Clock

EVENTS, MESSAGES = Rule(kinds=frozenset({"MessageEvent"})), Rule(kinds=frozenset({"MessageReceived"}))
OF_EVENTS, OF_MESSAGES = (Scope(((EVENTS, mine), (MESSAGES, not mine))) for mine in (True, False))


def of(number: int, originator: int) -> Entry:
    return Entry(MessageReceived(account="EX0000001", id=f"m{number}", originator=f"44{originator}"), START)


def test_order_holds_however_long_the_backlog_of_another_destination_is(
    journal: Journal, clock: Clock, url: str
) -> None:
    """A message waits behind what its originator has deep in the backlog; one without such goes ahead in the end."""
    journal.record_all([of(number, number) for number in range(UNSEEN_ROWS + 50)])
    journal.record_all([of(-1, UNSEEN_ROWS + 7), of(-2, -2)])
    with opened(url) as connection:  # the backlog goes elsewhere
        connection.execute(update(notification).where(notification.c.key.not_like("%m-%")).values(kind="MessageEvent"))
    found = []
    for _ in range(4):
        found += journal.claim(5, LEASE, in_order=True, scope=OF_MESSAGES)
        clock.forward(2)
    assert [claim.key for claim in found] == [of(-2, -2).notification.key]
    assert len(journal.claim(5, LEASE, in_order=True, scope=OF_EVENTS)) == 5
