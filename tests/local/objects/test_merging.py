"""Merging and comparing of values by their schema."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaz.local.objects import typed
from llmaz.local.objects.merging import compared, merged, without
from llmaz.local.objects.values import Json
from support.objects import record

TEXT = {"type": "string"}
SET = {"type": "array", "x-kubernetes-list-type": "set", "items": TEXT}
MAP = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    "items": record(name=TEXT, n={"type": "integer"}),
}
LIST = {"type": "array", "items": TEXT}
WHOLE = {"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": TEXT}
SCHEMA = record(set=SET, map=MAP, list=LIST, whole=WHOLE, text=TEXT, deep=record(a=TEXT, b=TEXT))


@pytest.mark.parametrize(
    ("live", "applied", "result"),
    [
        ({"text": "a"}, {"text": "b"}, {"text": "b"}),
        ({"deep": {"a": "1"}}, {"deep": {"b": "2"}}, {"deep": {"a": "1", "b": "2"}}),
        ({"list": ["a", "b"]}, {"list": ["c"]}, {"list": ["c"]}),
        ({"whole": {"a": "1"}}, {"whole": {"b": "2"}}, {"whole": {"b": "2"}}),
        ({"set": ["a", "b"]}, {"set": ["c", "b"]}, {"set": ["a", "c", "b"]}),
        ({"set": ["a", "b", "c"]}, {"set": ["c", "a"]}, {"set": ["b", "c", "a"]}),
        ({"set": ["a", "b"]}, {"set": ["a", "c"]}, {"set": ["a", "b", "c"]}),
        (
            {"map": [{"name": "x", "n": 1}]},
            {"map": [{"name": "y"}, {"name": "x"}]},
            {"map": [{"name": "y"}, {"name": "x", "n": 1}]},
        ),
        ({"deep": "no map"}, {"deep": {"a": "1"}}, {"deep": {"a": "1"}}),
        ({"deep": None}, {"deep": {"a": "1"}}, {"deep": {"a": "1"}}),
    ],
)
def test_an_applied_value_is_laid_over_the_live_one(
    live: Json, applied: Json, result: Json
) -> None:
    assert merged(SCHEMA, live, applied) == result


@pytest.mark.parametrize(
    ("old", "new", "added", "modified", "removed"),
    [
        ({"text": "a"}, {"text": "b"}, set(), {("f:text",)}, set()),
        ({}, {"deep": {"a": "1"}}, {("f:deep",), ("f:deep", "f:a")}, set(), set()),
        ({"deep": {"a": "1"}}, {"deep": {}}, set(), set(), {("f:deep", "f:a")}),
        ({"deep": None}, {"deep": {"a": "1"}}, {("f:deep", "f:a")}, set(), set()),
        ({"list": ["a"]}, {"list": ["b"]}, set(), {("f:list",)}, set()),
        ({"set": ["a"]}, {"set": ["b"]}, {("f:set", 'v:"b"')}, set(), {("f:set", 'v:"a"')}),
        ({"text": "a"}, {}, set(), set(), {("f:text",)}),
        ({"set": []}, {"set": None}, set(), {("f:set",)}, set()),
        (
            {"map": [{"name": "x", "n": 1}]},
            {"map": [{"name": "x", "n": 2}]},
            set(),
            {("f:map", 'k:{"name":"x"}', "f:n")},
            set(),
        ),
    ],
)
def test_a_comparison_names_what_was_added_changed_and_removed(
    old: Json, new: Json, added: Json, modified: Json, removed: Json
) -> None:
    found = compared(SCHEMA, old, new)
    assert (found.added, found.modified, found.removed) == (added, modified, removed)


def test_what_is_emptied_by_removal_stays_unless_it_is_removed_itself() -> None:
    value = {"deep": {"a": "1"}, "text": "x"}
    emptied = frozenset({("f:deep", "f:a")})
    assert without(SCHEMA, value, emptied) == {"deep": {}, "text": "x"}
    assert without(SCHEMA, value, emptied | {("f:deep",)}) == {"text": "x"}


SETS = st.lists(st.sampled_from("abcdef"), unique=True)


@given(SETS, SETS)
def test_a_merged_list_has_each_item_once_and_the_applied_ones_in_their_order(
    live: list[str], applied: list[str]
) -> None:
    result = merged(SET, live, applied)
    assert sorted(result) == sorted({*live, *applied})
    assert [item for item in result if item in applied] == applied
    assert [item for item in result if item not in applied] == [i for i in live if i not in applied]


@given(SETS, SETS)
def test_merging_the_same_again_changes_nothing(live: list[str], applied: list[str]) -> None:
    once = merged(SET, live, applied)
    assert merged(SET, once, applied) == once


def test_owning_a_field_implies_owning_the_declared_fields_above_it() -> None:
    fields = frozenset({("f:deep", "f:a"), ("f:map", 'k:{"name":"x"}', "f:n")})
    named = typed.with_named(SCHEMA, fields)
    assert named == fields | {("f:deep",), ("f:map",)}
