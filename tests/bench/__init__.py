"""How fast it is: ratios to what a tutorial would have written, measured in one run. Figures, not tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # as pytest does it: the tests' packages are found by their names
