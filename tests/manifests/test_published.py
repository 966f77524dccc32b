"""Manifests that others published load as they are."""

from pathlib import Path

import pytest
import yaml

from llmaz.api.manifest import ManifestError, decode, encode
from llmaz.api.objects import from_manifest
from llmaz.api.openmodel import OpenModel
from llmaz.api.validation import validate
from support import judges
from support.manifests import PUBLISHED, documents, published

SKETCH = PUBLISHED / "seeds" / "seed002-service-sketch.yaml"
whole = pytest.mark.parametrize(
    "path",
    [path for path in published() if path != SKETCH],
    ids=lambda path: str(path.relative_to(PUBLISHED)),
)


@whole
def test_it_loads_keeps_the_rules_and_comes_back_the_same(path: Path) -> None:
    for document in documents(path):
        value = from_manifest(document)
        assert validate(value) == ()
        assert from_manifest(encode(value)) == value


@whole
def test_an_api_server_accepts_it_and_drops_nothing(path: Path) -> None:
    for document in documents(path):
        assert judges.crd(document).problems == ()


@whole
def test_what_is_written_back_is_accepted_too(path: Path) -> None:
    for document in documents(path):
        written = encode(from_manifest(document))
        assert isinstance(written, dict)
        assert judges.crd(written).problems == ()


@pytest.mark.parametrize("judge", [judges.types, judges.crd])
def test_a_sketch_is_refused_where_it_leaves_something_out(judge: judges.Judge) -> None:
    (document,) = documents(SKETCH)
    assert judge(document).is_about("spec.workloadTemplate.workerTemplate")


def test_booleans_of_a_node_selector_are_read_as_text() -> None:
    as_printed, mended = (
        next(documents(PUBLISHED / "seeds" / name))
        for name in (
            "seed000-llama3-405b-multihost-booleans.yaml",
            "seed000-L253-llama3-405b-multihost-v0.1.0.yaml",
        )
    )
    assert decode(OpenModel, as_printed) == decode(OpenModel, mended)


def test_a_list_in_a_node_selector_is_refused_with_its_path() -> None:
    (document,) = yaml.safe_load_all(
        (PUBLISHED / "seeds" / "seed000-L61-openmodel-v0.1.0.yaml").read_text()
    )
    document["spec"]["inferenceConfig"]["flavors"][0]["nodeSelector"] = {"zone": ["a"]}
    with pytest.raises(ManifestError) as refused:
        from_manifest(document)
    assert refused.value.path == "spec.inferenceConfig.flavors[0].nodeSelector.zone"
    assert judges.crd(document).is_about("spec.inferenceConfig.flavors[0].nodeSelector")
