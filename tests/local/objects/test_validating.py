"""Validation of values, in a real server's words."""

import pytest

from llmaz.local.objects.validating import ABSENT, value_errors
from llmaz.local.objects.values import Json
from support.objects import messages, record

INT = {"type": "integer"}
TEXT = {"type": "string"}
ONE_OF = '<nil>: Invalid value: "": "a" must validate one and only one schema (oneOf). '
KEYED = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    "items": record(name=TEXT, gpus={**INT, "maximum": 8}),
}


def wrong(schema: Json, value: Json, old: Json = None) -> list[str]:
    before = ABSENT if old is None else {"a": old}
    return messages(value_errors(record(a=schema), {"a": value}, "", before))


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (INT, 3),
        (INT, 3.0),
        ({"type": "number"}, 3),
        ({"type": "boolean"}, True),
        ({"x-kubernetes-int-or-string": True}, "80%"),
        ({"x-kubernetes-int-or-string": True}, 80),
        ({**TEXT, "nullable": True}, None),
        ({**TEXT, "enum": ["a", "b"]}, "b"),
        ({**TEXT, "pattern": "^a+$"}, "aa"),
        ({**TEXT, "pattern": "b"}, "abc"),
        ({**TEXT, "maxLength": 2}, "äö"),
        ({**TEXT, "format": "no-such-format"}, "x"),
        ({**INT, "anyOf": [{"minimum": 3}, {"maximum": 1}]}, 4),
        ({"x-kubernetes-preserve-unknown-fields": True}, [1, {"b": None}]),
    ],
)
def test_a_value_that_fits_is_no_error(schema: Json, value: Json) -> None:
    assert wrong(schema, value) == []


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        (TEXT, 7, 'a: Invalid value: "integer": a in body must be of type string: "integer"'),
        (INT, 1.5, 'a: Invalid value: "number": a in body must be of type integer: "number"'),
        (INT, True, 'a: Invalid value: "boolean": a in body must be of type integer: "boolean"'),
        (TEXT, None, 'a: Invalid value: "null": a in body must be of type string: "null"'),
        (
            {"x-kubernetes-int-or-string": True},
            [1],
            'a: Invalid value: "array": a in body must be of type integer,string: "array"',
        ),
        (
            {**INT, "format": "int32"},
            True,
            'a: Invalid value: "": a in body must be of type int32: ""',
        ),
        (
            {**INT, "minimum": 0},
            -1,
            "a: Invalid value: -1: a in body should be greater than or equal to 0",
        ),
        (
            {**INT, "minimum": 0, "exclusiveMinimum": True},
            0,
            "a: Invalid value: 0: a in body should be greater than 0",
        ),
        (
            {**INT, "maximum": 1},
            2,
            "a: Invalid value: 2: a in body should be less than or equal to 1",
        ),
        ({**INT, "multipleOf": 2}, 3, "a: Invalid value: 3: a in body should be a multiple of 2"),
        ({**TEXT, "maxLength": 2}, "abc", "a: Too long: may not be more than 2 bytes"),
        (
            {**TEXT, "minLength": 1},
            "",
            'a: Invalid value: "": a in body should be at least 1 chars long',
        ),
        ({**TEXT, "pattern": "^a$"}, "b", "a: Invalid value: \"b\": a in body should match '^a$'"),
        (
            {**TEXT, "format": "date-time"},
            "yesterday",
            'a: Invalid value: "yesterday": a in body must be of type date-time: "yesterday"',
        ),
        ({**TEXT, "enum": ["x"]}, "y", 'a: Unsupported value: "y": supported values: "x"'),
        ({**INT, "enum": [1]}, 2, 'a: Unsupported value: 2: supported values: "1"'),
        ({"type": "array", "maxItems": 1}, [1, 2], "a: Too many: 2: must have at most 1 item"),
        (
            {"type": "array", "minItems": 1},
            [],
            "a: Invalid value: 0: a in body should have at least 1 items",
        ),
        (
            {"type": "object", "maxProperties": 0},
            {"b": 1},
            "a: Too many: 1: must have at most 0 items",
        ),
        (
            {"type": "object", "minProperties": 1},
            {},
            "a: Invalid value: 0: a in body should have at least 1 properties",
        ),
        ({**record(), "required": ["b"]}, {}, "a.b: Required value"),
        (
            {"type": "array", "items": TEXT},
            ["x", 1],
            'a[1]: Invalid value: "integer": a[1] in body must be of type string: "integer"',
        ),
        (
            {"type": "object", "additionalProperties": TEXT},
            {"k": 1},
            'a.k: Invalid value: "integer": a.k in body must be of type string: "integer"',
        ),
        (
            {**INT, "not": {"minimum": 3}},
            4,
            '<nil>: Invalid value: "": "a" must not validate the schema (not)',
        ),
        (
            {**INT, "oneOf": [{"minimum": 1}, {"minimum": 2}]},
            3,
            ONE_OF + "Found 2 valid alternatives",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_refused_in_the_servers_words(
    schema: Json, value: Json, message: str
) -> None:
    assert wrong(schema, value) == [message]


def test_a_failed_choice_tells_what_the_nearest_alternative_misses() -> None:
    schema = {**record(b=INT, c=INT), "anyOf": [{"required": ["b"]}, {"required": ["b", "c"]}]}
    assert wrong(schema, {}) == [
        '<nil>: Invalid value: "": "a" must validate at least one schema (anyOf)',
        "a.b: Required value",
    ]


def test_all_of_several_schemas_must_hold() -> None:
    schema = {**INT, "allOf": [{"minimum": 1}, {"minimum": 5}]}
    assert wrong(schema, 3) == [
        "a: Invalid value: 3: a in body should be greater than or equal to 5",
        '<nil>: Invalid value: "": "a" must validate all the schemas (allOf)',
    ]


def test_a_number_must_fit_its_format() -> None:
    assert wrong({**INT, "format": "int32"}, 2**31) == [
        '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in a'
    ]


def test_an_item_of_a_keyed_list_is_forgiven_what_it_had_before() -> None:
    old = [{"name": "x", "gpus": 9}]
    assert wrong(KEYED, [{"name": "y", "gpus": 1}, {"name": "x", "gpus": 9}], old) == []


def test_an_item_of_a_list_without_keys_is_not_known_again() -> None:
    schema = {"type": "array", "items": {**INT, "maximum": 8}}
    assert len(wrong(schema, [9, 1], [9])) == 1
