"""New accounts, passwords and inboxes while serving."""

from __future__ import annotations

import contextlib
import importlib
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from soap_handler.cli import configuration
from soap_handler.ems import EmsAccount, SimulatedEms
from soap_handler.errors import InboxUnavailableError, SettingsError
from soap_handler.journal import Selection, State
from soap_handler.metrics.catalogue import CIRCUIT_OPEN
from soap_handler.notifications import Kind
from soap_handler.server.reload import Reloader, unapplied_changes
from soap_handler.settings import (
    AccountSettings,
    ConsoleSettings,
    DeleteSettings,
    InboxSettings,
    PushCredentials,
    Settings,
)
from tests.console.asking import get
from tests.support.events import captured_events
from tests.support.service import serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import PASSWORD, REFERENCE, USERNAME, envelope, header, message

if TYPE_CHECKING:
    from pathlib import Path

    from soap_handler.app import App


def account(password: str, reference: str = REFERENCE, inbox: InboxSettings | None = None) -> AccountSettings:
    pair = PushCredentials(username=USERNAME, password=SecretStr(password))
    return AccountSettings(reference=reference, push=(pair,), inbox=inbox)


def changed(settings: Settings, *accounts: AccountSettings, **tables: object) -> Settings:
    return settings.model_copy(update={"account": accounts, **tables})


def test_a_rotated_password_is_taken_up_and_the_old_one_is_out(tmp_path: Path) -> None:
    """Both work while both are configured, and only then."""
    settings = settings_for(tmp_path)
    with serving(settings) as service:
        new = envelope(head=header(password="rotated"))
        assert (service.post(new).status, service.post(message()).status) == (500, 200)
        service.app.reload(changed(settings, account("rotated")))
        assert (service.post(new).status, service.post(message()).status) == (200, 500)
        service.app.reload(changed(settings, account(PASSWORD), account("rotated", "EX0077777")))
        third = envelope(head=header(password="rotated", account="ex0077777"))
        assert (service.post(new).status, service.post(third).status) == (500, 200)


def test_no_request_is_dropped_by_a_reload(tmp_path: Path) -> None:
    """While reloads follow each other, every push with a password that is always valid is confirmed."""
    settings = settings_for(tmp_path)
    both = account(PASSWORD)
    other = changed(settings, both.model_copy(update={"push": (*account("x").push, *both.push)}))
    statuses: list[int] = []
    with serving(settings) as service:
        stop = threading.Event()

        def push() -> None:
            while not stop.is_set():
                statuses.append(service.post(message()).status)

        pushers = [threading.Thread(target=push) for _ in range(3)]
        for pusher in pushers:
            pusher.start()
        for round_ in range(50):
            service.app.reload(other if round_ % 2 else settings)
        wait_for(lambda: len(statuses) > 50)
        stop.set()
        for pusher in pushers:
            pusher.join()
    assert set(statuses) == {200}


def test_the_log_says_what_waits_for_a_restart(tmp_path: Path) -> None:
    """Names only, no values."""
    settings = settings_for(tmp_path)
    server = settings.server.model_copy(update={"port": 9})
    with serving(settings) as service, captured_events() as logged:
        service.app.reload(changed(settings, *settings.account, server=server, delete=DeleteSettings(batch=7)))
    (line,) = [line for line in logged if line["event"] == "reload_needs_restart"]
    assert line["settings"] == ["server.port"]
    assert unapplied_changes(settings, settings) == []


def test_each_table_that_waits_for_a_restart_is_named(tmp_path: Path) -> None:
    """A sink with another password goes on with the old one: who changed it must be told."""
    values = settings_for(tmp_path).model_dump()
    hook = {"type": "webhook", "url": "https://hook.example.com/", "bearer_token": "one"}
    before = Settings.model_validate(values | {"sink": {"crm": hook}, "route": [{"sink": "crm"}]})
    after = Settings.model_validate(
        values
        | {
            "sink": {"crm": hook | {"bearer_token": "two"}},
            "route": [{"sink": "crm", "accounts": [REFERENCE]}, {"sink": "crm"}],
        }
        | {"tracing": {"enabled": True}, "console": {"port": 0}, "reconcile": {"interval": 7200}}
    )
    assert unapplied_changes(before, after) == ["sink", "route", "console", "tracing.enabled"]


