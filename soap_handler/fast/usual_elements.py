"""Batch reading of XML push, for the seam ``Face.read_many``: small requests are read in the I/O loop.

It saves each request the way to a request thread and back, and lets those that arrive together share a commit. In
return it takes only small ones that need no costly password check and no repair; the general way decides on all others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from soap_handler import clock
from soap_handler.faces.base import Exchange
from soap_handler.faces.xml_elements import NotUnderstoodError
from soap_handler.faces.xml_push import CONFIRMED, push_of
from soap_handler.journal import Entry
from soap_handler.receive.values import read_notification

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from soap_handler.faces.base import Request
    from soap_handler.receive.receiver import Receiver

_LARGEST_BODY: Final = 16_384  # bytes; the loop serves no other connection while it reads one


class UsualElements:
    """Reads, authenticates and keys usual requests of XML push."""

    def __init__(self, receiver: Receiver, now: Callable[[], datetime] = clock.now) -> None:
        """``receiver`` has the accounts in use."""
        self._receiver = receiver
        self._now = now

    def __call__(self, requests: Sequence[Request]) -> list[Exchange | None]:
        """Prepare each request, or leave it to the general way."""
        return [self._exchange(each) if len(each.body) <= _LARGEST_BODY else None for each in requests]

    def _exchange(self, request: Request) -> Exchange | None:
        try:
            push = push_of(request, self._receiver)
        except NotUnderstoodError:
            return None
        if push.repaired or push.credentials is None:
            return None
        (account,) = self._receiver.accounts.recognise([push.credentials])
        if account is None:
            return None
        notification = read_notification(
            push.kind, push.fields, account=account.reference, zone=account.time_zone, optional=push.optional
        )
        return None if notification.repaired else Exchange(Entry(notification, self._now()), CONFIRMED)
