"""How fast it is: ratios to what a tutorial would have written, measured in one run. Figures, not tests."""

from __future__ import annotations
