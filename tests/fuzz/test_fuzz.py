"""A short run of the fuzzer, and the fuzzer itself: that it notices what it is there for."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fuzz.corpus import CONTENT_TYPES, CORPUS, ELEMENTS, GOOD
from tests.fuzz.hypothesis_engine import with_hypothesis
from tests.fuzz.target import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fuzz.target import Target

USUAL = "text/xml; charset=utf-8"


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    with opened(tmp_path) as target:
        yield target


def test_the_corpus_keeps_every_promise(target: Target) -> None:
    """Its entries, under every Content-Type in turn, are answered as promised; both outcomes occur."""
    for number, body in enumerate(CORPUS[::5]):
        target.post(body, CONTENT_TYPES[number % len(CONTENT_TYPES)])
    known = target.elements
    for body in GOOD:
        target.post(body, USUAL)
    assert target.elements - known == len(ELEMENTS)
    assert target.stored > 50
    assert target.refused > 5


def test_a_short_run_breaks_no_promise(target: Target) -> None:
    """A few seconds of it; ``python -m tests.fuzz`` is the long one."""
    inputs = with_hypothesis(target, seconds=2, seed=1)
    assert inputs >= 300
    assert target.stored
    assert target.refused


def test_a_confirmed_request_that_is_not_stored_is_noticed(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fuzzer fails on a service that says yes and stores nothing."""
    monkeypatch.setattr(type(target.journal), "record", lambda *_: True)
    with pytest.raises(AssertionError, match="not stored"):
        target.post(GOOD[0], USUAL)


def test_a_kept_password_is_noticed(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fuzzer fails on a service that keeps an envelope with its password."""
    monkeypatch.setattr("soap_handler.faces.soap.endpoint.redacted", lambda body, *_: body)
    with pytest.raises(AssertionError, match="password is kept"):
        target.post(GOOD[0].replace(b"Yes", b"\x01"), USUAL)


@pytest.mark.campaign
def test_the_command_runs_and_counts() -> None:
    """It says what it did, and ends with 0 when no promise was broken."""
    command = [sys.executable, "-m", "tests.fuzz", "--seconds", "0.2", "--seed", "7"]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 7" in done.stdout
    assert "no promise broken" in done.stdout


def test_without_atheris_the_command_says_what_to_do() -> None:
    """The engine is optional: where it is missing, a sentence says so, and no traceback."""
    if importlib.util.find_spec("atheris"):
        pytest.skip("atheris is installed here")
    command = [sys.executable, "-m", "tests.fuzz", "--engine", "atheris"]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, "pip install atheris" in done.stderr) == (2, True)
