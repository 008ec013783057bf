"""The whole way, from a push over a socket to the peer of a sink, and out of the inbox."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from soap_handler.app import App
from soap_handler.ems import EmsAccount, SimulatedEms
from soap_handler.journal import State
from soap_handler.journal.records import Selection
from soap_handler.notifications import MessageReceived
from soap_handler.settings import Settings
from tests.sinks.peers import NUL_ID, REFUSED_MESSAGE, TEXTS, messages
from tests.support.fast_path import chosen
from tests.support.waiting import wait_for
from tests.support.wire import envelope, header, operation, post

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.sinks.peers import Peer

ACCOUNT: Final = EmsAccount(
    reference="EX1", username="user", password="pass", push_username="ems", push_password="word"
)


class Scene:
    """A service with one sink, and the EMS whose inbox it empties."""

    def __init__(self, folder: Path, peer: Peer, everything: ExitStack) -> None:
        self.ems = everything.enter_context(SimulatedEms([ACCOUNT]))
        inbox = {"url": self.ems.inbox_url, "username": "user", "password": "pass", "timeout": 5}
        account = {"reference": "EX1", "push": [{"username": "ems", "password": "word"}], "inbox": inbox}
        self.app = App(
            Settings.model_validate(
                {
                    "server": {"port": 0, "fast_path": chosen()},
                    "journal": {"url": f"sqlite:///{folder / 'journal.db'}"},
                    "delete": {"backoff": 0.1, "backoff_cap": 0.5},
                    "route": [{"sink": "peer"}],
                    "sink": {"peer": {"timeout": 10, "refusals_allowed": 1, **peer.settings}},
                    "account": [account],
                }
            )
        )
        self.ems.handler_url = f"http://127.0.0.1:{self.app.server.port}/AccountEventHandler"
        thread = threading.Thread(target=self.app.run)
        thread.start()
        everything.callback(thread.join, 30)
        everything.callback(self.app.stop)

    def push(self, several: list[MessageReceived]) -> None:
        """Push one after the other: the order in which they are stored is the order of their originators."""
        for each in several:
            self.ems.push(each)
            wait_for(lambda: not self.ems.counts().waiting)

    def push_nul(self) -> None:
        """Push a message with a NUL as .NET writes one: a reference, which no XML may have."""
        body = operation(id=NUL_ID, originator="447700900129", body="a NUL b").replace(" NUL ", "&#0;")
        answer = post(self.app.server.port, envelope(body, header("ems", "word", "EX1")))
        assert answer.confirms

    def count(self, state: State) -> int:
        return sum(count for (_, found), count in self.app.journal.counts().items() if found is state)


def go(folder: Path, make: Callable[[Path, ExitStack], Peer]) -> None:
    """Hold one sink to the whole way."""
    with ExitStack() as everything:
        peer = make(folder, everything)
        scene = Scene(folder, peer, everything)
        early, late = messages(1, TEXTS), [*messages(11, TEXTS), REFUSED_MESSAGE]
        scene.push(early)
        attempts = scene.app.journal.attempts
        wait_for(lambda: any(attempt.outcome in {"failed", "paused"} for _, attempt in attempts()))
        assert (scene.count(State.RECEIVED), len(scene.ems.inbox.mailbox)) == (len(early), len(early))

        peer.start()
        scene.push(late)
        scene.push_nul()
        sound = [*early, *(late[:-1] if peer.refuses else late)]
        wait_for(lambda: (scene.count(State.DONE), scene.count(State.DEAD)) == (len(sound) + 1, peer.refuses))

        taken = peer.taken()
        nul = MessageReceived(account="EX1", id=NUL_ID, originator="447700900129", body=f"a{peer.nul}b")
        assert sorted(taken) == sorted(
            (each.key if peer.gets_keys else "", each.id, each.originator, each.body, each.type.value)
            for each in [*sound, nul]
        )
        for originator in {each.originator for each in sound}:
            expected = [each.id for each in sound if each.originator == originator]
            assert [found[1] for found in taken if found[2] == originator] == expected
        dead = {record.key for record in scene.app.journal.records(Selection(state=State.DEAD))}
        assert dead == ({REFUSED_MESSAGE.key} if peer.refuses else set())
        assert len(scene.ems.inbox.mailbox) == peer.refuses
