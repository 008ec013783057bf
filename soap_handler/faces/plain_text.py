"""Faces whose answers are a short plain text: what Form Post and XML push have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final

from soap_handler.errors import AuthenticationError, CredentialsUncheckedError, JournalUnavailableError
from soap_handler.faces.base import Answer, Exchange, Face
from soap_handler.faces.defects import emit_defect

if TYPE_CHECKING:
    from soap_handler.faces.base import ReadMany, Request
    from soap_handler.receive.push import Push
    from soap_handler.receive.receiver import Receiver

CONTENT_TYPE: Final = "text/plain; charset=utf-8"
"""Of every answer."""


def _text(status: str, text: str) -> Answer:
    return Answer(status, CONTENT_TYPE, text.encode())


CONFIRMED: Final = _text("200 OK", "OK")
"""The answer that confirms a notification. EMS looks at its status."""


def denied(error: AuthenticationError) -> Answer:
    """Return the answer to wrong credentials: 403."""
    return _text("403 Forbidden", str(error))


class PlainTextFace(Face):
    """A face that says with its status what became of a request; EMS pushes again upon any but 200."""

    unreadable: ClassVar[type[Exception]]
    """What :meth:`push_of` raises where a request says nothing of this version."""

    def __init__(self, receiver: Receiver, read_many: ReadMany | None = None) -> None:
        self._receiver = receiver
        self.read_many = read_many

    @abstractmethod
    def push_of(self, request: Request) -> Push:
        """Return what a request says and who says it, unchecked; else raise the error that is :attr:`unreadable`."""

    def prepare(self, request: Request) -> Exchange:
        """Do everything up to the commit: read, authenticate, key."""
        try:
            return Exchange(self._receiver.prepare(self.push_of(request)), CONFIRMED)
        except self.unreadable as error:
            return Exchange(None, self.refused(str(error)), refusal=str(error))
        except AuthenticationError as error:
            return Exchange(None, denied(error), error.delay, "refused_login")
        except CredentialsUncheckedError as error:
            return Exchange(None, _text("503 Service Unavailable", str(error)), error.delay, "postponed_login")
        except Exception as error:  # noqa: BLE001 - the outermost wall: a defect of ours must not reach the caller
            emit_defect(error)
            return Exchange(None, self.failed(), result="postponed_defect")

    def not_stored(self, error: BaseException) -> Answer:
        """Return 503, upon which EMS pushes again."""
        if isinstance(error, JournalUnavailableError):
            return _text("503 Service Unavailable", "The notification could not be stored; please send it again")
        emit_defect(error)
        return self.failed()

    def refused(self, text: str, content_type: str = "", *, forbidden: bool = False) -> Answer:  # noqa: ARG002 - one form
        """Return 400, or 403 where the sender is refused."""
        return _text("403 Forbidden" if forbidden else "400 Bad Request", text)

    def failed(self, content_type: str = "") -> Answer:  # noqa: ARG002 - one form
        """Return 500 with a text that says nothing about our insides."""
        return _text("500 Internal Server Error", "Internal error; please send it again")
