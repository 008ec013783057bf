"""Rows as one JSON parameter: what PostgreSQL executes for many rows at once, in one statement of one text.

psycopg would write each value of each row, and the server would execute each row: for 64 results three times as long.
The price: these statements exist twice. Tests hold both forms to the same results.
"""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from soap_handler.journal import claim, insert, order, settle
from soap_handler.journal.execute import to_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Executable

PUSH: Final = """
    INSERT INTO notification (
        key, account, kind, state, source, message_id, originator, payload, envelope,
        received_at, due_at, done_at, attempts, delete_attempts, trace_context, caller, api
    )
    SELECT
        key, account, kind, state, source, message_id, originator, payload, decode(envelope, 'base64'),
        received_at, due_at, done_at, attempts, delete_attempts, trace_context, caller, api
    FROM json_to_recordset(%(rows)s::json) AS given (
        key text, account text, kind text, state text, source text, message_id text, originator text, payload text,
        envelope text, received_at bigint, due_at bigint, done_at bigint, attempts integer, delete_attempts integer,
        trace_context text, caller text, api text
    )
    ON CONFLICT (key) DO NOTHING
    RETURNING key
"""
"""The insert of new notifications."""

SET_RESULT: Final = """SET
    state = given._state, due_at = given._due_at, owner = NULL, leased_at = -1, parked_at = NULL,
    handled_at = coalesce(notification.handled_at, given._handled_at), done_at = given._done_at,
    attempts = coalesce(given._attempts, notification.attempts)
FROM given"""
"""What a result writes into its row, whatever gives the rows."""

FIRST_BLOCKED: Final = """SELECT (
    SELECT other.seq FROM notification AS other
    WHERE other.state = 'received' AND other.account = _account AND other.originator = _originator
        AND other.leased_at = -1
    ORDER BY other.leased_at, other.seq LIMIT 1
) FROM given"""
"""The first row of each originator that is given, blocked or put off."""

# ANY (ARRAY(...)) looks each row up. Joined alone, PostgreSQL may read all of the table: it keeps the plan that it made
# while the table was small.
SETTLE: Final = f"""
    WITH given AS (
        SELECT * FROM json_to_recordset(%(rows)s::json) AS given (
            _seq bigint, _state text, _due_at bigint, _handled_at bigint, _done_at bigint, _attempts integer
        )
    )
    UPDATE notification {SET_RESULT}
    WHERE notification.seq = ANY (ARRAY(SELECT _seq FROM given)) AND notification.seq = given._seq
"""  # noqa: S608 - of constants

UNBLOCK: Final = f"""
    WITH given AS (
        SELECT * FROM json_to_recordset(%(rows)s::json) AS given (_account text, _originator text, _at bigint)
    )
    UPDATE notification SET due_at = (SELECT max(_at) FROM given), parked_at = NULL
    WHERE parked_at IS NOT NULL AND seq = ANY (ARRAY({FIRST_BLOCKED}))
"""  # noqa: S608 - of constants

ATTEMPT: Final = """
    INSERT INTO attempt (seq, step, started_at, ended_at, outcome, error, owner)
    SELECT seq, step, started_at, ended_at, outcome, error, owner
    FROM json_to_recordset(%(rows)s::json) AS given (
        seq bigint, step text, started_at bigint, ended_at bigint, outcome text, error text, owner text
    )
"""


@cache
def json_form(statement: Executable) -> str | None:
    """Return the form of a statement that takes its rows as JSON on PostgreSQL, if there is one."""
    forms: dict[Executable, str] = {settle.SETTLE: SETTLE, order.UNBLOCK: UNBLOCK, claim.ATTEMPT: ATTEMPT}
    return PUSH if statement is insert.postgresql_insert() else forms.get(statement)


def as_json(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as the parameter ``rows``."""
    return json.dumps(list(rows), ensure_ascii=False, default=_as_json)


def _as_json(value: object) -> int | str | None:
    if isinstance(value, datetime):
        return to_number(value)
    if isinstance(value, bytes):
        return b64encode(value).decode()
    raise TypeError(f"no value of a column: {type(value).__name__}")
