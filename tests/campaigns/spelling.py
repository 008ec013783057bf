"""How EMS's pushes are written: every other one as .NET writes it, so that both ways through the service are taken."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final
from unittest import mock

from soap_handler.ems import soap_push
from soap_handler.xml.control_characters import unshield

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_OF_ZEEP: Final = b"<?xml version='1.0' encoding='utf-8'?>\n"
_OF_DOTNET: Final = b'<?xml version="1.0" encoding="utf-8"?>'


def both_spellings() -> AbstractContextManager[object]:
    """Let the simulated EMS write so while the context is entered."""
    numbers = itertools.count()

    def spell(document: bytes) -> bytes:
        finished = unshield(document)
        return finished.replace(_OF_ZEEP, _OF_DOTNET, 1) if next(numbers) % 2 else finished

    return mock.patch.object(soap_push, "unshield", spell)
