"""The sink that calls a web hook: POST with JSON, signed as Standard Webhooks.

HTTP is requests, which the inbox client needs anyway: its sessions keep their connections alive. The signature is five
lines of the standard library: https://www.standardwebhooks.com says what goes into it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Final

from soap_handler.errors import RetryLater, SinkDownError, SinkRefusedError
from soap_handler.sinks.base import BatchSink, for_each
from soap_handler.sinks.form import content_type, encoded
from soap_handler.sinks.http import Sessions
from soap_handler.trace_context import HEADER, current, made_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soap_handler.settings.sinks import WebhookSettings
    from soap_handler.sinks.base import Delivery
    from soap_handler.sinks.http import Reply

_OF_THE_SINK: Final = frozenset({401, 402, 403, 404, 405, 407, 408, 421, 425, 426, 429, 451})
"""Answers with 4xx that any notification would get: of login, address or load."""
_GONE: Final = 410


class Webhook(BatchSink):
    """An HTTP endpoint of the customer's."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._url = settings.url.get_secret_value()
        self._format = settings.format
        self._keys = [_key(each.secret.get_secret_value()) for each in settings.secrets]
        self._fixed = _fixed_headers(settings)
        self._timeout = settings.timeout
        self.batch = settings.batch
        self._sessions = Sessions(
            timeout=settings.timeout,
            ca_bundle=settings.ca_bundle,
            client_certificate=settings.client_certificate,
            client_key=settings.client_key,
            proxy=settings.proxy,
        )

    def deliver(self, delivery: Delivery) -> None:
        """Post one notification: alone, or as an array of one."""
        if self.batch == 1:
            self._post(delivery.notification.key, encoded(delivery, self._format), current())
        else:
            super().deliver(delivery)

    def _post(self, identity: str, body: str, trace: str | None) -> None:
        """Make one request; its answer confirms."""
        headers = {
            **self._fixed,
            "Content-Type": content_type(self._format, in_batch=self.batch > 1),
            "Idempotency-Key": f'"{identity}"',  # a structured field: RFC 8941, section 3.3.3
            HEADER: trace or made_up(identity),
            **self._signature(identity, body),
        }
        _judge(self._sessions.request("POST", self._url, data=body.encode(), headers=headers))

    def _post_batch(self, deliveries: Sequence[Delivery]) -> None:
        """Post a JSON array. Its id is a digest of its keys: the same notifications together have the same one.

        Its trace is its own, as it belongs to the traces of many.
        """
        keys = "\n".join(each.notification.key for each in deliveries)
        identity = f"batch/{hashlib.sha256(keys.encode()).hexdigest()[:32]}"
        self._post(identity, f"[{','.join(encoded(each, self._format) for each in deliveries)}]", None)

    def deliver_all(self, deliveries: Sequence[Delivery]) -> Sequence[Exception | None]:
        """Deliver a batch, and say of each what went wrong. Of one that is refused, each goes alone."""
        try:
            self._post_batch(deliveries)
        except SinkRefusedError as refused:
            return [refused] if len(deliveries) == 1 else self._one_by_one(deliveries)
        except SinkDownError as down:
            return for_each(down, len(deliveries))
        return [None] * len(deliveries)

    def _one_by_one(self, deliveries: Sequence[Delivery]) -> Sequence[Exception | None]:
        """Find out which of a refused batch are refused. When the destination fails or time is up, the rest waits."""
        errors: list[Exception | None] = []
        until = time.monotonic() + self._timeout
        for each in deliveries:
            if time.monotonic() > until:
                errors.append(RetryLater("its batch was refused, and no time was left to send it alone"))
                continue
            try:
                self._post_batch([each])
                errors.append(None)
            except SinkRefusedError as refused:
                errors.append(refused)
            except SinkDownError as down:
                return [*errors, *for_each(down, len(deliveries) - len(errors))]
        return errors

    def probe(self) -> str:
        """Ask for ``OPTIONS``, which does no harm."""
        reply = self._sessions.request("OPTIONS", self._url, headers=self._fixed)
        if reply.status >= 500 or reply.status in {401, 403, 404, _GONE} or 300 <= reply.status < 400:
            raise SinkDownError(f"HTTP {reply.status} for OPTIONS")
        return f"reached: HTTP {reply.status} for OPTIONS"

    def close(self) -> None:
        """Close all connections."""
        self._sessions.close()

    def _signature(self, identity: str, body: str) -> dict[str, str]:
        """Return the headers of Standard Webhooks: one signature for each secret, so that one can be replaced."""
        at = str(int(time.time()))
        content = f"{identity}.{at}.{body}".encode()
        signatures = (hmac.new(key, content, hashlib.sha256).digest() for key in self._keys)
        headers = {"webhook-id": identity, "webhook-timestamp": at}
        if self._keys:
            headers["webhook-signature"] = " ".join(f"v1,{base64.b64encode(each).decode()}" for each in signatures)
        return headers


def _judge(reply: Reply) -> None:
    """Return if an answer confirms; raise what any other means."""
    status = reply.status
    if 200 <= status < 300:
        return
    said = f"HTTP {status}"
    if status == _GONE:
        raise SinkDownError(f"{said}: the endpoint asks for no more", for_good=True)
    if 300 <= status < 400:
        raise SinkDownError(f"{said}: a redirect is not followed; set url to the new address", reply.retry_after)
    if 400 <= status < 500 and status not in _OF_THE_SINK:
        raise SinkRefusedError(said)
    raise SinkDownError(said, reply.retry_after)


def _fixed_headers(settings: WebhookSettings) -> dict[str, str]:
    headers = {each.name: each.value.get_secret_value() for each in settings.headers}
    if settings.bearer_token is not None:
        headers["Authorization"] = f"Bearer {settings.bearer_token.get_secret_value()}"
    elif settings.username is not None:
        password = settings.password.get_secret_value() if settings.password else ""
        headers["Authorization"] = "Basic " + base64.b64encode(f"{settings.username}:{password}".encode()).decode()
    return headers


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_"))
