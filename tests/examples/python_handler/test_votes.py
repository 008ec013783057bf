"""The example of handlers in Python, tested as its author would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soap_handler.ems import Disturbances
from tests.examples.python_handler import votes

if TYPE_CHECKING:
    from pathlib import Path

    from soap_handler.testing import StartService


@pytest.fixture(autouse=True)
def votes_db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VOTES_DB", str(tmp_path / "votes.db"))
    return tmp_path / "votes.db"


def test_votes_are_counted(soap_handler_service: StartService) -> None:
    """Each message is handled, and then leaves the EMS inbox."""
    service = soap_handler_service(votes.handlers)
    for body in ("yes", "no", " Yes "):
        service.receive(body)
    service.wait_until_done()
    assert votes.result() == {"YES": 2, "NO": 1}
    assert service.ems.counts().inbox == 0


def test_a_vote_counts_once_though_ems_pushes_it_again(soap_handler_service: StartService) -> None:
    """Every push is repeated, and every first answer is lost."""
    service = soap_handler_service(votes.handlers)
    service.ems.push_disturbances = Disturbances(duplicates=1, lost_answers=1)
    message = service.receive("yes")
    service.wait_until_handled(message)
    assert service.ems.wait_until_quiet(10)
    assert service.ems.counts().duplicates > 0
    assert votes.result() == {"YES": 1}


def test_an_empty_vote_is_given_up(soap_handler_service: StartService) -> None:
    """It is kept as dead, and stays in the EMS inbox."""
    service = soap_handler_service(votes.handlers)
    message = service.receive("  ")
    service.wait_until_dead(message)
    assert service.errors(message) == ["an empty message is no vote"]
    assert service.ems.counts().inbox == 1


def test_a_database_that_is_away_is_tried_again(soap_handler_service: StartService, votes_db: Path) -> None:
    """Nothing is lost: the vote is counted when the database is back."""
    votes_db.mkdir()  # no database can be opened at the path of a folder
    service = soap_handler_service(votes.handlers)
    message = service.receive("yes")
    service.wait_until_failed(message)
    assert service.errors(message)[0].startswith("OperationalError")
    votes_db.rmdir()
    service.wait_until_handled(message)
    assert votes.result() == {"YES": 1}
