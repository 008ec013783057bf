"""What ``soap-handler serve`` loads in a campaign: a handler that keeps a diary on disk and misbehaves as planned."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import zlib
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from soap_handler.dispatch.handlers import Handlers
from soap_handler.journal import Journal, retention
from soap_handler.journal.inbox.gate_verbs import InboxGates
from soap_handler.sinks import routes
from tests.campaigns.plan import SABOTAGE, Plan
from tests.campaigns.sabotage import sabotage

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.journal import Claim
    from soap_handler.journal.inbox.gates import Entered
    from soap_handler.notifications import Notification

PLAN = Plan.from_environment()
EFFECT = text("INSERT INTO campaign_effect (key, process) VALUES (:key, :process)")
"""What a transactional handler does: one row each time, so that a doubled effect can be seen."""

_diary = os.open(PLAN.diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(what: str, notification: Notification) -> None:
    """Write a line into the diary, and onto the disk."""
    os.write(_diary, f"{what} {notification.key} {os.getpid()}\n".encode())
    os.fsync(_diary)


def stumbles_so_far() -> Counter[str]:
    """Return from the diary how often the handler has misbehaved at each notification: a killed process forgets."""
    lines = (line.split() for line in Path(PLAN.diary).read_text().splitlines())
    return Counter(line[1] for line in lines if line[0] in {"fail", "hang", "die"})


_stumbled = stumbles_so_far()


def misbehave(notification: Notification) -> None:
    """Raise, hang, exit or die, where the plan says so."""
    key = notification.key
    if _stumbled[key] >= PLAN.stumbles:
        return
    dice = zlib.crc32(f"{PLAN.seed} {key}".encode()) / 2**32
    for what, share in (("raise", PLAN.raises), ("hang", PLAN.hangs), ("exit", PLAN.exits), ("die", PLAN.dies)):
        if dice < share:
            _stumbled[key] += 1
            _stumble(what, notification)
        dice -= share
        if dice < 0:
            return


def _stumble(what: str, notification: Notification) -> None:
    note(what if what in {"hang", "die"} else "fail", notification)
    if what == "raise":
        raise RuntimeError("stumbled, as planned")
    if what == "exit":
        sys.exit(3)
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(PLAN.hangs_for)


def handle(notification: Notification) -> None:
    """Handle a notification: nothing but lines in the diary."""
    note("start", notification)
    time.sleep(random.uniform(PLAN.fastest, PLAN.slowest))  # noqa: S311 - it is no secret
    misbehave(notification)
    note("end", notification)


def handle_in_transaction(notification: Notification, connection: Any) -> None:
    """Handle a notification by writing into the journal's own database."""
    note("start", notification)
    connection.execute(EFFECT, {"key": notification.key, "process": os.getpid()})
    time.sleep(random.uniform(PLAN.fastest, PLAN.slowest))  # noqa: S311 - it is no secret
    misbehave(notification)
    note("end", notification)


def _with_a_short_lease(claim: Callable[..., list[Claim]]) -> Callable[..., list[Claim]]:
    """Let a delete that a killed process had begun be begun again soon: by itself that takes much longer."""

    def claim_deletions(journal: Journal, account: str, limit: int, _lease: timedelta | None = None) -> list[Claim]:
        return claim(journal, account, limit, timedelta(seconds=PLAN.delete_lease))

    return claim_deletions


def _with_a_short_try(enter: Callable[..., Entered]) -> Callable[..., Entered]:
    """Let the next process soon make the first call of an inbox that a killed one was about to make."""

    def enter_soon(gates: InboxGates, account: str, owner: str, call: timedelta, *more: Any) -> Entered:
        return enter(gates, account, owner, min(call, timedelta(seconds=PLAN.delete_lease)), *more)

    return enter_soon


def _handlers() -> Handlers:
    handlers = Handlers()
    if not PLAN.transactional:
        handlers.all_kinds(handle)
        return handlers
    for kind in ("message_received", "message_event", "message_error", "subscription_event"):
        getattr(handlers, kind)(transactional=True)(handle_in_transaction)
    return handlers


InboxGates.enter = _with_a_short_try(InboxGates.enter)  # type: ignore[method-assign] # for the campaign
Journal.claim_deletions = _with_a_short_lease(Journal.claim_deletions)  # type: ignore[method-assign] # for the campaign
if PLAN.sink_grace:
    vars(routes).update(_GRACE_SECONDS=PLAN.sink_grace)
if PLAN.purge_every:
    vars(retention).update(ROUND_SECONDS=PLAN.purge_every)
    options = retention.Retention.__init__.__kwdefaults__
    assert options is not None
    options.update(delay=PLAN.purge_every, floor=timedelta())
if SABOTAGE in os.environ:
    sabotage(os.environ[SABOTAGE])
handlers = _handlers()
