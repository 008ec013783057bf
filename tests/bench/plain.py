"""The yardstick: spyne, waitress and SQLite as a tutorial puts them together, with a durable commit a request."""

from __future__ import annotations

import sys

import soap_handler.faces.soap.compat  # noqa: F401 - spyne cannot be imported without it

from spyne import Application, ComplexModel, DateTime, Service, Unicode, rpc
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication
from waitress import create_server

from tests.bench.plain_table import INSERT, connection

NAMESPACE = "com.esendex.ems.soapinterface"


class MessengerHeader(ComplexModel):  # type: ignore[misc] # spyne has no types
    """The header of every call."""

    __namespace__ = NAMESPACE
    Username = Unicode
    Password = Unicode
    Account = Unicode


class AccountEventHandler(Service):  # type: ignore[misc] # spyne has no types
    """One operation, which stores what it is given."""

    __in_header__ = MessengerHeader

    @rpc(Unicode, Unicode, Unicode, Unicode, Unicode, DateTime, DateTime)
    def MessageReceived(ctx, id, originator, recipient, body, type, sentat, receivedat):  # type: ignore[no-untyped-def]
        """Check the password and store the message."""
        if ctx.in_header is None or (ctx.in_header.Username, ctx.in_header.Password) != ("ems", "s3cret"):
            raise ValueError
        values = (id, originator, recipient, body, type, sentat and sentat.isoformat(), receivedat.isoformat())
        connection(sys.argv[1]).execute(INSERT, values)


if __name__ == "__main__":
    application = WsgiApplication(
        Application([AccountEventHandler], NAMESPACE, in_protocol=Soap11(), out_protocol=Soap11())
    )
    connection(sys.argv[1])
    server = create_server(application, host="127.0.0.1", port=0)
    sys.stdout.write(f"{server.effective_port}\n")
    sys.stdout.flush()
    server.run()
