"""Mailbox of one account: its undeleted messages, and the history of each message. No network here."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from soap_handler.notifications import MessageReceived

Step = Literal["put", "pushed", "deleted"]


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One step in the life of a message, and when it was taken (aware UTC)."""

    step: Step
    at: datetime


class Mailbox:
    """Store of received messages until they are deleted, in the order of their arrival. Thread-safe.

    Ids are compared without regard to case (contract, section 4).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: dict[str, MessageReceived] = {}
        self._history: dict[str, list[HistoryEntry]] = {}
        self._tally: Counter[str] = Counter()

    def put(self, message: MessageReceived) -> None:
        """Add a message. It stays until it is deleted, whether or not its push succeeds."""
        with self._lock:
            self._messages[message.id.lower()] = message
            self._note("put", message.id)

    def ids(self) -> list[str]:
        """Return the ids of all messages, oldest arrival first."""
        with self._lock:
            return list(self._messages)

    def messages(self) -> list[MessageReceived]:
        """Return all messages, oldest arrival first."""
        with self._lock:
            return list(self._messages.values())

    def get(self, message_id: str) -> MessageReceived | None:
        """Return the message of this id, or ``None``."""
        with self._lock:
            return self._messages.get(message_id.lower())

    def delete(self, ids: Iterable[str]) -> list[str]:
        """Delete the messages and return the ids that were not known, as they were given."""
        with self._lock:
            return [message_id for message_id in ids if not self._delete(message_id)]

    def pushed(self, message_id: str) -> None:
        """Note in the message's history that it was sent to the Account Event Handler."""
        with self._lock:
            self._note("pushed", message_id)

    def refuse_login(self) -> None:
        """Count a call for this account that came without the right username and password."""
        with self._lock:
            self._tally["refused_logins"] += 1

    def history(self, message_id: str) -> list[HistoryEntry]:
        """Return the steps of a message, oldest first; empty for an unknown message."""
        with self._lock:
            return list(self._history.get(message_id.lower(), ()))

    @property
    def deleted(self) -> int:
        """How many messages were deleted."""
        return self._tally["deleted"]

    @property
    def refused_logins(self) -> int:
        """How many calls for this account were refused for their username or password."""
        return self._tally["refused_logins"]

    def __len__(self) -> int:
        return len(self._messages)

    def _delete(self, message_id: str) -> bool:
        if self._messages.pop(message_id.lower(), None) is None:
            return False
        self._tally["deleted"] += 1
        self._note("deleted", message_id)
        return True

    def _note(self, step: Step, message_id: str) -> None:
        self._history.setdefault(message_id.lower(), []).append(HistoryEntry(step, datetime.now(UTC)))
