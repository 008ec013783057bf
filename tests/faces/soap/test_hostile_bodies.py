"""Every POST to the endpoint gets a SOAP answer, whatever is in its body."""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soap_handler.contract import NAMESPACE, SOAP_11, SOAP_12
from soap_handler.notifications import Kind
from tests.corpus import SAMPLES
from tests.faces.soap.answers import CODES, assert_proper
from tests.support.wire import NUMBER, envelope, header, message, operation

if TYPE_CHECKING:
    from tests.support.service import Service

STARTS = [(SAMPLES / f"{kind}.xml").read_bytes() for kind in Kind]

SOAP = f'xmlns:soap="{SOAP_11}"'
DOCTYPE = '<!DOCTYPE soap:Envelope [<!ENTITY e "x">]>'
BOMB = "<!DOCTYPE b [<!ENTITY a0 'aaaaaaaaaa'>{}]>".format(
    "".join(f"<!ENTITY a{level} '{f'&a{level - 1};' * 10}'>" for level in range(1, 10))
)
TEXT = message().decode()
UNDECLARED = TEXT.partition("?>")[2]
UNKNOWN = '<x:Route xmlns:x="urn:route" {}/>'
MUST = 'soap:mustUnderstand="1"'
NEXT = 'soap:actor="http://schemas.xmlsoap.org/soap/actor/next"'
OTHER_ACTOR = 'soap:actor="urn:another:actor"'

HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "Client"),
    "white space": (b" \r\n\t ", "Client"),
    "only a byte-order mark": (b"\xef\xbb\xbf", "Client"),
    "text": (b"hello", "Client"),
    "NUL bytes": (b"\0" * 100, "Client"),
    "JSON": (b'{"id": "1"}', "Client"),
    "a form": (b"username=ems&password=s3cret&account=EX0012345", "Client"),
    "HTML": (b"<!DOCTYPE html><html><body><p>no</body></html>", "Client"),
    "another document": (b"<InboundMessage><Id>1</Id></InboundMessage>", "Client"),
    "cut off": (message()[:-30], "Client"),
    "text after the end": (message() + b"more", "Client"),
    "two documents": (message() + message(), "Client"),
    "an undefined prefix": (message().replace(b"<MessageReceived ", b"<m:MessageReceived "), "Client"),
    "a doctype": ((DOCTYPE + UNDECLARED).encode(), "Client"),
    "a doctype in UTF-16": ((DOCTYPE + UNDECLARED).encode("utf-16"), "Client"),
    "a doctype and its entity": ((DOCTYPE + UNDECLARED.replace("Yes please", "&e;")).encode(), "Client"),
    "an external doctype": (f'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">{UNDECLARED}'.encode(), "Client"),
    "an external entity": (
        f'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>{UNDECLARED.replace("Yes please", "&e;")}'.encode(),
        "Client",
    ),
    "a parameter entity": (
        f'<!DOCTYPE a [<!ENTITY % e SYSTEM "file:///etc/passwd"> %e;]>{UNDECLARED}'.encode(),
        "Client",
    ),
    "an entity bomb": ((BOMB + UNDECLARED.replace("Yes please", "&a9;")).encode(), "Client"),
    "an entity bomb in an attribute": (
        (BOMB + UNDECLARED.replace("<soap:Body>", '<soap:Body bomb="&a9;">')).encode(),
        "Client",
    ),
    "no envelope": (operation().encode(), "Client"),
    "an envelope in no namespace": (b"<Envelope><Body/></Envelope>", "VersionMismatch"),
    "an envelope of another version": (envelope(namespace="urn:soap:9"), "VersionMismatch"),
    "an empty envelope": (f"<soap:Envelope {SOAP}/>".encode(), "Client"),
    "no Body": (f"<soap:Envelope {SOAP}><soap:Header>{header()}</soap:Header></soap:Envelope>".encode(), "Client"),
    "an empty Body": (envelope(""), "Client"),
    "a Body of white space": (envelope("\n   \n"), "Client"),
    "a Body of text": (envelope("hello"), "Client"),
    "a Body of a comment": (envelope("<!-- nothing -->"), "Client"),
    "a Body in SOAP 1.2": (message().replace(b"soap:Body>", f'b:Body xmlns:b="{SOAP_12}">'.encode(), 1), "Client"),
    "a Fault": (
        envelope("<soap:Fault><faultcode>soap:Server</faultcode><faultstring>No</faultstring></soap:Fault>"),
        "Client",
    ),
    "an unknown operation": (envelope(f'<DeleteMessage xmlns="{NAMESPACE}"><id>1</id></DeleteMessage>'), "Client"),
    "an answer": (envelope(f'<MessageReceivedResponse xmlns="{NAMESPACE}"/>'), "Client"),
    "an operation in another case": (envelope(f'<messagereceived xmlns="{NAMESPACE}"/>'), "Client"),
    "a reference to nowhere": (envelope(operation(inner='<id href="#1"/>')), "Client"),
    "a reference to itself": (envelope(f'<MessageReceived xmlns="{NAMESPACE}" id="a" href="#a"/>'), "Client"),
    "references in a circle": (
        envelope(operation(inner='<id id="a" href="#b"/><body id="b" href="#a"/>')),
        "Client",
    ),
    "a header that must be understood": (envelope(head=header() + UNKNOWN.format(MUST)), "MustUnderstand"),
    "a header that must be understood next": (
        envelope(head=UNKNOWN.format(f"{MUST} {NEXT}") + header()),
        "MustUnderstand",
    ),
    "a MessengerHeader of another namespace that must be understood": (
        envelope(head=header() + f'<MessengerHeader xmlns="urn:x" {MUST}/>'),
        "MustUnderstand",
    ),
    "no Header": (f"<soap:Envelope {SOAP}><soap:Body>{operation()}</soap:Body></soap:Envelope>".encode(), "Client"),
    "nested beyond reason": (envelope(operation(inner="<a>" * 3000 + "</a>" * 3000)), "Client"),
    "nested a little too deep": (envelope(operation(inner="<a>" * 40 + "</a>" * 40)), "Client"),
    "deep headers": (envelope(head="<a>" * 3000 + "</a>" * 3000), "Client"),
    "too large": (message(body="x" * 300_000), "Client"),
    "much too large": (message(body="x" * 3_000_000), "Client"),
}  # fmt: skip

