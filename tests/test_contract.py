"""The contract's table: the WSDL files agree with it, and a new parameter is one row and one attribute."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from lxml import etree

from soap_handler import contract
from soap_handler.contract import (
    CREDENTIALS,
    FAILURE_REASON,
    INBOX_MESSAGE,
    INBOX_OPERATIONS,
    OPERATIONS,
    Parameter,
    ParameterType,
    Structure,
    Type,
    Version,
    by_name,
    wsdl_path,
)
from soap_handler.notifications import KINDS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

NS: Final = {"wsdl": "http://schemas.xmlsoap.org/wsdl/", "s": "http://www.w3.org/2001/XMLSchema"}
HANDLER: Final = etree.parse(wsdl_path("AccountEventHandler"))
INBOX: Final = etree.parse(wsdl_path("InboxService"))
SIMPLE: Final = {
    Type.TEXT: "s:string",
    Type.ID: "s:string",
    Type.IDS: "tns:ArrayOfString",
    Type.TIME: "s:dateTime",
    Type.NUMBER: "s:int",
    Type.BOOLEAN: "s:boolean",
}

COMMON: Final = {"account", "notification_id", "original", "repaired", "digest"}

Member = tuple[str, str, int]
"""Name, type and how often it must be there."""


def find(wsdl: etree._ElementTree, path: str) -> list[Any]:
    found = wsdl.xpath(path, namespaces=NS)
    assert isinstance(found, list)
    return found


def described(wsdl: etree._ElementTree, path: str) -> list[Member]:
    """Return the members of a type in a WSDL."""
    elements = find(wsdl, f"{path}/s:sequence/s:element")
    return [(each.get("name"), each.get("type"), int(each.get("minOccurs"))) for each in elements]


def type_name(kind: ParameterType) -> str:
    if isinstance(kind, Type):
        return SIMPLE[kind]
    return f"tns:{(kind.cls if isinstance(kind, Structure) else kind).__name__}"


def listed(parameters: Iterable[Parameter]) -> list[Member]:
    """Return the same of the table."""
    return [(each.name, type_name(each.type), int(each.is_value_type)) for each in parameters]


@pytest.mark.parametrize("kind", Kind)
def test_the_wsdl_has_the_parameters_of_the_table(kind: Kind) -> None:
    """Names in their spelling, order, types, and which of them are mandatory."""
    assert described(HANDLER, f"//s:element[@name='{kind}']/s:complexType") == listed(OPERATIONS[kind].parameters)


def test_the_wsdl_has_the_operations_and_structures_of_the_table() -> None:
    """In the order of the table."""
    assert find(HANDLER, "//wsdl:portType/wsdl:operation/@name") == list(OPERATIONS) == list(Kind)
    assert described(HANDLER, "//s:complexType[@name='FailureReason']") == listed(FAILURE_REASON.members)
    for wsdl in (HANDLER, INBOX):
        assert described(wsdl, f"//s:complexType[@name='{contract.MESSENGER_HEADER}']") == listed(CREDENTIALS)


def test_the_wsdl_of_the_inbox_agrees_with_the_table() -> None:
    """Operations, their parameters, their results, and the fields of a message."""
    assert find(INBOX, "//wsdl:portType/wsdl:operation/@name") == [each.name for each in INBOX_OPERATIONS]
    assert described(INBOX, "//s:complexType[@name='Message']") == listed(INBOX_MESSAGE)
    results = {"message": "tns:Message", "messages": "tns:ArrayOfMessage"}
    for each in INBOX_OPERATIONS:
        takes = [(name, SIMPLE[kind], int(kind is Type.NUMBER)) for name, kind in each.takes.items()]
        gives = [(f"{each.name}Result", results[each.gives], 0)] if each.gives else []
        assert described(INBOX, f"//s:element[@name='{each.name}']/s:complexType") == takes
        assert described(INBOX, f"//s:element[@name='{each.name}Response']/s:complexType") == gives


@pytest.mark.parametrize("kind", Kind)
def test_each_parameter_is_an_attribute_and_each_attribute_a_parameter(kind: Kind) -> None:
    """In the same order; what all notifications have is no parameter."""
    own = [each.name for each in dataclasses.fields(KINDS[kind]) if each.name not in COMMON]
    assert [each.attribute for each in OPERATIONS[kind].parameters] == own
    attributes = {each.attribute for each in INBOX_MESSAGE} - {""}
    assert kind is not Kind.MESSAGE_RECEIVED or attributes == set(own)


@pytest.mark.parametrize("version", Version)
def test_no_name_means_two_parameters(version: Version) -> None:
    """Not even a misspelling, in any version."""
    groups = (*(each.parameters for each in OPERATIONS.values()), CREDENTIALS, FAILURE_REASON.members)
    for group in groups:
        here = [each for each in group if version in each.spellings]
        assert len(by_name(group, version)) == sum(1 + len(each.misspellings) for each in here)


def test_the_versions_spell_as_the_contract_says() -> None:
    """Form posts write camelCase, and ``eventType`` for two things; XML push has other words, and a misspelling."""
    received = OPERATIONS[Kind.MESSAGE_RECEIVED].parameters
    assert "".join(by_name(received)) == "idoriginatorrecipientbodytypesentatreceivedat"
    form = ["id", "originator", "recipient", "body", "type", "sentAt", "receivedAt"]
    assert list(by_name(received, Version.FORM_POST)) == form
    assert list(by_name(received, Version.XML_PUSH)) == ["MessageId", "From", "To", "MessageText"]
    subscription = OPERATIONS[Kind.SUBSCRIPTION_EVENT].parameters
    assert list(by_name(subscription, Version.FORM_POST)) == [
        *("mobileNumber", "contactID", "eventType", "occurredAt", "occuredAt")
    ]
    assert list(by_name(subscription, Version.XML_PUSH)) == ["From/PhoneNumber", "ReceviedAt", "occuredAt"]
    assert list(by_name(CREDENTIALS, Version.SOAP_NO_HEADERS)) == ["username", "password", "account"]


ROWS: Final = """
        _row("network", Type.TEXT, "network"),
        _row("parts", Type.NUMBER, "parts"),
