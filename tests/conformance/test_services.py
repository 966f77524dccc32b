"""Upstream's cases of the Service and HPA controllers, and its end-to-end ones that are objects."""

import dataclasses
from typing import Any, cast

import pytest

from llmaz.api.backendruntime import RecommendedConfig
from llmaz.api.kinds import CORE_SERVICE, HORIZONTAL_POD_AUTOSCALER
from llmaz.api.names import SKIP_MODEL_LOADER
from llmaz.api.node import AssignedEngine, EnginePhase
from llmaz.api.openmodel import OpenModel
from llmaz.api.playground import BackendRuntimeConfig
from llmaz.api.scaling import ElasticConfig, HpaTrigger, ScaleTrigger
from llmaz.controller.snapshot import Ref
from support.builders import flavor, model, node, playground, runtime
from support.controlling import World
from support.groups import fail

NAME = "service-llama3-8b"
LLAMA = model("llama3-8b", flavor("a100", 1), flavor("a10", 2))


def world_of(*models: OpenModel, **claim: Any) -> World:  # noqa: ANN401  # as `playground`'s
    one = playground(NAME, models[0].metadata.name, **claim)
    return World().add(*models, runtime(), one, node("n1", 3))


def engines(world: World) -> list[AssignedEngine]:
    return [engine for one in world.nodes.values() for engine in one.spec.engines]


def states(world: World) -> dict[str, tuple[str, str]]:
    conditions = world.services[("default", NAME)].status.conditions
    return {one.type: (one.status, one.reason) for one in conditions}


def test_8_6_1_a_service_is_in_progress_then_ready_and_back() -> None:
    world = world_of(LLAMA)
    world.decide()
    assert states(world)["Progressing"] == ("True", "ServiceInProgress")
    world.edit(NAME, 3)
    world.settle()
    assert states(world)["Available"] == ("True", "ServiceReady")
    assert len(engines(world)) == 3
    load_balancer = Ref(kind=CORE_SERVICE, namespace="default", name=f"{NAME}-lb")
    assert cast("Any", world.manifests[load_balancer])["spec"]["ports"][0]["port"] == 8080
    fail(world, f"default/{NAME}-0", EnginePhase.UNREADY)
    world.decide()
    assert states(world) == {
        "Progressing": ("True", "ServiceInProgress"),
        "Available": ("False", "ServiceNotReady"),
    }
    world.settle()
    assert states(world)["Available"] == ("True", "ServiceReady")


def test_8_6_2_the_weights_of_a_uri_are_assigned_with_the_engine() -> None:
    world = world_of(model("oss", uri="oss://bucket.endpoint/models/llama3-8b"))
    world.settle()
    (assigned,) = world.nodes["n1"].spec.models
    assert assigned.source.uri == "oss://bucket.endpoint/models/llama3-8b"


def test_8_6_3_speculative_decoding_assigns_both_models() -> None:
    speculative = RecommendedConfig(name="speculative-decoding", args=("{{ .DraftModelPath }}",))
    world = world_of(LLAMA, model("draft"), draft="draft")
    world.add(runtime(recommended_configs=(speculative,)))
    world.settle()
    assert [one.name for one in world.nodes["n1"].spec.models] == ["draft", "llama3-8b"]


def test_8_6_4_the_flavor_that_is_claimed_says_how_many_accelerators() -> None:
    world = world_of(LLAMA, flavors=("a10",))
    world.settle()
    (engine,) = engines(world)
    assert str(engine.resources.limits["nvidia.com/gpu"]) == "2"
    assert engine.resources.requests == engine.resources.limits
    assert len(engine.accelerators) == 2


def test_8_6_5_without_a_claim_it_is_the_models_first() -> None:
    world = world_of(LLAMA)
    world.settle()
    assert [len(engine.accelerators) for engine in engines(world)] == [1]


def trigger(percent: int) -> ScaleTrigger:
    target = {"type": "Utilization", "averageUtilization": percent}
    return ScaleTrigger(
        hpa=HpaTrigger(
            metrics=({"type": "Resource", "resource": {"name": "cpu", "target": target}},)
        )
    )


@pytest.mark.parametrize(
    ("own", "backends", "percent"),
    [
        pytest.param(trigger(50), None, 50, id="8.7.1 the Playground's"),
        pytest.param(None, trigger(20), 20, id="8.7.2 the backend's"),
        pytest.param(trigger(50), trigger(20), 50, id="8.7.3 the Playground's over the backend's"),
    ],
)
def test_8_7_the_trigger_of_a_horizontal_pod_autoscaler(
    own: ScaleTrigger | None, backends: ScaleTrigger | None, percent: int
) -> None:
    world = world_of(LLAMA)
    one = world.playground(NAME)
    elastic = ElasticConfig(min_replicas=1, max_replicas=10, scale_trigger=own)
    spec = dataclasses.replace(one.spec, elastic_config=elastic)
    config = RecommendedConfig(name="default", scale_trigger=backends)
    world.add(dataclasses.replace(one, spec=spec), runtime(recommended_configs=(config,)))
    world.settle()
    hpa = world.manifests[Ref(kind=HORIZONTAL_POD_AUTOSCALER, namespace="default", name=NAME)]
    (metric,) = cast("Any", hpa)["spec"]["metrics"]
    assert metric["resource"]["target"]["averageUtilization"] == percent
    assert cast("Any", hpa)["spec"]["maxReplicas"] == 10


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(LLAMA, id="8.8.7 Hugging Face"),
        pytest.param(model("llama3-8b", uri="s3://test-bucket/opt-125m"), id="8.8.8 S3"),
    ],
)
def test_8_8_7_and_8_an_engine_that_loads_by_itself_gets_credentials_and_no_weights(
    source: OpenModel,
) -> None:
    world = world_of(source, annotations={SKIP_MODEL_LOADER: "true"})
    world.settle()
    (engine,) = engines(world)
    assert engine.skip_model_loader
    assert world.nodes["n1"].spec.models == ()
    names = {env.name for env in engine.env}
    wanted = {"AWS_ACCESS_KEY_ID"} if source.spec.source.uri else {"HF_TOKEN"}
    assert wanted <= names


def test_8_8_4_a_runtime_of_ones_own_is_used_by_its_name() -> None:
    world = World().add(LLAMA, runtime("llmaz-llamacpp", "--mine"), node("n1", 1))
    config = BackendRuntimeConfig(backend_name="llmaz-llamacpp")
    world.add(playground(NAME, "llama3-8b", config=config))
    world.settle()
    assert [engine.args for engine in engines(world)] == [("--mine",)]
