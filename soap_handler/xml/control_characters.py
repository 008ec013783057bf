"""Control characters in XML that is written: as references, such as ``&#xC;``, as .NET writes them.

XML libraries refuse control characters. So for the library they become private characters from the end of Unicode,
which no phone sends, and in the finished bytes these become references.
"""

from __future__ import annotations

import re
from typing import Final

_PRIVATE: Final = 0x10F700
_SHIELDED: Final = {code: chr(_PRIVATE + code) for code in range(0x20) if chr(code) not in "\t\n\r"}
_SHIELDED_BYTES: Final = re.compile(rb"\xf4\x8f\x9c([\x80-\x9f])")


def shield(text: str) -> str:
    """Replace control characters by private ones, for an XML library; :func:`unshield` is the way back."""
    return text.translate(_SHIELDED)


def unshield(document: bytes) -> bytes:
    """Write the shielded control characters of a finished document in UTF-8 as references."""
    return _SHIELDED_BYTES.sub(lambda found: b"&#x%X;" % (found[1][0] - 0x80), document)
