"""A simulator of EMS: for tests, for demonstrations, and for our users' own pipelines.

It stands apart: of this package it imports only the contract, the notifications, the events, the words for faults, the
safe XML parser and the patch of spyne.
"""

from __future__ import annotations

from soap_handler.ems.accounts import EmsAccount
from soap_handler.ems.counts import Counts
from soap_handler.ems.disturbances import Disturbances
from soap_handler.ems.faults import CodePlace, VendorCode
from soap_handler.ems.generator import believable_notifications
from soap_handler.ems.inbox import InboxService
from soap_handler.ems.mailbox import HistoryEntry, Mailbox
from soap_handler.ems.outages import OutageKind
from soap_handler.ems.pusher import PushSettings
from soap_handler.ems.simulated import SimulatedEms

__all__ = [
    "CodePlace",
    "Counts",
    "Disturbances",
    "EmsAccount",
    "HistoryEntry",
    "InboxService",
    "Mailbox",
    "OutageKind",
    "PushSettings",
    "SimulatedEms",
    "VendorCode",
    "believable_notifications",
]
