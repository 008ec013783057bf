"""The gate of an inbox's login: one for all processes and hosts, in the journal. Nothing here calls the inbox.

Quick retries with a wrong password lock the account (contract, section 2), and so do many processes that try it once
each. So the first call with a login is made by one while the others wait, and after a refusal none is made for a pause
that doubles with each further one. When the pause is over, one call finds out whether EMS accepts us again. A login
that is not the refused one is tried at once.
"""

from __future__ import annotations

import itertools
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.accounts.passwords import PasswordHash
from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import Refusal
from soap_handler.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.journal import InboxGate, Journal
    from soap_handler.settings import DeleteSettings, InboxSettings

_REFUSED_CAP_SECONDS: Final = 3600.0  # a person may take a night to look; until then EMS hears from us once an hour
_numbers: Final = itertools.count(1)


class LoginGate:
    """The gate of one account's login, as one caller sees it. For one thread at a time."""

    def __init__(
        self, account: str, inbox: InboxSettings, journal: Journal, delete: DeleteSettings, longest_call: timedelta
    ) -> None:
        """``account`` is its reference. The others wait no longer than ``longest_call`` for a call that is tried."""
        self._account = account
        self._journal = journal
        self._call = longest_call
        cap = max(delete.refused_backoff, _REFUSED_CAP_SECONDS)
        self._backoff = Backoff(delete.refused_backoff, cap)
        self._longest_pause = max(timedelta(seconds=cap), longest_call)
        self._owner = str(next(_numbers))
        self._login = f"{account}\0{inbox.url}\0{inbox.username}\0{inbox.password.get_secret_value()}"
        self._refused_login: str | None = None
        """The hash of our login, once EMS refused it."""
        self._accepted = False
        self._trying = False
        self._refusals = 0
        self._untold: Callable[[], object] | None = None

    @property
    def login_refused(self) -> bool:
        """Whether EMS refused us and has not accepted us since. Then a call is made with one message."""
        return self._refusals > 0

    def is_closed(self, gate: InboxGate) -> bool:
        """Whether a gate, as it is in the journal, is known to keep this caller from calling now. It costs nothing."""
        if gate.login is None and (self._accepted or self._untold is not None):
            return False  # another one tries it for the first time, or it is a trial of ours that has ended
        return gate.login in {None, self._refused_login} and self._journal.gates.seconds_until(gate.retry_at) > 0

    def may_be_corrected(self, gate: InboxGate) -> bool:
        """Whether the refused login may be another one than ours. It costs nothing; :meth:`enter` finds out."""
        return gate.login not in {None, self._refused_login}

    def enter(self) -> float:
        """Ask to call; return for how many seconds not to, or 0.

        After a call, note how it ended, or else :meth:`leave`; then :meth:`tell`.

        Raises:
            JournalUnavailableError: the journal is out of reach, and no call may be made.
        """
        self.tell()
        found = self._journal.gates.closed(self._account)
        if self._accepted and not any(gate.refusals for gate in found):
            self._refusals = 0
            return 0.0
        unlike = next((gate.login for gate in found if not self._is_ours(gate.login)), None)
        self._trying = True
        try:
            entered = self._journal.gates.enter(self._account, self._owner, self._call, self._longest_pause, unlike)
        except JournalUnavailableError:
            self.leave()  # it may have been committed all the same
            raise
        self._refusals = entered.refusals
        if entered.corrected:
            telemetry.emit("inbox_login_corrected", account=self._account)
        self._trying = entered.seconds <= 0
        return max(0.0, entered.seconds)

    def leave(self) -> None:
        """Note that no call was made, or that it did not find out whether EMS accepts us."""
        if self._trying and not self.login_refused:
            self._untold = partial(self._journal.gates.leave, self._account, self._owner)
        self._trying = False

    def accepted(self) -> None:
        """Note that EMS accepted us."""
        if self._trying or self.login_refused:
            self._untold = partial(self._journal.gates.accept, self._account)
        if self.login_refused:
            telemetry.emit("inbox_accepted_again", account=self._account, refusals=self._refusals)
        self._accepted, self._trying, self._refusals = True, False, 0

    def failed(self) -> float | None:
        """Note that a call failed for another reason.

        It says nothing about our login: where EMS refused us before, we try as slowly as we did; return for how many
        seconds no call is made.
        """
        if not self.login_refused:
            self.leave()
            return None
        self._trying = False
        pause = self._backoff.longest(self._refusals)
        until = self._journal.gates.moment_in(pause)
        self._untold = partial(self._journal.gates.prolong, self._account, self._owner, until)
        return pause

    def refused(self, reason: str) -> float:
        """Note that EMS refused us; return for how many seconds no call is made, each time twice as many."""
        self._refusals += 1
        self._accepted = self._trying = False
        if self._refused_login is None:
            self._refused_login = str(PasswordHash.of(self._login))
        pause = self._backoff.longest(self._refusals)
        until = self._journal.gates.moment_in(pause)
        telemetry.emit(
            "inbox_refused", account=self._account, reason=reason, refusals=self._refusals, pause_seconds=pause
        )
        refusal = Refusal(self._account, self._refusals, until, self._refused_login, reason)
        self._untold = partial(self._journal.gates.refuse, refusal)
        return pause

    def tell(self) -> None:
        """Tell the others what was noted. What the journal does not commit stays noted for the next time.

        Raises:
            JournalUnavailableError: it did not commit it.
        """
        if self._untold is not None:
            self._untold()
            self._untold = None

    def _is_ours(self, refused: str | None) -> bool:
        """Whether the hash of a refused login is that of ours. It is slow, once for each that is not."""
        if refused is None or refused == self._refused_login:
            return True
        if not PasswordHash.parse(refused).verify(self._login):
            return False
        self._refused_login = refused
        return True
