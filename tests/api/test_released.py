"""What a release took is taken for good: its objects by today's definitions, field by field."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from llmaz.api.crd import SERVED, definition
from llmaz.api.kinds import PLAYGROUND
from llmaz.api.manifest import Manifest
from support import judges
from support.chart import Json
from support.manifests import part
from support.narrowing import narrowed
from support.releases import RELEASES, freeze

KEPT = sorted(RELEASES.iterdir())
TODAY = {f"{kind.plural}.{kind.group}": definition(kind) for kind in SERVED}
release = pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.name)


def schema(definition: Json) -> Manifest:
    return part(definition["spec"]["versions"][0], "schema", "openAPIV3Schema")


@release
def test_objects_of_a_release_are_taken_by_todays_definitions(kept: Path) -> None:
    objects = [one for one in yaml.safe_load_all((kept / "objects.yaml").read_text()) if one]
    assert len(objects) > 10
    refused = {
        f"{one['kind']} {one['metadata']['name']}": verdict.problems
        for one in objects
        for verdict in (judges.crd(one), judges.types(one))
        if verdict.problems
    }
    assert refused == {}


@release
def test_a_definition_takes_all_that_it_took_in_a_release(kept: Path) -> None:
    """A field may be added; one that is there stays, and is bound no tighter."""
    old = [json.loads(line) for line in (kept / "definitions.jsonl").read_text().splitlines()]
    names = [one["metadata"]["name"] for one in old]
    assert set(names) <= TODAY.keys()
    tighter = {
        name: list(narrowed(schema(one), schema(TODAY[name])))
        for name, one in zip(names, old, strict=True)
    }
    assert {name: found for name, found in tighter.items() if found} == {}


@release
def test_a_definition_is_found_and_served_as_it_was_in_a_release(kept: Path) -> None:
    for line in (kept / "definitions.jsonl").read_text().splitlines():
        old: Json = json.loads(line)
        new: Json = TODAY[old["metadata"]["name"]]
        for key in ("group", "scope", "names"):
            assert new["spec"][key] == old["spec"][key]
        versions = {one["name"]: one for one in new["spec"]["versions"]}
        for one in old["spec"]["versions"]:
            assert versions[one["name"]]["served"]
            assert versions[one["name"]]["subresources"] == one["subresources"]


def test_a_release_is_kept_whole(tmp_path: Path) -> None:
    freeze(Path(__file__).parents[2], tmp_path)
    kept = (tmp_path / "definitions.jsonl").read_text().splitlines()
    assert {json.loads(line)["metadata"]["name"] for line in kept} == TODAY.keys()
    assert all(
        not list(narrowed(schema(json.loads(line)), schema(json.loads(line)))) for line in kept
    )


@pytest.mark.parametrize(
    ("field", "change", "words"),
    [
        ("replicas", {"type": "string"}, ".spec.replicas: was integer, is string"),
        ("replicas", {"minimum": 1}, ".spec.replicas: minimum is higher"),
        ("replicas", {"default": 7}, ".spec.replicas: default is another"),
        ("replicas", {"maximum": 9}, ".spec.replicas: maximum is lower"),
        ("replicas", {"enum": [1]}, ".spec.replicas: has become a choice"),
    ],
    ids=["type", "minimum", "default", "maximum", "enum"],
)
def test_what_takes_less_is_found(field: str, change: Manifest, words: str) -> None:
    old = schema(TODAY["playgrounds.inference.llmaz.io"])
    new = copy.deepcopy(old)
    part(new, "properties", "spec", "properties", field).update(change)
    assert list(narrowed(old, new)) == [words]


def test_a_field_that_goes_and_one_that_is_demanded_are_found() -> None:
    old = schema(TODAY[f"{PLAYGROUND.plural}.{PLAYGROUND.group}"])
    new = copy.deepcopy(old)
    spec = part(new, "properties", "spec")
    del part(spec, "properties")["replicas"]
    spec["required"] = ["elasticConfig"]
    assert list(narrowed(old, new)) == [
        ".spec.replicas: is gone",
        ".spec.elasticConfig: has become required",
    ]
    assert list(narrowed(new, old)) == []
