"""Each request gets an answer in the form of the face that it was sent to: refused by HTTP, by a face, or taken."""

from __future__ import annotations

import gzip
from io import BytesIO
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from lxml import etree
from pydantic import SecretStr

from soap_handler.accounts.accounts import Accounts
from soap_handler.app import build_application, build_faces
from soap_handler.contract import NAMESPACE, SOAP_11, SOAP_12
from soap_handler.faces.base import PATH, is_xml
from soap_handler.faces.xml_push import PATH as PUSH_PATH
from soap_handler.receive.receiver import Receiver
from soap_handler.seams import Seams
from soap_handler.settings import PushCredentials, ServerSettings
from soap_handler.web.client_address import Callers
from tests.corpus.cases import CASES
from tests.corpus.messages import PASSWORD as CORPUS_PASSWORD
from tests.faces.form_post.test_form_corpus import BROKEN
from tests.faces.xml_push.xml_service import FIELDS, basic, element
from tests.support.forms import FORM_TYPE, FORMS, form
from tests.support.naming import naming
from tests.support.service import ACCOUNTS, Service, serving, settings_for
from tests.support.wire import USERNAME, Answer, Connection, envelope, request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soap_handler.journal import Entry, Journal
    from soap_handler.web.application import Application

SOAP_TYPES: Final = {SOAP_11: "text/xml; charset=utf-8", SOAP_12: "application/soap+xml; charset=utf-8"}
TEXT: Final = "text/plain; charset=utf-8"
XML_TYPE: Final = "application/xml"
CALLS: Final = {
    "SOAP 1.1": (PATH, SOAP_TYPES[SOAP_11]),
    "SOAP 1.2": (PATH, SOAP_TYPES[SOAP_12]),
    "SOAP 1.2 by MTOM": (PATH, 'multipart/related; type="application/xop+xml"; start-info="application/soap+xml"'),
    "Form Post": (f"{PATH}.aspx", FORM_TYPE),
    "a form at the SOAP address": (PATH, FORM_TYPE),
    "XML push": (f"{PUSH_PATH}/inbound", XML_TYPE),
}
"""Path and Content-Type of a request in each version."""
LARGEST: Final = 2000  # bytes of a body
OTHERS: Final = (ip_network("192.0.2.0/24"),)


@pytest.fixture(scope="module")
def small(
    tmp_path_factory: pytest.TempPathFactory,
    fast_path: str,  # noqa: ARG001 - it comes first
) -> Iterator[Service]:
    """Serve with a small limit on bodies."""
    server = ServerSettings(port=0, max_body=LARGEST)
    with serving(settings_for(tmp_path_factory.mktemp("small"), server=server)) as running:
        yield running


@pytest.fixture(scope="module")
def closed(
    tmp_path_factory: pytest.TempPathFactory,
    fast_path: str,  # noqa: ARG001 - it comes first
) -> Iterator[Service]:
    """Serve others, and not this machine."""
    server = ServerSettings(port=0, allow_from=OTHERS)
    with serving(settings_for(tmp_path_factory.mktemp("closed"), server=server)) as running:
        yield running


def asked(service: Service, version: str, body: bytes, *headers: str, sized: bool = True) -> Answer:
    path, content_type = CALLS[version]
    whole = request(body, f"Content-Type: {content_type}", *headers, start=f"POST {path} HTTP/1.1", sized=sized)
    with Connection(service.port) as connection:
        return connection.ask(whole)


def assert_refused(answer: Answer, version: str, status: int, words: str) -> None:
    """Check status, form and words. A fault has 500 whatever the reason: most SOAP stacks read it under no other."""
    if version.startswith("SOAP"):
        namespace = SOAP_12 if "1.2" in version else SOAP_11
        assert (answer.status, answer.headers["content-type"]) == (500, SOAP_TYPES[namespace])
        assert etree.fromstring(answer.body).tag == f"{{{namespace}}}Envelope"
        assert answer.fault is not None
        code, text = answer.fault
        assert code == ("Sender" if "1.2" in version else "Client")
        assert words in text
    else:
        assert (answer.status, answer.headers["content-type"]) == (status, TEXT)
        assert words in answer.body.decode()


@pytest.mark.parametrize("version", CALLS)
def test_an_address_that_may_not_call_is_forbidden(closed: Service, version: str) -> None:
    """403 where a status tells, and a fault in the version of SOAP that was spoken."""
    assert_refused(asked(closed, version, b"x"), version, 403, "Not allowed from this address")


