"""What the fuzzer starts from and cuts into: the table of the reading tests, and pieces that matter to the readers."""

from __future__ import annotations

from typing import Final

from soap_handler.contract import NAMESPACE, SOAP_11, SOAP_12
from soap_handler.notifications import Kind
from tests.corpus.cases import CASES
from tests.corpus.messages import PASSWORD, REFERENCE, message
from tests.faces.xml_push.xml_service import FIELDS, element
from tests.support.forms import FORMS, form

_SOAP: Final = tuple(message(kind, "good").bytes_() for kind in Kind)
_SOAP_12: Final = tuple(each.replace(SOAP_11.encode(), SOAP_12.encode()) for each in _SOAP)
ELEMENTS: Final = tuple(element(name, AccountId=REFERENCE) for name in FIELDS)
"""A good request of XML push of each kind; it needs a login in its head."""
GOOD: Final = (*_SOAP, *_SOAP_12, *ELEMENTS, *(form(name, password=PASSWORD) for name in FORMS))
CORPUS: Final = (*GOOD, *(case.body for case in CASES if len(case.body) < 3000))
CONTENT_TYPES: Final = tuple(dict.fromkeys((*(case.content_type for case in CASES), "application/xml")))

TOKENS: Final = (
    *(b"<", b">", b"/>", b"&", b";", b'"', b"'", b"=", b":", b"\0", b"\x01", b"\x1b", b"\xff", b"\xc3", b"\xed\xa0"),
    *(b"&#0;", b"&#x1B;", b"&#xD83D;&#xDE00;", b"&#xDE00;", b"&eacute;", b"&e;", b"&amp;#1;", b"&#x10FFFD;"),
    *(b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?", b"?>", b"<!DOCTYPE a>", b'<!DOCTYPE a [<!ENTITY e "x">]>'),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b'<?xml version="1.0" encoding="utf-16"?>',),
    *(b'encoding="iso-8859-1"', b'encoding="shift_jis"'),
    *(b"<soap:Body>", b"</soap:Body>", b"<soap:Header>", b"</soap:Envelope>",),
    *(b"<multiRef id='a'>", b"</multiRef>"),
    *(b" href='#a'", b" id='a'", b' xsi:nil="true"', b' xsi:type="xsd:base64Binary"', b' xmlns=""', b" xmlns:a='b'"),
    *(b"<Password>", b"</Password>", b"<password>", b"<Password/>", PASSWORD.encode(), b"***", b"Pass<!-- -->word"),
    *(b"<item><key>code</key><value>1</value></item>", b"<body>", b"</body>", b"<id/>", b"<MessageEvent/>"),
    *(b"<MessageId>", b"</MessageId>", b"<From><PhoneNumber>", b"<FailureReason>", b"</InboundMessage>", b"<OptOut>"),
    *(SOAP_12.encode(), b"\r\n--=_b (1)\r\n", b"\r\n--=_b (1)--", b"Content-Transfer-Encoding: base64\r\n"),
    *(NAMESPACE.encode(), SOAP_11.encode(), b' soap:mustUnderstand="1"', b' soap:encodingStyle=""', b"\r\n", b" " * 50),
)  # fmt: skip
