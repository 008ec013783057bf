"""What waitress itself refuses (too large, malformed): the answer, in the form of the face that was called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waitress.task import ErrorTask
from waitress.utilities import InternalServerError

from soap_handler.metrics.pushes import count_refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.faces.base import Answer, Face


class RefusalTask(ErrorTask):  # type: ignore[misc] # waitress has no types
    """Answers what waitress itself refuses (too large, malformed) in the form of the face that was called.

    Where the request was refused before its path was read, that is the first face's form.
    """

    def execute(self) -> None:
        """Send the refusal, and have the connection closed."""
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
