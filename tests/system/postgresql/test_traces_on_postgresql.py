"""Trace contexts on PostgreSQL: the pipelined way, the thread's way and the plain way keep them alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from soap_handler.journal import State
from soap_handler.settings import JournalSettings, ServerSettings
from tests.support.waiting import wait_for
from tests.tracing.conftest import ems, serving, settings_for, spans
from tests.tracing.test_traces import are, arrived, everything

if TYPE_CHECKING:
    from pathlib import Path

    from soap_handler.ems import SimulatedEms
    from tests.journal.engines import PostgreSQL
    from tests.tracing.conftest import Spans

__all__ = ["ems", "spans"]  # fixtures


@pytest.mark.parametrize("fast", ["auto", "off"])
def test_one_trace_from_push_to_delete_on_postgresql(
    tmp_path: Path, ems: SimulatedEms, spans: Spans, postgresql: PostgreSQL, fast: str
) -> None:
    """The context is one of the columns that the quick statements of PostgreSQL write too."""
    settings = settings_for(
        tmp_path,
        ems.inbox_url,
        journal=JournalSettings(url=SecretStr(postgresql.database())),
        server=ServerSettings.model_validate({"port": 0, "fast_path": fast}),
    )
    with serving(settings, everything(lambda _: None), ems) as app:
        for number in range(20):  # some of them by the loop's own connection, once that is open
            ems.push(arrived(number))
        wait_for(lambda: are(app, *[State.DONE] * 20))
        wait_for(lambda: len(spans.of("delete")) == 20)
    by_trace: dict[int, list[str]] = {}
    for span in spans.all():
        assert span.context is not None
        by_trace.setdefault(span.context.trace_id, []).append(span.name.partition(" ")[0])
    assert list(map(sorted, by_trace.values())) == [["delete", "handle", "push"]] * 20  # as they end
