"""spyne works on this Python, without warnings and without logging, and the package ``six`` stays as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.corpus import SAMPLES

ROOT = Path(__file__).parents[3]

DOORS = {"the service": "soap_handler.faces.soap.endpoint", "the simulator": "soap_handler.ems"}

BROKEN = """
import logging, sys
from soap_handler import telemetry
telemetry.subscribe(lambda event, fields: print(event.name, fields))
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
from soap_handler.accounts.accounts import Accounts
from soap_handler.settings import AccountSettings
from soap_handler.faces.base import Request
from soap_handler.faces.soap.endpoint import Endpoint
from soap_handler.receive.receiver import Receiver
logging.getLogger().setLevel(logging.DEBUG)
endpoint = Endpoint(Receiver(Accounts([AccountSettings(reference="EX1", push=[{"username": "u", "password": "p"}])])))
secret = "<Password>s3cret</Password>"
for body in (secret, "<a", f"<Envelope>{secret}</Envelope>", sys.argv[1]):
    endpoint.prepare(Request(body.encode(), "127.0.0.1"))
"""


def run(script: str, *arguments: str, options: tuple[str, ...] = ("-W", "error")) -> str:
    """Run a script in a Python of its own, in which every warning is an error; return what it prints."""
    environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]}
    command = [sys.executable, *options, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("door", DOORS)
def test_spyne_can_be_imported_through_either_door_without_a_warning(door: str) -> None:
    """A user who runs with ``-W error`` is not stopped by what spyne does; both doors patch it."""
    script = f"import {DOORS[door]}, spyne, spyne.server, spyne.protocol.soap; print(spyne.__version__)"
    assert run(script).startswith("2.14")


def test_the_doors_can_be_opened_in_either_order() -> None:
    """The second one finds spyne patched."""
    for first, second in (list(DOORS.values()), list(DOORS.values())[::-1]):
        assert run(f"import {first}, {second}; print('both')") == "both\n"


def test_the_package_six_is_not_touched() -> None:
    """Spyne gets a module of its own; the package ``six`` is as it was, whether imported before or after."""
    look = "print(hasattr(six, 'get_function_name'), six.__name__, six.moves.urllib.parse.quote('a b'))"
    expected = "False six a%20b\n"
    assert run(f"import six, soap_handler.faces.soap.endpoint; {look}") == expected
    assert run(f"import soap_handler.faces.soap.endpoint, six; {look}") == expected
    assert (
        run("import six, soap_handler.faces.soap, spyne.util.six as own; print(own is six, own.PY3)") == "False True\n"
    )


def test_the_customers_api_does_not_pay_for_spyne() -> None:
    """``import soap_handler`` in a handler's module brings neither spyne nor zeep nor the database."""
    script = "import sys, soap_handler; print(sorted({'spyne', 'zeep', 'sqlalchemy', 'waitress'} & sys.modules.keys()))"
    assert run(script) == "[]\n"


def test_spyne_logs_nothing_of_a_broken_request_at_debug() -> None:
    """By itself it would log broken XML, and at DEBUG the password, whole."""
    sample = (SAMPLES / "MessageReceived.xml").read_text(encoding="utf-8")
    printed = run(BROKEN, sample)
    assert "authentication_failed" in printed  # the sample came through
    assert [word for word in ("s3cret", "447700900123", "Envelope", "Yes please") if word in printed] == []
