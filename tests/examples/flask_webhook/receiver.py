"""An example of a receiver of web hooks in Flask: it verifies the signature, and tells copies by the key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import time

from flask import Flask, abort, request

app = Flask(__name__)
messages: dict[str, str] = {}
"""The body of each message by its key. Of course yours is a database, in which the key is unique."""


@app.post("/sms")
def sms() -> tuple[str, int]:
    """Take a notification. 2xx confirms it; anything else has it sent again."""
    if not is_signed():
        abort(401)
    notification = request.get_json()
    if notification["kind"] == "MessageReceived":
        messages.setdefault(notification["key"], notification["body"])
    return "", 204


def is_signed() -> bool:
    """Whether the request is signed with our secret (Standard Webhooks), and is not an old one sent once more."""
    secret = base64.b64decode(os.environ["SMS_SECRET"].removeprefix("whsec_"))
    identity, timestamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "0")
    signed = f"{identity}.{timestamp}.".encode() + request.get_data()
    expected = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    given = request.headers.get("webhook-signature", "").split(" ")
    is_ours = any(hmac.compare_digest(f"v1,{expected}", each) for each in given)
    return is_ours and timestamp.isdecimal() and abs(time.time() - int(timestamp)) < 300
