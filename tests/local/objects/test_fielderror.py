"""Messages of field errors against a real server's words."""

import pytest

from llmaz.local.objects.fielderror import (
    UNSAID,
    FieldError,
    summary,
    too_long,
    too_many,
    unsupported,
)
from support.objects import causes


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FieldError("spec.model", "required"), "spec.model: Required value"),
        (
            FieldError("metadata.name", "required", None, "name or generateName is required"),
            "metadata.name: Required value: name or generateName is required",
        ),
        (FieldError("a", "invalid", -1, "no"), "a: Invalid value: -1: no"),
        (FieldError("a", "invalid", 'x"y', "no"), 'a: Invalid value: "x\\"y": no'),
        (FieldError("", "invalid", None, "no"), "<nil>: Invalid value: null: no"),
        (FieldError("spec", "invalid", UNSAID, "no"), "spec: Invalid value: no"),
        (FieldError("a", "typeInvalid", "array", "no"), 'a: Invalid value: "array": no'),
        (FieldError("a[1]", "duplicate", {"name": "x"}), 'a[1]: Duplicate value: {"name":"x"}'),
        (FieldError("a", "forbidden", 1, "no"), "a: Forbidden: no"),
        (FieldError("a", "notFound", "x"), 'a: Not found: "x"'),
        (too_long("a", 63), "a: Too long: may not be more than 63 bytes"),
        (too_long("a", 1), "a: Too long: may not be more than 1 byte"),
        (too_many("a", 3, 2), "a: Too many: 3: must have at most 2 items"),
        (
            unsupported("a", "warp", ("fast", "slow")),
            'a: Unsupported value: "warp": supported values: "fast", "slow"',
        ),
    ],
)
def test_an_error_is_worded_as_the_server_words_it(error: FieldError, message: str) -> None:
    assert error.message() == message


def test_a_cause_has_the_field_apart_from_the_message() -> None:
    assert causes([FieldError("spec.model", "required")]) == [
        {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.model"}
    ]


def test_one_error_is_summed_up_without_brackets() -> None:
    assert summary([FieldError("a", "required")]) == "a: Required value"


def test_the_same_message_is_said_once_in_a_summary() -> None:
    errors = [FieldError("a", "required"), FieldError("b", "required"), FieldError("a", "required")]
    assert summary(errors) == "[a: Required value, b: Required value]"
