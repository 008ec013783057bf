"""What becomes of every message when something breaks: real processes, broken in one way each, and counted."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # as pytest does it: the tests' packages are found by their names
