"""An Account Event Handler as customers have it, in a process of its own: it notes each call on disk, then answers."""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lxml import etree

SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
ANSWER = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    '<{name}Response xmlns="com.esendex.ems.soapinterface"/></s:Body></s:Envelope>'
)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    notes = -1

    def do_POST(self) -> None:
        """Take one call."""
        length = int(self.headers["Content-Length"])
        content = self.rfile.read(length)
        if len(content) < length:  # the connection was cut: a parser that recovers would take what is there for all
            self.close_connection = True
            return
        envelope = etree.fromstring(content, etree.XMLParser(recover=True))  # .NET takes &#x1; too
        operation = next(iter(envelope.iterfind(f"{SOAP}Body/*")))
        name = etree.QName(operation).localname
        values = {etree.QName(each).localname: each.text or "" for each in operation if not len(each)}
        account = envelope.findtext(f"{SOAP}Header//{{*}}Account")
        self.note(json.dumps([name, account, values]))
        answer = ANSWER.format(name=name).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def note(self, line: str) -> None:
        """Write a line onto the disk."""
        os.write(self.notes, f"{line}\n".encode())
        os.fsync(self.notes)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Takes every connection in a thread."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of a connection that was cut."""


if __name__ == "__main__":
    Handler.notes = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
