"""The XML push face: one element without namespace, header or credentials; the address or HTTP Basic has the secret.

``/push`` takes any kind, told by its root element; so does any address below it, since the vendor has a URL for each
kind. The first part below ``/push`` may be a token, which is then never shown, logged or stored.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from soap_handler.accounts.authentication import Credentials
from soap_handler.faces.base import BELOW
from soap_handler.faces.credentials import basic, presented
from soap_handler.faces.origin import XML
from soap_handler.faces.plain_text import PlainTextFace
from soap_handler.faces.redact import without_secret
from soap_handler.faces.xml_elements import NotUnderstoodError, read_pushed
from soap_handler.receive.push import Push
from soap_handler.xml.charsets import charset_of
from soap_handler.xml.parser import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soap_handler.faces.base import ReadMany, Request
    from soap_handler.receive.receiver import Receiver

PATH: Final = "/push"

UNNAMED_ACCOUNT: Final = "account not named"
"""Mark: the request names no configured account, and its secret, or there being only one, told which is meant."""


class XmlPush(PlainTextFace):
    """The vendor's present push service, as a face."""

    api = "xml_push"
    title = "XML push"
    paths = (PATH, PATH + BELOW)
    unreadable = NotUnderstoodError

    def __init__(self, receiver: Receiver, limits: Limits = Limits(), read_many: ReadMany | None = None) -> None:  # noqa: B008 - frozen
        """``limits`` are on the structure of a request."""
        super().__init__(receiver, read_many)
        self._limits = limits

    def push_of(self, request: Request) -> Push:
        """Return what a request says and who says it, unchecked.

        Raises:
            NotUnderstoodError: the request is no element of XML push.
        """
        charset = charset_of(request.content_type)
        pushed = read_pushed(request.body, charset, self._limits)
        credentials, mark = credentials_of(request, pushed.accounts, self._receiver)

        def kept() -> bytes | None:
            return without_secret(request.body, credentials.password, charset)

        return Push(
            pushed.kind,
            pushed.fields,
            credentials,
            request.caller,
            (*pushed.repaired, *mark),
            kept,
            optional=pushed.optional,
            doubtful=pushed.doubtful,
            operation=lambda _: request.body,  # its secret is in the address, or in HTTP's header
            size=len(request.body),
            api=XML,
        )


def credentials_of(
    request: Request, accounts: Sequence[str], receiver: Receiver
) -> tuple[Credentials, tuple[str, ...]]:
    """Return the login of HTTP Basic, or else the token of the address as a password without a user name.

    With it comes the account: the first of these names that is one, or the one that can be meant, which leaves a mark.
    """
    token = Credentials("", _token(request.path), "")
    login = presented(basic(request.authorization), token) or token
    named = next((name for name in accounts if receiver.accounts.get(name)), None)
    if named is not None:
        return replace(login, account=named), ()
    meant = receiver.accounts.presumed(login.username, login.password)
    return replace(login, account=meant.reference if meant else ""), (UNNAMED_ACCOUNT,)


def _token(path: str) -> str:
    """Return the part of a path after ``push``, or the empty text. Its letter case counts."""
    parts = [part for part in path.split("/") if part]
    after = [parts[place + 1 :] for place, part in enumerate(parts) if part.lower() == PATH.strip("/")]
    return after[0][0] if after and after[0] else ""
