"""The journal keeps who pushed and in which version of the API, of the first push and of each duplicate."""

from __future__ import annotations

import html
import re
import socket
import uuid
from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

import pytest
from pydantic import SecretStr

from soap_handler.cli import journal_view
from soap_handler.contract import SOAP_12
from soap_handler.ems import EmsAccount
from soap_handler.ems.form_push import FormWriter
from soap_handler.ems.soap_push import SoapWriter
from soap_handler.ems.xml_push import XmlWriter
from soap_handler.faces.xml_push import PATH as XML_PATH
from soap_handler.journal import Selection, State, Step
from soap_handler.notifications import MessageReceived
from soap_handler.settings import JournalSettings, ServerSettings
from tests.console.pages.filled import console_on
from tests.support.service import Service, serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import (
    PASSWORD,
    PATH,
    REFERENCE,
    USERNAME,
    Connection,
    envelope,
    header,
    message,
    operation,
    request,
)

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from soap_handler.ems.versions import Writer
    from soap_handler.journal import Attempt, Record
    from soap_handler.settings import Settings

ACCOUNT: Final = EmsAccount(
    reference=REFERENCE, username="", password="", push_username=USERNAME, push_password=PASSWORD
)
PROXIES: Final = (ip_network("127.0.0.1/32"), ip_network("10.0.0.0/8"))
CALLER: Final = "198.51.100.7"
SOAP_12_TYPE: Final = "Content-Type: application/soap+xml; charset=utf-8"
IN_OPERATION: Final = {"username": USERNAME, "password": PASSWORD, "account": REFERENCE}


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, fast_path: object) -> Settings:  # noqa: ARG001 - it comes first
    """Return the settings of a service behind trusted proxies, on either engine."""
    server = ServerSettings(port=0, drain_timeout=10, login_failures_allowed=1_000_000, trusted_proxies=PROXIES)
    told = settings_for(tmp_path, server=server)
    if request.param == "sqlite":
        return told
    url = str(request.getfixturevalue("postgresql").empty_journal())
    return told.model_copy(update={"journal": JournalSettings(url=SecretStr(url))})


def forwarded(*addresses: str) -> str:
    return f"X-Forwarded-For: {', '.join(addresses)}"


def requests_of(identity: str) -> dict[str, tuple[bytes, str, tuple[str, ...]]]:
    """Return a push of a message in each version by its name in the journal: body, path, headers."""
    told = MessageReceived(account=REFERENCE, id=identity, originator="447700900123", body="Yes")
    by_writer: dict[str, tuple[Writer, str]] = {
        "soap": (SoapWriter(), PATH),
        "soap-no-header": (SoapWriter(header=False), PATH),
        "form": (FormWriter(), PATH),
        "xml": (XmlWriter(), XML_PATH),
    }
    found = {}
    for name, (writer, path) in by_writer.items():
        written = writer.request(ACCOUNT, told)
        found[name] = (written.body, path, tuple(f"{key}: {value}" for key, value in written.headers.items()))
    bare = operation(id=identity)
    with_login = bare.replace(">", ">" + "".join(f"<{key}>{value}</{key}>" for key, value in IN_OPERATION.items()), 1)
    found["soap12"] = (envelope(bare, header(), SOAP_12), PATH, (SOAP_12_TYPE,))
    found["soap12-no-header"] = (envelope(with_login, "", SOAP_12), PATH, (SOAP_12_TYPE,))
    return found


def record_of(service: Service, identity: str) -> Record:
    (record,) = service.app.journal.records(Selection(message_id=identity))
    return record


def test_each_version_behind_a_proxy(settings: Settings) -> None:
    """In whatever version, usual or repaired: the address is that of the caller before the trusted proxies."""
    found = {}
    with serving(settings) as service:
        for name in requests_of(""):
            identity = str(uuid.uuid4())
            body, path, headers = requests_of(identity)[name]
            assert service.post(body, forwarded("192.0.2.1", CALLER, "10.1.2.3"), *headers, path=path).status == 200
            record = record_of(service, identity)
            found[record.api] = record.caller
        assert found == dict.fromkeys(requests_of(""), CALLER)
        mended = str(uuid.uuid4())
        broken = message(id=mended, body="a und b").replace(b"und", b"&")
        assert service.post(broken, forwarded("2001:db8::7")).confirms
        record = record_of(service, mended)
        assert (record.api, record.caller) == ("soap", "2001:db8::7")
        assert record.notification.repaired


