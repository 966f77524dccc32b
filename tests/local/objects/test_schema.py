"""A kind's schema as a whole, against what a real server answered to creations."""

from collections.abc import Iterable

import pytest

from llmaz.local.objects.fielderror import FieldError, summary
from llmaz.local.objects.schema import defaulted, pruned, validate
from llmaz.local.objects.values import Json, Object
from support.objects import causes, messages, record, recorded, widget, widget_schema

REFUSED = [
    step
    for step in recorded("03-create-get")
    if step["request"]["method"] == "POST"
    and isinstance(step["request"]["body"], dict)
    and step["response"]["status"] == 422
    and step["request"]["body"]["kind"] == "Widget"
    and step["request"]["body"].get("metadata", {}).get("name") in ("c", "g")
]


def _causes(step: Json) -> list[Json]:
    """The recorded causes, less those of the scale, which are not the schema's."""
    found = step["response"]["body"]["details"]["causes"]
    return _sorted(item for item in found if item["field"] != ".spec.replicas")


def _sorted(found: Iterable[Object]) -> list[Object]:
    """The recorded server goes through the fields in no certain order."""
    return sorted(found, key=lambda item: (item["field"], item["message"]))


@pytest.mark.parametrize("step", REFUSED, ids=lambda step: str(step["request"]["body"]["spec"]))
def test_a_creation_is_refused_for_the_recorded_causes(step: Json) -> None:
    schema = widget_schema()
    obj, _ = pruned(schema, defaulted(schema, step["request"]["body"]))
    assert _sorted(causes(validate(schema, obj))) == _causes(step)


def test_the_recorded_objects_are_valid_and_stay_as_they_are() -> None:
    schema = widget_schema()
    for step in recorded("03-create-get"):
        if step["response"]["status"] == 201:
            obj = step["response"]["body"]
            assert defaulted(schema, obj) == obj
            assert pruned(schema, obj) == (obj, [])
            assert validate(schema, obj) == []


def test_errors_of_metadata_come_first_and_those_of_the_scale_before_the_rules() -> None:
    metadata, scale = (
        FieldError("metadata.name", "required"),
        FieldError(".spec.replicas", "invalid", -1),
    )
    errors = validate(widget_schema(), widget(model="m"), metadata=[metadata], scale=[scale])
    assert errors[:2] == [metadata, scale]
    assert "some validation rules were not checked" in errors[2].detail


def test_without_rules_nothing_is_said_of_rules_that_were_not_checked() -> None:
    assert messages(validate({**record(), "required": ["spec"]}, {})) == ["spec: Required value"]


def test_a_summary_is_the_recorded_message() -> None:
    schema = widget_schema()
    message = REFUSED[2]["response"]["body"]["message"]
    obj = defaulted(schema, REFUSED[2]["request"]["body"])
    assert message.endswith(f"is invalid: {summary(validate(schema, obj))}")


def test_what_was_wrong_before_and_has_not_changed_is_forgiven() -> None:
    old = widget(model="m", mode="warp", replicas=1)
    assert validate(widget_schema(), {**old, "status": {"replicas": 3}}, old) == []


def test_what_was_wrong_before_and_changes_must_be_right() -> None:
    old = widget(model="m", mode="warp", replicas=1)
    errors = validate(widget_schema(), widget(model="m", mode="leap", replicas=1), old)
    assert messages(errors)[0].startswith('spec.mode: Unsupported value: "leap"')


def test_duplicates_that_were_there_before_are_forgiven() -> None:
    twice = [{"name": "x"}, {"name": "x"}]
    old = widget(model="m", flavors=twice, replicas=1)
    assert validate(widget_schema(), widget(model="n", flavors=twice, replicas=1), old) == []
