"""The page for people who open the SOAP endpoint in a browser: what it is, and where its WSDL is."""

from __future__ import annotations

from html import escape
from typing import Final

from soap_handler.contract import OPERATIONS

CONTENT_TYPE: Final = "text/html; charset=utf-8"

_PAGE: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Account Event Handler</title></head>
<body><h1>Account Event Handler</h1>
<p>A SOAP 1.1 service. EMS posts its notifications to this address.</p>
<p>Operations: {operations}.</p>
<p><a href="{path}?wsdl">Service description (WSDL)</a></p></body></html>
"""


def help_page(path: str) -> bytes:
    """Return the page for an endpoint at this path."""
    return _PAGE.format(operations=", ".join(OPERATIONS), path=escape(path)).encode()
