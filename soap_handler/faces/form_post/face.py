"""The Form Post face: a form's bytes in, a short plain text out, in two halves with the commit between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from soap_handler.errors import AuthenticationError, CredentialsUncheckedError, FormError, JournalUnavailableError
from soap_handler.faces.base import PATH, Answer, Exchange, Face
from soap_handler.faces.credentials import basic, presented
from soap_handler.faces.defects import emit_defect
from soap_handler.faces.form_post.form import read_form, without_credentials
from soap_handler.faces.form_post.redact import redacted
from soap_handler.faces.origin import FORM
from soap_handler.receive.push import Push
from soap_handler.xml.charsets import charset_of

if TYPE_CHECKING:
    from soap_handler.faces.base import ReadMany, Request
    from soap_handler.receive.receiver import Receiver

CONTENT_TYPE: Final = "text/plain; charset=utf-8"
"""Of every answer."""


def _text(status: str, text: str) -> Answer:
    return Answer(status, CONTENT_TYPE, f"{text}\n".encode())


CONFIRMED: Final = _text("200 OK", "OK")
"""The answer that confirms a notification. EMS looks at its status."""


def denied(error: AuthenticationError) -> Answer:
    """Return the answer to wrong credentials: 403."""
    return _text("403 Forbidden", str(error))


class FormPost(Face):
    """The Account Event Handler over Form Post, as a face. Forms at the other faces' addresses come here too."""

    api = "form_post"
    title = "Form Post"
    paths = (f"{PATH}.aspx",)
    media_types = ("application/x-www-form-urlencoded",)

    def __init__(self, receiver: Receiver, read_many: ReadMany | None = None) -> None:
        self._receiver = receiver
        self.read_many = read_many

    def prepare(self, request: Request) -> Exchange:
        """Do everything up to the commit: read, authenticate, key."""
        try:
            return self._prepare(request)
        except FormError as error:
            return Exchange(None, self.refused(str(error)), refusal=str(error))
        except AuthenticationError as error:
            return Exchange(None, denied(error), error.delay, "refused_login")
        except CredentialsUncheckedError as error:
            return Exchange(None, _text("503 Service Unavailable", str(error)), error.delay, "postponed_login")
        except Exception as error:  # noqa: BLE001 - the outermost wall: a defect of ours must not reach the caller
            emit_defect(error)
            return Exchange(None, self.failed(), result="postponed_defect")

    def _prepare(self, request: Request) -> Exchange:
        charset = charset_of(request.content_type)
        form = read_form(request.body, charset)

        def kept() -> bytes | None:
            return redacted(request.body, form.credentials.password if form.credentials else "", charset)

        push = Push(
            form.kind,
            form.fields,
            presented(form.credentials, basic(request.authorization)),
            request.caller,
            form.repaired,
            kept,
            doubtful=form.doubtful,
            operation=lambda _: without_credentials(request.body),
            size=len(request.body),
            api=FORM,
        )
        return Exchange(self._receiver.prepare(push), CONFIRMED)

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
