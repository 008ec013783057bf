"""From texts to values: times, numbers, booleans, enumerations, ids. No XML and no socket here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soap_handler.notifications import (
    ErrorType,
    EventCode,
    EventType,
    FailureReason,
    Kind,
    MessageError,
    MessageReceived,
    MessageType,
    OpenEnum,
    from_dict,
    stored_values,
)
from soap_handler.receive.odd_times import UnreadableError
from soap_handler.receive.receiver import read_boolean, read_notification, read_number, read_time

LONDON = ZoneInfo("Europe/London")
MINUTE = timedelta(minutes=1)

OFFSETS = st.integers(-14 * 60, 14 * 60)
INSTANTS = st.datetimes(datetime(2, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001 - an offset is put to them
ZONES = st.sampled_from(["Europe/London", "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati", "UTC"])


def dotnet(local: datetime, offset: str, seventh: int | None = None) -> str:
    """Write a time as .NET does."""
    digits = f"{local.microsecond:06}" + ("" if seventh is None else str(seventh))
    return f"{local:%m-%dT%H:%M:%S}".join([f"{local.year:04}-", f".{digits}{offset}"])


def written(minutes: int) -> str:
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


@given(INSTANTS, OFFSETS, st.none() | st.integers(0, 9))
def test_a_time_with_any_offset_is_the_same_instant(local: datetime, minutes: int, seventh: int | None) -> None:
    """Whatever the offset, half hours and negative ones too; a seventh digit is cut off, and that is noted."""
    instant, exact = read_time(dotnet(local, written(minutes), seventh), LONDON)
    assert instant == local.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert instant is not None
    assert instant.tzinfo is UTC
    assert exact == (not seventh)


@given(INSTANTS, ZONES)
def test_a_time_without_an_offset_is_in_the_given_zone(local: datetime, zone: str) -> None:
    """Which is a guess, so the time is not exact."""
    instant, exact = read_time(dotnet(local, ""), ZoneInfo(zone))
    assert instant == local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert not exact


@given(st.datetimes(datetime(2, 1, 2), timezones=st.just(UTC)))  # noqa: DTZ001 - the zone is the next argument
def test_what_the_journal_stores_reads_back(instant: datetime) -> None:
    """ISO 8601, as Python writes it, is one of the forms."""
    assert read_time(instant.isoformat(), LONDON) == (instant, True)
    assert read_time(instant.isoformat(sep=" ").replace("+00:00", "Z"), LONDON) == (instant, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2008-06-12T10:15:30Z", datetime(2008, 6, 12, 10, 15, 30, tzinfo=UTC)),
        ("2008-06-12t10:15:30z", datetime(2008, 6, 12, 10, 15, 30, tzinfo=UTC)),
        ("2014-08-02 16:28:42Z", datetime(2014, 8, 2, 16, 28, 42, tzinfo=UTC)),
        ("2008-06-12T10:15:30+0100", datetime(2008, 6, 12, 9, 15, 30, tzinfo=UTC)),
        ("2008-06-12T00:00:00-09:30", datetime(2008, 6, 12, 9, 30, tzinfo=UTC)),
        ("2008-06-12T24:00:00Z", datetime(2008, 6, 13, tzinfo=UTC)),
        ("2008-12-31T24:00:00.000Z", datetime(2009, 1, 1, tzinfo=UTC)),
        ("2008-06-12T10:15:30.1Z", datetime(2008, 6, 12, 10, 15, 30, 100000, tzinfo=UTC)),
        ("2008-06-12T10:15:30.123456000Z", datetime(2008, 6, 12, 10, 15, 30, 123456, tzinfo=UTC)),
        ("2008-02-29T00:00:00Z", datetime(2008, 2, 29, tzinfo=UTC)),
        ("2008-06-12T10:15:30+01", datetime(2008, 6, 12, 9, 15, 30, tzinfo=UTC)),
        ("2008-06-12T10:15:30-1400", datetime(2008, 6, 13, 0, 15, 30, tzinfo=UTC)),
        ("2008-06-12T10:15:30+14", datetime(2008, 6, 11, 20, 15, 30, tzinfo=UTC)),
        ("2008-06-12T10:15:30,5Z", datetime(2008, 6, 12, 10, 15, 30, 500000, tzinfo=UTC)),
        ("2008-06-12T10:15:30+01:00[Asia/Nowhere]", datetime(2008, 6, 12, 9, 15, 30, tzinfo=UTC)),
        ("2008-06-12 10:15:30 GMT", datetime(2008, 6, 12, 10, 15, 30, tzinfo=UTC)),
        ("0001-01-01T00:00:00", None),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00.0000000+01:00", None),
    ],
)
def test_times_as_they_come(text: str, expected: datetime | None) -> None:
    """The forms of the contract, section 4; year 1 is .NET for "not set"."""
    assert read_time(text, UTC) == (expected, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2008-06-12T09:15Z", datetime(2008, 6, 12, 9, 15, tzinfo=UTC)),
        ("2008-06-12T24:00Z", datetime(2008, 6, 13, tzinfo=UTC)),
        ("2008-06-12T10:15", datetime(2008, 6, 12, 9, 15, tzinfo=UTC)),
        ("2008-06-12T10:15:30[America/New_York]", datetime(2008, 6, 12, 14, 15, 30, tzinfo=UTC)),
        ("2008-06-12T10:15:30,1234567Z", datetime(2008, 6, 12, 10, 15, 30, 123456, tzinfo=UTC)),
    ],
)
def test_times_of_which_a_part_is_not_told(text: str, expected: datetime) -> None:
    """They are read, and their text is kept: no seconds, a zone by its name, more digits than are stored."""
    assert read_time(text, LONDON) == (expected, False)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "now", "2008-06-12", "10:15:30", "2008-06-12T10", "12/06/2008 10:15:30", "20080612T101530Z"),
        *("2008-02-30T00:00:00Z", "2007-02-29T00:00:00Z", "2008-13-01T00:00:00Z", "2008-06-12T25:00:00Z"),
        *("2008-06-12T24:00:01Z", "2008-06-12T24:30:00Z", "2008-06-12T24:00:00.5Z", "2008-06-12T10:60:00Z"),
        *(
            "2008-06-12T10:15:30+14:01",
            "2008-06-12T10:15:30-23:59",
            "2008-06-12T10:15:30+1",
            "2008-06-12T10:15:30[Europe/Nowhere]",
            "2008-06-12T10:15:30[Europe]",
            "2008-06-12T10:15:30[/etc/localtime]",
            "2008-06-12T10:15.5Z",
            "2008-06-12T10:15:30+25:00",
            "2008-06-12T10:15:30+01:60",
            "2008-06-12T10:15:30 BST",
        ),
        *("0000-01-01T00:00:00Z", "-2008-06-12T10:15:30Z", "12008-06-12T10:15:30Z", "9999-12-31T24:00:00Z"),
        *("9999-12-31T23:59:59-14:00", "0001-01-02T00:00:00+24:00", "\u0662\u0660\u0660\u0668-06-12T10:15:30Z"),
        *("2008-06-12T10:15:30.Z", "2008-06-12T10:15:30Z trailing", "2008-06-12T10:15:30Z\n2008-06-12T10:15:30Z"),
    ],
)
def test_what_is_no_time_is_unreadable(text: str) -> None:
    """And nothing else is raised, so that it can be kept as text."""
    with pytest.raises(UnreadableError):
        read_time(text, LONDON)


@given(st.text() | st.from_regex(r"\A\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?\Z"))
def test_any_text_is_a_time_or_unreadable(text: str) -> None:
    """No text makes the reader fail in another way."""
    try:
        instant, _ = read_time(text, LONDON)
    except UnreadableError:
        return
    assert instant is None or instant.tzinfo is UTC


@given(st.integers(-(10**18) + 1, 10**18 - 1))
def test_numbers_read_back(number: int) -> None:
    """With or without a plus sign."""
    assert read_number(str(number)) == number
    assert read_number(f"{number:+}") == number


@pytest.mark.parametrize(
    "text", ["", "1.0", "1e3", "0x1", "one", "1 000", "\u0661", "1_000", "9" * 19, "9" * 5000, "--1"]
)
def test_what_is_no_number_is_unreadable(text: str) -> None:
    """Python would take some of these for numbers; XML Schema does not."""
    with pytest.raises(UnreadableError):
        read_number(text)


@pytest.mark.parametrize("value", [True, False])
def test_booleans_read_back(value: bool) -> None:  # noqa: FBT001 - the value is what the test is about
    """In XML Schema's two spellings and in .NET's."""
    for text in (str(value), str(value).lower(), str(int(value))):
        assert read_boolean(text) is value


@pytest.mark.parametrize("text", ["", "yes", "2", "-1", "truefalse", "\uff11"])
def test_what_is_no_boolean_is_unreadable(text: str) -> None:
    """An unreadable permanentfailure is not false."""
    with pytest.raises(UnreadableError):
        read_boolean(text)


def read(kind: Kind, **fields: Any) -> Any:
    return read_notification(kind, fields, account="EX1", zone=LONDON)


ENUMERATIONS = [
    (Kind.MESSAGE_RECEIVED, "type", MessageType),
    (Kind.MESSAGE_EVENT, "event_type", EventType),
    (Kind.MESSAGE_ERROR, "error_type", ErrorType),
    (Kind.SUBSCRIPTION_EVENT, "event_code", EventCode),
]


@pytest.mark.parametrize(("kind", "attribute", "cls"), ENUMERATIONS)
def test_known_values_of_enumerations_are_the_members(kind: Kind, attribute: str, cls: type[OpenEnum]) -> None:
    """So that customers may compare with ``is``, whatever white space stands around them."""
    for member in cls:
        assert getattr(read(kind, **{attribute: f" {member.value}\n"}), attribute) is member


@given(st.sampled_from(ENUMERATIONS), st.text(min_size=1).filter(lambda text: text.strip() == text))
def test_unknown_values_of_enumerations_are_kept(enumeration: tuple[Kind, str, type[OpenEnum]], text: str) -> None:
    """EMS announces new ones; whatever they are, they pass through."""
    kind, attribute, cls = enumeration
    value = getattr(read(kind, **{attribute: text}), attribute)
    assert isinstance(value, cls)
    assert value == text
    assert value.known == (text in [member.value for member in cls])


ATTRIBUTES = [
    *("id", "originator", "recipient", "body", "type", "sent_at", "received_at", "occurred_at", "event_type"),
    *("error_type", "detail", "mobile_number", "contact_id", "event_code", "unknown"),
]
TEXTS = st.none() | st.text(max_size=40)


@given(
    st.sampled_from(Kind),
    st.dictionaries(
        st.sampled_from(ATTRIBUTES),
        TEXTS,
    ),
    st.none()
    | TEXTS
    | st.dictionaries(st.sampled_from(["code", "description", "permanent_failure", "unknown"]), TEXTS),
)
def test_nothing_is_ever_refused(kind: Kind, fields: dict[str, Any], reason: Any) -> None:
    """Whatever the texts are, there is a notification; it survives being stored, and has a key."""
    told = read(kind, **fields, failure_reason=reason)
    assert told.kind is kind
    assert from_dict(kind, stored_values(told)) == told
    assert told.key.startswith(f"EX1/{kind.value}/")
    for attribute in ("originator", "recipient", "body", "detail", "mobile_number", "contact_id"):
        assert getattr(told, attribute, None) in {fields.get(attribute) or "", None}


def test_what_is_given_up_is_kept_and_noted() -> None:
    """The provider's text of each value that could not be read, by the attribute's name; what is missing too."""
    told = read(
        Kind.MESSAGE_ERROR,
        id=" A-1 ",
        error_type="Failed",
        occurred_at="soon",
        failure_reason={"code": "x", "description": "y", "permanent_failure": None},
    )
    assert told == MessageError(
        account="EX1",
        id="a-1",
        failure_reason=FailureReason(None, "y", None),
        original={"occurred_at": "soon", "code": "x"},
        repaired=("occurred_at unreadable", "code unreadable", "permanent_failure missing"),
    )


def test_the_marks_of_the_face_come_first() -> None:
    """The notification has all marks of repairs, in the order in which they happened."""
    told = read_notification(
        Kind.MESSAGE_RECEIVED, {"id": "a", "type": "Text"}, account="EX1", zone=UTC, repaired=("emoji",)
    )
    assert isinstance(told, MessageReceived)
    assert told.repaired == ("emoji", "sent_at missing", "received_at missing")


@given(
    st.from_regex(
        r"\A(000[01]|2008|9999)-(01|02|12|13)-(01|29|31|32)T(00|23|24|25):(00|59|60):(00|59|60)"
        r"(\.\d{1,9})?(Z|[+-](00|09|14|23|24):(00|30|59))\Z"
    )
)
def test_the_quick_way_to_read_a_time_gives_the_same(text: str) -> None:
    """What Python's own reader takes in hand is what the long way, which a space in place of the T leads to, gives."""

    def reading(text: str) -> Any:
        try:
            return read_time(text, LONDON)
        except UnreadableError:
            return None

    assert reading(text) == reading(text.replace("T", " "))
