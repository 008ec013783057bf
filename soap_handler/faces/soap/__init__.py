"""The SOAP face: the only door to spyne, which is mended here before any other module of this package asks for it."""

from __future__ import annotations

import soap_handler.faces.soap.compat  # noqa: F401 - its import does the mending
