"""Wrong credentials over the wire: slowed without holding a thread, never in the way of the right ones."""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from soap_handler.accounts.passwords import PasswordHash, hash_password
from soap_handler.settings import AccountSettings, PushCredentials, ServerSettings, Settings
from tests.support.events import captured_events
from tests.support.service import ACCOUNTS, Service, serving, settings_for
from tests.support.wire import (
    OTHER_REFERENCE,
    PASSWORD,
    REFERENCE,
    USERNAME,
    Connection,
    envelope,
    header,
    message,
    request,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRONG = envelope(head=header(password="wrong"))


def settings(folder: Path, **server: object) -> Settings:
    values = {
        "port": 0,
        "drain_timeout": 5,
        "threads": 2,
        "login_failures_allowed": 2,
        "login_failure_delay": 0.5,
        **server,
    }
    return settings_for(folder, server=ServerSettings.model_validate(values))


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Service]:
    with serving(settings(tmp_path)) as running:
        yield running


def seconds(service: Service, body: bytes, *headers: str) -> float:
    begun = time.perf_counter()
    service.post(body, *headers)
    return time.perf_counter() - begun


def test_wrong_ones_are_slowed_beyond_the_budget_and_right_ones_never(strict: Service) -> None:
    """The same fault, later; the right credentials from the same address are answered at once all the while."""
    assert [seconds(strict, WRONG) < 0.4 for _ in range(2)] == [True, True]
    for _ in range(2):
        assert seconds(strict, WRONG) > 0.45
        assert seconds(strict, message()) < 0.4
    assert strict.post(WRONG).fault == ("Client", "Authentication failed")


def test_many_slow_answers_hold_no_thread(tmp_path: Path) -> None:
    """Twenty wrong ones are waiting for their answers on a server of two threads; the right one does not wait."""
    with serving(settings(tmp_path, login_failure_delay=0.1)) as service:
        for _ in range(2):
            service.post(WRONG)
        waiting = [Connection(service.port) for _ in range(20)]
        for connection in waiting:
            connection.send(request(WRONG))
        begun = time.perf_counter()
        assert service.post(message()).status == 200
        assert time.perf_counter() - begun < 0.4
        assert {connection.answer().status for connection in waiting} == {500}
        assert time.perf_counter() - begun > 0.6, "they leave one after the other"
        for connection in waiting:
            connection.close()


def test_a_later_answer_does_not_cut_off_the_delay_of_an_earlier_one(tmp_path: Path) -> None:
    """On one connection a guess that is held back is followed by one for another account, which is not yet."""
    other = envelope(head=header(password="wrong", account=OTHER_REFERENCE))
    with serving(settings(tmp_path, login_failures_allowed=1)) as service:
        service.post(WRONG)
        service.post(other)
        for _ in range(3):
            service.post(WRONG)
        with Connection(service.port) as connection:
            begun = time.perf_counter()
            connection.send(request(WRONG) * 3 + request(other) + request(message()))
            assert [connection.answer().status for _ in range(5)] == [500] * 4 + [200]
            assert time.perf_counter() - begun > 1.4


def test_an_unknown_account_is_slowed_like_a_known_one(strict: Service) -> None:
    """Nothing tells which accounts there are: not the words, the budget or the delay."""
    for account in (REFERENCE, "EX9999999"):
        wrong = envelope(head=header(password="wrong", account=account))
        assert [seconds(strict, wrong) > 0.45 for _ in range(3)] == [False, False, True]


def test_a_drain_does_not_wait_for_what_is_held_back(tmp_path: Path) -> None:
    """When the service stops, what it holds back is sent at once."""
    with serving(settings(tmp_path, login_failure_delay=60.0, login_failures_allowed=1)) as service:
        guesses = [Connection(service.port) for _ in range(12)]  # the last is held back for 60 s
        for guess in guesses:
            guess.send(request(WRONG))
        with Connection(service.port, timeout=20) as connection:
            connection.send(request(WRONG))
            connection.socket.settimeout(0.3)
            with pytest.raises(TimeoutError):
                connection.answer()
            begun = time.perf_counter()
            service.stop()
            assert time.perf_counter() - begun < 4
        for guess in guesses:
            guess.close()


def test_a_flood_leaves_one_line_a_minute(tmp_path: Path) -> None:
    """Within the budget every failure is logged, beyond it one line stands for all; passwords are in none."""
    with serving(settings(tmp_path, login_failure_delay=0.05)) as strict, captured_events() as logged:
        connections = [Connection(strict.port) for _ in range(12)]
        for connection in connections:
            connection.send(request(WRONG))
        for connection in connections:
            assert connection.answer().status == 500
            connection.close()
        assert strict.app.accounts.refused == 12
    lines = [line for line in logged if line["event"] == "authentication_failed"]
    assert len(lines) == 3
    assert "wrong" not in str(lines)


def test_addresses_behind_a_trusted_proxy_are_slowed_one_by_one(tmp_path: Path) -> None:
    """A guesser does not slow the typing errors of others."""
    with serving(settings(tmp_path, trusted_proxies=["127.0.0.1"])) as service:
        for _ in range(3):
            service.post(WRONG, "X-Forwarded-For: 198.51.100.1")
        assert seconds(service, WRONG, "X-Forwarded-For: 198.51.100.1") > 0.45
        assert seconds(service, WRONG, "X-Forwarded-For: 198.51.100.2") < 0.4


