"""Strategic merge patches of built-in kinds."""

import pytest

from llmaz.local.objects.builtin import SCHEMAS
from llmaz.local.objects.patches import PatchError, strategic_patch
from llmaz.local.objects.values import Json, Object
from support.objects import recorded

POD = SCHEMAS["v1", "Pod"]
NODE = SCHEMAS["v1", "Node"]


def containers(*items: Object, **directives: Json) -> Object:
    return {"spec": {"containers": list(items), **directives}}


def names(obj: Object) -> list[str]:
    return [item["name"] for item in obj["spec"]["containers"]]


def test_the_recorded_patches_give_the_recorded_nodes() -> None:
    steps = recorded("10-core-resources")
    removed = strategic_patch(steps[1]["response"]["body"], steps[2]["request"]["body"], NODE)
    assert removed["metadata"]["labels"] == steps[2]["response"]["body"]["metadata"]["labels"]
    status = strategic_patch(steps[3]["response"]["body"], steps[5]["request"]["body"], NODE)
    assert status["status"]["capacity"] == {"llmaz.io/gpu": "8"}
    assert [item["type"] for item in status["status"]["conditions"]] == ["Ready"]


def test_items_of_a_list_are_merged_by_their_key() -> None:
    pod = containers({"name": "a", "image": "x"}, {"name": "b"})
    patched = strategic_patch(pod, containers({"name": "a", "args": ["1"]}, {"name": "c"}), POD)
    assert patched == containers(
        {"name": "a", "image": "x", "args": ["1"]}, {"name": "b"}, {"name": "c"}
    )


def test_an_item_is_deleted_by_its_key() -> None:
    patch = containers({"name": "a", "$patch": "delete"})
    assert names(strategic_patch(containers({"name": "a"}, {"name": "b"}), patch, POD)) == ["b"]


def test_a_list_is_replaced_when_the_patch_says_so() -> None:
    patch = containers({"$patch": "replace"}, {"name": "c"})
    assert names(strategic_patch(containers({"name": "a"}), patch, POD)) == ["c"]


def test_a_map_is_replaced_or_emptied_when_the_patch_says_so() -> None:
    pod: Object = {"metadata": {"labels": {"a": "1"}}}
    replace: Json = {"metadata": {"labels": {"$patch": "replace", "b": "2"}}}
    assert strategic_patch(pod, replace, POD) == {"metadata": {"labels": {"b": "2"}}}
    empty: Json = {"metadata": {"labels": {"$patch": "delete"}}}
    assert strategic_patch(pod, empty, POD) == {"metadata": {"labels": {}}}


def test_only_the_retained_keys_stay() -> None:
    schema: Json = {"properties": {"strategy": {"type": "object"}}}
    obj: Json = {"strategy": {"type": "Rolling", "rolling": {}}}
    patch: Json = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    assert strategic_patch(obj, patch, schema) == {"strategy": {"type": "Recreate"}}


def test_the_order_of_the_patch_is_kept_and_what_it_does_not_name_keeps_its_place() -> None:
    pod = containers({"name": "a"}, {"name": "server"}, {"name": "b"})
    order = [{"name": "b"}, {"name": "a"}]
    patch = containers({"name": "a", "image": "x"}, **{"$setElementOrder/containers": order})
    assert names(strategic_patch(pod, patch, POD)) == ["server", "b", "a"]


def test_an_order_alone_changes_nothing_but_the_order() -> None:
    pod = containers({"name": "a"}, {"name": "b"})
    patch: Json = {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}
    assert names(strategic_patch(pod, patch, POD)) == ["b", "a"]


def test_values_join_a_list_of_values_and_leave_it_by_name() -> None:
    schema: Json = {
        "properties": {"fin": {"type": "array", "x-kubernetes-patch-strategy": "merge"}}
    }
    assert strategic_patch({"fin": ["a"]}, {"fin": ["b", "a"]}, schema) == {"fin": ["a", "b"]}
    patch: Json = {"$deleteFromPrimitiveList/fin": ["a"]}
    assert strategic_patch({"fin": ["a", "b"]}, patch, schema) == {"fin": ["b"]}


def test_a_list_without_a_strategy_is_replaced() -> None:
    patch = containers({"name": "a", "args": ["2"]})
    pod = containers({"name": "a", "args": ["1", "0"]})
    assert strategic_patch(pod, patch, POD) == patch


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ([], "a strategic merge patch is an object"),
        (
            containers({"image": "x"}),
            'map: {"image":"x"} does not contain declared merge key: name',
        ),
        ({"metadata": {"$patch": "juggle"}}, "Unknown patch type: juggle"),
        ({"$retainKeys": "a"}, "invalid patch format of retainKeys list"),
        ({"spec": {"$deleteFromPrimitiveList/x": 1}}, "invalid patch format of primitive list"),
        (containers({"name": "a"}, **{"$setElementOrder/containers": 1}), "setElementOrder list"),
    ],
)
def test_a_patch_that_can_not_be_read_is_refused(patch: Json, words: str) -> None:
    with pytest.raises(PatchError) as caught:
        strategic_patch(containers({"name": "a"}), patch, POD)
    assert words in caught.value.message
    assert caught.value.code == 400
