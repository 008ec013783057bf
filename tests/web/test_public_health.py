"""Health probes at the public address, for load balancers: by setting, in one word, for each caller."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from tests.console.asking import get
from tests.support.service import serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import message

if TYPE_CHECKING:
    from pathlib import Path

    from soap_handler.settings import Settings


def probed(folder: Path, **server: object) -> Settings:
    settings = settings_for(folder)
    return settings.model_copy(update={"server": settings.server.model_copy(update=server)})


def test_without_the_setting_there_are_none(tmp_path: Path) -> None:
    """The public address tells nothing of its own accord."""
    with serving(settings_for(tmp_path)) as service:
        assert get(service.port, "/health/ready")[0] == 404


def test_a_probe_is_answered_in_one_word(tmp_path: Path) -> None:
    """Even where ``allow_from`` names others: a balancer is not EMS. A push is still refused there."""
    with serving(probed(tmp_path, health=True, allow_from=(ip_network("192.0.2.0/24"),))) as service:
        wait_for(lambda: get(service.port, "/health/ready")[0] == 200)
        assert get(service.port, "/health/ready")[2] == "ready\n"
        assert get(service.port, "/health/live")[::2] == (200, "live\n")
        assert get(service.port, "/health/ready/")[0] == 200
        assert get(service.port, "/")[0] == 403
        assert not service.post(message()).confirms


def test_a_journal_that_does_not_commit_is_not_ready(tmp_path: Path) -> None:
    """503, without the reason, which the console has."""
    with serving(probed(tmp_path, health=True)) as service:
        service.app.journal.committer.close(5)
        wait_for(lambda: get(service.port, "/health/ready")[0] == 503)
        assert get(service.port, "/health/ready")[2] == "not ready\n"
        assert get(service.port, "/health/live")[0] == 200