STRANGE: dict[str, bytes] = {
    "MessengerHeader that must be understood": envelope(head=header(attributes=f'soap:mustUnderstand="1" {SOAP}')),
    "a header for another actor": envelope(head=header() + UNKNOWN.format(f"{MUST} {OTHER_ACTOR}")),
    "an unknown header that need not be understood": envelope(head=UNKNOWN.format("") + header()),
    "a header that must not": envelope(head=UNKNOWN.format('soap:mustUnderstand="0"') + header()),
    "the header after the body": (
        f"<soap:Envelope {SOAP}><soap:Body>{operation()}</soap:Body>"
        f"<soap:Header>{header()}</soap:Header></soap:Envelope>"
    ).encode(),
    "text beside the operation": envelope(f"so {operation()} it is"),
    "comments and instructions": (
        f"<!-- a --><?b c?><soap:Envelope {SOAP}><!-- d --><soap:Header><!-- e -->{header()}<?f g?></soap:Header>"
        f"<!-- h --><soap:Body><?i j?>{operation()}<!-- k --></soap:Body></soap:Envelope><!-- l -->"
    ).encode(),
    "many attributes": envelope(
        operation().replace("<id>", "<id {}>".format(" ".join(f'a{number}=""' for number in range(200))))
    ),
    "many elements": envelope(operation(inner="<id>1</id>" + "<a/>" * 50_000)),
    "many namespaces": envelope(
        operation(inner="<id>2</id>" + "".join(f'<a xmlns:p{number}="urn:{number}"/>' for number in range(7_000)))
    ),
    "a doctype in a section": envelope(operation().replace("Yes please", f"<![CDATA[{DOCTYPE}]]>")),
    "white space everywhere": TEXT.replace("><", ">\n  <").encode(),
    "no XML declaration": UNDECLARED.encode(),
    "blank lines at the end": message() + b"\r\n\r\n",
    "another SOAPAction's operation": message("SubscriptionEvent"),
    "something else after the operation": envelope(operation() + '<r xmlns="urn:x"/>'),
    "broken UTF-8": message(body="caf@").replace(b"@", b"\xe9\xff"),
    "a raw control byte": message(body="@").replace(b"@", b"\x0c"),
    "an unknown encoding": message().replace(b'"utf-8"', b'"x-klingon"'),
    "an encoding that is not the one": message().replace(b'"utf-8"', b'"utf-16"'),
    "an undefined entity": message(body="@").replace(b"@", b"&eacute;"),
    "an operation in no namespace": envelope("<MessageReceived><id>1</id></MessageReceived>"),
    "an operation in another namespace": envelope('<MessageReceived xmlns="urn:x"><id>3</id></MessageReceived>'),
    "two operations": envelope(operation() + operation("MessageEvent")),
    "SOAP 1.2": envelope(namespace=SOAP_12),
    "a reference": envelope(operation(inner='<id href="#1"/>') + '<r id="1">text</r>'),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_good_request_is_refused_by_a_fault(shared: Service, case: str) -> None:
    """The fault blames the right side, in a few words, and nothing is stored."""
    body, code = HOSTILE[case]
    known = sum(shared.app.journal.counts().values())
    began = time.monotonic()
    answer = shared.post(body)
    assert time.monotonic() - began < 2
    assert_proper(answer)
    assert answer.fault is not None
    assert answer.fault[0] == code
    assert sum(shared.app.journal.counts().values()) == known


@pytest.mark.parametrize("case", STRANGE)
def test_what_is_only_strange_is_taken(shared: Service, case: str) -> None:
    """What SOAP 1.1 allows, and what can be repaired and stored, is no reason to refuse."""
    began = time.monotonic()
    answer = shared.post(STRANGE[case])
    assert time.monotonic() - began < 8  # half a second of work, on a machine that does other things too
    assert_proper(answer)
    assert answer.confirms


def test_each_kind_of_fault_occurs_in_the_table() -> None:
    """Only the Server fault is missing there: no body can cause one."""
    assert {code for _, code in HOSTILE.values()} == CODES - {"Server"}


BYTES = st.binary(max_size=300) | st.builds(lambda text: text.encode("utf-16"), st.text(max_size=50))
CUTS = st.tuples(st.integers(0, 1000), st.integers(0, 40), st.binary(max_size=20))
MARKUP = st.sampled_from(
    [
        *(b"<", b">", b"&", b"&#0;", b"&#x1B;", b"]]>", b"<![CDATA[", b"<!--", b"<?", b'"', b"\xff", b"\0"),
        *(b"</soap:Body>", b"<soap:Body>", b"<a xmlns=''>", b" href='#a'", b"soap:", b"</id>", b"<id>"),
        *(b"<!DOCTYPE a>", b"\xef\xbb\xbf", b" xmlns:soap=''", b" xmlns:soap='urn:x'"),
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BYTES)
def test_any_bytes_get_a_soap_answer(shared: Service, body: bytes) -> None:
    """Whatever the bytes, the answer is a well-formed SOAP message under 200 or 500."""
    assert_proper(shared.post(body))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(STARTS), st.lists(st.tuples(CUTS, MARKUP | st.just(b"")), min_size=1, max_size=4))
def test_any_damage_to_a_sample_gets_a_soap_answer(
    shared: Service, sample: bytes, damage: list[tuple[tuple[int, int, bytes], bytes]]
) -> None:
    """Bytes removed from a sample, or put into it, never lead to anything else than a SOAP message."""
    for (at, length, noise), markup in damage:
        sample = sample[:at] + markup + noise + sample[at + length :]
    answer = shared.post(sample)
    assert_proper(answer)
    assert answer.fault is None or answer.fault[0] != "Server"


def test_hostile_requests_do_not_hold_up_honest_ones(shared: Service) -> None:
    """While strange and hostile bodies come in from several sides, an honest caller is served."""
    bodies = [body for body, _ in HOSTILE.values()] + list(STRANGE.values())
    halves = [bodies[::2], bodies[1::2]]

    def push(part: list[bytes]) -> None:
        for body in part:
            shared.post(body)

    threads = [threading.Thread(target=push, args=(part,)) for part in halves]
    for thread in threads:
        thread.start()
    slowest = 0.0
    while any(thread.is_alive() for thread in threads):
        began = time.monotonic()
        assert shared.post(message(id=str(uuid.uuid4()), recipient=NUMBER)).confirms
        slowest = max(slowest, time.monotonic() - began)
    for thread in threads:
        thread.join()
    assert 0 < slowest < 5
