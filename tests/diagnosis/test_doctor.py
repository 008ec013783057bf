"""Doctor against real services and stand-ins that are wrong in one way each: every fault is named, and nothing else."""

from __future__ import annotations

import contextlib
import ssl
import time
import warnings
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.contract import Version
from soap_handler.diagnosis.doctor import examine, registration
from soap_handler.diagnosis.exchange import Reply
from soap_handler.diagnosis.finding import Finding, Verdict
from soap_handler.diagnosis.service import judge_clock, judge_http
from soap_handler.diagnosis.visit import Login, Visit, read_address
from soap_handler.faces.soap.faults import client_fault, fault_envelope, response_envelope, server_fault
from soap_handler.journal import Selection, Source, State
from soap_handler.notifications import TEST_ID
from soap_handler.settings import ServerSettings
from tests.deploy.proxies import free_port
from tests.diagnosis import certificates
from tests.diagnosis.certificates import FAULTS
from tests.diagnosis.fronts import Answer, Front, answering, nginx_before, python_before
from tests.support import wire
from tests.support.service import Service, serving, settings_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from soap_handler.journal import Entry
    from tests.diagnosis.certificates import Files

LOGIN = Login(wire.REFERENCE, wire.USERNAME, wire.PASSWORD)
FRONTS = {"python": python_before, "nginx": nginx_before}
XML = "text/xml; charset=utf-8"
REFUSED: Answer = (500, XML, fault_envelope(client_fault("Authentication failed")))
TAKEN: Answer = (200, XML, response_envelope("MessageReceived"))


def wrong_ones(found: list[Finding]) -> dict[str, Finding]:
    return {each.what: each for each in found if each.verdict is Verdict.WRONG}


def verdicts(found: list[Finding]) -> dict[str, Verdict]:
    return {each.what: each.verdict for each in found}


def visit(port: int | Front, files: Files | None = None, login: Login | None = LOGIN, **more: Any) -> Visit:
    port, http_port = port if isinstance(port, Front) else (port, free_port())
    scheme = "http" if files is None else "https"
    options = {"http_port": http_port, "ca_bundle": files.root if files else None, **more}
    return Visit(read_address(f"{scheme}://localhost:{port}{wire.PATH}"), login, **options)


@contextlib.contextmanager
def fronted(front: str, folder: Path, files: Files, **server: object) -> Iterator[tuple[Service, Front]]:
    """Run the service behind a TLS proxy; give both."""
    known = ServerSettings.model_validate({"port": 0, "drain_timeout": 5, "trusted_proxies": ["127.0.0.1"], **server})
    settings = settings_for(folder, server=known)
    with serving(settings) as service:
        behind = settings.model_copy(update={"server": known.model_copy(update={"port": service.port})})
        with FRONTS[front](folder, behind, files) as ports:
            yield service, ports


def stand_in(method: str, _path: str, body: bytes, **changed: Any) -> Answer:
    """Answer as a good service would, but for what is changed: ``refused`` or ``taken``."""
    if method == "GET":
        return 404, "text/html", b"<html>"
    answer = changed.get("taken", TAKEN) if wire.PASSWORD.encode() in body else changed.get("refused", REFUSED)
    if callable(answer):
        answer = answer()
    return answer  # type: ignore[no-any-return]


@pytest.mark.parametrize("front", FRONTS)
def test_nothing_is_wrong_with_a_good_service(front: str, tmp_path: Path) -> None:
    """Every check is made. The test is in the journal as one, done, and no handler was given it."""
    files = certificates.good(tmp_path)
    with fronted(front, tmp_path, files) as (service, port):
        found = list(examine(visit(port, files, journal_url=f"sqlite:///{tmp_path / 'journal.db'}")))
        service.take(wire.message())
        assert [each.kind.value for each in service.handled] == ["MessageReceived"]
        assert all(each.notification.key.split("/")[2].startswith(TEST_ID) for each in service.submitted[:-1])
        first = service.app.journal.records(Selection())[-1]
        assert (first.source, first.state) == (Source.TEST, State.DONE)
    assert wrong_ones(found) == {}
    (versions,) = [each.text for each in found if each.what == "versions"]
    assert f"also taken: {Version.SOAP_NO_HEADERS.value}" in versions
    checks = (
        "name port TLS chain host_name days_left http WSDL wrong_password right_password speed journal versions clock"
    )
    assert [each.what for each in found] == [check.replace("_", " ") for check in checks.split()]
    assert verdicts(found).pop("name") is Verdict.WARNING  # localhost is not in the internet
    assert {each.verdict for each in found if each.what != "name"} == {Verdict.OK}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("front", FRONTS)
