"""What may be plugged in: each kind has a handler or is in ``handler.ignore``, and no inbox is emptied by default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest
from pydantic import SecretStr

from soap_handler.app import App
from soap_handler.dispatch.handlers import Handlers
from soap_handler.errors import HandlerNotFoundError
from soap_handler.notifications import Kind
from soap_handler.settings import AccountSettings, HandlerSettings, InboxSettings, JournalSettings, Settings
from soap_handler.settings.sinks import FilesSettings, RouteSettings
from soap_handler.settings.value_types import KindName
from soap_handler.sinks import target
from tests.support.events import captured_events
from tests.support.service import ACCOUNTS, settings_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ALL = tuple(kind.value for kind in Kind)
STANDARD_OUTPUT = "soap_handler.sinks.stdout:handlers"


def settings(ignore: tuple[Any, ...] = (), **handler: Any) -> Settings:
    return Settings(handler=HandlerSettings(ignore=ignore, **handler), account=ACCOUNTS)


def with_inbox(plain: Settings) -> Settings:
    inbox = InboxSettings(url="http://127.0.0.1:9/", username="u", password=SecretStr("p"))
    accounts = tuple(AccountSettings.model_validate({**dict(each), "inbox": inbox}) for each in plain.account)
    return plain.model_copy(update={"account": accounts})


def test_the_names_are_those_of_the_kinds() -> None:
    """What ``handler.ignore`` takes is what there is."""
    assert get_args(KindName) == ALL


def registrations(handlers: Handlers) -> dict[Kind, Callable[[Any], Any]]:
    return {
        Kind.MESSAGE_RECEIVED: handlers.message_received,
        Kind.MESSAGE_EVENT: handlers.message_event,
        Kind.MESSAGE_ERROR: handlers.message_error,
        Kind.SUBSCRIPTION_EVENT: handlers.subscription_event,
    }


@pytest.mark.parametrize(
    ("handled", "ignored", "problem"),
    [
        (ALL, (), None),
        (ALL[:2], ALL[2:], None),
        ((), ALL, None),
        ((), (), "no handler for MessageReceived, MessageEvent, MessageError, SubscriptionEvent; expected"),
        (ALL[1:], ALL[1:2], "no handler for MessageReceived; expected a handler for each kind, or handler.ignore"),
        (ALL, ALL[:1], "handler.ignore names MessageReceived, for which"),
    ],
)
def test_each_kind_is_handled_or_ignored(
    handled: tuple[str, ...], ignored: tuple[str, ...], problem: str | None
) -> None:
    """A forgotten decorator, an empty Handlers() and a contradiction are refused, with the kinds in the text."""
    handlers = Handlers()
    for kind in Kind:
        if kind in handled:
            registrations(handlers)[kind](print)
    if problem is None:
        target.refuse_gaps(handlers, settings(ignored))
        return
    with pytest.raises(HandlerNotFoundError, match=problem):
        target.refuse_gaps(handlers, settings(ignored))


def test_the_standard_output_with_an_inbox_is_asked_for_by_name() -> None:
    """Whoever reads the output is unknown, and the message would be deleted from EMS."""
    assert target.load(settings()).get(Kind.MESSAGE_RECEIVED) is not None
    with pytest.raises(HandlerNotFoundError, match=r"handler.target is missing, and the inbox of .*; expected"):
        target.load(with_inbox(settings()))
    assert target.load(with_inbox(settings(target=STANDARD_OUTPUT))).get(Kind.MESSAGE_EVENT) is not None


def test_a_service_with_a_gap_does_not_start(tmp_path: Path) -> None:
    """Handlers given in code are held to the same rule, and nothing is left open."""
    with pytest.raises(HandlerNotFoundError, match="no handler for MessageReceived"):
        App(settings_for(tmp_path), Handlers())


def test_a_reload_cannot_bring_an_inbox_to_the_default_output(tmp_path: Path) -> None:
    """It is refused whole; the accounts stay as they were."""
    app = App(settings_for(tmp_path))
    with captured_events() as log:
        app.reload(with_inbox(settings_for(tmp_path)))
    app.stop()
    app.run()
    assert [event["event"] for event in log if event["event"].startswith("reload")] == ["reload_refused"]


def reloads(before: Settings, after: Settings) -> list[str]:
    """Return the names of the events of a reload."""
    app = App(before)
    with captured_events() as log:
        app.reload(after)
    app.stop()
    app.run()
    return [event["event"] for event in log if event["event"].startswith("reload")]


def routed(tmp_path: Path, **of_the_route: tuple[str, ...]) -> Settings:
    """Return settings in which a sink takes what a route says, and no handlers are named."""
    route = RouteSettings.model_validate({"sink": "spool", **of_the_route})
    spool = FilesSettings(type="files", directory=tmp_path)
    return settings_for(tmp_path).model_copy(update={"route": (route,), "sink": {"spool": spool}})


def test_a_service_of_sinks_takes_up_a_reload(tmp_path: Path) -> None:
    """An inbox and no handlers: nothing goes to the standard output, so there is nothing to refuse."""
    settings = with_inbox(routed(tmp_path))
    assert reloads(settings, settings) == ["reloaded"]


def test_a_reload_refuses_an_account_that_no_route_takes(tmp_path: Path) -> None:
    """As the next start would; what came for it would wait for ever."""
    settings = routed(tmp_path, accounts=tuple(each.reference for each in ACCOUNTS))
    further = ACCOUNTS[0].model_copy(update={"reference": "EX0099999", "aliases": ()})
    more = settings.model_copy(update={"account": (*settings.account, further)})
    assert reloads(settings, settings) == ["reloaded"]
    assert reloads(settings, more) == ["reload_refused"]


def test_the_journal_stays_where_it_was_when_the_module_changes_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path means the working directory of the start, whatever the customer's module does."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "wandering.py").write_text(f"import os\nos.chdir({str(elsewhere)!r})\ndef handle(told): pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    plain = settings_for(tmp_path)
    app = App(
        plain.model_copy(
            update={
                "journal": JournalSettings(url=SecretStr("sqlite:///relative.db")),
                "handler": HandlerSettings(target="wandering:handle"),
            }
        )
    )
    app.journal.counts()
    app.stop()
    app.run()
    assert (tmp_path / "relative.db").exists()
    assert list(elsewhere.iterdir()) == []
