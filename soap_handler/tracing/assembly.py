"""What traces put into the service, for the composition root: faces, journal and runs with spans."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from soap_handler.tracing import exporting
from soap_handler.tracing.face import TracedFace
from soap_handler.tracing.journal import TracedJournal
from soap_handler.tracing.runner import TracedRunner
from soap_handler.tracing.spans import Spans

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from soap_handler.dispatch.run import Runner
    from soap_handler.faces.base import Face
    from soap_handler.journal import Journal


class Tracing:
    """The parts of one process that make spans."""

    def __init__(self) -> None:
        """Take the process's provider, or make it.

        Raises:
            TracingError: the environment asks for what is not there.
        """
        self._provider = exporting.provider()
        self._spans = Spans(self._provider)

    def journal(self, *args: Any, **kwargs: Any) -> Journal:  # noqa: ANN401 - those of Journal
        """Open a journal that keeps trace contexts."""
        return TracedJournal(*args, spans=self._spans, **kwargs)

    def faces(self, faces: Sequence[Face]) -> list[Face]:
        """Return the same faces with spans."""
        return [TracedFace(face, self._spans) for face in faces]

    @property
    def runner(self) -> Callable[..., Runner]:
        """What carries out runs, in the place of :class:`Runner`."""
        return partial(TracedRunner, self._spans)

    def end(self, seconds: float) -> None:
        """Export what is left, for so long at most."""
        exporting.end(self._provider, seconds)
