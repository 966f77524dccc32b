"""Upstream's cases of the Playground controller, by their numbers (docs/compatibility.md, 7)."""

import dataclasses

import pytest

from llmaz.api.backendruntime import BackendRuntime, RecommendedConfig
from llmaz.api.manifest import decode
from llmaz.api.meta import ObjectMeta
from llmaz.api.node import EnginePhase
from llmaz.api.playground import BackendRuntimeConfig
from llmaz.api.pod import EnvVar, Resources
from llmaz.api.podtemplate import Container
from llmaz.api.quantity import Quantity
from llmaz.api.service import Service
from support.builders import flavor, model, node, playground, runtime
from support.controlling import World
from support.groups import fail
from support.manifests import CHART, PUBLISHED, documents

LLAMA = model("llama3-8b", flavor("a100", 1), flavor("a10", 2))
NAME = "playground-llama3-8b"


def shipped(backend: str) -> BackendRuntime:
    (document,) = documents(CHART / "runtimes" / f"{backend}.yaml")
    return decode(BackendRuntime, document)


def served(*runtimes: BackendRuntime, draft: bool = False, **config: object) -> World:
    """The sample Playground on one node, with these BackendRuntimes; nobody has looked at it."""
    backend = BackendRuntimeConfig(**config)  # type: ignore[arg-type]  # fields by name
    one = playground(NAME, "llama3-8b", config=backend, draft="draft" if draft else None)
    return World().add(LLAMA, model("draft"), *(runtimes or (runtime(),)), one, node("n1", 3))


def states(world: World) -> dict[str, tuple[str, str]]:
    conditions = world.playground(NAME).status.conditions
    return {one.type: (one.status, one.reason) for one in conditions}


def service(world: World) -> Service:
    return world.services[("default", NAME)]


def runner(world: World) -> Container:
    (container,) = service(world).spec.workload_template.worker_template.spec.containers
    assert container.name == "model-runner"
    return container


def test_8_5_1_a_playground_is_pending_then_ready_and_in_progress_when_it_is_not() -> None:
    world = served()
    world.decide()
    assert states(world)["Progressing"] == ("True", "Pending")
    world.edit(NAME, 3)
    world.decide()
    assert service(world).spec.replicas == 3
    assert states(world)["Progressing"] == ("True", "Pending")
    world.settle()
    assert states(world)["Available"] == ("True", "PlaygroundReady")
    fail(world, f"default/{NAME}-0", EnginePhase.UNREADY)
    world.decide()
    assert states(world) == {
        "Progressing": ("True", "PlaygroundInProgress"),
        "Available": ("False", "PlaygroundNotReady"),
    }
    world.settle()
    assert states(world) == {
        "Progressing": ("True", "PlaygroundInProgress"),
        "Available": ("True", "PlaygroundReady"),
    }
    status = world.playground(NAME).status
    assert (status.selector, status.replicas) == (
        service(world).status.selector,
        service(world).status.replicas,
    )


def test_8_5_2_speculative_decoding_goes_from_pending_to_ready() -> None:
    world = served(shipped("llamacpp"), draft=True, backend_name="llamacpp")
    world.decide()
    assert states(world)["Progressing"] == ("True", "Pending")
    assert [(one.name, one.role.value) for one in service(world).spec.model_claims.models] == [
        ("llama3-8b", "main"),
        ("draft", "draft"),
    ]
    world.settle()
    assert states(world)["Available"] == ("True", "PlaygroundReady")


