"""The JSON Schema that customers are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator, ValidationError

from soap_handler.sinks.form import form
from soap_handler.sinks.schema import json_schema
from tests.sinks.deliveries import ALL_KINDS, AWKWARD, received

if TYPE_CHECKING:
    from soap_handler.sinks.base import Delivery


@pytest.mark.parametrize("delivery", [*ALL_KINDS, *(received(body=text) for text in AWKWARD.values())])
def test_every_form_is_valid(delivery: Delivery) -> None:
    """What the sinks send is what the schema says, and so is a notification's own form."""
    Draft202012Validator.check_schema(json_schema())
    Draft202012Validator(json_schema()).validate(form(delivery))
    Draft202012Validator(json_schema()).validate(delivery.notification.to_dict())


def test_anything_else_is_not() -> None:
    """A missing attribute, an unknown one, and half of what a delivery adds are found out."""
    values = form(received())
    for changed in (
        {**values, "more": 1},
        {name: value for name, value in values.items() if name != "body"},
        {name: value for name, value in values.items() if name != "attempt"},
    ):
        with pytest.raises(ValidationError):
            Draft202012Validator(json_schema()).validate(changed)
