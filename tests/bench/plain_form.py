"""The yardstick for Form Post: Flask, waitress and SQLite as a tutorial has them, with a durable commit a request."""

from __future__ import annotations

import sys

from flask import Flask, Response, abort, request
from waitress import create_server

from tests.bench.plain_table import INSERT, connection

FIELDS = ("id", "originator", "recipient", "body", "type", "sentAt", "receivedAt")
application = Flask(__name__)


@application.post("/AccountEventHandler")
def message_received() -> Response:
    """Check the password and store the message."""
    form = request.form
    if (form["username"], form["password"]) != ("ems", "s3cret"):
        abort(403)
    connection(sys.argv[1]).execute(INSERT, [form[name] for name in FIELDS])
    return Response("OK", mimetype="text/plain")


if __name__ == "__main__":
    connection(sys.argv[1])
    server = create_server(application, host="127.0.0.1", port=0)
    sys.stdout.write(f"{server.effective_port}\n")
    sys.stdout.flush()
    server.run()
