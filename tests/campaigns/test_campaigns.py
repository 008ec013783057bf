"""Each campaign, small, keeps its promises; and each kind of broken promise is noticed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from soap_handler.contract import Version
from tests.campaigns.__main__ import main
from tests.campaigns.figures import Figures, PromiseBrokenError, TooLateError, show
from tests.campaigns.plan import SABOTAGE
from tests.campaigns.run import carry_out
from tests.campaigns.schedule import BESIDE, CAMPAIGNS
from tests.campaigns.service import ROOT
from tests.campaigns.several import Order, carry_out_all, orders, with_another_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.campaigns.run import Run

SMALL = 0.02


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """No campaign leaves a thread."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.mark.timeout(300)
@pytest.mark.campaign
@pytest.mark.parametrize("name", CAMPAIGNS)
def test_a_small_campaign_keeps_its_promises(name: str) -> None:
    """Nothing is missing, and nothing is handled twice without a reason."""
    figures = carry_out(name, CAMPAIGNS[name], SMALL, seed=2)
    if figures.skipped:
        pytest.skip(figures.skipped)
    assert figures.broken == []
    assert figures.missing == 0
    assert figures.pushed == figures.handled > 0
    assert figures.special.get("doubled", 0) == 0


@pytest.mark.parametrize(
    ("sabotage", "name", "noticed"),
    [
        ("no-commit", "crash", "acknowledged and not on disk"),
        ("no-fsync", "power", "acknowledged are not on disk"),
        ("twice", "network", "handled twice though no kill was the reason"),
    ],
)
def test_a_broken_promise_ends_with_1(monkeypatch: pytest.MonkeyPatch, sabotage: str, name: str, noticed: str) -> None:
    """A service that answers before its commit, does not sync, or handles twice is found out."""
    monkeypatch.setenv(SABOTAGE, sabotage)
    code, (figures,) = command(name)
    if figures["skipped"]:
        pytest.skip(figures["skipped"])
    assert code == 1
    assert noticed in "\n".join(figures["broken"])


def command(name: str) -> tuple[int, list[dict[str, Any]]]:
    """Run the command in this process; return its exit code and its JSON."""
    campaigns = typer.Typer()
    campaigns.command()(main)
    ended = CliRunner().invoke(campaigns, [name, "--scale", str(SMALL), "--json"])
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception  # a fault of the campaign itself
    return ended.exit_code, json.loads(ended.stdout)


def test_the_table_says_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """Counts, what is special, what was skipped and why, and a sentence for each broken promise."""
    show(
        [
            Figures(campaign="first", pushed=12, missing=3, special={"kills": 7}, broken=["3 are missing"]),
            Figures(campaign="second", skipped="there is no compiler"),
        ]
    )
    printed = capsys.readouterr().out
    for expected in ("12", "kills 7", "broken", "first: 3 are missing", "there is no compiler"):
        assert expected in printed


def test_all_runs_each_campaign_and_one_in_each_version() -> None:
    """What the table of the commands promises, without a run."""
    several = list(orders(Order(name="all", scale=0.5)))
    assert [order.name for order in several if order.api is Version.SOAP] == list(CAMPAIGNS)
    assert {(order.name, order.api) for order in several if order.api is not Version.SOAP} == {
        ("crash", api) for api in Version if api is not Version.SOAP
    }
    assert set(BESIDE) <= set(CAMPAIGNS)


@pytest.mark.timeout(300)
@pytest.mark.campaign
@pytest.mark.parametrize("api", [api for api in Version if api is not Version.SOAP])
def test_each_version_keeps_the_promise(api: Version) -> None:
    """Killed again and again, the service loses nothing and handles nothing twice without a reason."""
    figures = carry_out("crash", CAMPAIGNS["crash"], SMALL, seed=2, api=api)
    if figures.skipped:
        pytest.skip(figures.skipped)
    assert (figures.broken, figures.missing, figures.pushed) == ([], 0, figures.handled)


def test_only_what_ran_out_of_time_runs_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss stays one; of a wait that was too long for a busy machine, the second run counts."""

    def loses(_: Run) -> None:
        raise PromiseBrokenError("1 is missing")

    def waits(run: Run) -> None:
        tries.append(run)
        if len(tries) == 1:
            raise TooLateError("not within 60 s")

    tries: list[Run] = []
    monkeypatch.setitem(CAMPAIGNS, "crash", loses)
    monkeypatch.setitem(CAMPAIGNS, "power", waits)
    several = [Order(name="crash"), Order(name="power")]
    outcomes = list(with_another_run(carry_out_all(several, 1, lambda _: None), several))
    assert [(each.campaign, each.late, bool(each.broken)) for each in outcomes] == [
        ("crash", False, True),
        ("power", True, True),
        ("power", False, False),
    ]


def test_an_unknown_campaign_is_refused() -> None:
    """The exit code is neither that of a kept nor that of a broken promise."""
    call = [sys.executable, "-m", "tests.campaigns", "nothing"]
    ended = subprocess.run(call, cwd=ROOT, capture_output=True, check=False)
    assert ended.returncode == 2
