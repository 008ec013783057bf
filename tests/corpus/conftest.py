from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.corpus.front import Front, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Front"]


@pytest.fixture(scope="package")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with opened(tmp_path_factory.mktemp("reading")) as front:
        yield front
