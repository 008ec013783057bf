from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faces.xml_push.xml_service import XmlService, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["XmlService"]


@pytest.fixture
def xml(tmp_path: Path) -> Iterator[XmlService]:
    with opened(tmp_path) as service:
        yield service