def test_a_new_login_of_the_inbox_is_used_at_once(tmp_path: Path) -> None:
    """What was refused and what is handled later is deleted, without the pause that the old password brought."""
    known = EmsAccount(reference=REFERENCE, username="me", password="new", push_username="x", push_password="x")
    with SimulatedEms([known]) as ems:
        old = InboxSettings(url=ems.inbox_url, username="me", password=SecretStr("old"), timeout=5.0)
        settings = changed(settings_for(tmp_path), account(PASSWORD, inbox=old))
        with serving(settings) as service:
            assert service.post(message()).status == 200
            wait_for(lambda: any(gate.refusals for gate in service.app.journal.gates.closed()))
            new = old.model_copy(update={"password": SecretStr("new")})
            service.app.reload(changed(settings, account(PASSWORD, inbox=new)))
            assert service.post(message(id="66666666-0000-4000-8000-000000000001")).status == 200
            wait_for(lambda: service.app.journal.counts().get((Kind.MESSAGE_RECEIVED, State.DONE)) == 2)


def test_an_inbox_that_stays_the_same_goes_on_undisturbed(tmp_path: Path) -> None:
    """Only the deleters whose inbox changed are replaced; one of a new account is started, one of a lost one ended."""
    inbox = InboxSettings(url="http://127.0.0.1:9/", username="x", password=SecretStr("y"))
    kept, lost, new = (account(PASSWORD, reference, inbox) for reference in ("EX1", "EX2", "EX3"))
    settings = changed(settings_for(tmp_path), kept, lost)
    with serving(settings) as service:
        first = {deleter.account: deleter for deleter in service.app.deleters}
        service.app.reload(changed(settings, kept, new))
        second = {deleter.account: deleter for deleter in service.app.deleters}
        assert set(second) == {"EX1", "EX3"}
        assert second["EX1"] is first["EX1"]
        assert first["EX2"].stopping.is_set()
        assert "EX3" in service.app.deleters
        assert "EX2" not in service.app.deleters


def test_the_circuit_of_a_lost_inbox_is_not_open_for_ever(tmp_path: Path) -> None:
    """The gauge outlives the deleter: nothing would close it, and an alert would never end."""
    inbox = InboxSettings(url="http://127.0.0.1:9/", username="x", password=SecretStr("y"))
    settings = changed(settings_for(tmp_path), account(PASSWORD, inbox=inbox), console=ConsoleSettings(port=0))
    with serving(settings) as service:
        assert service.post(message()).status == 200
        wait_for(lambda: open_circuits(service.app) == ["1.0"])
        service.app.reload(changed(settings, account(PASSWORD)))
        wait_for(lambda: open_circuits(service.app) == ["0.0"])


def open_circuits(app: App) -> list[str]:
    """Return what the metrics say of each circuit of an inbox."""
    assert app.console is not None
    status, _, text = get(app.console.port, "/metrics")
    assert status == 200
    return re.findall(rf'^{CIRCUIT_OPEN.name}{{[^}}]*"inbox"[^}}]*}} (.*)$', text, re.MULTILINE)


def test_a_wrong_configuration_changes_nothing_and_each_problem_is_logged(tmp_path: Path) -> None:
    """The service goes on with what it has, and the next reload may succeed."""
    applied: list[Settings] = []
    good = settings_for(tmp_path)
    answers: list[Settings | Exception] = [SettingsError(["one.", "two."]), OSError("gone"), good]

    def load() -> Settings:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    reloader = Reloader(load, applied.append)
    with captured_events() as logged:
        reloader.start()
        for _ in range(3):
            reloader.request()
        wait_for(lambda: applied)
        reloader.stop()
    assert applied == [good]
    assert [(line["event"], line.get("problem")) for line in logged] == [
        ("reload_refused", "one."),
        ("reload_refused", "two."),
        ("reload_broke", None),
    ]


RENAMED = {
    "swapped": ("447786204254", (REFERENCE,)),
    "renamed": ("Sales", (REFERENCE, "447786204254")),
    "in other letters": (REFERENCE.lower(), ()),
}


@pytest.mark.parametrize(("reference", "aliases"), RENAMED.values(), ids=RENAMED.keys())
@pytest.mark.parametrize("by_restart", [True, False], ids=["restart", "reload"])
def test_a_renamed_account_knows_what_was_handled(
    tmp_path: Path, reference: str, aliases: tuple[str, ...], *, by_restart: bool
) -> None:
    """Another push of it is a duplicate, under whichever name; what is new is handled under the present one."""
    settings = settings_for(tmp_path)
    renamed = changed(settings, account(PASSWORD, reference).model_copy(update={"aliases": aliases}))
    with contextlib.ExitStack() as services:
        service = services.enter_context(serving(settings))
        service.take(message())
        if by_restart:
            services.close()
            service = services.enter_context(serving(renamed))
        else:
            service.app.reload(renamed)
            service.handled.clear()
        assert service.post(message()).status == 200
        [record] = service.app.journal.records(Selection())
        assert (record.account, record.state) == (reference, State.DONE)
        told = service.take(message(id="66666666-0000-4000-8000-000000000001"))
        assert (told.account, service.handled) == (reference, [told])


