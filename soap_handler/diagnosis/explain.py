"""Explanation of a captured request: would it be taken, as what, and what would be answered. Nothing is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lxml import etree
from sqlalchemy.exc import ArgumentError

from soap_handler.diagnosis.captured import read_captured
from soap_handler.diagnosis.rehearsal import Rehearsal
from soap_handler.errors import JournalUnavailableError
from soap_handler.faces.base import PATH
from soap_handler.faces.marks import reason_of
from soap_handler.faces.redact import REDACTED
from soap_handler.journal import peek
from soap_handler.notifications import stored_values
from soap_handler.settings import account_of
from soap_handler.xml.parser import parse

if TYPE_CHECKING:
    from soap_handler.diagnosis.captured import Captured
    from soap_handler.faces.base import Answer
    from soap_handler.journal import Entry
    from soap_handler.receive.push import Push
    from soap_handler.settings import Settings

_TOKEN: Final = re.compile("(/push/).+", re.IGNORECASE)  # XML push may have a secret there
_SHOWN_SEPARATELY: Final = {"repaired", "original"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would become of a request. It holds no password."""

    taken: bool
    request: str
    """The request in one line."""
    notes: tuple[str, ...]
    """What had to be assumed about the file, or about the caller."""
    face: str | None
    """The version of the API that read it."""
    operation: str | None
    credentials: dict[str, str] | None
    """The user name and the account that came; ``None`` where none came."""
    refused_by: str | None
    """The rule that refuses it."""
    account: str | None
    key: str | None
    journal: str | None
    """Whether the journal knows it."""
    values: dict[str, Any]
    """Each value as the handler would be given it."""
    original: dict[str, str]
    """The caller's text of values that were guessed at or could not be read."""
    repaired: dict[str, str]
    """What was repaired, and why."""
    answer: Answer

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "answer"}
        answer = {
            "status": self.answer.status,
            "content_type": self.answer.content_type,
            "body": self.answer.body.decode("utf-8", "replace"),
        }
        return {**plain, "notes": list(self.notes), "answer": answer}


def explain(data: bytes, settings: Settings, *, path: str = PATH, caller: str | None = None) -> Explanation:
    """Explain what the service would do with a request.

    ``path`` is where it was sent to, if it has no HTTP head. ``caller`` is the address that it came from; without it,
    an address that may call is assumed.
    """
    captured = read_captured(data, settings.server, path)
    notes = list(captured.notes)
    if caller is None and settings.server.allow_from:
        notes.append("the file does not say which address called: assumed one that server.allow_from allows")
    rehearsal = Rehearsal(settings)
    answer = rehearsal.answer(captured, caller or _an_allowed_address(settings))
    entry, push = rehearsal.entry, rehearsal.push
    told = stored_values(entry.notification) if entry else {}
    notes += (
        [f"the Body holds a further operation, which is taken too: {other.notification.key}" for other in entry.others]
        if entry
        else []
    )
    return Explanation(
        taken=entry is not None,
        request=_one_line(captured),
        notes=tuple(notes),
        face=(rehearsal.face.title or type(rehearsal.face).__name__) if rehearsal.face else None,
        operation=push.kind.value if push else None,
        credentials=_credentials(push),
        refused_by=None if entry else _rule(captured, push, answer, settings),
        account=entry.notification.account if entry else None,
        key=entry.notification.key if entry else None,
        journal=_known(entry, settings) if entry else None,
        values={name: value for name, value in told.items() if name not in _SHOWN_SEPARATELY},
        original=dict(entry.notification.original) if entry else {},
        repaired={mark: reason_of(mark, entry.notification) for mark in entry.notification.repaired} if entry else {},
        answer=answer,
    )


def _an_allowed_address(settings: Settings) -> str:
    allowed = settings.server.allow_from
    return str(allowed[0].network_address) if allowed else "127.0.0.1"


def _one_line(captured: Captured) -> str:
    if captured.parser.error:
        return f"{len(captured.body)} bytes of body; the HTTP head cannot be used"
    content_type = captured.parser.headers.get("CONTENT_TYPE", "without a Content-Type")
    path = _TOKEN.sub(rf"\1{REDACTED}", captured.path)
    return f"{captured.parser.command} {path}, {content_type}, {len(captured.body)} bytes"


def _credentials(push: Push | None) -> dict[str, str] | None:
    if push is None or push.credentials is None:
        return None
    password = REDACTED if push.credentials.password else ""
    return {"username": push.credentials.username, "password": password, "account": push.credentials.account}


def _known(entry: Entry, settings: Settings) -> str:
    try:
        record = peek(settings.journal.url.get_secret_value(), entry.notification.key)
    except (JournalUnavailableError, ImportError, ArgumentError) as error:
        return f"not known: {error}"
    if record is None:
        return "new: it would be stored and handled"
    since = record.received_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return f"known since {since}, {record.state.value}: it would be answered 200, and stored and handled only once"


# -- refusals --------------------------------------------------------------------------------------------------------


def _rule(captured: Captured, push: Push | None, answer: Answer, settings: Settings) -> str:
    """Return the rule that refuses a request, for the operator: it may say more than the caller is told."""
    said = _text_of(answer)
    if captured.parser.error:
        return f"{said} ({captured.parser.error.body})"
    if push is not None:
        return f"{said}: {_login_fault(push, settings)}"
    fault = _xml_fault(captured.body)
    return f"{said} ({fault})" if fault else said


def _text_of(answer: Answer) -> str:
    """Return the words of an answer: of a fault its text, else what it says as a whole."""
    try:
        texts = [element.text for element in parse(answer.body).iter("faultstring", "{*}Text")]
    except (etree.XMLSyntaxError, ValueError):
        texts = [answer.body.decode("utf-8", "replace")]
    return f"{(texts[0] if texts else None) or answer.status}".strip()


def _xml_fault(body: bytes) -> str | None:
    """Return what the strict parser has to say of a body that is XML in parts."""
    if not body.lstrip().startswith(b"<"):
        return None
    try:
        parse(body)
    except (etree.XMLSyntaxError, ValueError) as error:
        return f"the XML parser says: {error}"
    return None


def _login_fault(push: Push, settings: Settings) -> str:
    """Return what is wrong with the credentials. Only for the operator; a caller never learns it."""
    given = push.credentials
    if given is None:
        return "no credentials came, and there is more than one account, or one that is not anonymous"
    account = account_of(given.account, settings.account)
    if account is None:
        return f"account {given.account!r} is neither the reference nor an alias of an account in the settings"
    if given.username not in {pair.username for pair in account.credentials}:
        return f"user name {given.username!r} is none of account {account.reference}"
    by_token = not given.username and bool(account.push_tokens)
    if given.password == REDACTED:
        what = "token" if by_token else "password"
        return f"the {what} in the file is masked; put the right one in to see the rest"
    if by_token:
        return f"no token of account {account.reference} is in the address (/push/<token>)"
    return f"the password is not that of user name {given.username!r} of account {account.reference}"