# -- addresses -------------------------------------------------------------------------------------------------------


def test_only_allowed_addresses_get_anything(tmp_path: Path) -> None:
    """A fault for a POST, 403 for a GET, on every path; what is allowed is served; each refusal is counted."""
    allowed = settings(tmp_path, allow_from=["192.0.2.0/24"], trusted_proxies=["127.0.0.1"])
    with serving(allowed) as service, captured_events() as logged:
        refused = service.post(envelope(), "X-Forwarded-For: 198.51.100.1")
        assert (refused.status, refused.fault) == (500, ("Client", "Not allowed from this address"))
        assert service.post(envelope(), path="/elsewhere").fault == ("Client", "Not allowed from this address")
        with Connection(service.port) as connection:
            answer = connection.ask(request(start="GET /AccountEventHandler?wsdl HTTP/1.1"))
            assert (answer.status, answer.body) == (403, b"Not allowed from this address\n")
        assert service.post(envelope(), "X-Forwarded-For: 192.0.2.7").confirms
        assert service.post(envelope(), "X-Forwarded-For: 192.0.2.7, 198.51.100.1").status == 500
    refusals = [(line["caller"]) for line in logged if line["event"] == "address_refused"]
    assert refusals == ["198.51.100.1", "127.0.0.1"]


def test_a_caller_that_is_no_trusted_proxy_is_not_believed(tmp_path: Path) -> None:
    """Without trusted proxies the header of a caller does not make him another."""
    with serving(settings(tmp_path, allow_from=["192.0.2.0/24"])) as service:
        assert service.post(envelope(), "X-Forwarded-For: 192.0.2.7").status == 500


def test_the_description_shows_the_scheme_that_the_proxy_names(tmp_path: Path) -> None:
    """With the proxy's https, and the Host that the caller used."""
    with serving(settings(tmp_path, trusted_proxies=["127.0.0.1"])) as service, Connection(service.port) as connection:
        lines = ("X-Forwarded-Proto: https",)
        answer = connection.ask(request(b"", *lines, start="GET /AccountEventHandler?wsdl HTTP/1.1"))
        assert b'location="https://localhost/AccountEventHandler"' in answer.body


# -- hashes ----------------------------------------------------------------------------------------------------------


def hashed(folder: Path) -> Settings:
    pair = PushCredentials(username=USERNAME, password=SecretStr(hash_password(PASSWORD)))
    account = AccountSettings(reference=REFERENCE, push=(pair,))
    return settings(folder, login_failures_allowed=3).model_copy(update={"account": (account, ACCOUNTS[1])})


def test_a_hashed_password_works_over_the_wire_and_costs_once(tmp_path: Path) -> None:
    """From the second request on it is as fast as any."""
    with serving(hashed(tmp_path)) as service:
        assert service.post(message()).status == 200
        assert min(seconds(service, message()) for _ in range(5)) < 0.04
        assert service.post(WRONG).status == 500


def test_many_right_pushes_at_once_after_a_start_are_all_taken(tmp_path: Path) -> None:
    """What is not checked yet waits for the one check that is under way; it is never called wrong."""
    with serving(hashed(tmp_path)) as service, captured_events() as logged:
        connections = [Connection(service.port) for _ in range(16)]
        for connection in connections:
            connection.send(request(message(id=str(uuid.uuid4()))))
        assert [connection.answer().status for connection in connections] == [200] * 16
        for connection in connections:
            connection.close()
    assert [line for line in logged if line["log_level"] == "warning"] == []


def test_a_guesser_behind_the_same_address_does_not_keep_ems_out_after_a_start(tmp_path: Path) -> None:
    """EMS hears a Server fault at first, upon which it pushes again, and then it is known."""
    with serving(hashed(tmp_path)) as service:
        for number in range(100):
            guess = envelope(head=header(password=f"guess {number}"))
            with Connection(service.port) as connection:
                connection.send(request(guess))
        answers = [service.post(message())]
        while answers[-1].status != 200 and len(answers) < 5:
            answers.append(service.post(message()))
        assert answers[-1].status == 200
        assert {answer.fault for answer in answers[:-1]} <= {
            ("Server", "The credentials could not be checked; please send it again")
        }
        assert len(answers) <= 4


def test_a_flood_of_wrong_passwords_does_not_slow_the_known_right_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the budget no scrypt is computed but one a second."""
    checks = []
    real = PasswordHash.verify

    def counting(known: PasswordHash, text: str) -> bool:
        checks.append(1)
        return real(known, text)

    monkeypatch.setattr(PasswordHash, "verify", counting)
    with serving(hashed(tmp_path)) as service:
        service.post(message())
        begun, stop = time.monotonic(), threading.Event()
        flood = [threading.Thread(target=_flood, args=(service.port, stop)) for _ in range(4)]
        for thread in flood:
            thread.start()
        times = sorted(seconds(service, message()) for _ in range(30))
        stop.set()
        for thread in flood:
            thread.join()
        lasted = time.monotonic() - begun
    assert times[15] < 0.2
    assert len(checks) <= 1 + 3 + lasted + 4


def _flood(port: int, stop: threading.Event) -> None:
    while not stop.is_set():
        with Connection(port) as connection:
            connection.send(request(WRONG))
            stop.wait(0.01)  # and away, without waiting for the answer
