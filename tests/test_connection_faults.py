"""Why there was no answer, in words: each way in which a real server fails to give one."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from soap_handler.errors import SinkDownError
from soap_handler.sinks.http import Sessions

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def answering(answer: bytes, *, stay: bool = False) -> Iterator[str]:
    """Serve one caller that gets these bytes; with ``stay`` the connection is kept open."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
                if stay:
                    over.wait(20)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/a-secret"
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "stay", "words"),
    [
        (b"", False, "ConnectionError (the connection was closed without an answer)"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", False, "ConnectionError (the answer is not proper HTTP)"),
        (
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
            False,
            "ConnectionError (the answer is not proper HTTP)",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
            False,
            "ChunkedEncodingError (the answer ended before its end)",
        ),
        (b"", True, "ReadTimeout (the whole answer did not come in time)"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nslow",
            True,
            "ConnectionError (the whole answer did not come in time)",
        ),
    ],
)
def test_an_answer_that_fails_is_told_in_words(answer: bytes, words: str, *, stay: bool) -> None:
    """The words of the journal and the log say what came, without the address, which may hold a secret."""
    sessions = Sessions(timeout=0.5)
    with answering(answer, stay=stay) as url, pytest.raises(SinkDownError) as failure:
        sessions.request("GET", url)
    sessions.close()
    assert str(failure.value) == words


def test_a_port_without_a_listener_is_told_in_the_words_of_the_system() -> None:
    """As any command of the system would say it."""
    sessions = Sessions(timeout=0.5)
    with pytest.raises(SinkDownError, match=r"^ConnectionError \(Connection refused\)$"):
        sessions.request("GET", "http://127.0.0.1:9/")
    sessions.close()
