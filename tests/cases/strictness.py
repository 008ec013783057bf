"""Cases of strictness: what one accident in a request must not decide."""

from __future__ import annotations

from typing import Final

from tests.cases.row import Row, row

STORED: Final = "corpus/test_cases.py::test_what_can_be_stored_is_stored"
REDACT: Final = "faces/soap/test_redact.py::"

STRICTNESS: Final[tuple[Row, ...]] = (
    row(
        "A prefix is not declared (<u:body>), and the contract's namespace is declared again behind it.",
        "The value is read, and marked.",
        f"{STORED}[prefix of the body, declaration behind]",
        f"{STORED}[prefix of the body, declared on another element]",
    ),
    row(
        "A prefix is not declared, and the Header stands behind the Body.",
        "The value is read, and marked.",
        f"{STORED}[prefix of the body, Header behind]",
    ),
    row(
        "The prefix of MessengerHeader, Username or Password is not declared.",
        "The credentials are read, and the request is marked.",
        f"{STORED}[prefix of MessengerHeader]",
        f"{STORED}[prefix of Username]",
        f"{STORED}[prefix of Password]",
    ),
    row(
        "An earlier fault of namespaces is hidden by a later one of another kind.",
        "Each is found: the whole log of the parser counts.",
        f"{STORED}[undeclared prefix, and an empty declaration behind]",
        f"{STORED}[empty declaration, a good one behind]",
        f"{STORED}[empty declaration at the end]",
        f"{STORED}[two identifiers that are none]",
    ),
    row(
        "A text in windows-1252 is labelled UTF-8, and some of its bytes happen to be valid UTF-8.",
        "The majority decides: it is windows-1252, marked.",
        f"{STORED}[MessageReceived.body: German in windows-1252]",
        f"{STORED}[MessageReceived.body: French in windows-1252]",
        f"{STORED}[MessageReceived.body: Spanish in windows-1252]",
        f"{STORED}[MessageReceived.body: a word in guillemets]",
        "corpus/test_senders.py::test_one_byte_texts_under_the_label_utf_8_come_back_marked",
    ),
    row(
        "UTF-8 is cut in a character, or has one stray byte.",
        "It stays UTF-8; what is lost is U+FFFD, marked.",
        f"{STORED}[MessageReceived.body: UTF-8 cut in a character]",
        f"{STORED}[MessageReceived.body: one stray byte in UTF-8]",
        f"{STORED}[MessageReceived.body: two cuts in much UTF-8]",
    ),
    row(
        "The label says Latin-1 and the bytes 0x80 to 0x9F are there.",
        "They are windows-1252, marked.",
        f"{STORED}[both say Latin-1, is windows-1252]",
        f"{STORED}[XML says Latin-1, is windows-1252]",
        f"{STORED}[Content-Type says Latin-1, is windows-1252]",
        f"{STORED}[says Latin-9, is windows-1252]",
    ),
    row(
        "A text in base64 has the same faults of its charset.",
        "It is read by the same rules, with the same marks.",
        f"{STORED}[MessageReceived.body: base64, German]",
        f"{STORED}[MessageReceived.body: base64, UTF-8]",
        f"{STORED}[MessageError.detail: base64, UTF-8 cut in a character]",
        f"{STORED}[MessageError.detail: base64, Java's emoji]",
    ),
    row(
        "A form or another field has the same faults of its charset.",
        "All fields together decide.",
        "faces/form_post/test_form_fields.py::test_one_field_that_is_utf_8_by_accident_is_outvoted_by_the_others",
        "faces/form_post/test_form_fields.py::test_the_charset_is_the_headers_or_else_found_by_the_bytes",
    ),
    row(
        "A < in a text begins nothing that could be markup: </3, </>, <! x, <? x, <3.",
        "It is text, marked: one rule for all.",
        f"{STORED}[MessageReceived.body: 'no </3 love']",
        f"{STORED}[MessageReceived.body: '</>']",
        f"{STORED}[MessageReceived.body: 'wow <! x']",
        f"{STORED}[MessageReceived.body: 'what <? x']",
        f"{STORED}[MessageError.detail: 'I <3 you']",
    ),
    row(
        "A time has an offset that there is not: +14:01, +23:59.",
        "It is no time: its text is kept, marked.",
        f"{STORED}[no time 2008-06-12T10:15:30+14:01]",
        f"{STORED}[no time 2008-06-12T10:15:30+23:59]",
    ),
    row(
        "A time lacks its seconds (09:15Z), has an hour for an offset (+01), a comma, or a zone in brackets.",
        "It is read; where a part of it is not said, its text is kept too.",
        f"{STORED}[time 2008-06-12T09:15Z]",
        f"{STORED}[time 2008-06-12T10:15:30+01]",
        f"{STORED}[time 2008-06-12T09:15:30,5Z]",
        f"{STORED}[time 2008-06-12T10:15:30+01:00[Europe/London]]",
        "receive/test_values.py::test_times_of_which_a_part_is_not_told",
    ),
    row(
        "The password came as PHP's map, by reference, by position, as an attribute or in base64.",
        "It is masked in its place, and the rest of the request is kept.",
        f"{REDACT}test_in_each_shape_that_is_read_it_is_masked_in_its_place",
        f"{REDACT}test_however_its_element_is_written",
        f"{REDACT}test_references_in_it_are_redacted_and_elsewhere_too",
    ),
    row(
        "The password is the user name too, or a word of the text or of the contract.",
        "Texts that say it are masked; the request is kept.",
        f"{REDACT}test_a_password_that_occurs_elsewhere_costs_no_envelope",
        "faces/form_post/test_form_redact.py::test_a_password_that_stands_elsewhere_too_is_masked_there",
    ),
    row(
        "Where the password stands cannot be told for certain.",
        "The Body is kept without the Header, and a comment says so; where that is not safe, nothing is kept.",
        f"{REDACT}test_where_that_is_not_safe_the_rest_is_kept_without_the_header",
        f"{REDACT}test_where_nothing_is_safe_nothing_is_kept",
    ),
    row(
        "Any of all this comes, in any of the inputs of the corpus.",
        "At least 120 of these kinds have exact values, and the kept request never holds the password.",
        "corpus/test_cases.py::test_names_identities_and_strictness_have_their_share",
        "corpus/test_bounds.py::test_the_password_is_in_nothing_that_is_kept",
    ),
)
