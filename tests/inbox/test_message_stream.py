"""The whole inbox in one answer: what is read of it, and what of it costs nothing else."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from soap_handler.contract import NAMESPACE
from soap_handler.ems import EmsAccount, InboxService
from soap_handler.errors import InboxError, InboxFaultError, InboxRefusedError, InboxUnavailableError
from soap_handler.inbox import Inbox, InboxMessage, Unreadable
from soap_handler.inbox.message_stream import ListSplitter
from soap_handler.notifications import MessageReceived
from tests.inbox.servers import Call, Connection, Server, always, envelope, fault, http, response, settings

if TYPE_CHECKING:
    from collections.abc import Iterable

_GOOD = "<message><id>{}</id><originator>447700900123</originator><body>{}</body><status>Delivered</status></message>"


def listed(*messages: str, declares: str = "") -> str:
    result = f"<GetMessagesResult>{''.join(messages)}</GetMessagesResult>"
    return envelope(f'<GetMessagesResponse xmlns="{NAMESPACE}"{declares}>{result}</GetMessagesResponse>')


def good(number: int, body: str = "Yes") -> str:
    return _GOOD.format(number, body)


def take(server: Server, **limits: int) -> list[InboxMessage | Unreadable]:
    inbox = Inbox("EX0012345", settings(server.url))
    try:
        return list(inbox.messages(timeout=5.0, largest=limits.get("largest", 10**6)))
    finally:
        inbox.close()


def bodies(found: Iterable[InboxMessage | Unreadable]) -> list[str]:
    return [one.reason if isinstance(one, Unreadable) else one.fields.get("body", "") for one in found]


def read(*messages: str | bytes) -> list[InboxMessage | Unreadable]:
    """Return what is read of a list of these messages."""
    parts = [part.encode() if isinstance(part, str) else part for part in messages]
    before, _, after = listed("*").encode().partition(b"*")
    with Server(always(200, before + b"\n  ".join(parts) + after)) as server:
        return take(server)


# -- what is read --


def test_the_texts_of_a_message_come_by_attribute_name() -> None:
    """Those that a push has, as they are; what only the inbox has is left out."""
    with InboxService([EmsAccount(
        reference="EX0012345", username="someone", password="secret", push_username="a", push_password="b"
    )]) as ems:  # fmt: skip
        ems.mailbox.put(
            MessageReceived(
                account="EX0012345",
                id="10000000-0000-0000-0000-000000000001",
                originator="447700900123",
                recipient="447786204254",
                body="  <b> & \r\n\t“é” 👍 ",
            )
        )
        inbox = Inbox("EX0012345", settings(ems.url))
        [message] = inbox.messages()
        inbox.close()
    assert isinstance(message, InboxMessage)
    assert message.fields == {
        "id": "10000000-0000-0000-0000-000000000001",
        "originator": "447700900123",
        "recipient": "447786204254",
        "body": "  <b> & \r\n\t“é” 👍 ",
        "type": "Text",
        "sent_at": "0001-01-01T00:00:00",
        "received_at": "0001-01-01T00:00:00",
    }
    assert message.repaired == ()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<GetMessagesResult/>",
        "<GetMessagesResult></GetMessagesResult>",
        "<GetMessagesResult> \n</GetMessagesResult>",
    ],
)
def test_an_empty_inbox_is_empty(content: str) -> None:
    """An absent list, an empty one, and one of white space."""
    answer = envelope(f'<GetMessagesResponse xmlns="{NAMESPACE}">{content}</GetMessagesResponse>')
    with Server(always(200, answer)) as server:
        assert take(server) == []


def test_prefixes_and_attributes_do_not_matter() -> None:
    """Axis and WCF write prefixes that they declare further up, and xsi:nil."""
    message = '<q:message a="1" ><q:id>7</q:id><q:body x:nil="true"/><q:body>again</q:body></q:message>'
    answer = envelope(
        f'<q:GetMessagesResponse xmlns:q="{NAMESPACE}" xmlns:x="urn:x&amp;y"><q:GetMessagesResult>{message}'
        "</q:GetMessagesResult></q:GetMessagesResponse>"
    )
    with Server(always(200, answer)) as server:
        [found] = take(server)
    assert isinstance(found, InboxMessage)
    assert found.fields == {"id": "7", "body": ""}
    assert found.repaired == ("repeated element",)


def test_tags_in_comments_and_character_data_are_text() -> None:
    """Only markup begins or ends a message."""
    tricky = good(1, "<![CDATA[</message><message>]]>") + "<!-- <message> -->" + good(2, "&lt;/message&gt;")
    assert bodies(read(tricky)) == ["</message><message>", "</message>"]


# -- what is mended --


@pytest.mark.parametrize(
    ("written", "body", "repaired"),
    [
        (b"a&#x1B;b&#xC;", "a\x1bb\x0c", "control character"),
        (b"a\x1bb", "a\x1bb", "control character"),
        (b"&#xD83D;&#xDE00;", "\U0001f600", "surrogate pair"),
        (b"caf\xe9", "café", "encoding"),
        (b"salt & pepper", "salt & pepper", "unescaped character"),
    ],
)
def test_what_a_parser_refuses_is_mended_and_kept_as_it_came(written: bytes, body: str, repaired: str) -> None:
    """The body comes back, says what was mended, and no other message is touched."""
    message = good(2).encode().replace(b"Yes", written)
    before, found, after = read(good(1), message, good(3))
    assert isinstance(found, InboxMessage)
    assert (found.fields["body"], found.repaired, found.source) == (body, (repaired,), message)
    assert [one.repaired for one in (before, after) if isinstance(one, InboxMessage)] == [(), ()]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("<message><id>1</body></message>", "not well-formed XML"),
        ("<message><id>1</message>", "not well-formed XML"),
        ("<message><message><id>1</id></message>", "not well-formed XML"),
        ("<message/>", "empty"),
        ("<message>text</message>", "empty"),
        ("<message><status>Delivered</status></message>", "empty"),
        (good(1, "x" * 1_200_000), "too large"),
    ],
)
def test_an_unreadable_message_costs_no_other(message: str, reason: str) -> None:
    """It is there as a marker which says why; those before and after it are read."""
    with Server(always(200, listed(good(1, "before"), message, good(2, "after")))) as server:
        assert bodies(take(server, largest=2_000_000)) == ["before", reason, "after"]


def test_nothing_of_a_message_is_in_a_repr() -> None:
    """A log line with a message in it tells no number."""
    assert "447700900123" not in repr(read(good(1)))
    assert "447700900123" not in repr(read(good(1, "\x01")))


# -- what is no list --


def wrong(server: Server, error: type[InboxError], largest: int = 10**6) -> list[str]:
    """Take until the error; return what was yielded before it."""
    inbox = Inbox("EX0012345", settings(server.url, timeout=0.3))
    found: list[InboxMessage | Unreadable] = []
    messages = inbox.messages(timeout=0.3, largest=largest)

    def take_all() -> None:
        for message in messages:
            found.append(message)  # noqa: PERF402 - what came before the error counts

    with pytest.raises(InboxError) as caught:
        take_all()
    inbox.close()
    assert type(caught.value) is error
    return bodies(found)


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (500, fault(string="Authentication failed"), InboxRefusedError),
        (200, fault(detail="<code>16</code>"), InboxRefusedError),
        (500, fault(detail="<message>Authentication failed</message>"), InboxRefusedError),
        (200, fault(detail="<message>Authentication failed</message>"), InboxRefusedError),
        (500, fault(), InboxFaultError),
        (401, "", InboxRefusedError),
        (200, "", InboxUnavailableError),
        (200, "<html><message>maintenance</message></html>", InboxUnavailableError),
        (502, listed(good(1)), InboxUnavailableError),
        (200, response("DeleteMessages"), InboxUnavailableError),
        (302, "", InboxUnavailableError),
        (200, listed(good(1)).replace("utf-8", "utf-16").encode("utf-16"), InboxUnavailableError),
        (200, "<html>" + "<p>sorry</p>" * 200_000, InboxUnavailableError),
    ],
)
def test_a_wrong_answer_has_no_messages(status: int, answer: str | bytes, error: type[InboxError]) -> None:
    """Whatever it is taken for by a delete, it is here; and a fault's words are never taken for a message."""
    with Server(always(status, answer)) as server:
        assert wrong(server, error, largest=10**7) == []


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_a_list_that_breaks_off_gives_what_came_whole(keep: float) -> None:
    """What was whole is in the inbox; that it was not all is an error."""
    answer = listed(*[good(number, str(number)) for number in range(50)])
    with Server(always(200, answer[: int(len(answer) * keep)])) as server:
        found = wrong(server, InboxUnavailableError)
    assert found == [str(number) for number in range(len(found))]
    assert len(found) > 50 * keep - 5


