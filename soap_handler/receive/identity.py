"""Identity of a notification that was not read in full: when the key is a digest of the operation as it came.

A key rests on values that were understood. Two notifications that differ only in what was not understood would then
share a key, and the second would pass for a duplicate and be lost. So anything that was repaired or left unread makes
the key a digest of the operation's bytes: a repeat byte by byte stays a duplicate, and anything else is new.

Two cases keep the key of their values. A ``MessageReceived`` whose id is beyond doubt: that names the message at EMS,
also to the inbox copy, whatever had to be repaired elsewhere. And repairs that are exact (contract, section 4): the
values are what the sender meant, to the character.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from soap_handler.notifications import MessageReceived, is_guid
from soap_handler.xml.charsets import SURROGATES
from soap_handler.xml.repair import CONTROL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from soap_handler.notifications import Notification

_DIGEST_CHARACTERS: Final = 32
_EXACT: Final = frozenset({CONTROL, SURROGATES})
"""Marks of repairs after which two different requests still read as two different texts."""


def identified(
    notification: Notification, operation: Callable[[], bytes], doubtful: Collection[str] = (), number: int = 0
) -> Notification:
    """Return a notification with its digest, where the key cannot rest on its values.

    ``operation`` gives the operation as it came, without credentials. ``doubtful`` are attributes of which more than
    one text, or a text in a doubtful place, came. ``number`` tells operations of one request from each other.
    """
    if _EXACT.issuperset(notification.repaired) or _has_sound_id(notification, doubtful):
        return notification
    content = b"%d\0" % number + operation()
    return replace(notification, digest=hashlib.sha256(content).hexdigest()[:_DIGEST_CHARACTERS])


def _has_sound_id(notification: Notification, doubtful: Collection[str]) -> bool:
    """Whether the id alone names a message at EMS: a GUID that was read without a doubt."""
    return isinstance(notification, MessageReceived) and is_guid(notification.id) and "id" not in doubtful
