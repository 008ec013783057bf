"""The receiver where a destination wants requests as they came: the journal keeps those, not only what was mended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from soap_handler.receive.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.journal import Entry
    from soap_handler.receive.push import Push


class KeepingReceiver(Receiver):
    """A receiver that keeps requests. The trade-off: a push writes twice as much to the disk."""

    def __init__(self, keeps: Callable[[str, str], bool], *arguments: Any) -> None:  # noqa: ANN401 - those of a receiver
        """Keep the requests of which ``keeps`` says so, by account and kind."""
        super().__init__(*arguments)
        self._keeps = keeps

    def prepare(self, push: Push) -> Entry:
        """Return what is to be recorded, with the request, password masked."""
        entry = super().prepare(push)
        others = tuple(self._with_request(*each) for each in zip(entry.others, push.others, strict=True))
        return replace(self._with_request(entry, push), others=others)

    def _with_request(self, entry: Entry, push: Push) -> Entry:
        notification = entry.notification
        if entry.envelope is not None or not self._keeps(notification.account, notification.kind.value):
            return entry
        return replace(entry, envelope=push.envelope())