"""
ATTRIBUTES: Final = """
    network: str = ""
    parts: int | None = None
"""
ELEMENTS: Final = """
    <s:element minOccurs="0" maxOccurs="1" name="network" type="s:string"/>
    <s:element minOccurs="1" maxOccurs="1" name="parts" type="s:int"/>
"""
WHOLE_WAY: Final = """
import sys, threading, time
from soap_handler import MessageReceived, contract
from soap_handler.app import App
from soap_handler.dispatch.handlers import Handlers
from soap_handler.ems import EmsAccount, SimulatedEms
from soap_handler.settings import Settings

handled = []
handlers = Handlers()
handlers.all_kinds(handled.append)
account = {"reference": "EX1", "push": [{"username": "u", "password": "p"}]}
settings = {"server": {"port": 0}, "journal": {"url": sys.argv[1]}, "account": [account]}
app = App(Settings.model_validate(settings), handlers)
ems = EmsAccount(reference="EX1", username="i", password="i", push_username="u", push_password="p")
thread = threading.Thread(target=app.run)
thread.start()
with SimulatedEms([ems], f"http://127.0.0.1:{app.server.port}/AccountEventHandler") as simulated:
    for number in range(2):  # the first takes the general reader, since its credentials are not known yet
        simulated.push(MessageReceived(account="EX1", id=f"a-{number}", network="n&m", parts=3))
        assert simulated.wait_until_quiet(20), simulated.waiting()
    deadline = time.monotonic() + 20
    while len(handled) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
app.stop()
thread.join()
print([(each.network, each.parts, each.repaired) for each in handled], contract.__file__)
"""


def test_a_new_parameter_is_one_row_and_one_attribute(tmp_path: Path) -> None:
    """In a copy of the package, whose WSDL has it too: from the simulator through both readers to the handler."""
    source = Path(contract.__file__).parent
    package = shutil.copytree(source, tmp_path / "soap_handler", ignore=shutil.ignore_patterns("__pycache__"))
    wsdl = tmp_path / "wsdl" / "AccountEventHandler.wsdl"
    shutil.copytree(wsdl_path("AccountEventHandler").parent, wsdl.parent)
    insert(package / "contract.py", '"receivedat",    "receivedAt"),\n', ROWS)
    insert(package / "notifications.py", "    received_at: datetime | None = None\n", ATTRIBUTES)
    insert(wsdl, 'name="receivedat" type="s:dateTime"/>', ELEMENTS)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", WHOLE_WAY, f"sqlite:///{tmp_path / 'journal.db'}"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert done.stdout == f"[('n&m', 3, ()), ('n&m', 3, ())] {package / 'contract.py'}\n", done.stderr


def insert(path: Path, after: str, text: str) -> None:
    """Put a text behind the only place of another one."""
    before = path.read_text(encoding="utf-8")
    assert before.count(after) == 1, path
    path.write_text(before.replace(after, after + text), encoding="utf-8")
