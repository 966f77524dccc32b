"""Schemas of built-in kinds against the recorded objects."""

import pytest

from llmaz.local.objects.builtin import SCHEMAS
from llmaz.local.objects.schema import defaulted, pruned, validate
from llmaz.local.objects.structural import structural_errors
from llmaz.local.objects.values import Json, Object
from support.objects import messages, recorded

OBJECTS = [
    step["response"]["body"]
    for name in ("01-crd", "10-core-resources")
    for step in recorded(name)
    if step["response"]["status"] in (200, 201) and step["response"]["body"]["kind"] != "Status"
]


@pytest.mark.parametrize("key", SCHEMAS)
def test_a_built_in_schema_is_structural_as_far_as_it_is_no_definition(
    key: tuple[str, str],
) -> None:
    """Only those of definitions may neither describe metadata nor have defaults of nothing."""
    found = (error.path for error in structural_errors(SCHEMAS[key]))
    own = ("openAPIV3Schema.properties[metadata]", ".default")
    assert [path for path in found if not any(part in path for part in own)] == []


@pytest.mark.parametrize("obj", OBJECTS, ids=lambda obj: obj["kind"])
def test_a_recorded_object_is_known_whole_valid_and_stays_as_it_is(obj: Object) -> None:
    schema = SCHEMAS[obj["apiVersion"], obj["kind"]]
    assert pruned(schema, obj) == (obj, [])
    assert defaulted(schema, obj) == obj
    assert messages(validate(schema, obj)) == []


@pytest.mark.parametrize(
    ("key", "spec", "message"),
    [
        (("v1", "Service"), {"type": "Odd"}, 'spec.type: Unsupported value: "Odd"'),
        (("v1", "Pod"), {}, "spec.containers: Required value"),
        (
            ("coordination.k8s.io/v1", "Lease"),
            {"renewTime": "soon"},
            'spec.renewTime: Invalid value: "soon"',
        ),
    ],
)
def test_a_wrong_object_is_refused(key: tuple[str, str], spec: Json, message: str) -> None:
    [found] = messages(validate(SCHEMAS[key], {"spec": spec}))
    assert found.startswith(message)
