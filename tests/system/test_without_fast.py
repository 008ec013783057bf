"""The package without its folder ``fast/``: a slower service that keeps every promise."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from soap_handler.notifications import Kind

ROOT: Final = Path(__file__).parents[2]
BLOCK: Final = re.compile(r"^ *# -- fast path: begin.*?^ *# -- fast path: end[^\n]*\n", re.DOTALL | re.MULTILINE)
SCALE: Final = "0.02"
SAMPLES: Final = """
import sys, tempfile
from pathlib import Path
from soap_handler.notifications import Kind
from tests.support.service import serving, settings_for

with tempfile.TemporaryDirectory() as folder, serving(settings_for(Path(folder))) as service:
    for kind in Kind:
        (sample,) = Path("tests").rglob(f"samples/{kind}.xml")
        print(kind, service.post(sample.read_bytes()).confirms)
print([name for name in sys.modules if name.startswith("soap_handler.fast")])
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the sources, and delete from the copy what the design says can be deleted."""
    root: Path = tmp_path_factory.mktemp("without-fast")
    for name in ("soap_handler", "wsdl", "tests"):
        # With the compiled modules, which stay valid by their times; others may be writing some at this moment.
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("*.pyc.*"))
    shutil.rmtree(root / "soap_handler" / "fast")
    app = root / "soap_handler" / "app.py"
    text, blocks = BLOCK.subn("", app.read_text())
    assert blocks == 2
    assert "fast." not in text
    app.write_text(text)
    return root


def run(copy: Path, *arguments: str) -> str:
    """Run Python in the copy; return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_takes_the_samples(copy: Path) -> None:
    """The service starts, and confirms each of the contract's messages."""
    *confirmed, modules = run(copy, "-c", SAMPLES).splitlines()
    assert confirmed == [f"{kind} {kind}" for kind in Kind]
    assert modules == "[]"


@pytest.mark.timeout(300)
def test_it_keeps_its_promises_through_crashes(copy: Path) -> None:
    """The crash campaign, small: nothing that was acknowledged is missing."""
    (figures,) = json.loads(run(copy, "-m", "tests.campaigns", "crash", "--scale", SCALE, "--json"))
    assert figures["broken"] == []
    assert figures["missing"] == 0
    assert figures["acknowledged"] > 0
