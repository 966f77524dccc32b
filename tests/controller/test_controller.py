"""The controller's process on a real API server, with agents that say what a test tells them to."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from llmaz.api.kinds import (
    BACKEND_RUNTIME,
    CORE_SERVICE,
    ENDPOINT_SLICE,
    EVENT,
    INFERENCE_NODE,
    NODE,
    OPEN_MODEL,
    PLAYGROUND,
    SERVICE,
)
from llmaz.api.manifest import Manifest
from llmaz.api.node import EnginePhase, EngineReport, ModelPhase, NodeStatus
from support.cluster import condition, eventually, is_gone, reason, status
from support.controllerprocess import Cluster, ControllerProcess


def is_told(type_: str, value: str, why: str) -> Callable[[Manifest], bool]:
    return lambda seen: (status(seen, type_), reason(seen, type_)) == (value, why)


def runner(service: Manifest) -> dict[str, Any]:
    """The container model-runner of a Service."""
    spec = cast("dict[str, Any]", service["spec"])
    (container,) = spec["workloadTemplate"]["workerTemplate"]["spec"]["containers"]
    assert container["name"] == "model-runner"
    return cast("dict[str, Any]", container)


async def test_a_playground_goes_from_pending_to_ready_and_back(cluster: Cluster) -> None:
    agent = await cluster.agent(gpus=3)
    model = await cluster.model("qwen", agent)
    await cluster.playground("chat", model)
    await cluster.until("chat", is_told("Progressing", "True", "Pending"))
    await cluster.playground("chat", model, 3)
    await agent.assigned([f"{cluster.namespace}/chat-{i}" for i in range(3)])
    await cluster.until("chat", lambda seen: seen["status"].get("replicas") == 3)
    await agent.report(EnginePhase.READY)
    seen = await cluster.until("chat", is_told("Available", "True", "PlaygroundReady"))
    assert reason(seen, "Progressing") == "Pending"
    assert cast("Any", seen["status"])["ready"] == "3/3"
    await agent.report(EnginePhase.UNREADY)
    seen = await cluster.until("chat", is_told("Available", "False", "PlaygroundNotReady"))
    assert reason(seen, "Progressing") == "PlaygroundInProgress"
    await agent.report(EnginePhase.READY)
    seen = await cluster.until("chat", is_told("Available", "True", "PlaygroundReady"))
    assert reason(seen, "Progressing") == "PlaygroundInProgress"


async def test_a_service_goes_from_in_progress_to_ready_and_back(cluster: Cluster) -> None:
    agent = await cluster.agent(gpus=1)
    await cluster.playground("chat", await cluster.model("qwen", agent))
    service = await eventually(
        lambda: cluster.service("chat"), is_told("Progressing", "True", "ServiceInProgress")
    )
    await agent.assigned([f"{cluster.namespace}/chat-0"])
    await agent.report(EnginePhase.READY)
    service = await eventually(
        lambda: cluster.service("chat"), is_told("Available", "True", "ServiceReady")
    )
    await agent.report(EnginePhase.UNREADY)
    service = await eventually(
        lambda: cluster.service("chat"), is_told("Available", "False", "ServiceNotReady")
    )
    assert reason(service, "Progressing") == "ServiceInProgress"
    await agent.report(EnginePhase.READY)
    await eventually(lambda: cluster.service("chat"), is_told("Available", "True", "ServiceReady"))


async def test_a_service_written_by_hand_is_served(cluster: Cluster) -> None:
    agent = await cluster.agent(gpus=1)
    model = await cluster.model("qwen", agent)
    container = {"name": "model-runner", "image": "engine:v1", "command": ["serve"]}
    template = {"workerTemplate": {"spec": {"containers": [container]}}}
    spec: Any = {"modelClaims": {"models": [{"name": model}]}, "workloadTemplate": template}
    metadata: Manifest = {"name": "byhand", "namespace": cluster.namespace}
    await cluster.kube.apply(SERVICE, {"metadata": metadata, "spec": spec}, manager="tests")
    (engine,) = await agent.assigned([f"{cluster.namespace}/byhand-0"])
    assert (engine.command, engine.port, engine.playground) == (("serve",), 8080, None)
    await agent.report(EnginePhase.READY)
    await eventually(
        lambda: cluster.service("byhand"), is_told("Available", "True", "ServiceReady")
    )


async def test_what_a_process_can_not_honour_is_refused_with_its_path(cluster: Cluster) -> None:
    model = await cluster.model("qwen")
    container = {"name": "model-runner", "image": "engine:v1", "workingDir": "/srv"}
    template = {"workerTemplate": {"spec": {"containers": [container]}}}
    spec: Any = {"modelClaims": {"models": [{"name": model}]}, "workloadTemplate": template}
    metadata: Manifest = {"name": "byhand", "namespace": cluster.namespace}
    await cluster.kube.apply(SERVICE, {"metadata": metadata, "spec": spec}, manager="tests")
    seen = await eventually(
        lambda: cluster.service("byhand"), is_told("Available", "False", "Unsupported")
    )
    assert condition(seen, "Available")["message"] == (
        "spec.workloadTemplate.workerTemplate.spec.containers[0].workingDir: "
        "can't be set for a process on a node"
    )


@pytest.mark.parametrize("backend", ["vllm", "sglang", "llamacpp", "tgi", "tensorrt-llm"])
async def test_an_advanced_configuration_reaches_the_service(
    cluster: Cluster, backend: str
) -> None:
    model = await cluster.model("qwen")
    await cluster.playground(
        "chat",
        model,
        backendName=backend,
        version="main",
        args=["--foo", "bar"],
        envs=[{"name": "FOO", "value": "BAR"}],
        resources={"requests": {"cpu": 1}, "limits": {"cpu": 10}},
        sharedMemorySize="3Gi",
    )
    service = await eventually(lambda: cluster.service("chat"), lambda _: True)
    container = runner(service)
    runtime: Any = await cluster.kube.get(BACKEND_RUNTIME, backend)
    assert container["image"] == f"{runtime['spec']['image']}:main"
    assert container["args"][-2:] == ["--foo", "bar"]
    assert {"name": "FOO", "value": "BAR"} in container["env"]
    assert (container["resources"]["requests"]["cpu"], container["resources"]["limits"]["cpu"]) == (
        1,
        10,
    )
    for part in ("startupProbe", "livenessProbe", "readinessProbe", "lifecycle"):
        assert (part in container) == (part in runtime["spec"])
    pod = cast("Any", service)["spec"]["workloadTemplate"]["workerTemplate"]["spec"]
    assert pod["volumes"] == [
        {"name": "dshm", "emptyDir": {"medium": "Memory", "sizeLimit": "3Gi"}}
    ]
    assert pod["terminationGracePeriodSeconds"] == 130
    playground: Any = await cluster.get("chat")
    labels = cast("Any", service)["metadata"]["labels"]
    assert labels["llmaz.io/model-name"] == model
    assert cast("Any", service)["spec"]["replicas"] == playground["spec"]["replicas"]


async def test_a_cpu_request_alone_lifts_the_limit(cluster: Cluster) -> None:
    model = await cluster.model("qwen")
    await cluster.playground("chat", model, resources={"requests": {"cpu": 10}})
    container = runner(await eventually(lambda: cluster.service("chat"), lambda _: True))
    assert container["resources"]["limits"]["cpu"] == 10


async def test_speculative_decoding_assigns_both_models(cluster: Cluster) -> None:
    agent = await cluster.agent(gpus=1)
    main = await cluster.model("main", agent)
    draft = await cluster.model("draft")
    models = [{"name": main, "role": "main"}, {"name": draft, "role": "draft"}]
    await cluster.apply(
        "chat",
        {
            "modelClaims": {"models": models},
            "backendRuntimeConfig": {"backendName": "llamacpp"},
        },
    )
    (engine,) = await agent.assigned([f"{cluster.namespace}/chat-0"])
    assert (engine.main_model, engine.draft_model) == (main, draft)
    assert any("$(LLMAZ_DRAFT_MODEL_PATH)" in arg for arg in engine.args)
    held = (await agent.seen()).spec.models
    assert [(model.name, model.secret_namespace) for model in held] == sorted(
        [(main, cluster.namespace), (draft, cluster.namespace)]
    )
    await agent.report(EnginePhase.READY)
    await cluster.until("chat", is_told("Available", "True", "PlaygroundReady"))


async def test_a_foreign_service_aborts_and_its_deletion_recovers(cluster: Cluster) -> None:
    agent = await cluster.agent(gpus=2)
    model = await cluster.model("qwen", agent)
    container = {"name": "model-runner", "image": "engine:v1", "command": ["serve"]}
    template = {"workerTemplate": {"spec": {"containers": [container]}}}
    spec: Any = {"modelClaims": {"models": [{"name": model}]}, "workloadTemplate": template}
    metadata: Manifest = {"name": "chat", "namespace": cluster.namespace}
    await cluster.kube.apply(SERVICE, {"metadata": metadata, "spec": spec}, manager="tests")
    await cluster.playground("chat", model)
    seen = await cluster.until("chat", is_told("Progressing", "False", "AbortProcessing"))
    assert condition(seen, "Progressing")["message"] == (
        "Playground owns the same name with an existing Service"
    )
    await cluster.kube.delete(SERVICE, "chat", cluster.namespace)
    await cluster.until("chat", is_told("Progressing", "True", "Pending"))
    await agent.assigned([f"{cluster.namespace}/chat-0"])
    await agent.report(EnginePhase.READY)
    await cluster.until("chat", is_told("Available", "True", "PlaygroundReady"))


async def test_a_missing_model_aborts_and_its_creation_recovers(cluster: Cluster) -> None:
    agent = await cluster.agent(gpus=1)
    await cluster.playground("chat", f"qwen-{cluster.namespace}")
    seen = await cluster.until("chat", is_told("Progressing", "False", "AbortProcessing"))
    assert condition(seen, "Progressing")["message"] == "Waiting for model creation"
    assert reason(seen, "Available") == "ModelNotFound"
    await cluster.model("qwen", agent)
    await cluster.until("chat", is_told("Progressing", "True", "Pending"))
    await agent.assigned([f"{cluster.namespace}/chat-0"])
    await agent.report(EnginePhase.READY)
    await cluster.until("chat", is_told("Available", "True", "PlaygroundReady"))


async def test_a_missing_runtime_is_told_as_it_is(cluster: Cluster) -> None:
    model = await cluster.model("qwen")
    await cluster.playground("chat", model, backendName="nonesuch")
    await cluster.until("chat", is_told("Available", "False", "RuntimeNotFound"))


async def test_a_flavor_that_is_full_falls_back_to_the_next(cluster: Cluster) -> None:
    first, second = await cluster.agent(gpus=1), await cluster.agent(gpus=1)
    model = await cluster.model("qwen", first, second)
    await cluster.playground("chat", model, 2)
    await first.assigned([f"{cluster.namespace}/chat-0"])
    await second.assigned([f"{cluster.namespace}/chat-1"])
    await cluster.until("chat", lambda seen: seen["status"].get("flavor") == "flavor-0,flavor-1")


async def test_each_engine_has_an_endpoint_slice_with_its_own_port(cluster: Cluster) -> None:
    agent = await cluster.agent(gpus=2)
    await cluster.playground("chat", await cluster.model("qwen", agent), 2)
    await agent.assigned([f"{cluster.namespace}/chat-{i}" for i in range(2)])
    await agent.report(EnginePhase.READY)

    async def slices() -> list[tuple[str, bool, int]]:
        listing = await cluster.kube.list(ENDPOINT_SLICE, cluster.namespace)
        items = cast("Any", listing.items)
        return sorted(
            (
                item["metadata"]["name"],
                item["endpoints"][0]["conditions"]["ready"],
                item["ports"][0]["port"],
            )
            for item in items
        )

    both = [("chat-lb-0", True, 40000), ("chat-lb-1", True, 40001)]
    await eventually(slices, lambda seen: seen == both)
    service: Any = await cluster.kube.get(CORE_SERVICE, "chat-lb", cluster.namespace)
    assert service["spec"]["ports"][0]["port"] == 8080
    assert "selector" not in service["spec"]
    await agent.report(EnginePhase.UNREADY)
    await eventually(slices, lambda seen: [ready for _, ready, _ in seen] == [False, False])
    await cluster.playground("chat", cluster.models[0], 1)
    await agent.assigned([f"{cluster.namespace}/chat-0"])
    await eventually(slices, lambda seen: [name for name, _, _ in seen] == ["chat-lb-0"])


async def test_deleting_a_playground_takes_everything_with_it(cluster: Cluster) -> None:
    agent = await cluster.agent(gpus=1)
    await cluster.playground("chat", await cluster.model("qwen", agent))
    await agent.assigned([f"{cluster.namespace}/chat-0"])
    await agent.report(EnginePhase.READY)
    await cluster.until("chat", is_told("Available", "True", "PlaygroundReady"))
    await cluster.kube.delete(PLAYGROUND, "chat", cluster.namespace)
    await agent.assigned([])
    for kind, name in ((SERVICE, "chat"), (CORE_SERVICE, "chat-lb"), (ENDPOINT_SLICE, "chat-lb-0")):
        await eventually(
            lambda k=kind, n=name: is_gone(cluster.kube, k, n, cluster.namespace),  # type: ignore[misc]  # defaults bind the loop's values
            bool,
        )


async def test_a_taint_is_told_by_its_name(cluster: Cluster) -> None:
    agent = await cluster.agent(gpus=1)
    taint: Any = {"key": "team", "value": "other", "effect": "NoSchedule"}
    await cluster.kube.patch(NODE, agent.node, {"spec": {"taints": [taint]}})
    await cluster.playground("chat", await cluster.model("qwen", agent))
    seen = await cluster.until("chat", is_told("Available", "False", "Unplaceable"))
    assert (
        f"{agent.node} is tainted team=other:NoSchedule" in condition(seen, "Available")["message"]
    )


async def test_a_node_that_was_made_anew_is_told_to_run_nothing(cluster: Cluster) -> None:
    agent = await cluster.agent(gpus=1)
    left = EngineReport(id=f"{cluster.namespace}/gone-0", phase=EnginePhase.READY)
    await agent.say(NodeStatus(engines=(left,)))
    node: Any = await eventually(
        lambda: cluster.kube.get(INFERENCE_NODE, agent.node), lambda seen: "spec" in seen
    )
    assert node["spec"] == {"models": [], "engines": []}
    assert node["metadata"]["generation"] == 2


async def test_a_model_tells_where_it_is_cached_and_carries_its_family(cluster: Cluster) -> None:
    agent = await cluster.agent(gpus=1)
    name = await cluster.model("qwen", agent)
    await cluster.playground("chat", name)
    await agent.assigned([f"{cluster.namespace}/chat-0"])
    await agent.report(EnginePhase.WAITING, weights=ModelPhase.FETCHING, fetched=(4, 10))
    seen = await cluster.until("chat", is_told("Available", "False", "FetchingModel"))
    assert "40 %" in condition(seen, "Available")["message"]
    await agent.report(EnginePhase.STARTING, weights=ModelPhase.READY, fetched=(10, 10))
    model: Any = await eventually(
        lambda: cluster.kube.get(OPEN_MODEL, name), lambda seen: status(seen, "Ready") == "True"
    )
    told = model["status"]
    assert (told["cached"], told["sizeBytes"], told["revision"]) == ("1/1", 10, "c0ffee")
    assert model["metadata"]["labels"]["llmaz.io/model-family-name"] == "family"


async def test_nodes_are_labelled_by_their_accelerators(cluster: Cluster) -> None:
    agent = await cluster.agent(gpus=2, product="NVIDIA A100-SXM4-80GB")
    node: Any = await eventually(
        lambda: cluster.kube.get(NODE, agent.node),
        lambda seen: "llmaz.io/accelerator.count" in cast("Any", seen)["metadata"]["labels"],
    )
    labels = node["metadata"]["labels"]
    assert labels["llmaz.io/accelerator.model"] == "a100-sxm4-80gb"
    assert labels["gpu.nvidia.com/model"] == "a100"


async def test_a_turn_is_an_event(cluster: Cluster) -> None:
    await cluster.playground("chat", f"qwen-{cluster.namespace}")

    async def reasons() -> set[tuple[Any, Any]]:
        events = (await cluster.kube.list(EVENT, cluster.namespace)).items
        return {(event["type"], event["reason"]) for event in cast("Any", events)}

    await eventually(reasons, lambda seen: ("Warning", "ModelNotFound") in seen)


async def test_a_steady_state_writes_nothing(
    cluster: Cluster, controller: ControllerProcess
) -> None:
    agent = await cluster.agent(gpus=1)
    await cluster.playground("chat", await cluster.model("qwen", agent))
    await agent.assigned([f"{cluster.namespace}/chat-0"])
    await agent.report(EnginePhase.READY)
    await cluster.until("chat", is_told("Available", "True", "PlaygroundReady"))
    kinds = [PLAYGROUND, SERVICE, CORE_SERVICE, ENDPOINT_SLICE]

    async def versions() -> list[Any]:
        listings = [await cluster.kube.list(kind, cluster.namespace) for kind in kinds]
        items = [item for listing in listings for item in cast("Any", listing.items)]
        items.append(await cluster.kube.get(INFERENCE_NODE, agent.node))
        return [(item["metadata"]["name"], item["metadata"]["resourceVersion"]) for item in items]

    await eventually(versions, lambda seen: len(seen) == 5)
    await cluster.rounds_go_by(controller)  # what was under way is written
    before = await versions()
    await agent.beat()
    await cluster.rounds_go_by(controller)
    assert await versions() == before


async def test_a_controller_that_was_killed_comes_back_and_disturbs_nothing(
    cluster: Cluster, controller: ControllerProcess
) -> None:
    agent = await cluster.agent(gpus=2)
    model = await cluster.model("qwen", agent)
    await cluster.playground("chat", model)
    (before,) = await agent.assigned([f"{cluster.namespace}/chat-0"])
    await agent.report(EnginePhase.READY)
    await cluster.until("chat", is_told("Available", "True", "PlaygroundReady"))
    controller.kill()
    await cluster.playground("chat", model, 2)
    controller.start()
    after = await agent.assigned([f"{cluster.namespace}/chat-{i}" for i in range(2)])
    assert after[0] == before