def test_without_a_proxy_it_is_the_peer(service: Service) -> None:
    """What a caller that is not trusted says of itself does not count; requests that came together say so each."""
    identities = [str(uuid.uuid4()) for _ in range(3)]
    for identity in identities:
        assert service.post(message(id=identity), forwarded(CALLER)).confirms
    with Connection(service.port) as opened:
        more = [str(uuid.uuid4()) for _ in range(3)]
        opened.send(b"".join(request(message(id=identity)) for identity in more))
        assert [opened.answer().status for _ in more] == [200] * 3
    records = [record_of(service, identity) for identity in identities + more]
    assert {(record.api, record.caller) for record in records} == {("soap", "127.0.0.1")}


def test_an_ipv4_peer_of_an_ipv6_socket_is_named_by_its_ipv4_address(settings: Settings) -> None:
    """The system tells it as ``::ffff:127.0.0.1``; the same caller has one name, whatever we listen on."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as both:
        alone = settings.model_copy(update={"server": settings.server.model_copy(update={"trusted_proxies": ()})})
        with serving(alone, [both]) as service:
            identity = str(uuid.uuid4())
            assert service.post(message(id=identity)).confirms
            assert record_of(service, identity).caller == "127.0.0.1"


def test_a_duplicate_later_from_another_address(settings: Settings) -> None:
    """Each is a line of the history, in every version; the first push stays what it was."""
    identity = str(uuid.uuid4())
    with serving(settings) as service:
        assert service.post(message(id=identity), forwarded(CALLER)).confirms
        wait_for(lambda: record_of(service, identity).state is State.DONE)
        for address, (body, path, headers) in zip(again_from(), requests_of(identity).values(), strict=True):
            assert service.post(body, forwarded(address), *headers, path=path).status == 200
        record, history = record_of(service, identity), service.app.journal.history(record_of(service, identity).seq)
        assert (record.api, record.caller) == ("soap", CALLER)
        again = [line for line in history if line.step is Step.PUSH]
        expected = list(zip(requests_of(""), again_from(), strict=True))
        assert [(line.api, line.caller) for line in again] == expected
        assert [line.started_at for line in again] == sorted(line.started_at for line in again)
        assert len(service.handled) == 1
        assert [line.started_at for line in again] == [each.received_at for each in service.submitted[1:]]
        assert_shown(settings, record, history)


def assert_shown(settings: Settings, record: Record, history: list[Attempt]) -> None:
    """Page and terminal say the same as the journal, in the order of time, to the millisecond."""
    assert record.done_at is not None
    moments = [record.received_at, *(line.started_at for line in sorted(history, key=lambda line: line.started_at))]
    with console_on(settings) as console:
        page = console.page(f"/messages/{record.seq}")
    part = page[page.index('<ol class="timeline">') :]
    part = part[: part.index("</ol>")]
    expected = [exact(moment) for moment in moments]
    shown = re.findall(r'datetime="([^"]+)"', part)
    assert sorted(shown) == sorted([*expected, exact(record.done_at)])
    assert shown == sorted(shown)
    text = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", part)).split())
    for words in (f"SOAP from {CALLER}", "SOAP 1.2 from 203.0.113.", "XML push from 203.0.113.", "Handled took"):
        assert words in text, words
    table = journal_view.pages(record, history, record.done_at)[1]
    printed = [str(row[0]).partition(" (")[0] for row in table.rows]
    rows = [*moments, record.handled_at, record.done_at]
    assert sorted(printed) == sorted(str(journal_view.instant(moment)) for moment in rows if moment is not None)
    assert printed == sorted(printed)
    assert f"SOAP from {CALLER}" in table.rows[0]
    told = journal_view.whole(record, history)
    assert (told["caller"], told["api"]) == (CALLER, "soap")
    assert [line["caller"] for line in told["history"] if line["step"] == "push"] == again_from()


def again_from() -> list[str]:
    """Return the addresses of the duplicates, in their order."""
    return [f"203.0.113.{number}" for number in range(len(requests_of("")))]


def exact(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_a_former_release_recorded_none(settings: Settings) -> None:
    """Of what it stored, page and terminal say so."""
    identity = str(uuid.uuid4())
    with serving(settings) as service:
        assert service.post(message(id=identity)).confirms
        record = replace(record_of(service, identity), api=None, caller=None)
    assert "caller and version not recorded" in journal_view.pages(record, [], record.received_at)[1].rows[0]
