"""Answers that confirm nothing: which fault a request gets that was not taken. None concerns a usual push."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spyne.model.fault import Fault

from soap_handler.errors import AuthenticationError, CredentialsUncheckedError, JournalUnavailableError
from soap_handler.faces.base import Answer, Exchange
from soap_handler.faces.defects import emit_defect
from soap_handler.faces.soap.faults import SERVER, client_fault, fault_envelope, server_fault
from soap_handler.faces.soap.versions import SOAP_1_1

if TYPE_CHECKING:
    from soap_handler.faces.soap.versions import SoapVersion


def untaken(error: Exception, version: SoapVersion) -> Exchange:
    """Return the exchange of a request over which this was raised."""
    match error:
        case Fault(faultcode=code) if code == SERVER:  # a defect of ours: the log has it
            return Exchange(None, answer_of(error, version), result="postponed_defect")
        case Fault(faultstring=text):
            return Exchange(None, answer_of(error, version), result="refused_unreadable", refusal=str(text))
        case AuthenticationError():
            return Exchange(None, denied(error, version), error.delay, "refused_login")
        case CredentialsUncheckedError():
            return Exchange(None, answer_of(server_fault(str(error)), version), error.delay, "postponed_login")
        case _:
            return Exchange(None, answer_of(defect(error), version), result="postponed_defect")


def denied(error: AuthenticationError, version: SoapVersion = SOAP_1_1) -> Answer:
    """Return the answer to wrong credentials: a Client fault."""
    return answer_of(client_fault(str(error)), version)


def not_stored(version: SoapVersion, error: BaseException) -> Answer:
    """Return the answer to a request whose commit failed: a Server fault, upon which EMS pushes again."""
    if isinstance(error, JournalUnavailableError):
        return answer_of(server_fault("The notification could not be stored; please send it again"), version)
    return answer_of(defect(error), version)


def answer_of(fault: Fault, version: SoapVersion = SOAP_1_1) -> Answer:
    """Return the answer that carries a fault."""
    return Answer("500 Internal Server Error", version.content_type, fault_envelope(fault, version))


def our_fault() -> Fault:
    """Return a Server fault that says nothing about our insides."""
    return server_fault("Internal error; please send it again")


def defect(error: BaseException) -> Fault:
    """Log a defect of ours, and return the fault that stands for it."""
    emit_defect(error)
    return our_fault()
