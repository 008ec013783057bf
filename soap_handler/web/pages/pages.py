"""The pages: which there are, and what each of them says. Where ASP.NET had a page, there is one."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from soap_handler.contract import NAMESPACE, OPERATIONS, Version, wsdl_path
from soap_handler.faces.base import PATH, Answer
from soap_handler.web.pages import rendering, test_form
from soap_handler.web.pages.example_values import flat, values_in
from soap_handler.web.pages.styles import STYLES
from soap_handler.web.pages.test_form import MASK, TEST_PATH
from soap_handler.web.pages.visit import READS
from soap_handler.xml.parser import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from soap_handler.contract import Operation
    from soap_handler.web.pages.styles import Message, Style
    from soap_handler.web.pages.visit import Visit

    TestForm = Literal["local", "everywhere", "off"]

ROOT: Final = ""
"""The path of the page that says what this server is."""

_WSDL: Final = "{http://schemas.xmlsoap.org/wsdl/}"
_NO_FORM: Final = "The test form is not shown here. The setting server.test_form says who is shown it."


class Sample(NamedTuple):
    """One version of the API on the page of an operation."""

    style: Style
    request: Message
    head: str
    """First line and headers of the request."""
    answer: Message


class Row(NamedTuple):
    """A parameter in the table of an operation."""

    names: tuple[str, ...]
    """In each of the versions that the table shows; empty where one has it not."""
    example: str
    values: Sequence[str]


class Pages:
    """The pages of a service. Thread-safe. Jinja2 is loaded by the first of them."""

    paths = (ROOT, TEST_PATH)
    """The paths that are its own; the other pages are where a face is."""

    def __init__(self, served: Sequence[str], form: TestForm = "local") -> None:
        """Show the versions of the API whose path is in ``served``, the paths of all faces."""
        self._styles = tuple(style for style in STYLES if style.path in served)
        self._form = form

    def answer(self, visit: Visit) -> Answer | None:
        """Return the page for a visit; ``None`` where there is none."""
        if visit.path == TEST_PATH:
            return self._send_test(visit) if visit.method == "POST" else None
        if visit.method not in READS:
            return None
        if visit.path == ROOT:
            return rendering.page("root", link=visit.link_to(f"{PATH}.asmx"), styles=self._styles)
        wanted = visit.query.get("op")
        if wanted is None:
            return self._list(visit)
        operation = next((each for each in OPERATIONS.values() if each.kind.value.lower() == wanted.lower()), None)
        return self._list(visit, wanted) if operation is None else self._operation(visit, operation)

    def _list(self, visit: Visit, unknown: str | None = None) -> Answer:
        return rendering.page(
            "operations",
            "200 OK" if unknown is None else "404 Not Found",
            unknown=unknown,
            address=visit.base + _soap_path(visit),
            purposes=_purposes(),
            styles=[(style, visit.base + _path(style, visit)) for style in self._styles],
            namespace=NAMESPACE,
        )

    def _operation(self, visit: Visit, operation: Operation) -> Answer:
        allowed = self._allows_form(visit)
        return rendering.page(
            "operation",
            name=operation.kind.value,
            purpose=_purposes()[operation.kind.value],
            samples=[_sample(style, operation, visit) for style in self._styles],
            columns=_columns(self._styles),
            rows=list(_rows(operation, self._styles)),
            form=self._form,
            fields=list(test_form.fields(operation)) if allowed else None,
            action=visit.link_to(TEST_PATH),
        )

    def _allows_form(self, visit: Visit) -> bool:
        return self._form == "everywhere" or (self._form == "local" and test_form.is_local(visit.environ))

    def _send_test(self, visit: Visit) -> Answer:
        """Send what was filled in to this very service, and show what it answers."""
        if not self._allows_form(visit) or test_form.is_cross_site(visit.environ):
            return rendering.page("refused", "403 Forbidden", text=_NO_FORM)
        form = test_form.read_form(visit.environ)
        choice = None if form is None else test_form.chosen(form, self._styles)
        if form is None or choice is None:
            return rendering.page("refused", "400 Bad Request", text="This is not the test form of an operation.")
        operation, style = choice
        values = test_form.values_of(form, operation)
        path = _path(style, visit)
        answer = visit.send(test_form.environ_of(style.request(operation, values), path, visit.environ))
        shown = style.request(operation, {**values, "password": MASK})
        return rendering.page(
            "answer",
            name=operation.kind.value,
            taken=answer.status.startswith("200"),
            style=style,
            head=shown.request_head(visit.base + path),
            request=shown,
            answer=answer,
            body=answer.body.decode("utf-8", "replace"),
            back=f"{visit.link_to(PATH)}?op={operation.kind.value}",
        )


def _soap_path(visit: Visit) -> str:
    """Return the path at which SOAP is spoken: the one that was asked for, if it is that."""
    return visit.path if visit.path.removesuffix(".asmx") == PATH else PATH


def _path(style: Style, visit: Visit) -> str:
    return _soap_path(visit) if style.path == PATH else style.path


def _sample(style: Style, operation: Operation, visit: Visit) -> Sample:
    request = style.request(operation, values_in(style.version))
    return Sample(style, request, request.request_head(visit.base + _path(style, visit)), style.answer(operation))


def _columns(styles: Sequence[Style]) -> Mapping[Version, str]:
    """Return the versions that have parameter names of their own, with the heading of each in the table."""
    own: dict[Version, str] = {
        style.version: style.title for style in styles if style.version is not Version.SOAP_NO_HEADERS
    }
    return {**own, Version.SOAP: "SOAP"}


def _rows(operation: Operation, styles: Sequence[Style]) -> Iterator[Row]:
    options = {field.name: field.options for field in test_form.fields(operation)}
    for parameter in flat(operation):
        names = tuple(parameter.spellings.get(version, "") for version in _columns(styles))
        yield Row(names, values_in(Version.SOAP)[parameter.attribute], options[parameter.attribute])


@cache
def _purposes() -> Mapping[str, str]:
    """Return what each operation is for, in the words of the WSDL."""
    port_type = parse(wsdl_path("AccountEventHandler").read_bytes()).iter(f"{_WSDL}portType")
    return {
        str(operation.get("name")): " ".join((operation.findtext(f"{_WSDL}documentation") or "").split())
        for operation in next(port_type).iter(f"{_WSDL}operation")
    }
