"""Values that no schema can have, told by their paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaz.local.objects.structural import structural_errors
from llmaz.local.objects.values import Json
from support.objects import messages

KEYWORDS = (
    "type properties items additionalProperties required enum allOf not pattern default nullable "
    "minLength maximum x-kubernetes-validations x-kubernetes-list-type x-kubernetes-list-map-keys"
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["object", "string", "[", "map"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from([*KEYWORDS.split(), "a", "rule"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ([], 's: Invalid value: "array": must be object'),
        ({"properties": []}, 's.properties: Invalid value: "array": must be object'),
        ({"properties": {"a": 1}}, 's.properties[a]: Invalid value: "integer": must be object'),
        ({"required": [1]}, 's.required[0]: Invalid value: "integer": must be string'),
        ({"maximum": "9"}, 's.maximum: Invalid value: "string": must be integer or number'),
        ({"anyOf": {}}, 's.anyOf: Invalid value: "object": must be array'),
        (
            {"items": {"x-kubernetes-validations": [{"rule": 1}]}},
            's.items.x-kubernetes-validations[0].rule: Invalid value: "integer": must be string',
        ),
    ],
)
def test_a_keyword_with_a_value_of_the_wrong_type_is_named(schema: Json, message: str) -> None:
    assert messages(structural_errors(schema, "s")) == [message]


@given(st.dictionaries(st.sampled_from(KEYWORDS.split()), VALUES))
def test_any_value_is_either_a_schema_or_refused(schema: Json) -> None:
    assert isinstance(structural_errors(schema, "s"), list)
