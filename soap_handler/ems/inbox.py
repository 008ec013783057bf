"""The inbox service on a socket of its own: logins, WSDL, ordered outages. Its operations are in ``service``."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self

from lxml import etree

from soap_handler.contract import wsdl_path
from soap_handler.ems.disturbances import Disturbances
from soap_handler.ems.faults import CodePlace, InboxFault, VendorCode
from soap_handler.ems.listener import Listener
from soap_handler.ems.mailbox import Mailbox
from soap_handler.ems.outages import OutageKind, Outages, answer
from soap_handler.ems.service import Session, UnknownIds, inbox_application
from soap_handler.xml.parser import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from soap_handler.ems.accounts import EmsAccount

PATH: Final = "/secure/messenger/soap/InboxService.asmx"
"""The path of the vendor's own service (contract, section 2)."""

_SOAP_ADDRESS: Final = "{http://schemas.xmlsoap.org/wsdl/soap/}address"


class InboxService:
    """A simulated EMS inbox for one or more accounts, on 127.0.0.1, from :meth:`start` to :meth:`stop`.

    ``code_place`` is the place of the vendor's code in a fault. ``unknown_ids`` is the answer of ``DeleteMessages`` to
    ids that it does not know. ``port`` 0 takes a free port.
    """

    def __init__(
        self,
        accounts: Sequence[EmsAccount],
        *,
        code_place: CodePlace = CodePlace.DETAIL,
        unknown_ids: UnknownIds = "ignore",
        port: int = 0,
        disturbances: Disturbances | None = None,
        seed: int = 0,
    ) -> None:
        ordered = disturbances or Disturbances()
        self.mailboxes = {account.reference: Mailbox() for account in accounts}
        self._accounts = {name.casefold(): account for account in accounts for name in account.names}
        self._code_place = code_place
        self._unknown_ids = unknown_ids
        self._ordered_fault: VendorCode | None = None
        self._unknown_logins = 0
        self._soap = Outages(
            inbox_application(self._login),
            share=ordered.inbox_outages,
            kinds=ordered.outage_kinds,
            slow=ordered.slow,
            rng=random.Random(seed),  # noqa: S311 - a test must be repeatable, not unpredictable
        )
        self._listener = Listener(self._answer, port=port, threads=8)
        self.url = f"http://127.0.0.1:{self._listener.port}{PATH}"

    @property
    def mailbox(self) -> Mailbox:
        """The mailbox of the first account; most tests have only one."""
        return next(iter(self.mailboxes.values()))

    @property
    def deleted(self) -> int:
        """How many messages were deleted from all mailboxes."""
        return sum(mailbox.deleted for mailbox in self.mailboxes.values())

    @property
    def refused_logins(self) -> int:
        """How many calls were refused for their header, also those that name no known account."""
        return self._unknown_logins + sum(mailbox.refused_logins for mailbox in self.mailboxes.values())

    @property
    def current_outage(self) -> OutageKind | None:
        """The present outage."""
        return self._soap.current

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._listener.connections

    def outage(self, kind: OutageKind | str, calls: int | None = None) -> None:
        """Begin an outage for the next ``calls`` calls, or until :meth:`restore`."""
        self._soap.begin(OutageKind(kind), calls)

    def answer_with_fault(self, code: VendorCode | int) -> None:
        """Answer every call with a fault of this code until :meth:`restore`, such as 5, account not live."""
        self._ordered_fault = VendorCode(code)

    def restore(self) -> None:
        """End the orders of :meth:`outage` and :meth:`answer_with_fault`."""
        self._ordered_fault = None
        self._soap.end()

    def change_password(self, reference: str, password: str) -> None:
        """Have an account log in with another password from now on, as after a change at EMS."""
        self._accounts = {
            name: replace(account, password=password) if account.reference == reference else account
            for name, account in self._accounts.items()
        }

    def start(self) -> Self:
        """Begin to answer."""
        self._listener.start()
        return self

    def stop(self) -> None:
        """Stop answering and close every connection."""
        self.restore()
        self._listener.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _login(self, header: Any) -> Session:  # noqa: ANN401 - spyne publishes no types
        if header is None:
            self._unknown_logins += 1
            raise InboxFault(VendorCode.MISSING_HEADER, self._code_place)
        account = self._accounts.get((header.Account or "").casefold())
        if account is None:
            self._unknown_logins += 1
            raise InboxFault(VendorCode.AUTHENTICATION_FAILED, self._code_place)
        mailbox = self.mailboxes[account.reference]
        if (header.Username, header.Password) != (account.username, account.password):
            mailbox.refuse_login()
            raise InboxFault(VendorCode.AUTHENTICATION_FAILED, self._code_place)
        if self._ordered_fault is not None:
            raise InboxFault(self._ordered_fault, self._code_place)
        return Session(mailbox, self._code_place, self._unknown_ids)

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Route a request: the service is at one path, and its WSDL at the same path with ``?wsdl``."""
        if environ["PATH_INFO"] != PATH:
            return answer(start_response, "404 Not Found", "text/plain", b"Not Found")
        if environ["REQUEST_METHOD"] == "GET" and environ["QUERY_STRING"].lower() == "wsdl":
            return answer(start_response, "200 OK", "text/xml; charset=utf-8", self._wsdl())
        if environ["REQUEST_METHOD"] != "POST":
            return answer(start_response, "405 Method Not Allowed", "text/plain", b"Method Not Allowed")
        return self._soap(environ, start_response)

    def _wsdl(self) -> bytes:
        document = parse(wsdl_path("InboxService").read_bytes())
        for address in document.iter(_SOAP_ADDRESS):
            address.set("location", self.url)
        return etree.tostring(document, xml_declaration=True, encoding="utf-8")
