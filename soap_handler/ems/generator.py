"""Generator of believable notifications. Its telephone numbers are reserved for drama and belong to no person."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Final

from soap_handler.notifications import (
    ErrorType,
    EventCode,
    FailureReason,
    Kind,
    MessageError,
    MessageEvent,
    MessageReceived,
    MessageType,
    SubscriptionEvent,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from soap_handler.notifications import Notification

FIRST_TIME: Final = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
"""Time of the first notification; the others follow it."""

USUAL_MIX: Final[Mapping[Kind, float]] = {
    Kind.MESSAGE_RECEIVED: 60,
    Kind.MESSAGE_EVENT: 28,
    Kind.MESSAGE_ERROR: 9,
    Kind.SUBSCRIPTION_EVENT: 3,
}
"""Weight of each kind."""

_TEXTS: Final = (
    "Yes please",
    "STOP",
    "Yes please, 2 tickets & a menu – José",  # noqa: RUF001 - the contract's own sample
    "Ja, bitte! Grüße aus Köln, Straße 5",
    'See you at <b>7</b>? "Sure" she said; it\'s fine',
    "Running late 🚌 back in 10 👍🏽",
    "  two spaces before and after  ",
    "first line\nsecond line\n\nfourth line",
    "line\r\nand another\r\n",
    "\ttab",
    "",
    " ",
    "€5 [off] {code} ~ ^ | \\",
    "Ευχαριστώ πολύ",
    "はい、お願いします",
    "شكرا جزيلا",
    "]]> &amp; &#13; stay as they are",
    "zero\u200bwidth and no\u00a0break",
    "A long answer that needs more than one part: " + "lorem ipsum dolor sit amet " * 9,
)
# fmt: off
_WORDS: Final = (
    "yes", "no", "please", "thanks", "merci", "grüße", "Köln", "José", "café", "Straße", "Ελλάδα", "спасибо", "東京",
    "はい", "شكرا", "👍", "😀", "🚌", "🎉", "vote", "for", "number", "1", "2", "7", "12", "tickets", "&", "at", "19:30",
    "tomorrow", "stop", "late", "home", "see", "you", "€5", "100%", "OK!", "señor", "Łódź", "déjà", "vu", "4711",
)
# fmt: on
_ODD_SHARE: Final = 0.2  # of the texts are one of the above
_WITH_CONTROLS: Final = "page one\x0cpage two\x1b"  # form feed and escape are legal on a phone (contract, section 4)
_NAMES: Final = ("SHOP", "Bank-Info", "TAXI 24", "VOTE")
_REASONS: Final = (
    FailureReason(27, "Handset was switched off", permanent_failure=False),
    FailureReason(1, "Unknown subscriber", permanent_failure=True),
    FailureReason(9, "Illegal subscriber", permanent_failure=True),
    FailureReason(31, "Subscriber busy for SMS", permanent_failure=False),
)
_DETAILS: Final = ("The validity period of the message expired", "The message was rejected by the network", "")


def believable_notifications(
    account: str, seed: int = 0, *, mix: Mapping[Kind, float] = USUAL_MIX, control_characters: bool = True
) -> Iterator[Notification]:
    """Yield notifications for an account without an end. The same seed yields the same ones.

    ``mix`` weighs the kinds. One body in fifty holds control characters, which a strict XML parser refuses, unless
    ``control_characters`` is false.
    """
    invent = _Generator(account, Random(seed), control_characters=control_characters)  # noqa: S311 - must be repeatable
    makers: dict[Kind, Callable[[], Notification]] = {
        Kind.MESSAGE_RECEIVED: invent.message_received,
        Kind.MESSAGE_EVENT: invent.message_event,
        Kind.MESSAGE_ERROR: invent.message_error,
        Kind.SUBSCRIPTION_EVENT: invent.subscription_event,
    }
    kinds, weights = list(mix), list(mix.values())
    while True:
        yield makers[invent.rng.choices(kinds, weights)[0]]()


class _Generator:
    """Random numbers and clock of one run."""

    def __init__(self, account: str, rng: Random, *, control_characters: bool) -> None:
        self.rng = rng
        self._account = account
        self._control_characters = control_characters
        self._now = FIRST_TIME

    def message_received(self) -> MessageReceived:
        received = self._tick()
        body, coding = self._body()
        return MessageReceived(
            account=self._account,
            id=self._guid(),
            originator=self.rng.choice(_NAMES) if self.rng.random() < 0.1 else self._number(),
            recipient=self._number(),
            body=body,
            type=coding,
            sent_at=None if self.rng.random() < 0.05 else received - timedelta(seconds=self.rng.randint(0, 90)),
            received_at=received,
        )

    def message_event(self) -> MessageEvent:
        return MessageEvent(account=self._account, id=self._guid(), occurred_at=self._tick())

    def message_error(self) -> MessageError:
        return MessageError(
            account=self._account,
            id=self._guid(),
            error_type=self.rng.choice(list(ErrorType)),
            occurred_at=self._tick(),
            detail=self.rng.choice(_DETAILS),
            failure_reason=self.rng.choice((*_REASONS, None)),
        )

    def subscription_event(self) -> SubscriptionEvent:
        return SubscriptionEvent(
            account=self._account,
            mobile_number=self._number(),
            contact_id=self._guid() if self.rng.random() < 0.7 else "",
            event_code=self.rng.choice(list(EventCode)),
            occurred_at=self._tick(),
        )

    def _body(self) -> tuple[str, MessageType]:
        dice = self.rng.random()
        if dice < 0.04:
            return self.rng.randbytes(self.rng.randint(1, 140)).hex().upper(), MessageType.BINARY
        if dice < 0.06 and self._control_characters:
            return _WITH_CONTROLS, MessageType.TEXT
        text = self.rng.choice(_TEXTS) if self.rng.random() < _ODD_SHARE else self._sentence()
        return text, MessageType.TEXT if text.isascii() else MessageType.UNICODE

    def _sentence(self) -> str:
        return " ".join(self.rng.choices(_WORDS, k=self.rng.randint(2, 12)))

    def _guid(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def _number(self) -> str:
        return f"447700900{self.rng.randint(0, 999):03}"

    def _tick(self) -> datetime:
        self._now += timedelta(microseconds=self.rng.randint(1, 5_000_000))
        return self._now
