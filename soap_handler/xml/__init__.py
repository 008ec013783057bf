"""Safe XML: the parser, limits on structure, repair of broken documents, charsets. It knows no SOAP."""

from __future__ import annotations

from soap_handler.xml.charsets import decode
from soap_handler.xml.repair import MARKUP, PREFIX, ForbiddenError, declare_prefixes, mend, restore

__all__ = ["MARKUP", "PREFIX", "ForbiddenError", "declare_prefixes", "decode", "mend", "restore"]