@pytest.mark.parametrize("version", CALLS)
def test_what_http_refuses_is_told_in_the_form_that_was_spoken(small: Service, version: str) -> None:
    """A body that is too large, as it came and unpacked; one that cannot be unpacked; chunks that are none."""
    packed = gzip.compress(b" " * (LARGEST + 1))
    assert_refused(asked(small, version, b"x" * (LARGEST + 1)), version, 400, "larger than")
    assert_refused(asked(small, version, packed, "Content-Encoding: gzip"), version, 400, "larger than")
    assert_refused(asked(small, version, b"\x00", "Content-Encoding: br"), version, 400, "Content-Encoding")
    broken = asked(small, version, b"zz\r\n", "Transfer-Encoding: chunked", sized=False)
    assert_refused(broken, version, 400, "The HTTP request was refused")


@pytest.mark.parametrize("version", ["SOAP 1.1", "SOAP 1.2", "SOAP 1.2 by MTOM"])
def test_what_is_no_envelope_is_refused_in_the_version_of_the_content_type(small: Service, version: str) -> None:
    """Nothing, text, a broken envelope, JSON: there is no other sign of the version."""
    for body in (b"", b"text", b"<soap:Envelope", b"{}", envelope()[:200]):
        assert_refused(asked(small, version, body), version, 500, "")


def test_an_unknown_face_of_a_content_type_is_soap(small: Service) -> None:
    """An envelope says its version itself, whatever the Content-Type says."""
    answer = asked(small, "SOAP 1.1", envelope(namespace=SOAP_12))
    assert answer.headers["content-type"] == SOAP_TYPES[SOAP_12]


# -- the whole corpus at every face ----------------------------------------------------------------------------------


def _inputs() -> Iterator[tuple[str, bytes, str, str]]:
    """Give name, body, Content-Type and Content-Encoding of every request of the three corpora."""
    yield from ((case.id, case.body, case.content_type, case.content_encoding) for case in CASES)
    yield from ((name, body, FORM_TYPE, "") for name, body in BROKEN.items())
    yield from ((f"a form: {name}", form(name), FORM_TYPE, "") for name in FORMS)
    yield from ((f"an element: {name}", element(name), XML_TYPE, "") for name in FIELDS)


INPUTS: Final = tuple(_inputs())


class Noting:
    """In the place of a journal: counts what is to be stored. That it can be, other tests of the corpora show."""

    recorded = 0

    def record(self, _entry: Entry) -> bool:
        self.recorded += 1
        return True


def assert_answered(status: str, headers: dict[str, str], body: bytes, *, soap: bool) -> None:
    """Check that an answer is one of a face: of the SOAP face, or of one that answers in plain text."""
    if not soap:
        assert headers["Content-Type"] == TEXT
        assert status[:3] in {"200", "400", "403"}
        assert 2 <= len(body.decode("ascii")) < 160
        return
    root = etree.fromstring(body)
    namespace = root.tag.removeprefix("{").removesuffix("}Envelope")
    assert headers["Content-Type"] == SOAP_TYPES[namespace]
    ((content,),) = root.iterchildren(f"{{{namespace}}}Body")
    if status == "200 OK":
        assert content.tag.startswith(f"{{{NAMESPACE}}}")
    else:
        assert (status, content.tag) == ("500 Internal Server Error", f"{{{namespace}}}Fault")


def posted(
    application: Application, path: str, body: bytes, content_type: str, encoding: str
) -> tuple[str, dict[str, str], bytes]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": content_type,
        "HTTP_CONTENT_ENCODING": encoding,
        "HTTP_AUTHORIZATION": basic(),
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": BytesIO(body),
    }
    started: list[Any] = []
    answer = b"".join(application(environ, lambda *begin: started.extend(begin)))  # type: ignore[arg-type] # it writes nothing early
    return started[0], dict(started[1]), answer


def test_every_request_of_the_corpus_at_every_face_is_answered_in_its_form() -> None:
    """Of SOAP, forms and XML push, at the address of each face; what is confirmed, and that alone, is stored."""
    server = ServerSettings()
    taken = dict.fromkeys((PATH, f"{PATH}.aspx", PUSH_PATH), 0)
    pairs = (*ACCOUNTS[0].push, PushCredentials(username=USERNAME, password=SecretStr(CORPUS_PASSWORD)))
    accounts = Accounts([ACCOUNTS[0].model_copy(update={"push": pairs})])
    journal = Noting()
    faces = build_faces(server, Receiver(accounts), Seams())
    application = build_application(server, faces, cast("Journal", journal), Callers())
    for name, body, content_type, encoding in INPUTS:
        for path in taken:
            known = journal.recorded
            status, headers, answer = posted(application, path, body, content_type, encoding)
            is_form = content_type.startswith(FORM_TYPE) and not is_xml(body)
            is_taken = status == "200 OK"
            with naming(f"{name} at {path}: {status} {headers} {answer!r}"):
                assert_answered(status, headers, answer, soap=path == PATH and not is_form)
                assert (journal.recorded > known) == is_taken, "stored, or not"
            taken[path] += is_taken
    assert all(taken.values()), "each face takes some"
