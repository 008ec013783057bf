"""The test files that share one browser: they go to one xdist worker, one after the other."""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadFileScheduling

FILES: Final = (
    "tests/console/pages/test_accessibility.py",
    "tests/console/pages/test_from_login_to_audit.py",
    "tests/console/pages/test_hostile_texts.py",
    "tests/console/pages/test_pages_in_a_browser.py",
    "tests/security/test_console_in_chromium.py",
)
"""Those that use the fixture ``one_chromium``. They come first: together they take longer than any other file."""


def is_shared(nodeid: str) -> bool:
    """Return whether a test is of one of these files."""
    return nodeid.partition("::")[0] in FILES


class FilesAndBrowser(LoadFileScheduling):  # type: ignore[misc] # xdist publishes no types
    """``--dist loadfile``, but that the files of the browser count as one."""

    def _split_scope(self, nodeid: str) -> str:
        return "chromium" if is_shared(nodeid) else super()._split_scope(nodeid)
