"""waitress answering a constant: no work at all, and so the most that waitress's own way of serving can give."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from waitress import create_server

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

BODY = b"<done/>"


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Read the request and answer."""
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/xml; charset=utf-8"), ("Content-Length", str(len(BODY)))])
    return [BODY]


if __name__ == "__main__":
    server = create_server(application, host="127.0.0.1", port=0)
    sys.stdout.write(f"{server.effective_port}\n")
    sys.stdout.flush()
    server.run()
