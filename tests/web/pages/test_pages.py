"""The pages: what a person finds at each address, and the headers that keep a page harmless."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from lxml import etree

from soap_handler.contract import OPERATIONS
from soap_handler.notifications import Kind
from soap_handler.settings import ServerSettings
from tests.support.service import Service, serving, settings_for
from tests.support.wire import PATH, ask, message
from tests.web.pages.reading import get, read, send_form, texts

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [kind.value for kind in OPERATIONS]
PAGES = ["/", PATH, f"{PATH}.asmx", *(f"{PATH}?op={name}" for name in NAMES)]


def test_the_address_lists_the_operations_with_what_each_is_for(shared: Service) -> None:
    """As ASP.NET's page did, with a link to each."""
    page = read(shared.port, f"{PATH}.asmx")
    assert texts(page, "//dt/a/@href") == [f"?op={name}" for name in NAMES]
    assert texts(page, "//dt") == NAMES
    assert "could not be delivered" in texts(page, "//dd")[2]
    assert texts(page, "//pre") == [f"http://127.0.0.1:80{PATH}.asmx"]


def test_the_root_says_what_this_is(shared: Service) -> None:
    """Its link leads to the operations."""
    page = read(shared.port, "/")
    assert texts(page, "//h1") == ["Account Event Handler"]
    assert texts(page, "//a/@href") == ["AccountEventHandler.asmx"]


@pytest.mark.parametrize("name", NAMES)
def test_each_operation_has_a_page(shared: Service, name: str) -> None:
    """Its letter case does not count, as with IIS."""
    for spelling in (name, name.lower(), name.upper()):
        page = read(shared.port, f"{PATH}?OP={spelling}")
        assert texts(page, "//h1") == [name]
        assert texts(page, "//h2")[:3] == ["Parameters", "SOAP 1.1", "SOAP 1.2"]
    assert texts(page, "//thead/tr/th")[0] == "SOAP"
    assert texts(page, "//tr/td[1]/code")[0] == OPERATIONS[Kind(name)].parameters[0].name


def test_an_unknown_operation_is_not_found_but_listed(shared: Service) -> None:
    """The page says so, and what there is."""
    answer = get(shared.port, f"{PATH}?op=GetMessages")
    assert answer.status == 404
    assert "GetMessages" in answer.body.decode()
    assert all(f"?op={name}" in answer.body.decode() for name in NAMES)


@pytest.mark.parametrize("target", [*PAGES, f"{PATH}?op=none", f"{PATH}?wsdl", f"{PATH}?xsd", f"{PATH}?disco"])
def test_nothing_that_get_gives_is_indexed_or_guessed_at(shared: Service, target: str) -> None:
    """By a header, since search engines do not read a WSDL's elements."""
    headers = get(shared.port, target).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-robots-tag"] == "noindex, nofollow"


@pytest.mark.parametrize("target", PAGES)
def test_a_page_runs_no_script_and_asks_nothing_of_elsewhere(shared: Service, target: str) -> None:
    """The policy forbids it, and the page has no need of it."""
    answer = get(shared.port, target)
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert "script-src" not in policy
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    page = answer.body.decode()
    assert not re.search(r"<script|\son\w+=|\sstyle=|javascript:", page)
    assert not re.search(r"(?:href|src|action)=\"(?:https?:)?//", page)