def test_a_fault_of_the_certificate_is_named(front: str, fault: str, tmp_path: Path) -> None:
    """In words, with how to mend it. One fault is one finding, and the password is not sent."""
    make, what, said = FAULTS[fault]
    files = make(tmp_path)
    with fronted(front, tmp_path, files) as (service, port):
        found = list(examine(visit(port, files)))
        assert service.submitted == []
    wrong = wrong_ones(found)
    assert wrong.keys() == {what}
    assert said in wrong[what].text
    assert wrong[what].mend
    assert verdicts(found)["right password"] is Verdict.SKIPPED
    assert verdicts(found)["wrong password"] is Verdict.OK


def test_several_faults_are_all_named(tmp_path: Path) -> None:
    """One does not hide another: here no root is trusted, and the certificate has expired."""
    files = certificates.expired(tmp_path)
    with answering(stand_in, files) as port:
        wrong = wrong_ones(list(examine(visit(port, files, ca_bundle=None))))
    assert {"chain", "days left"} <= wrong.keys()


def test_a_certificate_that_ends_soon_is_warned_about(tmp_path: Path) -> None:
    """The days left are counted."""
    files = certificates.expiring(tmp_path)
    with answering(stand_in, files) as port:
        (days,) = [each for each in examine(visit(port, files)) if each.what == "days left"]
    assert days.verdict is Verdict.WARNING
    assert days.text.startswith("3, until")


