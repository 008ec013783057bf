"""The EMS inbox is down, slow, resetting, lying, and refuses the password: handlers run once, deletes come later."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Any, Final

from soap_handler.ems import OutageKind, VendorCode
from soap_handler.journal import Step
from tests.campaigns.site import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.campaigns.run import Run
    from tests.campaigns.site import Site

LIES: Final = "lies"
WRONG_PASSWORD: Final = "wrong password"
LOGINS: Final = 30
"""So many refused logins in one stage would be trying at speed, which locks the account."""


def inbox(run: Run) -> None:
    """Each kind of trouble for a while, over a restart of the service; in the end the inbox is empty."""
    troubles = [*OutageKind, VendorCode.ACCOUNT_NOT_LIVE, VendorCode.UNEXPECTED, WRONG_PASSWORD, LIES]
    share = run.scaled(1300, 130) // len(troubles)
    sections = {"reconcile": {"interval": 2, "timeout": 5}}  # it is what finds out the lies
    with run.site(sections=sections) as site:
        site.start()
        for number, trouble in enumerate(troubles):
            failures = _failures(site, trouble)
            with _trouble(site, trouble):
                site.tell(share)
                _work_on(site, trouble, failures)
                if number % 4 == 1:
                    site.stop()
                    site.start()
                    run.tally("restarts")
            run.tally("troubles")
        site.settle_down(120)
        run.tally("refused_logins", site.counts.refused_logins)
        site.promise(site.counts.refused_logins < LOGINS, "a refused login is not tried at speed")
        deletes = sum(record.delete_attempts for record in site.books().records.values())
        run.tally("delete attempts", deletes)
        site.stop()


def _work_on(site: Site, trouble: OutageKind | VendorCode | str, failures: int) -> None:
    """Wait until pushes are taken and handled all the same, and a delete or a reconciliation has met the trouble."""
    site.until(lambda: not site.counts.waiting, f"pushes are taken while the inbox has {trouble}")
    site.until(lambda: len(site.books().handled) == len(site.told), "handlers run meanwhile", every=0.1)
    site.until(lambda: _felt(site, trouble, failures), f"the service meets {trouble}", every=0.1)


def _felt(site: Site, trouble: OutageKind | VendorCode | str, failures: int) -> bool:
    harmless = trouble in {OutageKind.SLOW, LIES}  # a delete succeeds, or seems to
    return harmless or _failures(site, trouble) > failures


def _failures(site: Site, trouble: OutageKind | VendorCode | str) -> int:
    """Return how often deletes failed, or logins: which of deletes and reconciliation tries a login is open."""
    if trouble == WRONG_PASSWORD:
        return site.counts.refused_logins
    attempts = itertools.chain(*site.books().attempts.values())
    return sum(each.step is Step.DELETE and each.outcome == "failed" for each in attempts)


@contextlib.contextmanager
def _trouble(site: Site, trouble: OutageKind | VendorCode | str) -> Iterator[None]:
    if trouble == LIES:
        with _lying(site):
            yield
        return
    match trouble:
        case OutageKind():
            site.ems.inbox.outage(trouble)
        case VendorCode():
            site.ems.inbox.answer_with_fault(trouble)
        case _:
            site.ems.inbox.change_password(ACCOUNT.reference, "another")
    yield
    site.ems.inbox.restore()
    site.ems.inbox.change_password(ACCOUNT.reference, ACCOUNT.password)


@contextlib.contextmanager
def _lying(site: Site) -> Iterator[None]:
    """Let the inbox confirm deletes that it does not make."""
    mailbox: Any = site.ems.inbox.mailbox

    def confirm(_ids: Iterable[str]) -> list[str]:
        return []

    mailbox.delete = confirm
    yield
    site.until(lambda: set(site.books().states) == {"done"}, "the lies are believed at first", every=0.1)
    del mailbox.delete
