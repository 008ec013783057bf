"""Batch reading: one pass over pushes in the usual form, for the seam ``Face.read_many``.

It skips what the general way does for odd requests: spyne, repairs, slow password checks. In return it takes only
requests that need none of that; all others get ``None`` here, and the general way decides. Wrong credentials in a usual
push are refused here too: a guesser must not cost more than EMS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from soap_handler import clock
from soap_handler.errors import AuthenticationError
from soap_handler.faces.base import Exchange
from soap_handler.faces.credentials import has_login
from soap_handler.faces.soap.endpoint import CONFIRMED
from soap_handler.faces.soap.refusals import denied
from soap_handler.fast.usual_reader import UsualReader
from soap_handler.journal import Entry
from soap_handler.receive.push import Push
from soap_handler.receive.receiver import read_notification
from soap_handler.xml.charsets import charset_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from soap_handler.accounts.authentication import Account
    from soap_handler.faces.base import Answer, Request
    from soap_handler.fast.usual_reader import Read
    from soap_handler.notifications import Kind
    from soap_handler.receive.receiver import Receiver


class UsualPushes:
    """Reads, authenticates and keys usual pushes. For one thread, since its parser is."""

    def __init__(
        self,
        receiver: Receiver,
        read: Callable[[Sequence[Request]], list[Read | None]] | None = None,
        confirmed: Mapping[Kind, Answer] = CONFIRMED,
        denied: Callable[[AuthenticationError], Answer] = denied,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        """``receiver`` has the accounts in use. The other three are a face's, by default the SOAP face's.

        They read requests, confirm notifications and refuse wrong credentials.
        """
        self._receiver = receiver
        self._read = read or UsualEnvelopes().read
        self._confirmed = confirmed
        self._denied = denied
        self._now = now

    def __call__(self, requests: Sequence[Request]) -> list[Exchange | None]:
        """Prepare requests, each step for all of them before the next step: the processor's caches stay warm."""
        read = self._read(requests)
        accounts = self._recognised(read)
        now = self._now()
        return [
            None
            if one is None
            else self._exchange(one, account, now, request.caller)
            if account
            else self._refusal(one, request)
            for one, account, request in zip(read, accounts, requests, strict=True)
        ]

    def _recognised(self, read: Sequence[Read | None]) -> list[Account | None]:
        """Return the account of each whose credentials can be checked at little cost."""
        known = iter(self._receiver.accounts.recognise([one[2] for one in read if one is not None]))
        return [None if one is None else next(known) for one in read]

    def _exchange(self, read: Read, account: Account, now: datetime, caller: str) -> Exchange | None:
        kind, fields, _, api = read
        notification = read_notification(kind, fields, account=account.reference, zone=account.time_zone)
        if notification.repaired:
            return None
        return Exchange(Entry(notification, now, caller=caller, api=api), self._confirmed[kind])

    def _refusal(self, read: Read, request: Request) -> Exchange | None:
        """Refuse wrong credentials. ``None`` where there is more to be checked than those of the request itself."""
        if request.authorization or not has_login(read[2]):
            return None
        error = wrong_login(self._receiver, Push(*read[:3], request.caller, size=len(request.body)))
        return None if error is None else Exchange(None, self._denied(error), error.delay, "refused_login")


def wrong_login(receiver: Receiver, push: Push) -> AuthenticationError | None:
    """Count and log wrong credentials as the general way does; ``None`` where it takes a slow check to tell."""
    if receiver.accounts.slow_checks:
        return None
    try:
        receiver.prepare(push)
    except AuthenticationError as error:
        return error
    return None


class UsualEnvelopes:
    """Reads SOAP envelopes in the usual form. For one thread."""

    def __init__(self) -> None:
        self._reader = UsualReader()

    def read(self, requests: Sequence[Request]) -> list[Read | None]:
        """Return the contents of each request, or ``None`` where the general way must take it."""
        return self._reader.read([each.body if _may_be_utf8(each.content_type) else b"" for each in requests])


def _may_be_utf8(content_type: str) -> bool:
    label = charset_of(content_type)
    return label is None or label.lower() == "utf-8"
