"""The two ways of the journal, plain and fast: the same tests hold for both."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from soap_handler.fast.assembly import fast_committer
from soap_handler.fast.compiled_sql import COMPILED

if TYPE_CHECKING:
    from soap_handler.journal.execute import Executor
    from soap_handler.journal.group_commit import CommitterFactory


class Way(TypedDict, total=False):
    """The arguments of a journal that choose its way."""

    committer: CommitterFactory
    execute: Executor


PLAIN: Way = {}
FAST: Way = {"committer": fast_committer, "execute": COMPILED}
WAYS = {"plain": PLAIN, "fast": FAST}
