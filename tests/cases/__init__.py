"""The table of cases: what the world really does to such a service, a row each, with the tests that show the answer.

One file for each kind. Where something goes wrong in the field, look for its row first; a new case gets a new row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.cases.attempts import ATTEMPTS
from tests.cases.campaigns import CAMPAIGNS
from tests.cases.clocks import CLOCKS
from tests.cases.configuration import CONFIGURATION
from tests.cases.costs import COSTS
from tests.cases.identity import IDENTITY
from tests.cases.logins import LOGINS
from tests.cases.storage import STORAGE
from tests.cases.strictness import STRICTNESS
from tests.cases.unhandled import UNHANDLED
from tests.cases.unread import UNREAD
from tests.cases.waits import WAITS
from tests.cases.words import WORDS

if TYPE_CHECKING:
    from tests.cases.row import Row

TABLE: Final[dict[str, tuple[Row, ...]]] = {
    "what was not read": UNREAD,
    "identity": IDENTITY,
    "strictness": STRICTNESS,
    "clocks": CLOCKS,
    "waits without an end": WAITS,
    "attempts": ATTEMPTS,
    "logins": LOGINS,
    "costs that a stranger can cause": COSTS,
    "the storage of the journal": STORAGE,
    "nothing handled that nobody handled": UNHANDLED,
    "configuration and secrets": CONFIGURATION,
    "HTTP, TLS and words": WORDS,
    "campaigns": CAMPAIGNS,
}
"""Every case by its kind."""