@pytest.mark.parametrize("payload", ["<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "{{1000*1001}}"])
def test_what_a_caller_says_is_text_on_a_page(shared: Service, payload: str) -> None:
    """In the query and in Host: it is escaped wherever it is shown."""
    for answer in (
        get(shared.port, f"{PATH}?op={quote(payload)}"),
        get(shared.port, f"{PATH}?{quote(payload)}={quote(payload)}"),
        get(shared.port, PATH, host=payload),
        get(shared.port, f"{PATH}?op=MessageEvent", host=payload),
    ):
        assert b"<script" not in answer.body
        assert b"<img" not in answer.body
        assert b"1001000" not in answer.body


@pytest.mark.parametrize(
    "path",
    [
        f"{PATH}/",
        f"{PATH}.asmx/",
        f"/{PATH}",
        f"{PATH}.asmx//",
        "//ACCOUNTEVENTHANDLER.ASMX",
        f"//{PATH.lower()}.Asmx//",
    ],
)
def test_an_address_is_taken_with_slashes_too_many_and_in_any_case(shared: Service, path: str) -> None:
    """By EMS and by people: what was typed into Web SMS by hand still works."""
    assert shared.post(message(), path=path).confirms
    assert texts(read(shared.port, path), "//dt") == NAMES
    assert get(shared.port, f"{path}?wsdl").headers["content-type"] == "text/xml; charset=utf-8"


def test_each_face_has_the_pages_and_no_token_is_shown(shared: Service) -> None:
    """The address of XML push may hold a secret: the page is the same for a right one and a wrong one, without it."""
    for path in (f"{PATH}.aspx", "/push", "/push/a-secret-token", "/push/a-secret-token/inbound"):
        for target in (path, f"{path}?op=MessageEvent"):
            answer = get(shared.port, target)
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert b"a-secret-token" not in answer.body
        assert texts(read(shared.port, path), "//pre") == [f"http://127.0.0.1:80{PATH}"]


@pytest.mark.parametrize("target", [PATH, f"{PATH}.asmx/", "/", "*"])
def test_options_is_answered_with_what_is_allowed(shared: Service, target: str) -> None:
    """A probe takes 200 for life; HAProxy's asks OPTIONS of the root."""
    answer = get(shared.port, target, method="OPTIONS")
    assert (answer.status, answer.body) == (200, b"")
    assert {"GET", "HEAD", "OPTIONS"} <= set(answer.headers["allow"].split(", "))


def test_a_probe_without_a_host_is_answered(shared: Service) -> None:
    """Load balancers speak HTTP/1.0 without headers."""
    for target in ("/", PATH, f"{PATH}?wsdl"):
        assert ask(shared.port, f"GET {target} HTTP/1.0\r\n\r\n".encode()).status == 200


def test_a_prefix_stands_before_every_address(tmp_path: Path) -> None:
    """With it and without it, since a proxy may have removed it; what is shown has it."""
    with serving(settings_for(tmp_path, server=ServerSettings(port=0, path_prefix="/Services/"))) as service:
        for path in (f"/Services{PATH}.asmx", f"/services/{PATH}.ASMX/", f"{PATH}.asmx"):
            assert service.post(message(), path=path).confirms
            assert texts(read(service.port, path), "//pre") == [f"http://127.0.0.1:80/Services{PATH}.asmx"]
            assert (
                f'location="http://127.0.0.1:80/Services{PATH}.asmx"' in get(service.port, f"{path}?wsdl").body.decode()
            )
        assert texts(read(service.port, "/Services/"), "//a/@href") == ["AccountEventHandler.asmx"]
        assert texts(read(service.port, "/Services"), "//a/@href") == ["Services/AccountEventHandler.asmx"]
        assert service.post(message(), path=f"/Other{PATH}").status == 404


@pytest.mark.parametrize("public", ["https://sms.example.com", "https://sms.example.com/services"])
def test_the_public_address_has_the_prefix_once(tmp_path: Path, public: str) -> None:
    """Whether or not ``public_url`` says it already."""
    server = ServerSettings(port=0, public_url=public, path_prefix="/Services")
    with serving(settings_for(tmp_path, server=server)) as service:
        (address,) = texts(read(service.port, PATH), "//pre")
    assert address.lower() == f"https://sms.example.com/services{PATH}".lower()


def test_help_pages_can_be_switched_off(tmp_path: Path) -> None:
    """The descriptions for programs stay, and so does OPTIONS for probes."""
    with serving(settings_for(tmp_path, server=ServerSettings(port=0, help_pages=False))) as service:
        for target in PAGES:
            assert get(service.port, target).status == 404
        assert send_form(service.port, {}).status == 404
        for document in ("wsdl", "singleWsdl", "wsdl12", "xsd", "disco"):
            assert get(service.port, f"{PATH}?{document}").status == 200
        assert get(service.port, "/", method="OPTIONS").status == 200
        assert service.post(message()).confirms


def test_single_wsdl_is_the_wsdl(shared: Service) -> None:
    """It imports nothing."""
    assert get(shared.port, f"{PATH}?singleWsdl").body == get(shared.port, f"{PATH}?wsdl").body


def test_the_schema_stands_alone(shared: Service) -> None:
    """A validator takes it, and it takes a call."""
    schema = etree.XMLSchema(etree.fromstring(get(shared.port, f"{PATH}.asmx?xsd").body))
    (body,) = etree.fromstring(message()).iter("{http://schemas.xmlsoap.org/soap/envelope/}Body")
    assert schema.validate(body[0])


def test_the_discovery_document_leads_to_the_wsdl(shared: Service) -> None:
    """It is what wsdl.exe looks for; the page names it in its head."""
    root = etree.fromstring(get(shared.port, f"{PATH}.asmx?disco", host="sms.example.com").body)
    assert root.tag == "{http://schemas.xmlsoap.org/disco/}discovery"
    contract, soap = root
    assert contract.get("ref") == f"http://sms.example.com{PATH}.asmx?wsdl"
    assert contract.get("docRef") == soap.get("address") == f"http://sms.example.com{PATH}.asmx"
    assert texts(read(shared.port, PATH), "//link[@rel='alternate']/@href") == ["?disco"]


PROGRAM = """
import sys
from pathlib import Path
from tests.support.service import serving, settings_for
from tests.support.wire import PATH, ask, message
from tests.web.pages.reading import get

with serving(settings_for(Path(sys.argv[1]))) as service:
    assert service.post(message()).confirms
    assert get(service.port, f"{PATH}?wsdl").status == 200
    assert "jinja2" not in sys.modules
    assert get(service.port, PATH).status == 200
    assert "jinja2" in sys.modules
"""


def test_templates_are_loaded_by_the_first_page_and_never_by_a_push(tmp_path: Path) -> None:
    """A service that shows no page pays nothing for them."""
    subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], check=True)
