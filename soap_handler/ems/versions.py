"""The versions of the API that the simulated EMS speaks: each writes a push as a request, and checks the answer.

Does not send the request: see ``ems/pusher.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from soap_handler.ems.accounts import EmsAccount
    from soap_handler.notifications import Notification

_MAX_ANSWER_CHARACTERS: Final = 200


class PushError(Exception):
    """The answer was not HTTP 200 with the empty response, so EMS keeps the notification."""


@dataclass(frozen=True, slots=True)
class PushRequest:
    """One request: its headers and its body."""

    headers: Mapping[str, str]
    body: bytes


class Writer(Protocol):
    """One version of the API."""

    def request(self, account: EmsAccount, notification: Notification, *, upper_case_id: bool = False) -> PushRequest:
        """Return the request that pushes a notification.

        Raises:
            ValueError: a text cannot be written.
        """

    def check(self, response: requests.Response, notification: Notification) -> None:
        """Return only for an answer that confirms.

        Raises:
            PushError: anything else; the text says what came instead.
        """


def check_status(response: requests.Response) -> None:
    """Return only for HTTP 200, which says it all where an answer is a plain text.

    Raises:
        PushError: anything else; the text says what came instead.
    """
    if response.status_code != 200:
        text = response.text.strip()[:_MAX_ANSWER_CHARACTERS]
        raise PushError(f"HTTP {response.status_code}{text and ': '}{text}")
