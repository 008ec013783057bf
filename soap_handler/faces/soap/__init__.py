"""The SOAP face: the only door to spyne. spyne is patched here, before another module of this package imports it."""

from __future__ import annotations

import soap_handler.faces.soap.compat  # noqa: F401 - its import patches spyne
