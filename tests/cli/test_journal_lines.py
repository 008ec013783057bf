"""``journal list`` and ``tail``, one row a line: on a terminal, into a pipe, followed; and the filters of people."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from soap_handler.cli import columns, journal_lines
from soap_handler.journal import Beginning, Entry, Journal, Selection, Settlement, State, Step, Tally
from soap_handler.notifications import MessageReceived
from tests.cli.conftest import Run, write_configuration

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOUR = timedelta(hours=1)
IDS = [f"{number}fa91c1e-0000-4000-8000-000000000000" for number in range(4)]
NOW = datetime.now(UTC)


def message(number: int, originator: str = "447700900123") -> MessageReceived:
    return MessageReceived(account="EX0012345", id=IDS[number], originator=originator, body="hush")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    """One that died three hours ago of an error with control characters, one of another number, one of just now."""
    write_configuration(tmp_path)
    with Journal(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
        journal.record(Entry(message(0), NOW - 3 * HOUR))
        (claim,) = journal.claim(1, HOUR)
        error = f"HTTP 503\t\x1b[31m{'x' * 100}"
        moment = NOW - HOUR
        journal.settle([Settlement(claim, Step.HANDLE, State.DEAD, None, moment, moment, error)])
        journal.record(Entry(message(1, "447700900999"), NOW - 2 * HOUR))
        journal.record(Entry(message(2), NOW))
    return tmp_path


@pytest.fixture
def on_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command with a terminal of 80 columns."""
    monkeypatch.setattr("soap_handler.cli.columns.on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    return run


def test_a_pipe_gets_whole_values_between_tabs(run: Run) -> None:
    """One row a line, times in UTC, whole keys and errors, no title, and how many there are not among the rows."""
    result = run("journal", "list", "--limit", "2", "--state", "dead")
    (row,) = (line.split("\t") for line in result.out.splitlines())
    assert row[0] == f"{NOW - 3 * HOUR:%Y-%m-%dT%H:%M:%S.%fZ}".replace(".000000Z", "Z")
    assert row[1:6] == ["MessageReceived", "dead", "1", "447700900123", message(0).key]
    assert row[6] == "HTTP 503\\t\\x1b[31m" + "x" * 100
    assert result.err == ""
    assert run("journal", "list", "--limit", "2").err == "2 of 3\n"


def test_a_row_fits_a_line_of_a_terminal(on_terminal: Run) -> None:
    """80 columns, with the age, the short key and the last error cut off; then how many there are, and the zone."""
    title, *rows, last = on_terminal("journal", "list").out.splitlines()
    assert title.split() == ["stored", "ago", "state", "try", "from", "key", "last", "error"]
    assert all(len(row) <= 80 for row in rows)
    assert rows[0].split()[-5:] == ["msg", "received", "0", "447700900123", IDS[2][:8]]
    assert "3 h msg dead       1 447700900123  0fa91c1e HTTP 503\\t\\x1b[31m" in rows[2]
    assert rows[2].endswith("…")
    assert last.startswith("3 of 3; times are ")


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """None in a pipe, and none with NO_COLOR; what a message says never is one."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert columns.coloured("dead", "dead") == "dead"
    monkeypatch.setattr("soap_handler.cli.columns.on_terminal", lambda: True)
    assert columns.coloured("dead", "dead") == "\x1b[31mdead\x1b[0m"
    assert columns.from_the_top("x") == "\x1b[H\x1b[Jx"
    monkeypatch.setenv("NO_COLOR", "1")
    assert columns.coloured("dead", "dead") == "dead"
    assert columns.from_the_top("x") == "x\n"
    assert columns.line([columns.Column("", 0)], ["\x1b[31m"]) == "\\x1b[31m"


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (("--number", "+44 7700 900123"), [2, 0]),
        (("--number", "07700900123", "--since", "1h"), [2]),
        (("--since", "150m"), [2, 1]),
        (("--until", "150m"), [0]),
        (("--error", "http 503"), [0]),
        (("--id", IDS[1].upper()), [1]),
    ],
)
def test_people_find_what_they_look_for(run: Run, filters: tuple[str, ...], found: list[int]) -> None:
    """By number, time, error and id; each filter leaves only what it names."""
    assert [each["key"] for each in run("journal", "list", "--json", *filters).json] == [
        message(number).key for number in found
    ]


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        (("--account", "EX9"), "which no account is called; expected one of EX0012345"),
        (("--number", "SHOP"), "expected digits"),
        (("--since", "soon"), "expected 2h, 10:02"),
        (("--follow", "--json"), "do not go together"),
    ],
)
def test_a_filter_that_names_nothing_is_an_error(run: Run, filters: tuple[str, ...], said: str) -> None:
    """Rather than an empty list, which would say that there is none."""
    result = run("journal", "list", *filters)
    assert result.code == 2
    assert said in " ".join(result.err.replace("│", " ").split())


def test_an_account_that_only_the_journal_has(run: Run, folder: Path) -> None:
    """It was removed from the configuration, and what it left is still found."""
    with Journal(f"sqlite:///{folder / 'journal.db'}") as journal:
        journal.record(Entry(MessageReceived(account="EX7", id="m", originator="447700900123", body=""), NOW))
    assert [each["account"] for each in run("journal", "list", "--json", "--account", "EX7").json] == ["EX7"]


def test_a_key_may_be_short(run: Run) -> None:
    """Where it is the beginning of one; of several, they are listed and nothing is done."""
    assert run("journal", "show", "0fa9", "--json").json["key"] == message(0).key
    several = run("journal", "show", "EX0012345/M")
    assert several.code == 2
    assert [line.strip() for line in several.err.splitlines()[1:]] == [message(number).key for number in range(3)]
    assert run("journal", "retry", "EX0012345/M").code == 2
    assert run("journal", "retry", "0fa9").out == "sent round again: 1\n"


def test_retry_has_the_filters_and_counts_before(run: Run) -> None:
    """A dry run changes nothing."""
    assert run("journal", "retry", "--all", "--error", "503", "--dry-run").out == "would be sent round again: 1\n"
    assert run("journal", "retry", "--all", "--number", "447700900999").out == "sent round again: 0\n"
    assert run("journal", "retry", "--all", "--since", "4h", "--until", "2h").out == "sent round again: 1\n"


def test_every_table_is_lines_in_a_pipe(run: Run, folder: Path) -> None:
    """One row a line with tabs, times in UTC, no frames: for grep, cut and awk."""
    with Journal(f"sqlite:///{folder / 'journal.db'}") as journal:
        number = journal.begin_reconciliation(Beginning("EX0012345", NOW))
        assert number
        journal.end_reconciliation(number, Tally(7, 2, 1, 4), None)
    (row,) = (line.split("\t") for line in run("journal", "reconciliations").out.splitlines())
    assert row[1:] == ["EX0012345", "7", "5", "2", "1", "4", "0", "ok"]
    assert row[0].endswith("Z")
    shown = run("journal", "show", "0fa9").out.splitlines()
    assert shown[0] == f"MessageReceived {message(0).key}"
    assert "originator\t447700900123" in shown
    history = shown[shown.index("History (times are UTC)") + 1 :]
    assert [line.split("\t")[1] for line in history] == ["pushed by EMS and stored", "handler called"]
    assert all(line.split("\t")[0].endswith("Z") for line in history)
    assert run("journal", "retry", "--all").code == 0
    (noted,) = (line.split("\t") for line in run("journal", "audit").out.splitlines())
    assert noted[3:] == ["retry", "everything", "1", "ok"]


def test_give_up_by_hand(run: Run) -> None:
    """What waits is dead with its reason; what is dead already is said, and the command fails."""
    assert run("journal", "give-up", "--all").code == 2, "a reason is asked for"
    assert run("journal", "give-up", "1fa9", "--reason", " ").code == 2
    dry = run("journal", "give-up", "--all", "--reason", "cancelled", "--number", "447700900999", "--dry-run")
    assert dry.out == "would be given up: 1\n"
    result = run("journal", "give-up", "1fa9", "0fa9", "--reason", "cancelled")
    assert (result.code, result.out) == (1, "given up: 1\n")
    assert message(0).key in result.err
    shown = run("journal", "show", "1fa9").out
    assert "given up by hand" in shown
    assert "cancelled" in shown


@pytest.mark.parametrize("command", [("retry", "--all"), ("give-up", "--all", "--reason", "no")])
def test_many_are_asked_for(run: Run, folder: Path, command: tuple[str, ...]) -> None:
    """Above ten, unless --yes; without an answer nothing is changed."""
    with Journal(f"sqlite:///{folder / 'journal.db'}") as journal:
        more = [MessageReceived(account="EX0012345", id=f"m{n}", originator=f"44{n}", body="") for n in range(20)]
        journal.record_all([Entry(each, NOW) for each in more])
        claims = journal.claim(10, HOUR)
        journal.settle([Settlement(each, Step.HANDLE, State.DEAD, None, NOW, NOW, "no") for each in claims])
    assert run("journal", *command).code == 1
    assert run("journal", *command, "--yes").out.endswith((": 11\n", ": 12\n"))


class Stopped(Exception):  # noqa: N818 - it ends a command that never ends
    """Ctrl-C, in its place."""


@pytest.fixture
def after_looks(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Do something between the first look and the second, and stop before the third."""

    def between(act: Callable[[], None]) -> None:
        steps = iter([act, _stop])
        monkeypatch.setattr("time.sleep", lambda _: next(steps)())

    return between


def _stop() -> None:
    raise Stopped


def test_what_is_stored_later_is_followed(
    folder: Path, capsys: pytest.CaptureFixture[str], after_looks: Callable[[Callable[[], None]], None]
) -> None:
    """The latest that there are, the oldest first, and then what is new and meant by the filters, each once."""
    with Journal(f"sqlite:///{folder / 'journal.db'}") as journal:

        def arrive() -> None:
            journal.record(Entry(message(3), NOW))
            journal.record(Entry(MessageReceived(account="EX0012345", id="other", originator="1", body=""), NOW))

        after_looks(arrive)
        with contextlib.suppress(Stopped):
            journal_lines.follow(journal, Selection(number="+447700900123"), 1)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[5] for line in lines] == [message(2).key, message(3).key]


