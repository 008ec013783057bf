"""A real Chromium on the console: with script or without, its complaints, and axe-core from npm."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tarfile
import tempfile
from typing import TYPE_CHECKING, Any, Final

from tests.web.pages.chromium import show

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

WIDTHS: Final = (360, 1280)
_AXE: Final = "axe-core@4"
_SECONDS: Final = 60


def look_at(browser: Chrome, address: str, *, width: int = 1280, dark: bool = False, script: bool = True) -> None:
    """Open a page; what the browser complained of before is forgotten."""
    show(browser, width=width, dark=dark)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})
    browser.get_log("browser")  # type: ignore[no-untyped-call]
    browser.get(address)


def complaints(browser: Chrome) -> list[str]:
    """Return what the browser says is wrong with the page: a broken policy, an error of the script, a missing file."""
    log: list[dict[str, Any]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry["message"] for entry in log if entry["level"] in {"SEVERE", "WARNING"}]


def content_width(browser: Chrome) -> int:
    """Return how wide the page is; a wider one than the window scrolls sideways."""
    return int(browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]["width"])


@functools.cache
def axe() -> str | None:
    """Return the program of axe-core as npm has it; ``None`` where there is no npm, or npm cannot fetch it."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", _AXE]
        try:
            run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=True)
        except (subprocess.SubprocessError, OSError):
            return None
        with tarfile.open(f"{folder}/{run.stdout.split()[-1]}") as archive:
            file = archive.extractfile("package/axe.min.js")
            return file.read().decode() if file else None


def findings(browser: Chrome, program: str) -> list[str]:
    """Return what axe-core finds of serious and critical faults in the present page."""
    browser.execute_script(program)
    run = "const done = arguments[arguments.length - 1]; axe.run().then((found) => done(found.violations));"
    found: list[dict[str, Any]] = browser.execute_async_script(run)
    return [
        f"{each['impact']} {each['id']}: {node['html'][:120]} {node.get('failureSummary', '')[:200]}"
        for each in found
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"][:3]
    ]
