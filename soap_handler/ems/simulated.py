"""The simulated EMS in one object: composition of its inbox, its pusher and its counters."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Self

from soap_handler.contract import Version
from soap_handler.ems.counts import Counts
from soap_handler.ems.disturbances import Disturbances
from soap_handler.ems.faults import CodePlace
from soap_handler.ems.inbox import InboxService
from soap_handler.ems.pusher import Delivery, Pusher, PushSettings
from soap_handler.notifications import MessageReceived

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from soap_handler.ems.accounts import EmsAccount
    from soap_handler.ems.service import UnknownIds
    from soap_handler.notifications import Notification


class SimulatedEms:
    """Simulator of EMS on 127.0.0.1, for tests and demonstrations. Use it as a context manager.

    It pushes to ``handler_url`` (nothing while that is ``None``). It keeps received messages in the inbox at
    ``inbox_url`` until they are deleted. ``disturbances`` are injected into both; the same ``seed`` hits the same
    notifications, in the order of their pushes. ``api`` is the version of the API in which it pushes: ``soap``,
    ``soap-no-header``, ``form`` or ``xml``.
    """

    def __init__(
        self,
        accounts: Sequence[EmsAccount],
        handler_url: str | None = None,
        *,
        disturbances: Disturbances | None = None,
        push_settings: PushSettings | None = None,
        seed: int = 0,
        code_place: CodePlace = CodePlace.DETAIL,
        unknown_ids: UnknownIds = "ignore",
        inbox_port: int = 0,
        api: Version | str = Version.SOAP,
    ) -> None:
        ordered = disturbances or Disturbances()
        self._accounts = {account.reference: account for account in accounts}
        rng = Random(seed)  # noqa: S311 - a test must be repeatable, not unpredictable
        self._pusher = Pusher(push_settings or PushSettings(), ordered, rng, self._record_push, Version(api))
        self._pusher.url = handler_url
        self.inbox = InboxService(
            accounts,
            code_place=code_place,
            unknown_ids=unknown_ids,
            port=inbox_port,
            disturbances=ordered,
            seed=seed,
        )

    @property
    def inbox_url(self) -> str:
        """Where the inbox service listens."""
        return self.inbox.url

    @property
    def handler_url(self) -> str | None:
        """Where the Account Event Handler listens; may be set at any time."""
        return self._pusher.url

    @handler_url.setter
    def handler_url(self, url: str | None) -> None:
        self._pusher.url = url

    @property
    def push_disturbances(self) -> Disturbances:
        """The faults to inject into pushes; may be set at any time."""
        return self._pusher.disturbances

    @push_disturbances.setter
    def push_disturbances(self, disturbances: Disturbances) -> None:
        self._pusher.disturbances = disturbances

    def push(self, notification: Notification) -> None:
        """Push a notification; a received message is put into the inbox first.

        Raises:
            KeyError: the notification's account is unknown.
        """
        account = self._accounts[notification.account]
        if isinstance(notification, MessageReceived):
            self.inbox.mailboxes[account.reference].put(notification)
        self._pusher.push(account, notification)

    def push_all(self, notifications: Iterable[Notification]) -> None:
        """Push several notifications, one after the other."""
        for notification in notifications:
            self.push(notification)

    def wait_until_quiet(self, timeout: float) -> bool:
        """Wait until nothing is left to push, at most ``timeout`` seconds; return whether it is."""
        return self._pusher.wait_until_quiet(timeout)

    def acknowledged(self) -> dict[str, int]:
        """Return the key of each notification that was answered with 200, and when it first was (monotonic, in ns)."""
        return self._pusher.acknowledged()

    def waiting(self) -> list[Delivery]:
        """Return the queued deliveries, soonest first; each says how its last call failed."""
        return self._pusher.waiting()

    def counts(self) -> Counts:
        """Return the counters so far."""
        return Counts(
            **self._pusher.tally(),
            inbox=sum(len(mailbox) for mailbox in self.inbox.mailboxes.values()),
            deleted=self.inbox.deleted,
            refused_logins=self.inbox.refused_logins,
        )

    def start(self) -> Self:
        """Begin to answer and to push."""
        self.inbox.start()
        self._pusher.start()
        return self

    def stop(self) -> None:
        """Finish the calls in flight, close every connection and end every thread."""
        self._pusher.stop()
        self.inbox.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _record_push(self, notification: Notification) -> None:
        if isinstance(notification, MessageReceived):
            self.inbox.mailboxes[notification.account].pushed(notification.id)
