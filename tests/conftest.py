"""Fixtures for tests that need a running service, of their own or shared by a file; with the fast path on and off."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import settings

from tests.journal.engines import running_postgresql
from tests.support import fast_path as fast_path_setting
from tests.support import fork_server
from tests.support import postgresql as postgresql_server
from tests.support.service import Service, serving, settings_for
from tests.support.shared_chromium import FilesAndBrowser, is_shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling

    from tests.support.postgresql import PostgreSQL

pytest_plugins = ["soap_handler.testing"]  # for the examples, which use it as a customer does

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a file system, not a file
_ENOUGH_BYTES: Final = 2 * 2**30
_TESTS: Final = Path(__file__).parent
_BOTH_WAYS: Final = tuple(
    f"{_TESTS}/{name}"
    for name in (
        *("server/", "web/", "faces/", "receive/", "tracing/", "system/workers/", "test_app.py"),
        "console/test_metrics_page.py",
    )
)
_LONG: Final = tuple(
    f"{_TESTS}/{name}/" for name in ("campaigns", "system", "fuzz", "cli", "deploy", "diagnosis", "bench")
)
"""Folders whose tests start processes, or run for seconds by themselves."""
_STARTS_A_SERVICE: Final = {"service", "shared", "tmp_path"}
"""A test that uses none of these fixtures starts no service: it runs once."""
_WORKERS_PER_CORE: Final = 2
_GC_THRESHOLD: Final = (700, 10, 100)
"""Python's own, but for the last: what is older is looked through a tenth as often."""

# Thousands of tests wait for a disk at every commit, and none of them is about the disk's speed or about the power
# failing (a campaign is). So their folders are in memory, where there is a file system for that, unless told otherwise.
if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES:
    os.environ["TMPDIR"] = str(_MEMORY)
    tempfile.tempdir = None  # ask again

# A test passes or fails by what the code is, not by the day's luck: its examples are the same until it changes.
# With --hypothesis-profile=search they are new in each run.
# Nor by how many other tests run beside it: what has a bound on its time is tested for that by itself.
settings.register_profile("search", settings.default)
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")


def pytest_configure(config: pytest.Config) -> None:
    """Give all workers one folder, in which the files of the first PostgreSQL are kept until the end."""
    if not hasattr(config, "workerinput"):
        os.environ[postgresql_server.FIRST] = folder = tempfile.mkdtemp(prefix="first-pg-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what starts services of these folders twice, with the fast path on and off."""
    path = metafunc.module.__file__ or ""
    both = path.startswith(_BOTH_WAYS) and _STARTS_A_SERVICE & set(metafunc.fixturenames)
    both = both and not metafunc.definition.get_closest_marker("one_way")
    if both and metafunc.config.getoption("fast_path") is None:
        metafunc.parametrize("fast_path", fast_path_setting.BOTH, indirect=True, scope="module")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders whose files take longest first: a file goes to one worker, and none should begin at the end."""
    items.sort(key=lambda item: (not is_shared(item.nodeid), not str(item.path).startswith(_LONG)))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Keep the files that share a browser together."""
    return FilesAndBrowser(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_xdist_auto_num_workers() -> int:
    """Have more workers than cores: much of a test's time is waiting for processes, sockets and clocks."""
    chosen = os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS")
    return int(chosen) if chosen else (os.cpu_count() or 1) * _WORKERS_PER_CORE


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was collected: to look through thousands of tests, each time, took a tenth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLD)


def pytest_sessionfinish() -> None:
    """End the process from which others were forked."""
    fork_server.end()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let one value be chosen for the whole run, campaigns included."""
    parser.addoption("--fast-path", choices=fast_path_setting.BOTH, default=None, help="server.fast_path in all tests")


@pytest.fixture(scope="module", autouse=True)
def fast_path(request: pytest.FixtureRequest) -> Iterator[fast_path_setting.FastPath]:
    """Choose the way that the services of a test take."""
    value: fast_path_setting.FastPath
    value = getattr(request, "param", None) or request.config.getoption("fast_path") or "auto"
    fast_path_setting.choose(value)
    yield value
    fast_path_setting.choose("auto")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """Run a PostgreSQL that does not wait for the disk, for all tests of a worker: each takes a database of its own."""
    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def one_chromium() -> Iterator[Chrome]:
    """Run one browser for the files of ``shared_chromium.FILES``: to start and end one takes seconds of CPU."""
    from tests.web.pages.chromium import chromium  # noqa: PLC0415 - selenium is slow to import, and few tests need it

    with chromium() as driver:
        yield driver


@pytest.fixture
def service(tmp_path: Path, fast_path: fast_path_setting.FastPath) -> Iterator[Service]:  # noqa: ARG001 - it comes first
    """Run a service of this test alone."""
    with serving(settings_for(tmp_path)) as running:
        yield running


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory,
    fast_path: fast_path_setting.FastPath,  # noqa: ARG001 - it comes first
) -> Iterator[Service]:
    """Run a service of all tests in a file: they must not look at what the others sent."""
    with serving(settings_for(tmp_path_factory.mktemp("service"))) as running:
        yield running
