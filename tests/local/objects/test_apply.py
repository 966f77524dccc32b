"""Server-side apply and tracked updates, against the recordings and the rules of ownership."""

import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaz.local.objects.apply import ApplyConflict, ApplyError, server_side_apply
from llmaz.local.objects.builtin import SCHEMAS
from llmaz.local.objects.defaulting import defaulted
from llmaz.local.objects.fieldset import decoded
from llmaz.local.objects.values import Json, Object
from support.objects import NOW, applied, fields_of, recorded, tracked, widget, widget_schema

LATER = NOW + timedelta(minutes=1)


def test_every_recorded_apply_gives_the_recorded_object_and_managers() -> None:
    live: Object | None = None
    for step in recorded("06-server-side-apply"):
        url = urlsplit(step["request"]["path"])
        query = parse_qs(url.query)
        if "fieldManager" not in query:
            continue
        expected = step["response"]["body"]
        config, manager = json.loads(step["request"]["body"]), query["fieldManager"][0]
        if step["response"]["status"] == 409:
            with pytest.raises(ApplyConflict) as caught:
                applied(live, config, manager)
            assert caught.value.message == expected["message"]
            assert caught.value.causes() == expected["details"]["causes"]
            continue
        subresource = "status" if url.path.endswith("/status") else ""
        live = applied(live, config, manager, force="force" in query, subresource=subresource)
        live = defaulted(widget_schema(), live)
        assert live["metadata"]["managedFields"] == expected["metadata"]["managedFields"]
        assert (live["spec"], live.get("status")) == (expected["spec"], expected.get("status"))


def test_every_recorded_creation_is_tracked_as_recorded() -> None:
    for step in recorded("03-create-get"):
        expected = step["response"]["body"]
        if step["response"]["status"] == 201:
            bare = {
                key: value for key, value in expected["metadata"].items() if key != "managedFields"
            }
            new = tracked(None, {**expected, "metadata": bare}, "golden")
            assert new["metadata"]["managedFields"] == expected["metadata"]["managedFields"]


@pytest.mark.parametrize("number", [0, 6, 9, 11, 17])
def test_a_built_in_kind_is_tracked_from_what_its_objects_begin_with(number: int) -> None:
    step = recorded("10-core-resources")[number]
    sent, expected = step["request"]["body"], step["response"]["body"]
    schema = SCHEMAS[sent["apiVersion"], sent["kind"]]
    labels = expected["metadata"].get("labels")
    metadata = {**sent["metadata"], **({"labels": labels} if labels else {})}
    new = defaulted(schema, {**sent, "metadata": metadata})
    moment = NOW + timedelta(seconds=9)
    found = tracked(None, new, "golden", schema=schema, api_version=sent["apiVersion"], now=moment)
    assert found["metadata"]["managedFields"] == expected["metadata"]["managedFields"]


def test_a_field_that_a_manager_stops_applying_goes() -> None:
    live = applied(None, widget(model="m", node="n"))
    assert applied(live, widget(model="m"))["spec"] == {"model": "m"}


def test_a_field_that_another_manager_applied_too_stays() -> None:
    live = applied(applied(None, widget(model="m", node="n")), widget(node="n"), "two")
    assert applied(live, widget(model="m"))["spec"] == {"model": "m", "node": "n"}


def test_a_field_that_an_update_set_stays() -> None:
    live = applied(None, widget(model="m"))
    updated = tracked(live, {**live, "spec": {"model": "m", "node": "n"}}, "two")
    assert applied(updated, widget(model="m"))["spec"] == {"model": "m", "node": "n"}


def test_keys_of_a_map_and_its_last_owner_go_with_it() -> None:
    live = applied(None, widget(model="m", params={"TP": "8"}))
    assert applied(live, widget(model="m"))["spec"] == {"model": "m"}


def test_an_item_of_a_keyed_list_goes_with_its_last_manager() -> None:
    live = applied(None, widget(model="m", flavors=[{"name": "a"}]))
    live = applied(live, widget(flavors=[{"name": "b"}]), "two")
    assert applied(live, widget(model="m"))["spec"]["flavors"] == [{"name": "b"}]


def test_agreeing_on_a_value_is_no_conflict_and_both_manage_it() -> None:
    live = applied(applied(None, widget(model="m")), widget(model="m"), "two")
    assert fields_of(live, "one") == fields_of(live, "two") == {"f:spec": {"f:model": {}}}


