"""Cases of what a request says and no value takes: under other names, in other places, beside an operation."""

from __future__ import annotations

from typing import Final

from tests.cases.row import Row, row

STORED: Final = "corpus/test_cases.py::test_what_can_be_stored_is_stored"
REFUSED: Final = "corpus/test_cases.py::test_what_stays_refused"
TEXTS: Final = "faces/test_every_text.py::test_a_text_in_any_place_of_xml_is_not_lost"

UNREAD: Final[tuple[Row, ...]] = (
    row(
        "A parameter's name begins with a capital: <Body>, <Originator>, <Detail>, <ContactID>.",
        "The value is read; letter case does not count, and nothing is marked.",
        f"{STORED}[MessageReceived.body: capitalised]",
        f"{STORED}[MessageReceived.originator: capitalised]",
        f"{STORED}[MessageError.detail: capitalised]",
        f"{STORED}[SubscriptionEvent.contactID: capitalised]",
    ),
    row(
        "All names are in capitals, in small letters (<mobilenumber>) or swapped, those of <failureReason> too.",
        "Each value is read.",
        f"{STORED}[MessageError: names in capitals]",
        f"{STORED}[MessageError: names in swapped]",
        f"{STORED}[SubscriptionEvent: names in small letters]",
    ),
    row(
        "The names of the header's elements are in another letter case.",
        "They are the credentials all the same.",
        f"{STORED}[MessageReceived: header in small letters]",
        "faces/test_every_text.py::test_the_letter_case_of_a_name_in_the_header_does_not_count",
        "faces/test_every_text.py::test_a_block_in_another_letter_case_is_understood",
    ),
    row(
        "The time is called occuredat, as on the vendor's pages, or occuredAt.",
        "It is the time; a SubscriptionEvent's too.",
        f"{STORED}[MessageEvent: occurredat as occuredat]",
        f"{STORED}[MessageError: occurredat as OccuredAt]",
        f"{STORED}[SubscriptionEvent: occurredAt as occuredAt]",
        "receive/test_identity.py::test_the_misspelling_of_the_vendor_is_the_time_in_any_letter_case",
        "faces/form_post/test_form_fields.py::test_the_misspelling_of_the_vendors_pages_is_known",
    ),
    row(
        "Parameters have numbers for names: param0 of PHP, arg0 of JAX-WS, c-gensym3 of SOAP::Lite.",
        "Where their count fits, they are taken by position, and marked.",
        f"{STORED}[MessageReceived: PHP without a WSDL]",
        f"{STORED}[MessageError: SOAP::Lite without names]",
        f"{STORED}[SubscriptionEvent: JAX-WS without names]",
        "faces/soap/test_positions.py::test_names_by_number_are_positions",
        "faces/soap/test_positions.py::test_credentials_come_first_where_there_is_no_header",
    ),
    row(
        "An rpc/encoded call has parameters of any names.",
        "Where their count fits, they are taken in order, and marked.",
        "faces/soap/test_positions.py::test_an_encoded_call_has_its_parameters_in_order",
    ),
    row(
        "Numbered parameters do not fit in count, or some have a name.",
        "Nothing is guessed: a Client fault, or what has a name is stored, marked and kept.",
        f"{REFUSED}[MessageReceived: a parameter too few by position]",
        "faces/soap/test_positions.py::test_what_does_not_fit_is_not_guessed",
        "faces/soap/test_positions.py::test_a_name_among_positions_is_taken_alone",
    ),
    row(
        "All parameters stand one level deeper.",
        "A Client fault: an empty row would lose the message.",
        f"{REFUSED}[MessageReceived: parameters one level deeper]",
        f"{REFUSED}[SubscriptionEvent: parameters one level deeper]",
    ),
    row(
        "All parameters are attributes of the operation.",
        "A Client fault.",
        f"{REFUSED}[MessageReceived: parameters as attributes]",
    ),
    row(
        "Of an operation nothing is recognised: it is empty, or all its names are unknown.",
        "A Client fault, in each version of the API; nothing is stored.",
        f"{REFUSED}[MessageReceived: no known parameter]",
        f"{REFUSED}[MessageReceived: no parameter]",
        "faces/soap/test_several_operations.py::test_an_operation_without_any_of_its_parameters_is_refused",
        "faces/test_every_text.py::test_a_form_without_any_of_its_fields_is_refused",
    ),
    row(
        "Two operations stand in one Body.",
        "Both are taken in one commit; the first is answered.",
        "faces/soap/test_several_operations.py::test_all_are_taken_and_the_first_is_answered",
        "journal/test_copies.py::test_others_of_a_request_are_committed_with_it",
    ),
    row(
        "A is pushed alone, then A and B in one Body.",
        "A is a duplicate, and B is taken.",
        "faces/soap/test_several_operations.py::test_a_known_one_hides_no_other",
    ),
    row(
        "Of several operations one cannot be read, or has other credentials.",
        "A Client fault; nothing of the Body is stored.",
        "faces/soap/test_several_operations.py::test_one_that_cannot_be_read_refuses_all",
        "faces/soap/test_several_operations.py::test_operations_of_two_accounts_are_refused",
        f"{REFUSED}[MessageReceived: an empty operation after]",
    ),
    row(
        "An element of an unknown name stands beside an operation, or there are two Bodies.",
        "It is marked and the request is kept; two Bodies are refused.",
        "faces/soap/test_several_operations.py::test_what_stands_beside_an_operation_is_kept",
        "faces/soap/test_several_operations.py::test_two_bodies_are_refused",
    ),
    row(
        "One parameter is renamed, one level deeper, an attribute, or loose text between the elements.",
        "The value is absent, the mark says what was not read, and the request is kept.",
        f"{STORED}[MessageReceived.body: renamed]",
        f"{STORED}[MessageReceived.body: one level deeper]",
        f"{STORED}[MessageReceived.body: as an attribute]",
        f"{STORED}[MessageReceived.body: between the elements]",
    ),
    row(
        "Any text of any request stands in any other place, under any other name.",
        "It is in a value or in the kept request, or the request is refused: in SOAP, XML push and forms.",
        TEXTS,
        "faces/test_every_text.py::test_a_text_in_its_own_place_is_a_value",
        "faces/test_every_text.py::test_a_text_in_any_place_of_a_form_is_not_lost",
    ),
    row(
        "A form has an unknown field beside a missing one, or a field twice that says two things.",
        "It is marked, and the form is kept.",
        "faces/form_post/test_form_fields.py::test_an_unknown_field_beside_a_missing_one_is_marked",
        "faces/form_post/test_form_fields.py::test_a_repeated_field_is_marked_where_it_says_something_else",
    ),
    row(
        "An element of XML push departs from the vendor's form.",
        "What was understood is stored and marked, and the request is kept.",
        "faces/xml_push/test_xml_elements.py::test_a_departure_is_taken_and_marked_and_the_request_is_kept",
    ),
)
