"""Pruning against schemas, with the paths of what goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaz.local.objects.pruning import pruned
from llmaz.local.objects.values import Json
from support.objects import record, widget_schema

OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("schema", "obj", "kept", "unknown"),
    [
        (record(a={}), {"a": 1, "b": 2}, {"a": 1}, ["b"]),
        (
            record(a={"type": "array", "items": record()}),
            {"a": [{"x": 1}, {"y": 1}]},
            {"a": [{}, {}]},
            ["a[0].x", "a[1].y"],
        ),
        ({"type": "object", "additionalProperties": record()}, {"k": {"x": 1}}, {"k": {}}, ["k.x"]),
        ({"type": "object", "additionalProperties": True}, {"k": {"x": 1}}, {"k": {}}, ["k.x"]),
        (OPEN, {"a": {"b": [1]}}, {"a": {"b": [1]}}, []),
        (
            {**OPEN, "properties": {"a": record()}},
            {"a": {"x": 1}, "b": {"x": 1}},
            {"a": {}, "b": {"x": 1}},
            ["a.x"],
        ),
        (
            record(a={}),
            {"kind": "K", "metadata": {"name": "n", "x": 1}},
            {"kind": "K", "metadata": {"name": "n"}},
            ["metadata.x"],
        ),
        (
            record(a={**OPEN, "x-kubernetes-embedded-resource": True}),
            {"a": {"kind": "K", "metadata": {"labels": {}, "y": 1}, "spec": {"z": 1}}},
            {"a": {"kind": "K", "metadata": {"labels": {}}, "spec": {"z": 1}}},
            ["a.metadata.y"],
        ),
    ],
)
def test_unknown_fields_go_and_are_named(
    schema: Json, obj: Json, kept: Json, unknown: Json
) -> None:
    assert pruned(schema, obj) == (kept, unknown)


def test_below_the_root_type_fields_are_fields_as_others() -> None:
    assert pruned(record(), {"kind": "K"}, root=False) == ({}, ["kind"])


@given(st.dictionaries(st.sampled_from(["spec", "status", "metadata", "x"]), JSON))
def test_what_is_pruned_has_nothing_left_to_prune(obj: dict[str, Json]) -> None:
    kept, _ = pruned(widget_schema(), obj)
    assert pruned(widget_schema(), kept) == (kept, [])