def test_a_message_that_is_handled_while_its_account_is_renamed_leaves_the_inbox(tmp_path: Path) -> None:
    """The dispatcher may still hold it under its former name."""
    inbox = InboxSettings(url="http://127.0.0.1:9/", username="x", password=SecretStr("y"))
    settings = changed(settings_for(tmp_path), account(PASSWORD, inbox=inbox))
    with serving(settings) as service:
        renamed = account(PASSWORD, "Sales", inbox).model_copy(update={"aliases": (REFERENCE,)})
        service.app.reload(changed(settings, renamed))
        assert REFERENCE in service.app.deleters


CONFIGURATION = """
[server]
port = 0
[journal]
url = "sqlite:///{folder}/journal.db"
[[account]]
reference = "EX0012345"
push = [{{ username = "ems", password = "{password}" }}]
[[account]]
reference = "EX0077777"
push = [{{ username = "ems", password = "x" }}]
inbox = {inbox}
"""
INBOX = '{ url = "http://127.0.0.1:9/", username = "x", password = "y", timeout = 5 }'
BROKEN = {
    "a value out of its bounds": INBOX.replace("= 5", "= 1e12"),
    "a secret file that cannot be read": INBOX.replace('password = "y"', 'password_file = "/nowhere/secret"'),
    "a setting that there is not": INBOX.replace("timeout", "tiemout"),
}


@pytest.mark.parametrize("inbox", BROKEN.values(), ids=BROKEN.keys())
def test_a_bad_value_in_the_last_account_changes_nothing(tmp_path: Path, inbox: str) -> None:
    """The first account has a new password in the same file: it is not taken up, and each inbox goes on."""
    path = tmp_path / "soap-handler.toml"

    def write(password: str, inbox: str) -> None:
        path.write_text(CONFIGURATION.format(folder=tmp_path, password=password, inbox=inbox))

    write(PASSWORD, INBOX)
    with serving(configuration.load(path)) as service, captured_events() as logged:
        before = unchanged(service.app)
        reloader = Reloader(lambda: configuration.load(path), service.app.reload)
        reloader.start()
        write("rotated", inbox)
        reloader.request()
        wait_for(lambda: any(line["event"] == "reload_refused" for line in logged))
        reloader.stop()
        assert unchanged(service.app) == before
        assert service.post(message()).status == 200
        assert service.post(envelope(head=header(password="rotated"))).status == 500


def unchanged(app: App) -> list[object]:
    """Return all that a reload replaces."""
    parts = [*app.deleters, *app.reconcile_schedule]
    return [app.accounts, *parts, *(each.stopping.is_set() for each in parts)]


@pytest.mark.parametrize("part", ["deleters.Deleter", "reconcile_schedule.Inbox", "reconcile_schedule.LoginGate"])
def test_an_inbox_that_cannot_be_built_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """All that is new is built before anything of the present is ended; the second of two new inboxes fails."""
    inbox = InboxSettings(url="http://127.0.0.1:9/", username="x", password=SecretStr("y"))
    settings = changed(settings_for(tmp_path), account(PASSWORD, inbox=inbox))
    module, _, name = part.rpartition(".")
    built = getattr(importlib.import_module(f"soap_handler.inbox.{module}"), name)

    def build(reference: str, *rest: Any, **more: Any) -> Any:
        if reference == "EX3":
            raise InboxUnavailableError("it cannot be built")
        return built(reference, *rest, **more)

    with serving(settings) as service, captured_events() as logged:
        before = unchanged(service.app)
        monkeypatch.setattr(f"soap_handler.inbox.{part}", build)
        others = [account(PASSWORD, reference, inbox) for reference in ("EX2", "EX3")]
        service.app.reload(changed(settings, *others))
        assert unchanged(service.app) == before
    assert "it cannot be built" in str([line for line in logged if line["event"] == "reload_refused"])


def test_a_reloader_that_never_began_can_be_stopped() -> None:
    """The end of a start that failed."""
    Reloader(Settings, lambda _: None).stop()