@pytest.mark.parametrize(
    ("number", "backend"),
    [(3, "sglang"), (4, "llamacpp"), (5, "tgi"), (6, "tensorrt-llm"), (7, "ollama")],
)
def test_8_5_3_to_7_an_advanced_configuration(number: int, backend: str) -> None:
    asked = Resources(requests={"cpu": Quantity("1")}, limits={"cpu": Quantity("10")})
    world = served(
        shipped(backend),
        backend_name=backend,
        version="main",
        args=("--foo", "bar"),
        envs=(EnvVar(name="FOO", value="BAR"),),
        resources=asked,
    )
    world.decide()
    container, spec = runner(world), shipped(backend).spec
    assert container.image == f"{spec.image}:main", number
    assert container.args[-2:] == ("--foo", "bar")
    assert EnvVar(name="FOO", value="BAR") in container.env
    assert (container.resources.requests["cpu"], container.resources.limits["cpu"]) == (
        asked.requests["cpu"],
        asked.limits["cpu"],
    )
    probes = (container.startup_probe, container.liveness_probe, container.readiness_probe)
    assert probes == (spec.startup_probe, spec.liveness_probe, spec.readiness_probe)
    assert container.lifecycle == spec.lifecycle
    assert container.command == ((spec.process and spec.process.command) or spec.command)
    assert service(world).metadata.labels["llmaz.io/model-name"] == "llama3-8b"
    assert service(world).spec.model_claims == world.playground(NAME).spec.claims


def test_8_5_8_arguments_are_appended_to_those_of_the_configuration_that_is_named() -> None:
    configs = [RecommendedConfig(name=name, args=("--of", name)) for name in ("default", "named")]
    fake = runtime("fake", recommended_configs=tuple(configs))
    world = served(fake, backend_name="fake", config_name="named", args=("--mine",))
    world.decide()
    assert runner(world).args == ("--of", "named", "--mine")


def test_8_5_9_a_foreign_service_of_the_name_aborts_and_its_deletion_recovers() -> None:
    world = served()
    world.decide()
    foreign = dataclasses.replace(
        service(world), metadata=ObjectMeta(name=NAME, namespace="default", uid="theirs")
    )
    world = served()
    world.services[("default", NAME)] = foreign
    world.decide()
    assert states(world)["Progressing"] == ("False", "AbortProcessing")
    del world.services[("default", NAME)]
    world.decide()
    assert states(world)["Progressing"] == ("True", "Pending")
    world.settle()
    assert states(world)["Available"] == ("True", "PlaygroundReady")


def test_8_5_10_a_missing_model_aborts_and_its_creation_recovers() -> None:
    world = served()
    del world.models["llama3-8b"]
    world.decide()
    assert states(world)["Progressing"] == ("False", "AbortProcessing")
    world.add(LLAMA)
    world.decide()
    assert states(world)["Progressing"] == ("True", "Pending")
    world.settle()
    assert states(world)["Available"] == ("True", "PlaygroundReady")


def test_8_5_11_a_cpu_request_alone_becomes_the_limit() -> None:
    world = served(resources=Resources(requests={"cpu": Quantity("10")}))
    world.decide()
    assert runner(world).resources.limits["cpu"] == Quantity("10")


def test_8_5_12_shared_memory_is_a_volume_of_the_size_that_is_asked_for() -> None:
    world = served(shared_memory_size=Quantity("2Gi"))
    world.decide()
    volume = service(world).spec.workload_template.worker_template.spec.volumes[0]
    assert volume.empty_dir is not None
    assert (volume.empty_dir.medium, volume.empty_dir.size_limit) == ("Memory", Quantity("2Gi"))
    assert [mount.mount_path for mount in runner(world).volume_mounts] == ["/dev/shm"]


def test_8_5_13_hooks_and_shared_memory_of_a_backend_reach_the_service() -> None:
    (document,) = documents(PUBLISHED / "upstream" / "backends" / "vllm.yaml")
    theirs = decode(BackendRuntime, document)
    world = served(theirs, backend_name="vllm")
    world.decide()
    assert theirs.spec.lifecycle is not None
    assert runner(world).lifecycle == theirs.spec.lifecycle
    (config,) = (one for one in theirs.spec.recommended_configs if one.name == "default")
    volume = service(world).spec.workload_template.worker_template.spec.volumes[0]
    assert volume.empty_dir is not None
    assert volume.empty_dir.size_limit == config.shared_memory_size
