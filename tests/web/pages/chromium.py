"""A real headless Chromium, without network but for this machine. What it shows is judged by the tests."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from typing import TYPE_CHECKING, Final

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

BROWSER: Final = shutil.which("chromium")
DRIVER: Final = shutil.which("chromedriver")

_SECONDS: Final = 10
"""So long an element of the next page may take after a click."""

_OPTIONS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


@contextlib.contextmanager
def chromium(*logs: str) -> Iterator[Chrome]:
    """Start a browser with a profile of its own, without JavaScript; nothing of it is left.

    ``logs``: what it keeps beside what pages complain of, by chromedriver's names; each costs time.
    """
    assert BROWSER is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ChromeOptions()
        options.binary_location = BROWSER
        for option in (*_OPTIONS, f"--user-data-dir={profile}"):
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", dict.fromkeys(("browser", *logs), "ALL"))
        driver = Chrome(options, Service(DRIVER))
        try:
            driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
            driver.implicitly_wait(_SECONDS)
            yield driver
        finally:
            driver.quit()


def forget(driver: Chrome) -> None:
    """Have a browser be as it was at its start: no page, no cookie, no complaint. A new one takes seconds of CPU."""
    driver.get("about:blank")
    driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    driver.implicitly_wait(_SECONDS)
    driver.get_log("browser")  # type: ignore[no-untyped-call] # selenium gives it none


def show(driver: Chrome, *, width: int = 1000, dark: bool = False) -> None:
    """Set the width of the window in CSS pixels, and the wish for a dark page."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
