"""The samples on the pages: sent as they are shown, each is taken and answered as is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lxml import etree

from soap_handler.contract import OPERATIONS
from soap_handler.web.pages.example_values import values_in
from soap_handler.web.pages.styles import STYLES
from tests.support.service import ACCOUNTS, Service, serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import PATH, ask
from tests.web.pages.reading import read, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soap_handler.contract import Operation
    from soap_handler.web.pages.styles import Style
    from tests.support.fast_path import FastPath

ACCOUNT_ID = "a2b3c4d5-9999-4888-8777-666655554444"


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory, fast_path: FastPath) -> Iterator[Service]:  # noqa: ARG001 - it comes first
    """Run a service for which the credentials of the samples are right, those of XML push too."""
    account = ACCOUNTS[0].model_copy(update={"aliases": (ACCOUNT_ID,)})
    settings = settings_for(tmp_path_factory.mktemp("sampled")).model_copy(update={"account": (account,)})
    with serving(settings) as running:
        yield running


def on_the_wire(head: str, body: str) -> bytes:
    """Return a sample as it goes over the wire."""
    return "\r\n".join([*head.split("\n"), "", ""]).encode() + body.encode()


def canonical(document: str | bytes) -> str:
    parser = etree.XMLParser(remove_blank_text=True)
    root = etree.fromstring(document.encode() if isinstance(document, str) else document, parser)
    return str(etree.canonicalize(etree.tostring(root, encoding="unicode")))


@pytest.mark.parametrize("name", [kind.value for kind in OPERATIONS])
def test_every_sample_is_taken_and_answered_as_shown(sampled: Service, name: str) -> None:
    """Copied from the page, head and body. Each version gives the handler the same kind."""
    page = read(sampled.port, f"{PATH}.asmx?op={name}")
    sections = page.xpath("//section[@aria-labelledby != 'test']")
    assert isinstance(sections, list)
    assert len(sections) >= 2
    for section in sections:
        assert isinstance(section, etree._Element)
        head, body, answer_head, answer_body = texts(section, ".//pre")
        answer = ask(sampled.port, on_the_wire(head, body))
        shown = dict(line.split(": ", 1) for line in answer_head.split("\n")[1:])
        assert (answer.status, answer.headers["content-type"]) == (200, shown["Content-Type"]), (
            section.get("id"),
            answer,
        )
        if "xml" in shown["Content-Type"]:
            assert canonical(answer.body) == canonical(answer_body)
        else:
            assert answer.body.decode().strip() == answer_body.strip()
    wait_for(lambda: name in {each.kind.value for each in sampled.handled})


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation.kind.value)
def test_a_sample_has_every_parameter_of_its_version(style: Style, operation: Operation) -> None:
    """It is made from the contract's table, so a new row appears by itself."""
    body = style.request(operation, values_in(style.version)).body
    for parameter in operation.parameters:
        name = parameter.spellings.get(style.version)
        assert name is None or f"{name.split('/')[0]}" in body


def test_times_are_written_as_each_version_has_them() -> None:
    """Contract, section 3."""
    operation = next(iter(OPERATIONS.values()))
    bodies = {style.name: style.request(operation, values_in(style.version)).body for style in STYLES}
    assert "<sentat>2026-03-02T10:15:30Z</sentat>" in bodies["soap11"]
    assert "sentAt=2026-03-02+10%3A15%3A30Z" in bodies["form"]


@pytest.mark.parametrize("style", [style for style in STYLES if style.is_xml], ids=lambda style: style.name)
def test_characters_that_xml_cannot_hold_become_references(style: Style) -> None:
    """As .NET writes them; what XML only treats as markup is escaped."""
    operation = next(iter(OPERATIONS.values()))
    body = style.request(operation, {**values_in(style.version), "body": "a\x1b<&>\r\nb"}).body
    assert "a&#x1B;&lt;&amp;&gt;&#xD;\nb" in body
