"""``journal``: list, show, retry and release, on a journal that no service has open."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import typer

from soap_handler.cli.journal import commands
from soap_handler.cli.journal_filters import Filters
from soap_handler.journal import Entry, Journal, Refusal, Settlement, State, Step
from soap_handler.notifications import MessageEvent, MessageReceived, Notification
from tests.cli.conftest import Run, write_configuration

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = MessageReceived(account="EX0012345", id="m1", originator="447700900123", body="hush \x1b[31m [bold]")
EVENT = MessageEvent(account="EX0012345", id="e1", occurred_at=datetime(2026, 3, 2, 8, tzinfo=UTC))
LATER = MessageReceived(account="EX0012345", id="m2", originator="SHOP", body="hush")


def kill(journal: Journal, notification: Notification) -> None:
    """Record a notification and let it die at its first attempt."""
    moment = datetime.now(UTC)
    journal.record(Entry(notification, moment))
    (claim,) = journal.claim(1, timedelta(minutes=1))
    journal.settle([Settlement(claim, Step.HANDLE, State.DEAD, None, moment, moment, "ValueError: no")])


@pytest.fixture(autouse=True)
def _filled(tmp_path: Path) -> None:
    """Two dead notifications, and one that waits for its handler."""
    write_configuration(tmp_path)
    with Journal(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
        kill(journal, MESSAGE)
        kill(journal, EVENT)
        journal.record(Entry(LATER, datetime.now(UTC)))


Keys = Callable[..., list[str]]


@pytest.fixture
def keys(run: Run) -> Keys:
    return lambda *filters: [each["key"] for each in run("journal", "list", "--json", *filters).json]


def test_the_list_is_the_latest_first(keys: Keys) -> None:
    """Without filters everything is listed, the latest first, up to the limit."""
    assert keys() == [LATER.key, EVENT.key, MESSAGE.key]
    assert keys("--limit", "1") == [LATER.key]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (("--state", "dead"), [EVENT, MESSAGE]),
        (("--kind", "MessageReceived"), [LATER, MESSAGE]),
        (("--originator", "SHOP"), [LATER]),
        (("--account", " 447786204254"), [LATER, EVENT, MESSAGE]),
        (("--id", " M1 "), [MESSAGE]),
        (("--id", "m"), []),
        (("--state", "dead", "--kind", "MessageEvent"), [EVENT]),
    ],
)
def test_filters_narrow_the_list(keys: Keys, filters: tuple[str, ...], found: list[Notification]) -> None:
    """Each filter leaves only what it names, and they hold together."""
    assert keys(*filters) == [each.key for each in found]


def test_the_list_keeps_what_messages_say(run: Run) -> None:
    """A list shows no body, neither as a table nor as JSON."""
    assert "hush" not in run("journal", "list").out
    assert "hush" not in run("journal", "list", "--json").out


def test_show_tells_the_whole_life(run: Run) -> None:
    """Show prints the notification and its history, each step with its time and each failure with its error."""
    shown = run("journal", "show", MESSAGE.key, "--json").json
    assert shown["notification"]["body"] == MESSAGE.body
    assert shown["state"] == "dead"
    assert [(each["step"], each["outcome"], each["error"]) for each in shown["history"]] == [
        ("handle", "failed", "ValueError: no")
    ]
    text = run("journal", "show", MESSAGE.key).out
    assert "pushed by EMS and stored" in text
    assert "ValueError: no" in text


def test_another_push_that_says_more_is_shown(run: Run, tmp_path: Path) -> None:
    """The first copy had to be repaired, and the second one had its text: the history has it."""
    with Journal(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
        for notification in (replace(LATER, id="m3", body="", repaired=("unknown element",)), replace(LATER, id="m3")):
            journal.record(Entry(notification, datetime.now(UTC)))
    key = "EX0012345/MessageReceived/m3"
    (line,) = run("journal", "show", key, "--json").json["history"]
    assert (line["step"], line["outcome"]) == ("push", "duplicate")
    assert '"body":"hush"' in line["envelope"]
    assert "pushed again" in run("journal", "show", key).out


def test_a_body_cannot_play_with_the_terminal(run: Run) -> None:
    """Control characters of a message reach the terminal as escapes, and markup as its text."""
    text = run("journal", "show", MESSAGE.key).out
    assert "\x1b" not in text
    assert "[bold]" in text


def test_an_unknown_key_is_said(run: Run) -> None:
    """There is nothing to show of a key that the journal does not hold."""
    result = run("journal", "show", "nobody")
    assert result.code == 1
    assert "has no nobody" in result.err


def test_retry_by_key(run: Run, keys: Keys) -> None:
    """A dead notification goes round again; a key that is not dead is said and makes the command fail."""
    result = run("journal", "retry", MESSAGE.key, LATER.key)
    assert result.code == 1
    assert result.out == "sent round again: 1\n"
    assert LATER.key in result.err
    assert keys("--state", "dead") == [EVENT.key]


def test_retry_all_of_a_kind(run: Run, keys: Keys) -> None:
    """With --all, every dead notification of the filters goes round again."""
    result = run("journal", "retry", "--all", "--kind", "MessageEvent")
    assert (result.code, result.out) == (0, "sent round again: 1\n")
    assert keys("--state", "dead") == [MESSAGE.key]


@pytest.mark.parametrize("command", ["retry", "release", "replay"])
@pytest.mark.parametrize("arguments", [(), ("KEY", "--all"), ("KEY", "--originator", "SHOP")])
def test_retry_asks_for_keys_or_all(run: Run, command: str, arguments: tuple[str, ...]) -> None:
    """Nothing is sent round by mistake: either keys or --all, and filters only with the latter."""
    assert run("journal", command, *arguments).code == 2


def put_off(folder: Path) -> None:
    """Have the notification that waits for its handler wait for 30 days, as a clock that was wrong may leave it."""
    with Journal(f"sqlite:///{folder / 'journal.db'}") as journal:
        (claim,) = journal.claim(1, timedelta(minutes=1))
        due_at, now = journal.queue_now() + timedelta(days=30), datetime.now(UTC)
        journal.settle([Settlement(claim, Step.HANDLE, State.RECEIVED, due_at, now, now, "ValueError: no")])


def test_release_makes_due_what_waits_for_a_later_time(run: Run, tmp_path: Path) -> None:
    """By the filters of retry; a dry run only counts, and what is dead or due already is no part of it."""
    put_off(tmp_path)
    assert run("journal", "release", "--all", "--kind", "MessageEvent").out == "released: 0\n"
    assert run("journal", "release", "--all", "--dry-run").out.startswith("would be released: 1\n")
    assert run("journal", "release", LATER.key).out == "released: 1\n"
    again = run("journal", "release", LATER.key, MESSAGE.key)
    assert (again.code, again.out) == (1, "released: 0\n")
    assert MESSAGE.key in again.err
    with Journal(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
        (claim,) = journal.claim(5, timedelta(minutes=1))
        assert (claim.key, claim.attempts) == (LATER.key, 2)


def refuse_the_login(folder: Path) -> None:
    """Have a handled message wait for a login that EMS refused."""
    with Journal(f"sqlite:///{folder / 'journal.db'}") as journal:
        (claim,) = journal.claim(1, timedelta(minutes=1))
        later, now = journal.queue_now() + timedelta(hours=1), datetime.now(UTC)
        journal.settle([Settlement(claim, Step.HANDLE, State.HANDLED, later, now, now)])
        journal.gates.refuse(Refusal("EX0012345", 3, later, "hash", "authentication failed"))


@pytest.mark.parametrize("account", [(), ("--account", "447786204254")])
def test_release_opens_the_gates_of_refused_inbox_logins(run: Run, tmp_path: Path, account: tuple[str, ...]) -> None:
    """Of all accounts, or of one by any of its names; it says how many deletes are due by that. Dry, it only counts."""
    refuse_the_login(tmp_path)
    dry = run("journal", "release", "--all", "--dry-run", *account)
    assert dry.out.splitlines() == [
        "would be released: 1",
        "of them deletes that would be due now: 1",
        "refused inbox logins that would be tried again: 1",
    ]
    assert run("journal", "release", "--all", "--account", "EX9").code == 2
    assert run("journal", "release", "--all", "--originator", "SHOP", "--dry-run").out == "would be released: 1\n"
    assert run("journal", "release", "--all", *account).out.splitlines() == [
        "released: 1",
        "of them deletes that are due now: 1",
        "refused inbox logins that are tried again: 1",
    ]
    with Journal(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
        assert journal.gates.closed() == []
        assert len(journal.claim_deletions("EX0012345", 9)) == 1


def test_a_state_that_there_is_not(run: Run) -> None:
    """An unknown state is answered with those that there are."""
    result = run("journal", "list", "--state", "lost")
    assert result.code == 2
    assert "received, handled, done, dead" in result.err


def test_no_journal_is_made_by_looking(run: Run, tmp_path: Path) -> None:
    """Where there is no journal, looking for one says so and makes none."""
    (tmp_path / "journal.db").unlink()
    result = run("journal", "list")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert not (tmp_path / "journal.db").exists()


def test_show_tells_where_a_handler_failed(run: Run, tmp_path: Path) -> None:
    """The frames of the last failure, the customer's own ones marked."""
    trace = "> /srv/app/sms.py:12 in on_message\n  /usr/lib/json.py:7 in loads"
    with Journal(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
        (claim,) = journal.claim(1, timedelta(minutes=1))
        now = datetime.now(UTC)
        journal.settle([Settlement(claim, Step.HANDLE, State.DEAD, None, now, now, "ValueError: no", trace=trace)])
    (line,) = run("journal", "show", LATER.key, "--json").json["history"]
    assert line["trace"] == trace.splitlines()
    text = run("journal", "show", LATER.key).out
    assert "> is your code" in text
    assert "> /srv/app/sms.py:12 in on_message" in text


# -- replay ------------------------------------------------------------------------------------------------------------


def finish(folder: Path, count: int) -> list[str]:
    """Have so many messages handled and deleted from their inbox; return their keys."""
    messages = [replace(LATER, id=f"d{number}", originator=f"44770090{number:04}") for number in range(count)]
    moment = datetime.now(UTC)
    with Journal(f"sqlite:///{folder / 'journal.db'}") as journal:
        journal.record_all([Entry(each, moment) for each in messages])
        due = journal.queue_now()
        claims = [each for each in journal.claim(99, timedelta(minutes=1)) if each.key != LATER.key]
        journal.settle([Settlement(each, Step.HANDLE, State.HANDLED, due, moment, moment) for each in claims])
        journal.settle_deleted(journal.claim_deletions(LATER.account, 99))
    return [each.key for each in messages]


def test_replay_by_key(run: Run, keys: Keys, tmp_path: Path) -> None:
    """What is done goes round again and the history says so; a key that is not done is said, and the command fails."""
    (done,) = finish(tmp_path, 1)
    result = run("journal", "replay", done, MESSAGE.key)
    assert (result.code, result.out) == (
        1,
        "replayed: 1\nof them have left the EMS inbox and are not deleted again: 1\n",
    )
    assert MESSAGE.key in result.err
    assert done in keys("--state", "received")
    assert [line["outcome"] for line in run("journal", "show", done, "--json").json["history"]] == [
        "ok",
        "ok",
        "replayed",
    ]
    assert "sent round again by hand" in run("journal", "show", done).out


def test_replay_of_many_asks(run: Run, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above ten; without an answer nothing is changed. A dry run counts, and filters narrow it."""
    done = finish(tmp_path, 11)
    assert "would be replayed: 11\n" in run("journal", "replay", "--all", "--dry-run").out
    for answer in ("", "n\n"):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        assert run("journal", "replay", "--all").code == 1
    assert len(keys("--state", "done")) == 11
    assert run("journal", "replay", "--all", "--originator", "447700900003").out.startswith("replayed: 1\n")
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert run("journal", "replay", "--all", "--id", "D4").out.startswith("replayed: 1\n")
    finish(tmp_path, 0)  # those two are done again
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert "replayed: 11" in run("journal", "replay", "--all").out
    assert set(done) <= set(keys("--state", "received"))


def test_replay_takes_the_filters_of_list() -> None:
    """All but the state, which is done."""
    options = {
        command.name: {parameter.name for parameter in command.params}
        for command in typer.main.get_group(commands).commands.values()
    }
    filters = {each.name for each in fields(Filters)}
    assert options["list"] & filters == filters
    assert options["replay"] & filters == filters - {"state"}
