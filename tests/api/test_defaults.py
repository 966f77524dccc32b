"""Upstream's defaulting cases, put to the types and to the CRD alike, and the labels."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmaz.api.claims import Role
from llmaz.api.defaults import default_labels
from llmaz.api.manifest import Manifest, decode
from llmaz.api.objects import from_manifest
from llmaz.api.openmodel import OpenModel
from llmaz.api.playground import Playground
from llmaz.api.service import RollingUpdate, Service
from llmaz.api.source import Hub
from support import judges
from support.manifests import (
    claims,
    documents,
    model_of_hub,
    open_model,
    part,
    playground,
    published,
)
from support.manifests import service as service_manifest


def through_types(manifest: Manifest) -> Manifest:
    return manifest


def through_crd(manifest: Manifest) -> Manifest:
    return judges.crd(manifest).object


Prepared = Callable[[Manifest], Manifest]
both = pytest.mark.parametrize("prepared", [through_types, through_crd])


@both
def test_d1_a_model_is_of_hugging_faces_main_and_owned_by_llmaz(prepared: Prepared) -> None:
    model = decode(OpenModel, prepared(open_model()))
    hub = model.spec.source.model_hub
    assert hub is not None
    assert (hub.name, hub.revision) == (Hub.HUGGINGFACE, "main")
    assert model.spec.owned_by == "llmaz"
    assert default_labels(model) == {"llmaz.io/model-family-name": "llama3"}


@both
def test_d2_modelscope_stays_and_gets_the_same_revision(prepared: Prepared) -> None:
    hub = decode(OpenModel, prepared(model_of_hub(name="ModelScope"))).spec.source.model_hub
    assert hub is not None
    assert (hub.name, hub.revision) == (Hub.MODELSCOPE, "main")


@both
def test_d3_an_owner_that_is_given_stays(prepared: Prepared) -> None:
    assert decode(OpenModel, prepared(open_model(ownedBy="us"))).spec.owned_by == "us"


@both
def test_d4_a_date_that_is_given_stays(prepared: Prepared) -> None:
    model = decode(OpenModel, prepared(open_model(createdAt="2026-01-31T12:00:00Z")))
    assert model.spec.created_at == datetime(2026, 1, 31, 12, tzinfo=UTC)


@both
def test_a_playground_has_one_replica_and_its_models_name_as_a_label(prepared: Prepared) -> None:
    value = decode(Playground, prepared(playground()))
    assert value.spec.replicas == 1
    assert value.spec.backend_runtime_config.backend_name == "vllm"
    assert default_labels(value) == {"llmaz.io/model-name": "llama3-8b"}


@both
def test_a_role_that_is_left_out_is_main(prepared: Prepared) -> None:
    value = decode(Playground, prepared(playground(modelClaims=claims("draft", None))))
    assert value.spec.claims.models[1].role is Role.MAIN
    assert default_labels(value) == {"llmaz.io/model-name": "model-1"}


@both
def test_a_service_rolls_out_one_by_one_and_restarts_groups_whole(prepared: Prepared) -> None:
    spec = decode(Service, prepared(service_manifest())).spec
    assert (spec.replicas, spec.workload_template.size) == (1, 1)
    assert spec.workload_template.restart_policy == "RecreateGroupOnPodRestart"
    assert spec.rollout_strategy.rolling_update_configuration == RollingUpdate(
        max_unavailable=1, max_surge=0
    )


def test_an_api_server_writes_the_whole_rollout_strategy() -> None:
    assert part(judges.crd(service_manifest()).object, "spec", "rolloutStrategy") == {
        "type": "RollingUpdate",
        "rollingUpdateConfiguration": {"maxUnavailable": 1, "maxSurge": 0},
    }


@pytest.mark.parametrize("path", published(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_defaults_of_an_api_server_say_nothing_new_to_the_types(path: Path) -> None:
    for document in documents(path):
        if "service-sketch" not in path.name:
            assert from_manifest(judges.crd(document).object) == from_manifest(document)