def test_an_old_tls_is_named(tmp_path: Path) -> None:
    """EMS is served by TLS 1.2 or later."""
    files = certificates.good(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with answering(stand_in, files, ssl.TLSVersion.TLSv1_1) as port:
            wrong = wrong_ones(list(examine(visit(port, files))))
    assert wrong.keys() == {"TLS"}
    assert "TLS 1.2 or later is not spoken" in wrong["TLS"].text


def test_an_https_address_without_tls_is_named(tmp_path: Path) -> None:
    """The port of the service itself, for instance."""
    with answering(stand_in) as port:
        wrong = wrong_ones(list(examine(visit(port, certificates.good(tmp_path)))))
    assert wrong.keys() == {"TLS"}
    assert "answers without TLS" in wrong["TLS"].text


def test_an_http_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """From elsewhere it is wrong, and the password is not sent; on this machine it is a warning."""
    with answering(stand_in) as port:
        found = verdicts(list(examine(visit(port))))
        assert (found["https"], found["right password"]) == (Verdict.WARNING, Verdict.OK)
        monkeypatch.setattr("soap_handler.diagnosis.doctor.is_this_machine", lambda _: False)
        found = verdicts(list(examine(visit(port))))
        assert (found["https"], found["right password"]) == (Verdict.WRONG, Verdict.SKIPPED)


@pytest.mark.parametrize("front", FRONTS)
def test_a_wrong_address_in_the_description_is_named(front: str, tmp_path: Path) -> None:
    """With the setting that mends it."""
    files = certificates.good(tmp_path)
    with fronted(front, tmp_path, files, public_url="https://other.example.com") as (_, ports):
        wrong = wrong_ones(list(examine(visit(ports, files))))
    url = f"https://localhost:{ports.https}"
    assert wrong.keys() == {"WSDL"}
    assert f"is https://other.example.com{wire.PATH}, not {url}{wire.PATH}" in wrong["WSDL"].text
    assert f'public_url = "{url}"' in wrong["WSDL"].mend


@pytest.mark.parametrize("front", FRONTS)
def test_a_slow_service_is_named(front: str, tmp_path: Path) -> None:
    """It takes the push, but EMS would have waited for more than a second: here for a slow disk."""
    files = certificates.good(tmp_path)
    with fronted(front, tmp_path, files) as (service, ports):
        journal, submit, submit_all = service.app.journal, service.app.journal.submit, service.app.journal.submit_all

        def slowly_one(entry: Entry) -> Future[bool]:
            time.sleep(1.1)
            return submit(entry)

        def slowly_all(entries: Sequence[Entry]) -> Future[list[bool]]:
            time.sleep(1.1)
            return submit_all(entries)

        journal.submit, journal.submit_all = slowly_one, slowly_all  # type: ignore[method-assign] # a slow disk
        wrong = wrong_ones(list(examine(visit(ports, files))))
    assert wrong.keys() == {"speed"}
    assert "slow: answered only after " in wrong["speed"].text


def _with_address(address: bytes, method: str, path: str, body: bytes) -> Answer:
    if method == "POST":
        return stand_in(method, path, body)
    start = b'<definitions xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"><soap:address location="'
    return 200, XML, start + address + b'"/></definitions>'


@pytest.mark.parametrize("front", FRONTS)
def test_a_wrong_password_is_named(front: str, tmp_path: Path) -> None:
    """The one in the settings of this machine, for instance, is not that of the service."""
    files = certificates.good(tmp_path)
    login = Login(wire.REFERENCE, wire.USERNAME, "wr0ng")
    with fronted(front, tmp_path, files) as (_, port):
        found = list(examine(visit(port, files, login)))
    wrong = wrong_ones(found)
    assert wrong.keys() == {"right password"}
    assert "Authentication failed" in wrong["right password"].text
    assert "compare user name, password and account" in wrong["right password"].mend
    assert "wr0ng" not in str(found)


def good_address(method: str, path: str, body: bytes, port: list[int], **changed: Any) -> Answer:
    if method == "GET":
        return _with_address(f"http://localhost:{port[0]}{wire.PATH}".encode(), method, path, body)
    return stand_in(method, path, body, **changed)


def slowly() -> Answer:
    time.sleep(1.1)
    return TAKEN


@pytest.mark.parametrize(
    ("changed", "what", "said"),
    [
        ({"refused": TAKEN}, "wrong password", "is taken: every caller"),
        ({"refused": (404, "text/html", b"<html>")}, "wrong password", "answered with HTTP 404"),
        ({"taken": slowly}, "speed", "slow: answered only after "),
        ({"taken": (200, "text/html", b"<html>")}, "right password", "is not taken: HTTP 200"),
        ({"taken": (202, XML, TAKEN[2])}, "right password", "is not taken: HTTP 202"),
        ({"taken": (500, XML, fault_envelope(server_fault("away")))}, "right password", "a Server fault: away"),
    ],
)
def test_a_fault_of_the_service_is_named(changed: dict[str, Any], what: str, said: str) -> None:
    """And nothing else is."""
    port: list[int] = []
    with answering(partial(good_address, port=port, **changed)) as found_port:
        port.append(found_port)
        wrong = wrong_ones(list(examine(visit(found_port))))
    assert wrong.keys() == {what}
    assert said in wrong[what].text
    assert wrong[what].mend


def test_an_anonymous_account_is_warned_about() -> None:
    """There any password is right: it was set so."""
    port: list[int] = []
    with answering(partial(good_address, port=port, refused=TAKEN)) as found_port:
        port.append(found_port)
        found = list(examine(visit(found_port, login=Login(wire.REFERENCE, "any", wire.PASSWORD, anonymous=True))))
    assert wrong_ones(found) == {}
    assert verdicts(found)["wrong password"] is Verdict.WARNING


@pytest.mark.parametrize(
    ("status", "verdict"), [(200, Verdict.WRONG), (301, Verdict.WARNING), (403, Verdict.OK), (None, Verdict.OK)]
)
def test_http_must_not_answer_with_a_page(status: int | None, verdict: Verdict) -> None:
    """A redirect is followed by browsers, not by EMS."""
    with contextlib.ExitStack() as stack:
        answer: Callable[..., Answer] = lambda *_: (status or 0, "text/html", b"<html>")  # noqa: E731 - one line
        port = stack.enter_context(answering(answer)) if status else free_port()
        assert judge_http(visit(443, http_port=port)).verdict is verdict


@pytest.mark.parametrize(("seconds", "said"), [(0, "agrees"), (95, "95 s ahead of"), (-3600, "3600 s behind")])
def test_a_clock_that_differs_is_named(seconds: int, said: str) -> None:
    """By the Date header."""
    now = datetime.now(UTC).replace(microsecond=0)
    header = format_datetime(now + timedelta(seconds=seconds), usegmt=True)
    assert said in judge_clock(Reply(200, {"date": header}, b"", 0.1, now.timestamp())).text


def test_a_name_that_does_not_resolve_is_named() -> None:
    """Then nothing else can be checked, and that is said."""
    unknown = Visit(read_address("https://sms.invalid/"), LOGIN)
    found = verdicts(list(examine(unknown)))
    assert found == {
        "name": Verdict.WRONG,
        "port": Verdict.SKIPPED,
        "TLS, certificate, service": Verdict.SKIPPED,
    }


def test_a_closed_port_is_named() -> None:
    """With the address that was tried."""
    wrong = wrong_ones(list(examine(visit(free_port()))))
    assert wrong.keys() == {"port"}
    assert "127.0.0.1: connection refused" in wrong["port"].text


def test_it_ends_with_what_to_enter() -> None:
    """URL, version and user name; never the password."""
    told = registration(Visit(read_address("https://sms.example.com"), LOGIN))
    assert told == {
        "URL": f"https://sms.example.com{wire.PATH}",
        "version": "Account Event Handler (SOAP)",
        "user name": wire.USERNAME,
    }
