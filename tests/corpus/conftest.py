from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.corpus.soap_service import SoapService, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SoapService"]


@pytest.fixture(scope="package")
def soap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoapService]:
    with opened(tmp_path_factory.mktemp("reading")) as soap:
        yield soap
