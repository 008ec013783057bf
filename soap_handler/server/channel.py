"""waitress's channel, which is one HTTP connection, with the holes stopped through which an answer could be lost.

Nothing here listens, and nothing knows what a request means.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from waitress.channel import HTTPChannel
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import InternalServerError

from soap_handler.metrics.pushes import count_refused
from soap_handler.server.parser import Parser
from soap_handler.web.application import ARRIVED, CLOSE_AFTER, HOLD_ANSWER

if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIEnvironment

    from soap_handler.faces.base import Answer, Face


class _Task(WSGITask):  # type: ignore[misc] # waitress has no types
    """Answers a request, and during a drain says that this answer is the connection's last."""

    def get_environment(self) -> WSGIEnvironment:
        environ: WSGIEnvironment = super().get_environment()
        environ[HOLD_ANSWER] = self.channel.hold
        environ[CLOSE_AFTER] = self.set_close_on_finish
        environ[ARRIVED] = self.channel.active
        return environ

    def build_response_header(self) -> bytes:
        if self.channel.server.draining:
            self.request.headers["CONNECTION"] = "close"
        header: bytes = super().build_response_header()
        return header


class _ErrorTask(ErrorTask):  # type: ignore[misc] # waitress has no types
    """Answers what waitress itself refuses (too large, malformed) in the form of the face that was called.

    Where the request was refused before its path was read, that is the first face's form.
    """

    def execute(self) -> None:
        called = self.channel.requests[0]  # after a defect, waitress makes a request of its own to hold the error
        answer = refusal(self.channel.server.refusing_face, called, self.request.error)
        if not isinstance(self.request.error, InternalServerError):  # of which waitress logs the traceback
            size = getattr(called, "content_length", None) or None  # 0 where the head was not read
            self.channel.server.refusals.note_http(self.request.error, str(self.channel.addr[0]), size)
        self.status = answer.status
        self.response_headers.append(("Content-Type", answer.content_type))
        self.set_close_on_finish()
        self.content_length = len(answer.body)
        self.write(answer.body)


def refusal(refusing_face: Callable[[str, str], Face], called: Any, error: Any) -> Answer:  # noqa: ANN401 - waitress has no types
    """Return the answer to a request that waitress itself refuses. ``called`` is its parser, ``error`` the reason."""
    content_type = getattr(called, "headers", {}).get("CONTENT_TYPE", "")
    face = refusing_face(getattr(called, "path", ""), content_type)
    ours = isinstance(error, InternalServerError)
    count_refused(face.api, "postponed_defect" if ours else "refused_http")
    if ours:
        return face.failed(content_type)
    return face.refused(f"The HTTP request was refused: {error.reason}", content_type)


class Channel(HTTPChannel):  # type: ignore[misc] # waitress has no types
    """One connection. Times are of the monotonic clock."""

    task_class = _Task
    error_task_class = _ErrorTask
    parser_class = Parser

    def __init__(self, *args: Any, **named: Any) -> None:  # noqa: ANN401 - waitress's signature
        self.opened = self.active = time.monotonic()
        """When it was opened, and when something last came or went."""
        self.began: float | None = None
        """When the request that is arriving began to arrive; ``None`` while none is."""
        self._held_until = 0.0
        super().__init__(*args, **named)

    @property
    def held(self) -> bool:
        """Whether its answer is being held back."""
        return time.monotonic() < self._held_until and not self.server.draining

    def hold(self, seconds: float) -> None:
        """Send nothing for this long. Any thread may call it, and none waits.

        A shorter time for a later request of the same connection does not cut off a longer one.
        """
        self._held_until = max(self._held_until, time.monotonic() + seconds)

    @property
    def has_pending_response(self) -> bool:
        """Whether a request has come in whose answer is not yet sent."""
        return bool(self.requests or self.total_outbufs_len)

    def writable(self) -> bool:
        """Whether there is something to send that may be sent."""
        return bool(super().writable()) and (self.will_close or not self.held)

    def _flush_some(self, do_close: bool = True) -> bool:  # noqa: FBT001, FBT002 - waitress's signature
        if self.held:
            return False
        sent: bool = super()._flush_some(do_close)
        if sent:
            self.active = time.monotonic()
        return sent

    def received(self, data: bytes) -> bool:
        """Take in bytes, and note when a request began with them."""
        arriving = self.request
        done: bool = super().received(data)
        self.active = time.monotonic()
        if self.request is not arriving:
            self.began = None if self.request is None else self.active
        return done

    def send_continue(self) -> None:
        """Tell the caller to send the body; nothing when there is none to wait for.

        waitress would then forget that the request is complete, and never answer it.
        """
        if self.request.completed:
            self.request.expect_continue = False
        else:
            super().send_continue()
