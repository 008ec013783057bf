"""The Form Post face: a form's bytes in, a short plain text out, in two halves with the commit between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soap_handler.errors import FormError
from soap_handler.faces.base import PATH
from soap_handler.faces.credentials import basic, presented
from soap_handler.faces.form_post.form import read_form, without_credentials
from soap_handler.faces.form_post.redact import redacted
from soap_handler.faces.origin import FORM
from soap_handler.faces.plain_text import PlainTextFace
from soap_handler.receive.push import Push
from soap_handler.xml.charsets import charset_of

if TYPE_CHECKING:
    from soap_handler.faces.base import Request


class FormPost(PlainTextFace):
    """The Account Event Handler over Form Post, as a face. Forms at the other faces' addresses come here too."""

    api = "form_post"
    title = "Form Post"
    paths = (f"{PATH}.aspx",)
    media_types = ("application/x-www-form-urlencoded",)
    unreadable = FormError

    def push_of(self, request: Request) -> Push:
        """Return what a form says and who says it, unchecked.

        Raises:
            FormError: it names no operation of the contract.
        """
        charset = charset_of(request.content_type)
        form = read_form(request.body, charset)

        def kept() -> bytes | None:
            return redacted(request.body, form.credentials.password if form.credentials else "", charset)

        return Push(
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