def test_changing_what_an_update_set_conflicts_with_the_updates_version() -> None:
    live = tracked(None, widget(model="m"), "kubectl")
    with pytest.raises(ApplyConflict) as caught:
        applied(live, widget(model="n"))
    assert caught.value.message == (
        "Apply failed with 1 conflict: "
        'conflict with "kubectl" using golden.example.io/v1: .spec.model'
    )


def test_several_conflicts_are_listed_by_manager() -> None:
    live = applied(None, widget(model="m", node="n"), "zoe")
    live = applied(live, widget(mode="fast"), "bob")
    with pytest.raises(ApplyConflict) as caught:
        applied(live, widget(model="x", node="y", mode="slow"))
    assert caught.value.message == (
        'Apply failed with 3 conflicts: conflicts with "bob":\n- .spec.mode\n'
        'conflicts with "zoe":\n- .spec.model\n- .spec.node'
    )


def test_a_forced_apply_takes_the_fields_from_their_managers() -> None:
    live = applied(None, widget(model="m"), "two")
    taken = applied(live, widget(model="n"), force=True)
    assert fields_of(taken, "two") is None
    assert fields_of(taken, "one") == {"f:spec": {"f:model": {}}}


def test_applying_the_same_again_changes_nothing_not_even_a_time() -> None:
    live = applied(None, widget(model="m"))
    assert applied(live, widget(model="m"), now=LATER) == live


def test_applying_something_else_moves_the_managers_time() -> None:
    live = applied(applied(None, widget(model="m")), widget(model="n"), now=LATER)
    assert [entry["time"] for entry in live["metadata"]["managedFields"]] == [
        "2026-11-23T06:32:12Z"
    ]


def test_a_manager_of_a_subresource_is_another_than_of_the_object() -> None:
    live = applied(None, widget(model="m"))
    status = {**widget(), "status": {"replicas": 1}}
    live = applied(live, status, subresource="status")
    subresources = [entry.get("subresource") for entry in live["metadata"]["managedFields"]]
    assert subresources == [None, "status"]
    assert live["status"] == {"replicas": 1}


def test_on_a_subresource_only_its_own_field_is_taken() -> None:
    live = applied(None, widget(model="m"))
    config = {**widget(model="n"), "status": {"replicas": 1}}
    assert applied(live, config, subresource="status")["spec"] == {"model": "m"}


def test_what_a_request_can_not_write_is_not_taken() -> None:
    config = {**widget(model="m"), "status": {"replicas": 1}}
    live = server_side_apply(
        None,
        config,
        manager="one",
        force=False,
        subresource="",
        schema=widget_schema(),
        now=NOW,
        drop=("status",),
    )
    assert "status" not in live
    assert fields_of(live, "one") == {"f:spec": {"f:model": {}}}


def test_what_the_server_writes_is_not_taken_from_an_applied_object() -> None:
    live = applied(None, widget(model="m"))
    config = {**live, "metadata": {**live["metadata"], "uid": "u", "creationTimestamp": None}}
    assert applied(live, config)["metadata"] == live["metadata"]


def test_an_unknown_field_can_not_be_applied() -> None:
    with pytest.raises(ApplyError) as caught:
        applied(None, widget(bogus=1))
    assert str(caught.value) == (
        "failed to create typed patch object (default/a; golden.example.io/v1, Kind=Widget): "
        ".spec.bogus: field not declared in schema"
    )


def test_duplicate_items_can_not_be_applied() -> None:
    with pytest.raises(
        ApplyError, match=r'\.spec\.flavors: duplicate entries for key \[name="a"\]'
    ):
        applied(None, widget(flavors=[{"name": "a"}, {"name": "a"}]))


def test_an_object_that_nobody_tracked_belongs_to_a_made_up_manager_at_the_first_apply() -> None:
    live = applied(widget(model="m"), widget(node="n"))
    assert fields_of(live, "before-first-apply", "Update") == {"f:spec": {".": {}, "f:model": {}}}


def test_without_a_schema_maps_are_granular_and_lists_are_leaves() -> None:
    obj: Object = {
        "apiVersion": "v1",
        "kind": "X",
        "metadata": {"name": "a"},
        "data": {"l": [1], "m": {"k": 1}},
    }
    live = tracked(None, obj, schema=None, api_version="v1")
    expected: Object = {"f:data": {".": {}, "f:l": {}, "f:m": {".": {}, "f:k": {}}}}
    assert fields_of(live, "one", "Update") == expected