def test_what_is_followed_is_forgotten(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that is followed for weeks keeps the numbers that may come again, and leaves out none."""
    monkeypatch.setattr(journal_lines, "LATE_ROWS", 5)
    monkeypatch.setattr(journal_lines, "ROWS_PER_QUERY", 3)
    with Journal(f"sqlite:///{folder / 'journal.db'}") as journal:
        following = journal_lines.Following(journal, Selection(), 2)
        shown = [each.key for each in following.next()]
        assert shown == [message(1, "447700900999").key, message(2).key]
        for start in range(0, 60, 20):
            more = [
                MessageReceived(account="EX0012345", id=f"m{start + n}", originator="1", body="") for n in range(20)
            ]
            journal.record_all([Entry(each, NOW) for each in more])
            assert [each.key for each in following.next()] == [each.key for each in more]
            assert len(following.known) == 5
        assert following.next() == []


def test_tail_tells_what_happens(
    folder: Path, capsys: pytest.CaptureFixture[str], after_looks: Callable[[Callable[[], None]], None]
) -> None:
    """What is stored and each attempt, as it comes."""
    with Journal(f"sqlite:///{folder / 'journal.db'}") as journal:

        def work() -> None:
            (claim,) = journal.claim(1, HOUR)
            journal.settle([Settlement(claim, Step.HANDLE, State.DONE, None, NOW, datetime.now(UTC))])

        after_looks(work)
        with contextlib.suppress(Stopped):
            journal_lines.tail(journal, 1)
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[1:4] for row in rows] == [
        [message(2).key, "447700900123", "stored (push)"],
        [message(1).key, "447700900999", "handler ok"],
    ]


def test_short_keys_tell_the_listed_apart() -> None:
    """Where the ids of two begin alike, the whole of what follows the kind."""
    first, second, third = "EX1/MessageEvent/abcdefgh-1/D/1", "EX1/MessageEvent/abcdefgh-1/D/2", "EX1/MessageReceived/x"
    short = journal_lines.short_keys([first, second, third])
    assert short == {first: "abcdefgh-1/D/1", second: "abcdefgh-1/D/2", third: "x"}
