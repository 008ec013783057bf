"""What becomes of every message when something breaks: real processes, broken in one way each, and counted."""

from __future__ import annotations
