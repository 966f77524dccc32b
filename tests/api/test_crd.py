"""The CRDs in the chart are those that the types give, and an API server can use them."""

import dataclasses
import math
import re
from collections.abc import Iterator

import pytest

from llmaz.api.crd import SERVED, definition
from llmaz.api.kinds import Kind
from llmaz.api.manifest import Json, Manifest, key_of
from llmaz.api.objects import CLASSES
from llmaz.api.rules import RULES
from llmaz.api.schema import descriptions
from llmaz.local.objects.schema import structural_errors
from support.judges import definition_of, schema_of
from support.manifests import part

kinds = pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.kind)


def nodes(schema: Manifest, path: str = "") -> Iterator[tuple[str, Manifest]]:
    """Yield every schema within a schema, with its path."""
    yield path, schema
    for key in part(schema, "properties") if "properties" in schema else ():
        yield from nodes(part(schema, "properties", key), f"{path}.{key}")
    for key in ("items", "additionalProperties"):
        if isinstance(inner := schema.get(key), dict):
            yield from nodes(inner, f"{path}[]")


def listed(schema: Manifest, key: str) -> list[Json]:
    """Return the list at a key; an empty one where there is none."""
    found = schema.get(key, [])
    assert isinstance(found, list)
    return found


@kinds
def test_the_file_in_the_chart_is_what_the_types_give(kind: Kind) -> None:
    assert definition_of(kind) == definition(kind), "run `make crds`"


@kinds
def test_every_field_of_the_types_is_in_the_schema_and_no_other(kind: Kind) -> None:
    def compare(cls: type, schema: Manifest) -> None:
        keys = {key_of(field) for field in dataclasses.fields(cls)}
        older = {field.metadata.get("formerly") for field in dataclasses.fields(cls)} - {None}
        assert set(part(schema, "properties")) == keys | older

    schema = schema_of(kind)
    compare(CLASSES[kind], schema)
    types = {field.name: field.type for field in dataclasses.fields(CLASSES[kind])}
    for name in ("spec", "status"):
        cls = types[name]
        assert isinstance(cls, type)
        compare(cls, part(schema, "properties", name))


@kinds
def test_an_api_server_finds_the_schema_structural_and_its_rules_compile(kind: Kind) -> None:
    assert structural_errors(schema_of(kind), "schema") == []


@kinds
def test_every_field_is_described(kind: Kind) -> None:
    bare = [
        path
        for path, schema in nodes(schema_of(kind))
        if not path.endswith("[]") and not schema.get("description")
    ]
    assert bare == [".metadata"]  # an API server refuses a definition that describes it


@kinds
def test_lists_that_rules_walk_are_bounded_so_that_the_rules_have_a_price(kind: Kind) -> None:
    def below(schema: Manifest) -> bool:
        return any("x-kubernetes-validations" in inner for _, inner in nodes(schema))

    unbounded = [
        path
        for path, schema in nodes(schema_of(kind))
        if schema.get("type") == "array" and below(schema) and "maxItems" not in schema
    ]
    assert unbounded == []


# What an API server allows one rule, and what it reckons for a pattern: cel-go's checker/cost.go.
COST_OF_A_RULE = 10_000_000
MATCH = re.compile(r"self\.(\w+)\.matches\('((?:[^'\\]|\\.)*)'\)")


def costs(schema: Manifest, times: int = 1) -> Iterator[tuple[int, str]]:
    """Yield what the patterns of each rule cost where every list is as long as it may be."""
    for rule in listed(schema, "x-kubernetes-validations"):
        assert isinstance(rule, dict)
        text, cost = str(rule["rule"]), 0
        for field, pattern in MATCH.findall(text):
            characters = part(schema, "properties", field).get("maxLength", 0)
            assert isinstance(characters, int)
            read = math.ceil((4 * characters + 1) * 0.1)
            cost += read * math.ceil(len(pattern) * 0.25)
        yield cost * times, text
    for field in part(schema, "properties") if "properties" in schema else ():
        yield from costs(part(schema, "properties", field), times)
    for key, limit in (("items", "maxItems"), ("additionalProperties", "maxProperties")):
        if isinstance(inner := schema.get(key), dict):
            most = schema.get(limit, 1)
            assert isinstance(most, int)
            yield from costs(inner, times * most)


@kinds
def test_no_pattern_of_a_rule_costs_more_than_a_server_allows(kind: Kind) -> None:
    """Else a server refuses the whole definition: shorten the pattern, the text or the list."""
    dear = [(cost, rule) for cost, rule in costs(schema_of(kind)) if cost > COST_OF_A_RULE * 0.9]
    assert dear == []


@kinds
def test_rules_of_a_list_map_have_the_key_in_every_item(kind: Kind) -> None:
    for path, schema in nodes(schema_of(kind)):
        for key in listed(schema, "x-kubernetes-list-map-keys"):
            items = part(schema, "items")
            is_written = "default" in part(items, "properties", str(key))
            assert is_written or key in listed(items, "required"), path


def test_every_rule_stands_in_a_crd() -> None:
    written = {
        (rule["rule"], rule["message"])
        for kind in CLASSES
        for _, schema in nodes(schema_of(kind))
        for rule in listed(schema, "x-kubernetes-validations")
        if isinstance(rule, dict)
    }
    assert {(rule.cel, rule.message) for rule in RULES} <= written


@pytest.mark.parametrize(
    ("short", "plural", "scope", "scaled"),
    [
        ("om", "openmodels.llmaz.io", "Cluster", False),
        ("pl", "playgrounds.inference.llmaz.io", "Namespaced", True),
        ("isvc", "services.inference.llmaz.io", "Namespaced", True),
        ("br", "backendruntimes.inference.llmaz.io", "Cluster", False),
        ("infn", "inferencenodes.llmaz.io", "Cluster", False),
    ],
)
def test_names_scopes_and_subresources(short: str, plural: str, scope: str, scaled: bool) -> None:
    (kind,) = (kind for kind, served in SERVED.items() if served.short_name == short)
    found = definition_of(kind)
    assert found["metadata"]["name"] == plural
    assert found["spec"]["scope"] == scope
    assert found["spec"]["names"]["categories"] == ["llmaz"]
    subresources = found["spec"]["versions"][0]["subresources"]
    assert subresources["status"] == {}
    assert ("scale" in subresources) == scaled
    if scaled:
        assert subresources["scale"] == {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        }


@pytest.mark.parametrize(
    ("short", "narrow"),
    [
        ("om", "OWNEDBY MODELHUB MODELID URI CACHED READY AGE"),
        ("pl", "MODEL FLAVOR READY REPLICAS STATUS AGE"),
        ("isvc", "FLAVOR READY REPLICAS STATUS AGE"),
    ],
)
def test_columns(short: str, narrow: str) -> None:
    (served,) = (served for served in SERVED.values() if served.short_name == short)
    assert " ".join(column.name for column in served.columns if not column.wide) == narrow


@kinds
def test_nothing_in_a_status_has_a_default(kind: Kind) -> None:
    status = part(schema_of(kind), "properties", "status")
    assert [path for path, schema in nodes(status) if "default" in schema] == []


def test_descriptions_are_read_from_docstrings_over_several_lines() -> None:
    class Documented:
        """What it is.

        first: one line
        second_field: two
            lines, with a colon: here
        """

    assert descriptions(Documented) == {
        "first": "One line.",
        "second_field": "Two lines, with a colon: here.",
    }
