"""SOAP requests from the usual to the odd, for what must hold for all of them (Hypothesis)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from hypothesis import strategies as st

from soap_handler.contract import NAMESPACE
from tests.support.wire import DEFAULTS, envelope, header

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

DECLARATIONS: Final = (
    "",
    "<?xml version='1.0' encoding='utf-8'?>",
    '<?xml version="1.0" encoding="utf-8"?>\n',
    '<?xml version="1.0" encoding="iso-8859-1"?>',
)
TEXTS: Final = st.text(max_size=40) | st.sampled_from(["0001-01-01T00:00:00", "2008-06-12T10:15:30.1234567+01:00", "-"])


@st.composite
def values(draw: DrawFn, kind: str) -> str:
    """Parameters: most of them usual, some odd, left out, repeated, out of order, marked up or in another namespace."""
    parts = []
    for name, usual in DEFAULTS[kind].items():
        text = escape(draw(st.just(usual) | TEXTS)).encode("utf-8", "replace").decode()
        usual_form = f"<{name}>{text}</{name}>"
        odd_forms = [
            "",
            usual_form * 2,
            f"<{name}/>",
            f"<{name} xmlns=''>{text}</{name}>",
            f"<{name} a='1'>{text}</{name}>",
            f"<{name}><b>{text}</b></{name}>",
            f"<{name}>{text}<!-- c -->{text}<?p i?></{name}>",
            f"<{name}><![CDATA[x]]>{text}</{name}>",
            f"between{usual_form}",
            f"{usual_form}<unknown/>",
            f"<{name}>&#x1B;{text}</{name}>",
            f"<{name} href='#1'/>",
        ]
        parts.append(draw(st.just(usual_form) | st.just(usual_form) | st.sampled_from(odd_forms)))
    return "".join(draw(st.just(parts) | st.permutations(parts)))


@st.composite
def requests(draw: DrawFn) -> bytes:
    """Envelopes from the usual to the odd."""
    kind = draw(st.sampled_from(sorted(DEFAULTS)))
    attributes = draw(st.sampled_from(["", "", f' xmlns="{NAMESPACE}"', ' b="1"', ' xmlns=""']))
    inner = draw(values(kind))
    operation = f'<{kind} xmlns="{NAMESPACE}"{attributes}>{inner}</{kind}>'
    if "xmlns" in attributes:
        operation = f"<{kind}{attributes}>{inner}</{kind}>"
    body = draw(st.sampled_from([operation, operation, f"\n {operation} \n", operation * 2, f"text{operation}"]))
    heads = [
        header(),
        header(attributes=' soap:mustUnderstand="1"'),
        header(attributes=' soap:actor="urn:x"'),
        header(attributes=' x="y"'),
        header() + "<other/>",
        header() * 2,
        header(password="wrong"),
        "",
    ]
    head = draw(st.just(heads[0]) | st.sampled_from(heads))
    return draw(st.sampled_from(DECLARATIONS)).encode() + envelope(body, head).partition(b"?>")[2].lstrip()
