"""What mends a text that is nearly XML, for whoever reads XML: the pushes of EMS, and the list of its inbox."""

from __future__ import annotations

from soap_handler.mending.charset import decode
from soap_handler.mending.mend import MARKUP, PREFIX, ForbiddenError, declare_prefixes, mend, restore

__all__ = ["MARKUP", "PREFIX", "ForbiddenError", "declare_prefixes", "decode", "mend", "restore"]
