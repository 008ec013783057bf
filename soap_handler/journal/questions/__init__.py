"""Questions: what the journal says about the whole service. They only read, and one set of them serves every view.

``overview`` asks them all at one moment, ``concerns`` says what needs a person, ``search`` finds notifications. Each is
answered from the indexes that the queue has anyway, or by one pass over the table: a push pays for none of them.
"""

from __future__ import annotations

from soap_handler.journal.questions.activity import Change, latest, news
from soap_handler.journal.questions.deaths import Deaths, by_error
from soap_handler.journal.questions.deliveries import Delivery, deliveries
from soap_handler.journal.questions.overview import Inbox, Overview, overview
from soap_handler.journal.questions.pace import Flow, Pace, pace
from soap_handler.journal.questions.processes import Process, processes
from soap_handler.journal.questions.search import (
    count,
    count_dead,
    found,
    has_account,
    keys_like,
    last_errors,
)
from soap_handler.journal.questions.states import consistently, states
from soap_handler.journal.questions.waiting import Waiting, waiting

__all__ = [
    "Change",
    "Deaths",
    "Delivery",
    "Flow",
    "Inbox",
    "Overview",
    "Pace",
    "Process",
    "Waiting",
    "by_error",
    "consistently",
    "count",
    "count_dead",
    "deliveries",
    "found",
    "has_account",
    "keys_like",
    "last_errors",
    "latest",
    "news",
    "overview",
    "pace",
    "processes",
    "states",
    "waiting",
]
