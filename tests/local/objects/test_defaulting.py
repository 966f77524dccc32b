"""Defaults of schemas, and the marks of built-in kinds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaz.local.objects.builtin import SCHEMAS
from llmaz.local.objects.defaulting import blank, defaulted
from llmaz.local.objects.values import Json
from support.objects import record, widget_schema

TEXT = {"type": "string", "default": "d"}


@pytest.mark.parametrize(
    ("schema", "obj", "expected"),
    [
        (record(a=TEXT), {}, {"a": "d"}),
        (record(a=TEXT), {"a": "x"}, {"a": "x"}),
        (record(a=TEXT), {"a": ""}, {"a": ""}),
        (record(a=record(b=TEXT)), {}, {}),
        (record(a=record(b=TEXT)), {"a": {}}, {"a": {"b": "d"}}),
        (record(a={**record(b=TEXT), "default": {}}), {}, {"a": {"b": "d"}}),
        (record(a={"type": "array", "items": record(b=TEXT)}), {"a": [{}]}, {"a": [{"b": "d"}]}),
        ({"type": "object", "additionalProperties": record(b=TEXT)}, {"k": {}}, {"k": {"b": "d"}}),
        (record(a=TEXT), {"a": None}, {"a": "d"}),
        (record(a={**TEXT, "nullable": True}), {"a": None}, {"a": None}),
        (record(a={"type": "string"}), {"a": None}, {}),
        (record(a={"type": "array", "items": TEXT}), {"a": [None]}, {"a": ["d"]}),
    ],
)
def test_defaults_fill_what_is_absent(schema: Json, obj: Json, expected: Json) -> None:
    assert defaulted(schema, obj) == expected


def test_a_default_is_copied_into_each_object() -> None:
    schema = record(a={"type": "object", "default": {"b": [1]}})
    first = defaulted(schema, {})
    first["a"]["b"].append(2)
    assert defaulted(schema, {}) == {"a": {"b": [1]}}


def test_the_argument_is_not_changed() -> None:
    obj = {"spec": {"model": "m"}}
    defaulted(widget_schema(), obj)
    assert obj == {"spec": {"model": "m"}}


@given(
    st.dictionaries(st.sampled_from(["mode", "model", "replicas", "x"]), st.none() | st.integers())
)
def test_defaults_filled_twice_are_filled_once(spec: dict[str, Json]) -> None:
    once = defaulted(widget_schema(), {"spec": spec})
    assert defaulted(widget_schema(), once) == once


def test_empty_fields_of_a_built_in_kind_are_left_out_unless_they_are_pointers() -> None:
    condition = {"type": "Ready", "status": "True", "message": ""}
    node = defaulted(SCHEMAS["v1", "Node"], {"status": {"conditions": [condition]}})
    assert node["status"]["conditions"] == [{"type": "Ready", "status": "True"}]
    lease = {"spec": {"holderIdentity": "", "leaseTransitions": 0}}
    assert defaulted(SCHEMAS["coordination.k8s.io/v1", "Lease"], lease) == lease


def test_a_blank_service_has_the_fields_that_are_always_written() -> None:
    assert blank(SCHEMAS["v1", "Service"]) == {"spec": {}, "status": {"loadBalancer": {}}}
