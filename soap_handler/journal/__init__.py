"""The journal: the durable record of every notification, and the queue from which it is handled."""

from __future__ import annotations

from soap_handler.journal.account_names import adopt
from soap_handler.journal.databases.examination import Examination, examine
from soap_handler.journal.databases.peek import peek
from soap_handler.journal.erasure.book import ErasureRecord
from soap_handler.journal.erasure.erase import Erasure
from soap_handler.journal.erasure.phone_number import Trace
from soap_handler.journal.erasure.sqlite_file import Wiped
from soap_handler.journal.inbox.gates import InboxGate, Refusal
from soap_handler.journal.inbox.reconciliations import Beginning, Known, Reconciliation, Tally
from soap_handler.journal.journal import Journal
from soap_handler.journal.operator.audit import Audited, noted, subject_of, trail
from soap_handler.journal.operator.giving_up import count_to_give_up, give_up
from soap_handler.journal.operator.replaying import Replayable, count_replayable, replay
from soap_handler.journal.purge import Cleared
from soap_handler.journal.records import Attempt, Claim, Entry, Record, Selection, Settlement, Source, State, Step
from soap_handler.journal.transaction import Transaction

__all__ = [
    "Attempt",
    "Audited",
    "Beginning",
    "Claim",
    "Cleared",
    "Entry",
    "Erasure",
    "ErasureRecord",
    "Examination",
    "InboxGate",
    "Journal",
    "Known",
    "Reconciliation",
    "Record",
    "Refusal",
    "Replayable",
    "Selection",
    "Settlement",
    "Source",
    "State",
    "Step",
    "Tally",
    "Trace",
    "Transaction",
    "Wiped",
    "adopt",
    "count_replayable",
    "count_to_give_up",
    "examine",
    "give_up",
    "noted",
    "peek",
    "replay",
    "subject_of",
    "trail",
]
