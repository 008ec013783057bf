"""The sink that writes files."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree
from sqlalchemy import text

from soap_handler.errors import SinkDownError, SinkRefusedError
from soap_handler.settings.sinks import FilesSettings
from soap_handler.sinks.files import TEMPORARY_PREFIX, Files
from tests.sinks.deliveries import ALL_KINDS, AWKWARD, received
from tests.sinks.test_routes import Running, routed
from tests.support.database import opened
from tests.support.waiting import wait_for
from tests.support.wire import PASSWORD, PATH, ask, message, post, request

if TYPE_CHECKING:
    from soap_handler.sinks.base import Delivery


def files(tmp_path: Path, **settings: str) -> Files:
    return Files(FilesSettings.model_validate({"type": "files", "directory": tmp_path, **settings}))


def test_a_notification_is_one_file_and_nothing_else_is_left(tmp_path: Path) -> None:
    """The file holds the JSON form; no temporary file stays."""
    files(tmp_path).deliver(received(body=AWKWARD["nul"]))
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("20260302T080001.250000Z-MessageReceived-")
    assert json.loads(path.read_text())["body"] == AWKWARD["nul"]


@pytest.mark.parametrize("delivery", ALL_KINDS, ids=lambda each: str(each.notification.kind))
def test_a_file_can_be_a_soap_envelope(tmp_path: Path, delivery: Delivery) -> None:
    """With ``format = "envelope"``: the operation as a push has it, and no login."""
    files(tmp_path, format="envelope").deliver(delivery)
    (path,) = tmp_path.iterdir()
    assert path.suffix == ".xml"
    envelope = etree.fromstring(path.read_bytes())
    operation = next(iter(envelope.iterfind("{*}Body/*")))
    assert etree.QName(operation).localname == delivery.notification.kind
    assert operation.findtext("{*}id", "") == getattr(delivery.notification, "id", "")
    assert envelope.findtext("{*}Header//{*}Account") == "EX0000001"
    assert not envelope.findtext("{*}Header//{*}Password")


@pytest.mark.parametrize(
    ("request_", "suffix"),
    [(b"\xef\xbb\xbf<soap:Envelope/>", ".xml"), (b"username=a&password=***&notificationType=MessageReceived", ".txt")],
    ids=["SOAP", "form"],
)
def test_the_request_as_it_came_is_written_where_the_journal_has_it(
    tmp_path: Path, request_: bytes, suffix: str
) -> None:
    """Byte for byte; the name says whether it is XML."""
    files(tmp_path, format="envelope").deliver(replace(received(), request=request_))
    (path,) = tmp_path.iterdir()
    assert path.suffix == suffix
    assert path.read_bytes() == request_


@pytest.mark.parametrize("fast_path", ["auto", "off"])
@pytest.mark.parametrize("kind", ["SOAP", "form"])
def test_from_a_push_to_its_file_byte_by_byte(tmp_path: Path, kind: str, fast_path: str) -> None:
    """The journal keeps the request of what goes to this sink, also a usual one; the password alone is masked."""
    spool = tmp_path / "spool"
    spool.mkdir()
    sinks: dict[str, Any] = {
        "spool": {"type": "files", "directory": spool, "format": "envelope"},
        "other": {"type": "stdout"},
    }
    routes: list[dict[str, Any]] = [{"kinds": ["MessageEvent"], "sink": "other"}, {"sink": "spool"}]
    settings = routed(tmp_path, routes, sinks)
    settings = settings.model_copy(update={"server": settings.server.model_copy(update={"fast_path": fast_path})})
    service = Running(settings)
    try:
        form = (
            b"username=ems&password=s3cret&account=EX0012345&notificationType=MessageReceived&id=1&originator=4477"
            b"&recipient=447786204254&body=hi+there&type=Text&sentAt=2014-08-02+16:28:42Z"
            b"&receivedAt=2014-08-02+16:28:42Z"
        )
        as_form = "Content-Type: application/x-www-form-urlencoded"
        port = service.app.server.port
        for body in [form] if kind == "form" else [message(), message(id="9" * 8, body="weiß ]]> & 🚌")]:
            if kind == "form":
                assert ask(port, request(body, as_form, start=f"POST {PATH}.aspx HTTP/1.1")).status == 200
            else:
                assert post(port, body).confirms
            expected = body.replace(PASSWORD.encode(), b"***")
            wait_for(partial(_has, spool, expected))
        assert post(port, message("MessageEvent")).confirms
        with opened(f"sqlite:///{tmp_path / 'journal.db'}") as connection:
            kept = connection.execute(text("SELECT kind FROM notification WHERE envelope IS NOT NULL")).scalars()
            assert set(kept) == {"MessageReceived"}
    finally:
        service.stop()


def _has(spool: Path, content: bytes) -> bool:
    return content in {each.read_bytes() for each in spool.glob("2*")}


def test_an_envelope_has_the_exact_text(tmp_path: Path) -> None:
    """As far as XML can say it."""
    files(tmp_path, format="envelope").deliver(received(body=AWKWARD["emoji"] + AWKWARD["cdata"]))
    (path,) = tmp_path.iterdir()
    body = etree.fromstring(path.read_bytes()).findtext(".//{*}body")
    assert body == AWKWARD["emoji"] + AWKWARD["cdata"]


def test_a_repeated_delivery_replaces_its_file(tmp_path: Path) -> None:
    """At least once, but one file: the name follows from the notification."""
    sink = files(tmp_path)
    sink.deliver(received())
    sink.deliver(received())
    assert len(list(tmp_path.iterdir())) == 1


def test_an_account_cannot_lead_out_of_the_directory(tmp_path: Path) -> None:
    """What comes from the wire is put into a name only with harmless characters."""
    files(tmp_path, name="{id}-{digest}").deliver(received("../../x/y"))
    (path,) = tmp_path.iterdir()
    assert path.name.startswith(".._.._x_y-")


@pytest.mark.parametrize("name", ["{stored_at}.json", "{nothing}-{digest}", "a/{digest}", "{digest", "{digest!x}"])
def test_a_name_that_does_not_tell_notifications_apart_is_refused(tmp_path: Path, name: str) -> None:
    """Two notifications must never have one name; a name has no folder and no unknown field."""
    with pytest.raises(ValueError, match="name"):
        files(tmp_path, name=name)


def test_a_directory_that_is_gone_is_the_sinks_fault(tmp_path: Path) -> None:
    """No notification is blamed for it, and the probe says it too."""
    folder = tmp_path / "spool"
    folder.mkdir()
    sink = files(folder)
    assert "can be written" in sink.probe()
    folder.rmdir()
    with pytest.raises(SinkDownError):
        sink.deliver(received())
    with pytest.raises(SinkDownError, match="spool"):
        sink.probe()


def test_a_name_that_is_too_long_is_the_notifications_fault(tmp_path: Path) -> None:
    """The directory works; only this one cannot be written."""
    with pytest.raises(SinkRefusedError):
        files(tmp_path, name="{id}{digest}").deliver(received("i" * 300))
    assert list(tmp_path.iterdir()) == []


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    """A program that lists the directory, without hidden files, can parse every file at once."""
    sink = files(tmp_path)

    def write() -> None:
        for number in range(200):
            sink.deliver(received(str(number), "x" * 5000))

    writer = Thread(target=write)
    writer.start()
    seen = 0
    while writer.is_alive() or not seen:
        for entry in os.scandir(tmp_path):
            if not entry.name.startswith(TEMPORARY_PREFIX):
                assert json.loads(Path(entry.path).read_text())["body"]
                seen += 1
    writer.join()
