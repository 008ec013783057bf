"""Cases of what is one notification and what are two."""

from __future__ import annotations

from typing import Final

from tests.cases.row import Row, row

HERE: Final = "receive/test_identity.py::"
STORED: Final = "corpus/test_cases.py::test_what_can_be_stored_is_stored"

IDENTITY: Final[tuple[Row, ...]] = (
    row(
        "Subscribe, Unsubscribe and Subscribe again on three days, whose time is misspelt, unreadable or not set.",
        "Three rows; each is handled.",
        f"{HERE}test_three_subscription_events_of_three_days_are_three",
    ),
    row(
        "Two SubscriptionEvents differ only in an element that is not known.",
        "Two rows: the key is a digest of the operation's bytes.",
        f"{HERE}test_a_subscription_event_with_something_unread_is_told_by_its_bytes",
    ),
    row(
        "Two messages with the all-zero GUID, or none, differ only in bytes that the decoder replaced.",
        "Two rows.",
        f"{HERE}test_messages_without_a_sound_id_that_differ_in_replaced_bytes_are_two",
    ),
    row(
        "Two events of one id, type and time differ only in bytes that could not be read.",
        "Two rows, in each version of the API.",
        f"{HERE}test_events_that_differ_in_what_was_not_read_are_two",
    ),
    row(
        "The same request comes again, byte for byte, although something of it was repaired or unread.",
        "A duplicate.",
        f"{HERE}test_three_subscription_events_of_three_days_are_three",
        f"{HERE}test_events_that_differ_in_what_was_not_read_are_two",
        "journal/test_copies.py::test_what_an_earlier_release_recorded_is_recognised",
    ),
    row(
        "A message with a sound id comes repaired, or without its text.",
        "It stays one: its GUID names it at EMS and in the inbox.",
        f"{HERE}test_a_message_with_a_sound_id_stays_one_whatever_was_repaired",
    ),
    row(
        "There are two ids, one of another namespace, or one that is no GUID.",
        "The bytes are the identity, and nothing is deleted from the inbox on a guess.",
        f"{HERE}test_an_id_in_doubt_is_no_identity",
    ),
    row(
        "A GUID comes in braces, in parentheses, as urn:uuid:, as 32 digits, or in capitals.",
        "It is one id: values and keys have the canonical form, in each version of the API.",
        f"{HERE}test_a_guid_is_one_id_in_any_spelling",
        f"{STORED}[MessageReceived: id with braces]",
        f"{STORED}[MessageReceived: id with parentheses]",
        f"{STORED}[MessageEvent: id with urn]",
        f"{STORED}[MessageError: id with 32 digits]",
        f"{STORED}[MessageReceived: id with capitals in braces]",
        f"{STORED}[MessageReceived: zero id in braces]",
    ),
    row(
        "A push has its id in one spelling, and the copy in the inbox in another.",
        "One notification; its handler runs once.",
        "inbox/reconcile/test_reconcile_run.py::test_an_inbox_copy_whose_id_is_written_otherwise_is_the_pushed_message",
        "inbox/reconcile/test_reconcile_run.py::test_a_push_and_an_inbox_copy_at_one_instant_are_one_notification",
    ),
    row(
        "A journal of an earlier release has ids in other spellings.",
        "They are written in one form, so what was handled is recognised.",
        "journal/test_copies.py::test_ids_of_an_earlier_release_are_written_in_one_form",
    ),
    row(
        "A duplicate brings what the first copy lacked.",
        "It is noted in the history once, with its content or its kept request.",
        "journal/test_copies.py::test_a_duplicate_that_says_more_is_noted_with_its_content",
        "journal/test_copies.py::test_each_content_is_noted_once",
        "journal/test_copies.py::test_both_in_one_commit",
        "cli/test_journal.py::test_another_push_that_says_more_is_shown",
    ),
    row(
        "A duplicate brings less than the first copy, or only something else.",
        "That it came is noted, and no content: the first copy was read in full.",
        "journal/test_copies.py::test_no_content_of_a_duplicate_of_what_was_read_in_full",
    ),
    row(
        "The password, or a header of addressing, changes between two pushes of a notification.",
        "It stays one, and no password is in a digest.",
        f"{HERE}test_the_header_is_no_part_of_the_identity",
    ),
)
