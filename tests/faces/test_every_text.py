"""No text of a request is lost: it is in a value, in the kept request, or the request is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import pytest
from lxml import etree

from soap_handler.accounts.accounts import Accounts
from soap_handler.faces.base import Request
from soap_handler.faces.form_post.face import FormPost
from soap_handler.faces.soap.endpoint import Endpoint
from soap_handler.faces.xml_push import XmlPush
from soap_handler.fast.assembly import FastSeams
from soap_handler.fast.usual_elements import UsualElements
from soap_handler.fast.usual_pushes import UsualPushes
from soap_handler.notifications import to_json
from soap_handler.receive.receiver import Receiver
from tests.faces.xml_push.xml_service import ACCOUNT as XML_ACCOUNT
from tests.faces.xml_push.xml_service import FIELDS as XML_FIELDS
from tests.faces.xml_push.xml_service import TOKEN
from tests.faces.xml_push.xml_service import element as xml_element
from tests.support.forms import FORM_TYPE, FORMS, values
from tests.support.service import ACCOUNTS
from tests.support.wire import DEFAULTS, PASSWORD, REFERENCE, USERNAME, elements, envelope, header, operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lxml.etree import _Element as Element

    from soap_handler.faces.base import Exchange, Face

MARK: Final = "mark-5d1c"
LOGIN: Final = {"username": USERNAME, "password": PASSWORD, "account": REFERENCE}
REASON: Final = "<code>27</code><description>Off</description><permanentfailure>true</permanentfailure>"
SOAP: Final = {
    **{kind: dict(texts) for kind, texts in DEFAULTS.items()},
    "SubscriptionEvent": {**DEFAULTS["SubscriptionEvent"], "contactID": "c7"},
}


def _renamed(leaf: Element) -> None:
    leaf.tag = f"{leaf.tag}X"


def _in_other_case(leaf: Element) -> None:
    namespace, brace, name = str(leaf.tag).rpartition("}")
    leaf.tag = namespace + brace + name.swapcase()


def _in_another_namespace(leaf: Element) -> None:
    leaf.tag = f"{{urn:x}}{etree.QName(leaf).localname}"


def _one_level_deeper(leaf: Element) -> None:
    wrapper = etree.Element("value")
    leaf.addprevious(wrapper)
    wrapper.append(leaf)


def _below_itself(leaf: Element) -> None:
    etree.SubElement(leaf, "string").text, leaf.text = leaf.text, None


def _as_its_attribute(leaf: Element) -> None:
    leaf.set("value", leaf.text or "")
    leaf.text = None


def _as_an_attribute_above(leaf: Element) -> None:
    parent = _parent(leaf)
    parent.set(etree.QName(leaf).localname, leaf.text or "")
    parent.remove(leaf)


def _as_a_loose_text(leaf: Element) -> None:
    parent, text = _parent(leaf), leaf.text
    parent.remove(leaf)
    parent.text = text


def _as_a_loose_tail(leaf: Element) -> None:
    leaf.tail, leaf.text = leaf.text, None


def _behind_another_one(leaf: Element) -> None:
    before = etree.Element(leaf.tag)
    before.text = "another"
    leaf.addprevious(before)


def _one_level_up(leaf: Element) -> None:
    parent = _parent(leaf)
    above = parent.getparent()
    (parent if above is None else above).append(leaf)


def _outermost(leaf: Element) -> None:
    leaf.getroottree().getroot().append(leaf)


def _without_any_known_name(leaf: Element) -> None:
    for each in _parent(leaf):
        each.tag = f"{each.tag}X"


def _all_as_attributes(leaf: Element) -> None:
    parent = _parent(leaf)
    for each in list(parent):
        parent.set(etree.QName(each).localname, each.text or "")
        parent.remove(each)


CHANGES: Final[dict[str, Callable[[Element], None]]] = {
    name.strip("_").replace("_", " "): change
    for name, change in list(globals().items())
    if name.startswith("_") and getattr(change, "__annotations__", {}).get("leaf") == "Element" and name != "_parent"
}


def _parent(leaf: Element) -> Element:
    parent = leaf.getparent()
    assert parent is not None
    return parent


def soap_samples() -> Iterator[tuple[str, bytes]]:
    """Yield each request of the versions with and without headers."""
    for kind, texts in SOAP.items():
        reason = f"<failurereason>{REASON}</failurereason>" if kind == "MessageError" else ""
        yield f"{kind}", envelope(operation(kind, elements(texts) + reason))
        yield f"{kind} without headers", envelope(operation(kind, elements(LOGIN | texts) + reason), head="")


def leaves(body: bytes) -> list[str]:
    """Return the paths of the elements of the operation, or of an element of XML push, that hold a text."""
    tree = etree.ElementTree(etree.fromstring(body))
    found = [each for each in tree.iter("*") if not len(each) and "Header" not in tree.getpath(each)]
    names = {name.lower() for name in LOGIN} | {"accountid", "accountreference"}
    return [tree.getelementpath(each) for each in found if etree.QName(each).localname.lower() not in names]


XML_SAMPLES: Final = [(f"XML push {name}", xml_element(name)) for name in XML_FIELDS]
PLACES: Final = [(body, path) for _, body in (*soap_samples(), *XML_SAMPLES) for path in leaves(body)]
"""Every text of every request: where it stands."""

SOAP_RECEIVER: Final = Receiver(Accounts(ACCOUNTS))
XML_RECEIVER: Final = Receiver(Accounts([XML_ACCOUNT]))
SOAP_FACE: Final = Endpoint(SOAP_RECEIVER, read_many=UsualPushes(SOAP_RECEIVER))
XML_FACE: Final = XmlPush(XML_RECEIVER, read_many=UsualElements(XML_RECEIVER))
FORM_FACE: Final = FormPost(SOAP_RECEIVER, FastSeams().read_many(FormPost, SOAP_RECEIVER))


def prepared(face: Face, body: bytes, content_type: str, path: str = "") -> Exchange:
    """Prepare a request in the general way; the quick way says the same, or nothing."""
    request = Request(body, "127.0.0.1", content_type, path)
    exchange = face.prepare(request)
    assert face.read_many is not None
    (quick,) = face.read_many([request])
    if quick is not None:
        assert quick.entry is not None
        assert exchange.entry is not None
        assert quick.entry.notification == exchange.entry.notification
    return exchange


def assert_not_lost(exchange: Exchange, mark: str = MARK) -> None:
    """Check that a text is in a value or in the kept request, or that the request is refused."""
    if exchange.entry is None:
        assert not exchange.answer.status.startswith("200")
        return
    kept = (exchange.entry.envelope or b"").decode()
    assert mark in to_json(exchange.entry.notification) or mark in kept
    assert bool(exchange.entry.notification.repaired) == bool(kept)


def changed(body: bytes, path: str, change: Callable[[Element], None] | None = None) -> Exchange:
    """Prepare a request in which the text of one place is another one, and is changed so."""
    root = etree.fromstring(body)
    leaf = root.find(path)
    assert leaf is not None
    leaf.text = MARK
    if change is not None:
        change(leaf)
    face = SOAP_FACE if root.tag.endswith("Envelope") else XML_FACE
    return prepared(face, etree.tostring(root), "text/xml; charset=utf-8", f"/push/{TOKEN}")


@pytest.mark.parametrize("change", CHANGES)
def test_a_text_in_any_place_of_xml_is_not_lost(change: str) -> None:
    """Each value of each request, under another name, in another place or in another form."""
    for body, path in PLACES:
        assert_not_lost(changed(body, path, CHANGES[change]))


def test_a_text_in_its_own_place_is_a_value() -> None:
    """The samples themselves are taken, and their texts become values."""
    assert len(PLACES) > 60
    for body, path in PLACES:
        exchange = changed(body, path)
        assert exchange.entry is not None
        assert MARK in to_json(exchange.entry.notification)


@pytest.mark.parametrize("name", ["Username", "Password", "Account"])
def test_the_letter_case_of_a_name_in_the_header_does_not_count(name: str) -> None:
    """Of the block and of what is in it; no value is lost by it, and nothing is repaired."""
    for spelt in (name.lower(), name.upper()):
        head = header().replace(f"{name}>", f"{spelt}>").replace("MessengerHeader", "messengerheader")
        exchange = prepared(SOAP_FACE, envelope(head=head), "text/xml")
        assert exchange.entry is not None
        assert exchange.entry.notification.repaired == ()


def test_a_block_in_another_letter_case_is_understood() -> None:
    """It is ours, so mustUnderstand is no reason to refuse it."""
    head = header(attributes='soap:mustUnderstand="1"').replace("MessengerHeader", "messengerHeader")
    assert prepared(SOAP_FACE, envelope(head=head), "text/xml").entry is not None


FORM_CHANGES: Final[dict[str, Callable[[str, str], str]]] = {
    "in its own place": lambda name, text: urlencode({name: text}),
    "renamed": lambda name, text: urlencode({f"{name}X": text}),
    "in other case": lambda name, text: urlencode({name.swapcase(): text}),
    "without a name": lambda _, text: urlencode({"": text}),
    "without a sign": lambda _, text: text,
    "in the place of its name": lambda name, text: f"{text}={name}",
    "behind another one": lambda name, text: f"{name}=another&{urlencode({name: text})}",
    "behind a bare ampersand": lambda name, text: f"{name}=Fish+& {text}",
    "beside an empty one": lambda name, text: f"{name}=&x={text}",
}


@pytest.mark.parametrize("change", FORM_CHANGES)
def test_a_text_in_any_place_of_a_form_is_not_lost(change: str) -> None:
    """Each field of each form, under another name, or torn by a character that was left unescaped."""
    for kind, name in ((kind, name) for kind, texts in FORMS.items() for name in texts):
        rest = {other: text for other, text in values(kind).items() if other != name}
        body = f"{urlencode(rest)}&{FORM_CHANGES[change](name, MARK)}".encode()
        assert_not_lost(prepared(FORM_FACE, body, FORM_TYPE))


@pytest.mark.parametrize("kind", FORMS)
def test_a_form_without_any_of_its_fields_is_refused(kind: str) -> None:
    """Nothing of it is recognised, so it is not confirmed."""
    unknown = {f"{name}X": text for name, text in FORMS[kind].items()}
    exchange = prepared(FORM_FACE, urlencode({**LOGIN, "notificationType": kind, **unknown}).encode(), FORM_TYPE)
    assert exchange.entry is None
    assert exchange.answer.status.startswith("400")
