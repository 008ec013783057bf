"""The corpus: odd requests and what must become of them, and the contract's own samples."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SAMPLES: Final = Path(__file__).parent / "samples"
"""The folder of the contract's samples, byte for byte."""
