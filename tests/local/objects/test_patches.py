"""Merge and JSON patches, with the server's refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaz.local.objects.patches import MAX_OPERATIONS, PatchError, json_patch, merge_patch
from llmaz.local.objects.values import Json
from support.objects import recorded

JSON = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), JSON)


# The examples of RFC 7386 that concern objects.
@pytest.mark.parametrize(
    ("obj", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_does_what_the_rfc_says(obj: Json, patch: Json, result: Json) -> None:
    assert merge_patch(obj, patch) == result


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_applied_twice_is_applied_once(obj: Json, patch: Json) -> None:
    once = merge_patch(obj, patch)
    assert merge_patch(once, patch) == once


@given(OBJECTS)
def test_an_object_merged_into_nothing_is_itself(obj: Json) -> None:
    assert merge_patch({}, obj) == obj


def test_a_merge_patch_is_an_object() -> None:
    with pytest.raises(PatchError, match="cannot unmarshal array into Go value") as caught:
        merge_patch({}, [])
    assert caught.value.code == 400


def test_a_patch_changes_no_argument() -> None:
    obj, patch = {"a": {"b": [1]}}, {"a": {"c": [2]}}
    merge_patch(obj, patch)["a"]["c"].append(3)
    json_patch(obj, [{"op": "add", "path": "/a/b/-", "value": 2}])
    assert (obj, patch) == ({"a": {"b": [1]}}, {"a": {"c": [2]}})


@pytest.mark.parametrize(
    ("operations", "result"),
    [
        ([{"op": "add", "path": "/b", "value": 1}], {"a": [1, 2], "b": 1}),
        ([{"op": "add", "path": "/a/0", "value": 0}], {"a": [0, 1, 2]}),
        ([{"op": "add", "path": "/a/-", "value": 3}], {"a": [1, 2, 3]}),
        ([{"op": "remove", "path": "/a/0"}], {"a": [2]}),
        ([{"op": "remove", "path": "/a/-1"}], {"a": [1]}),
        ([{"op": "replace", "path": "/a", "value": "x"}], {"a": "x"}),
        ([{"op": "replace", "path": "/a/1", "value": 5}], {"a": [1, 5]}),
        ([{"op": "replace", "path": "", "value": {"z": 1}}], {"z": 1}),
        ([{"op": "move", "from": "/a", "path": "/b"}], {"b": [1, 2]}),
        ([{"op": "copy", "from": "/a/0", "path": "/b"}], {"a": [1, 2], "b": 1}),
        ([{"op": "test", "path": "/a/0", "value": 1}], {"a": [1, 2]}),
        ([{"op": "test", "path": "/absent", "value": None}], {"a": [1, 2]}),
        ([{"op": "add", "path": "/x~1y~0z", "value": 1}], {"a": [1, 2], "x/y~z": 1}),
    ],
)
def test_operations_are_done_in_order(operations: Json, result: Json) -> None:
    assert json_patch({"a": [1, 2]}, operations) == result


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a/0", "value": 2},
        {"op": "test", "path": "/a/0", "value": True},
        {"op": "remove", "path": "/absent"},
        {"op": "remove", "path": "/a/2"},
        {"op": "remove", "path": "/a/01"},
        {"op": "remove", "path": ""},
        {"op": "replace", "path": "/absent", "value": 1},
        {"op": "add", "path": "/absent/x", "value": 1},
        {"op": "add", "path": "/a/7", "value": 1},
        {"op": "add", "path": "/a/0/x", "value": 1},
        {"op": "add", "path": "a", "value": 1},
        {"op": "add", "path": "/b"},
        {"op": "copy", "from": "/absent", "path": "/b"},
        {"op": "juggle", "path": "/a"},
        {"op": "replace", "path": "", "value": []},
    ],
)
def test_an_operation_that_does_not_fit_is_refused_as_recorded(operation: Json) -> None:
    with pytest.raises(PatchError) as caught:
        json_patch({"a": [1, 2]}, [operation])
    response = recorded("05-patch")[3]["response"]
    assert (caught.value.code, caught.value.message) == (
        response["status"],
        response["body"]["message"],
    )


def test_a_json_patch_is_a_list_of_operations() -> None:
    patches: Json = ({}, ["x"])
    for patch in patches:
        with pytest.raises(PatchError) as caught:
            json_patch({}, patch)
        assert caught.value.code == 400


def test_a_json_patch_has_a_limit() -> None:
    with pytest.raises(PatchError) as caught:
        json_patch({}, [{"op": "test", "path": "/a", "value": None}] * (MAX_OPERATIONS + 1))
    assert caught.value.code == 413


def test_copies_cannot_blow_up_an_object() -> None:
    doubling = [{"op": "copy", "from": "", "path": f"/copy{i}"} for i in range(30)]
    with pytest.raises(PatchError) as refused:
        json_patch({"text": "x" * 1000}, doubling)
    assert refused.value.code == 422
