"""``deploy``: each file that it prints is made from the configuration, without a secret of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import soap_handler
from tests.cli.conftest import write_configuration

if TYPE_CHECKING:
    from tests.cli.conftest import Run

DOCS = Path(soap_handler.__file__).parent / "docs"

FIRST_LINES = {
    "docker": "# soap-handler in a container",
    "compose": "# soap-handler with PostgreSQL and nginx",
    "kubernetes": "# soap-handler in Kubernetes",
    "iis": '<?xml version="1.0" encoding="utf-8"?>',
    "windows-service": '<?xml version="1.0" encoding="utf-8"?>',
}


@pytest.mark.parametrize("what", FIRST_LINES)
def test_each_file_is_printed(run: Run, tmp_path: Path, what: str) -> None:
    """And nothing else."""
    write_configuration(tmp_path, handler='target = "sms:handlers"')
    (tmp_path / "sms.py").touch()
    done = run("deploy", what)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(FIRST_LINES[what])
    assert "s3cret" not in done.out


def test_the_dockerfile_copies_the_module_beside_the_configuration(run: Run, tmp_path: Path) -> None:
    """Which is named by its path, wherever the command runs."""
    folder = tmp_path / "conf"
    folder.mkdir()
    write_configuration(folder, handler='target = "sms:handlers"')
    (folder / "sms.py").touch()
    assert "\nCOPY sms.py /opt/handlers/\n" in run("deploy", "docker", "--config", "conf/soap-handler.toml").out


def test_every_file_is_on_a_page(run: Run) -> None:
    """Where its reader learns what it needs, and how far it was tried."""
    listed = re.findall(
        r"^\W*([a-z][a-z-]+)\s{2,}\S", run("deploy", "--help").out.partition("Commands")[2], re.MULTILINE
    )
    pages = "".join(path.read_text(encoding="utf-8") for path in DOCS.glob("*.md"))
    assert set(FIRST_LINES) <= set(listed)
    assert [each for each in listed if f"`{each}`" not in pages and f"deploy {each}`" not in pages] == []


def test_a_proxy_on_another_host_is_told_where_the_service_is(run: Run, tmp_path: Path) -> None:
    """By --upstream, in nginx and in Caddy."""
    write_configuration(tmp_path)
    text = run("deploy", "nginx", "--upstream", "soap-handler:8080").out
    assert "server soap-handler:8080;" in text
    assert "Set server.trusted_proxies to the address of this proxy" in text
    assert "reverse_proxy soap-handler:8080 {" in run("deploy", "caddy", "--upstream", "soap-handler:8080").out