def test_a_list_whose_connection_is_cut_is_not_whole() -> None:
    """A promised length that does not come is an error, even at the end of the envelope."""
    answer = http(200, listed(good(1)), f"Content-Length: {len(listed(good(1))) + 10}")

    def cut(_: Call, connection: Connection) -> None:
        connection.socket.sendall(answer)
        connection.hang_up()

    with Server(cut) as server:
        wrong(server, InboxUnavailableError)


def test_a_list_is_bounded_in_time_and_size() -> None:
    """However slowly it drips and however long it grows."""
    endless = listed(*[good(number) for number in range(5000)])
    with Server(always(200, endless)) as server:
        assert 0 < len(wrong(server, InboxUnavailableError, largest=100_000)) < 5000
    began = time.monotonic()
    with Server(lambda _, connection: connection.drip(http(200, endless))) as server:
        wrong(server, InboxUnavailableError)
    assert time.monotonic() - began < 5


def test_leaving_a_list_early_cuts_the_connection() -> None:
    """A caller that stops early closes the iterator; the next call has a connection of its own."""
    with Server(always(200, listed(*[good(number) for number in range(20_000)]))) as server:
        inbox = Inbox("EX0012345", settings(server.url))
        messages = inbox.messages()
        assert isinstance(next(messages), InboxMessage)
        messages.close()
        assert len(list(inbox.messages())) == 20_000
        inbox.close()
        assert server.connections == 2


# -- the cutting itself --


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20), max_size=4),
    st.lists(st.integers(1, 900), max_size=6),
)
@example([""], [148])  # within the tag that opens the envelope
def test_how_an_answer_is_cut_into_chunks_does_not_matter(texts: list[str], cuts: list[int]) -> None:
    """Any chunks give the same messages and the same rest."""
    answer = listed(*[good(number, escape(text)) for number, text in enumerate(texts)]).encode()
    places = sorted({0, *(min(cut, len(answer)) for cut in cuts), len(answer)})
    whole, parts = ListSplitter(), ListSplitter()
    expected = list(whole.feed(answer))
    found = [message for start, end in pairwise(places) for message in parts.feed(answer[start:end])]
    assert found == expected
    assert len(found) == len(texts)
    assert parts.rest() == whole.rest() == listed().encode()


def test_byte_by_byte_is_as_good() -> None:
    """The smallest chunks there are."""
    answer = listed(good(1, "<!-- x -->"), "<message/>", good(2, "<![CDATA[</message>]]>")).encode()
    splitter = ListSplitter()
    found = [message for byte in answer for message in splitter.feed(bytes([byte]))]
    assert len(found) == 3
    assert splitter.rest() == listed().encode()
