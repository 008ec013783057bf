"""A real Chromium on the console: with script or without, its complaints, and axe-core."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.web.pages.chromium import show

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

WIDTHS: Final = (360, 1280)


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
def axe() -> str:
    """Return the program of axe-core, which the package brings; nothing of the package is imported."""
    found = importlib.util.find_spec("axe_selenium_python")
    assert found is not None
    assert found.origin is not None
    return (Path(found.origin).parent / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


def findings(browser: Chrome, *rules: str) -> list[str]:
    """Return what axe-core finds in the present page of more than minor faults, by all its rules or by these."""
    if not browser.execute_script("return 'axe' in window"):  # half a megabyte takes long
        browser.execute_script(axe())
    run = (
        "const [rules, done] = arguments; const only = rules.length ? {runOnly: {type: 'rule', values: rules}} : {};"
        "axe.run(only).then((found) => done(found.violations));"
    )
    found: list[dict[str, Any]] = browser.execute_async_script(run, rules)
    return [
        f"{each['impact']} {each['id']}: {node['html'][:120]} {node.get('failureSummary', '')[:200]}"
        for each in found
        if each["impact"] != "minor"
        for node in each["nodes"][:3]
    ]
