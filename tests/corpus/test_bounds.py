"""Hostile bodies cost little time, and leave nothing behind."""

from __future__ import annotations

import encodings
import gc
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from soap_handler.faces.base import Request
from soap_handler.notifications import Kind
from tests.corpus.cases import CASES
from tests.corpus.messages import PASSWORD, message
from tests.support.naming import naming

if TYPE_CHECKING:
    from tests.corpus.soap_service import SoapService

SIZE: Final = 125_000
CPU_SECONDS: Final = 1.5  # the slowest takes a third of it; what is quadratic takes half a minute

REPEATED: Final = (
    b"&#1;", b"\x01", b"\0", b"&", b"&&#1;", b"&#", b"&#x", b"&#0", b"&a", b"&eacute;", b"&#xD83D;&#xDE00;",
    b"&#xD83D;",
    b"<", b"< ", b"<!", b"<?", b"<a", b"<a ", b"<a>", b"<a/>", b"</a>", b"<a:b ", b"<a:b c:d='", b"<a:b/>",
    b"]]>", b"]",
    b"</", b"</3", b"<?x ", b"<!-- <?x ", b"<u:a/>", b"<u:a xmlns:v=''/>",
    b"<![CDATA[", b"<![CDATA[&#1;]]>", b"<!--", b"<!---->", b"<!-- \x01 -->", b"<?a?>", b"<?xml ", b"<!DOCTYPE ",
    b"\xff", b"\xc3", b"\xe9\xc3\xa9", b"\xed\xa0\xbd\xed\xb8\x80", b"\xed\xa0\xbd", b"\xc0\x80", b"\xef\xbb\xbf",
    b"\xf4\x8f\xbf\xbd", b"\xf4\x8f\xbf\xbd\x01",
    b"<Password>", b"<Password", b"</Password>", b"<Password/>", b"<Password>x</Password>\x01", b"password ",
    b"<body href='#a'/>", b"<x id='a' href='#a'/>", b"<id/>", b"<failurereason/>", b" ", b"\n\x01",
    b"A\x01= ", b"***\x01",
)  # fmt: skip


@pytest.mark.parametrize("piece", REPEATED, ids=repr)
@pytest.mark.parametrize("where", ["in a value", "after the operation"])
def test_a_large_body_of_anything_takes_little_time(soap: SoapService, piece: bytes, where: str) -> None:
    """No step is quadratic: an eighth of a megabyte of the worst is answered at once, by SOAP."""
    told = message(Kind.MESSAGE_RECEIVED, repr(piece))
    size = SIZE if where == "in a value" else SIZE // 5
    many = piece * (size // len(piece))
    told = told.with_content("body", many) if where == "in a value" else replace(told, after=many)
    began = time.thread_time()
    answer = soap.endpoint.prepare(Request(told.bytes_(), "127.0.0.1", told.content_type)).answer
    assert time.thread_time() - began < CPU_SECONDS
    assert b"Response" in answer.body or b"<faultcode>soap:Client</faultcode>" in answer.body


MARKS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", b"\0\0\xfe\xff", b"\n\xef\xbb\xbf")


@pytest.mark.parametrize("mark", MARKS, ids=repr)
def test_a_large_body_of_byte_order_marks_takes_little_time(soap: SoapService, mark: bytes) -> None:
    """Before the document, or in place of it: no copy of the rest for each of them."""
    for rest in (b"", message(Kind.MESSAGE_RECEIVED, repr(mark)).bytes_()):
        body = mark * (8 * SIZE // len(mark)) + rest
        began = time.thread_time()
        soap.endpoint.prepare(Request(body, "127.0.0.1", "text/xml"))
        assert time.thread_time() - began < CPU_SECONDS


def test_a_large_value_that_many_refer_to_is_taken_once(soap: SoapService) -> None:
    """References do not multiply what they refer to."""
    told = message(Kind.MESSAGE_RECEIVED, "many references")
    parts = told.parts | {f"x{number}": b'<body href="#big"/>' for number in range(200)}
    told = replace(told, parts=parts, after=b'<r id="big">%s</r>' % (b"x" * 100_000))
    began = time.thread_time()
    assert soap.endpoint.prepare(Request(told.bytes_(), "127.0.0.1")).entry is not None
    assert time.thread_time() - began < CPU_SECONDS


def _resident() -> int:
    """Return how much memory this process has, in bytes."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="there is no /proc here")
def test_nothing_grows(soap: SoapService) -> None:
    """After thousands of hostile requests there are no more threads, files, codecs or memory than before."""

    def attack(round_: int) -> None:
        for number, case in enumerate(CASES):
            soap.endpoint.prepare(Request(case.body, "127.0.0.1", f"text/xml; charset=klingon-{round_}-{number}"))

    attack(0)
    gc.collect()
    threads, files, memory = threading.active_count(), _open_files(), _resident()
    for round_ in range(1, 3):
        attack(round_)
    gc.collect()
    assert (threading.active_count(), _open_files()) == (threads, files)
    assert [name for name in encodings._cache if "klingon" in name] == []
    assert _resident() - memory < 8 * 1024 * 1024


def test_the_password_is_in_nothing_that_is_kept(soap: SoapService) -> None:
    """Neither the answer nor the envelope that is kept holds it, in any of the encodings."""
    for case in [case for case in CASES if case.stored is not None][::5]:
        with naming(case.id):
            exchange = soap.prepare(case.body, case.content_type, case.content_encoding)
            assert exchange.entry is not None
            kept = (exchange.entry.envelope or b"") + exchange.answer.body
            for codec in ("utf-8", "utf-16-le", "utf-16-be"):
                assert PASSWORD.encode(codec) not in kept