def test_an_update_takes_what_it_changes_from_other_managers() -> None:
    live = applied(None, widget(model="m", node="n"))
    updated = tracked(live, {**live, "spec": {"model": "x", "node": "n"}}, "two")
    assert fields_of(updated, "two", "Update") == {"f:spec": {"f:model": {}}}
    assert fields_of(updated, "one") == {"f:spec": {"f:node": {}}}


def test_an_update_that_changes_nothing_changes_no_managers() -> None:
    live = tracked(None, widget(model="m"))
    assert tracked(live, live, "two", now=LATER) == live


def test_an_update_may_bring_managed_fields_of_its_own() -> None:
    live = applied(None, widget(model="m"))
    entry = {**live["metadata"]["managedFields"][0], "manager": "renamed"}
    brought = {**live, "metadata": {**live["metadata"], "managedFields": [entry]}}
    assert fields_of(tracked(live, brought, "two"), "renamed") == {"f:spec": {"f:model": {}}}


def test_one_empty_entry_clears_the_managed_fields() -> None:
    live = applied(None, widget(model="m"))
    cleared = {**live, "metadata": {**live["metadata"], "managedFields": [{}]}}
    assert "managedFields" not in tracked(live, cleared, "two")["metadata"]


def test_without_a_time_the_entry_has_none() -> None:
    live = tracked(None, widget(model="m"), now=None, subresource="scale")
    assert "time" not in live["metadata"]["managedFields"][0]


def test_beyond_ten_managers_by_update_the_oldest_are_counted_together() -> None:
    live = tracked(None, widget(model="m"), "m00")
    for i in range(1, 14):
        params = {**live["spec"].get("params", {}), f"k{i}": "v"}
        new = {**live, "spec": {**live["spec"], "params": params}}
        live = tracked(live, new, f"m{i:02}", now=NOW + timedelta(seconds=i))
    names = [entry["manager"] for entry in live["metadata"]["managedFields"]]
    assert len(names) == 10
    assert "ancient-changes" in names
    assert "m13" in names


# An empty keyed list is managed by nobody, there as here, so that it comes and goes.
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from("mn"),
        "node": st.sampled_from("xy"),
        "params": st.dictionaries(st.sampled_from("ab"), st.sampled_from("12")),
        "flavors": st.lists(st.sampled_from("pq"), unique=True, min_size=1).map(
            lambda names: [{"name": name, "gpus": len(names)} for name in names]
        ),
        "free": st.dictionaries(st.sampled_from("ab"), st.lists(st.integers(0, 1), max_size=2)),
    },
)


@given(SPECS, SPECS, SPECS)
def test_applying_twice_is_applying_once(first: Json, other: Json, second: Json) -> None:
    live = applied(applied(None, widget(**first)), widget(**other), "two", force=True)
    once = applied(live, widget(**second), force=True)
    assert applied(once, widget(**second), force=True, now=LATER) == once


@given(SPECS, SPECS, SPECS)
def test_what_was_applied_last_is_there_and_nobody_manages_what_is_not(
    first: Json, other: Json, second: Json
) -> None:
    live = applied(applied(None, widget(**first)), widget(**other), "two", force=True)
    result = applied(live, widget(**second), force=True)
    for key in ("model", "node"):
        if key in second:
            assert result["spec"][key] == second[key]
        elif key not in other:
            assert key not in result.get("spec", {})
    assert _live_paths(result) >= _managed_paths(result)


@given(SPECS, SPECS)
def test_after_an_update_whoever_changed_a_field_manages_it_alone(
    first: Json, second: Json
) -> None:
    live = applied(None, widget(**first))
    result = tracked(live, {**live, "spec": second}, "two")
    for key in ("model", "node"):
        if key in second and first.get(key) != second[key]:
            path = ("f:spec", f"f:{key}")
            owners = [
                entry["manager"]
                for entry in result["metadata"]["managedFields"]
                if path in decoded(entry["fieldsV1"])
            ]
            assert owners == ["two"]
    assert _live_paths(result) >= _managed_paths(result)


def _managed_paths(obj: Object) -> set[str]:
    entries = obj["metadata"].get("managedFields", [])
    return {"/".join(path) for entry in entries for path in decoded(entry["fieldsV1"])}


def _live_paths(obj: Object) -> set[str]:
    """Every path that exists in the object, as steps of field sets."""
    found: set[str] = set()

    def walk(value: Json, path: str) -> None:
        found.add(path)
        if isinstance(value, dict):
            for key, item in value.items():
                walk(item, f"{path}/f:{key}" if path else f"f:{key}")
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict) and "name" in item:
                    walk(item, f'{path}/k:{{"name":"{item["name"]}"}}')

    walk(obj, "")
    return found
