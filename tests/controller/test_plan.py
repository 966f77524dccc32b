import dataclasses

import pytest

from llmaz.api.backendruntime import RecommendedConfig
from llmaz.api.fingerprint import fingerprint
from llmaz.api.kinds import PLAYGROUND, SERVICE
from llmaz.api.meta import ObjectMeta, OwnerReference, find_condition
from llmaz.api.node import EnginePhase, EngineReport, ModelPhase, ModelReport, NodeSpec
from llmaz.api.pod import EnvVar
from llmaz.api.scaling import ElasticConfig
from llmaz.api.workload import WorkloadStatus
from llmaz.controller.actions import Assign, RecordEvent, SetStatus
from llmaz.controller.plan import plan
from llmaz.controller.snapshot import ClusterSnapshot, Ref, Unreadable
from support.builders import NOW, flavor, model, node, playground, runtime
from support.controlling import World, told, world_of


def report(world: World, phase: EnginePhase, reason: str = "", message: str = "") -> None:
    """Let n1 report every engine in one phase."""
    one = world.nodes["n1"]
    engines = tuple(
        EngineReport(
            id=engine.id,
            phase=phase,
            fingerprint=fingerprint(engine),
            reason=reason,
            message=message,
        )
        for engine in one.spec.engines
    )
    status = dataclasses.replace(one.status, engines=engines)
    world.nodes["n1"] = dataclasses.replace(one, status=status)


def test_an_empty_cluster_asks_for_nothing() -> None:
    assert plan(ClusterSnapshot(), NOW).actions == ()


def test_a_playground_is_pending_until_its_replicas_are_ready() -> None:
    world = world_of()
    world.decide()
    assert told(world.progressing("chat")) == ("True", "Pending")
    assert told(world.available("chat")) == ("False", "Pending")
    world.settle()
    assert told(world.progressing("chat")) == ("True", "Pending")
    assert told(world.available("chat")) == ("True", "PlaygroundReady")
    assert world.playground("chat").status.ready == "1/1"


def test_a_playground_that_loses_its_engine_is_in_progress_until_it_is_back() -> None:
    world = world_of()
    world.settle()
    report(world, EnginePhase.UNREADY, message="answers no token")
    world.decide()
    assert told(world.progressing("chat")) == ("True", "PlaygroundInProgress")
    assert told(world.available("chat")) == ("False", "PlaygroundNotReady")
    available = world.available("chat")
    assert available is not None
    assert available.message == (
        "Waiting for inference Service ready: EngineNotReady: on n1: answers no token"
    )
    report(world, EnginePhase.READY)
    world.decide()
    assert told(world.progressing("chat")) == ("True", "PlaygroundInProgress")
    assert told(world.available("chat")) == ("True", "PlaygroundReady")


@pytest.mark.parametrize(
    ("reason", "message", "told_as"),
    [
        ("Hung", "it hangs: no token", "EngineFailed: on n1: Hung: it hangs: no token"),
        ("", "its assignment changed", "StoppingEngine: on n1: its assignment changed"),
    ],
    ids=["since it hangs", "since it is to be another"],
)
def test_an_engine_that_is_being_stopped_is_not_said_to_start(
    reason: str, message: str, told_as: str
) -> None:
    world = world_of()
    world.settle()
    report(world, EnginePhase.STOPPING, reason, message)
    world.decide()
    available = world.available("chat")
    assert available is not None
    assert available.message.endswith(told_as)


def test_an_engine_that_can_not_start_is_told_in_one_sentence() -> None:
    world = world_of()
    world.decide()
    report(world, EnginePhase.FAILED, "ExecutableNotFound", "vllm is not on the PATH")
    world.decide()
    available = world.available("chat")
    assert told(available) == ("False", "EngineFailed")
    assert available is not None
    assert available.message == "on n1: ExecutableNotFound: vllm is not on the PATH"


def weights(world: World, phase: ModelPhase, done: int | None = None) -> None:
    """Let n1 report how far the weights are."""
    one = world.nodes["n1"]
    model = ModelReport(name="qwen", phase=phase, bytes_done=done, bytes_total=5 * 2**30)
    status = dataclasses.replace(one.status, models=(model,))
    world.nodes["n1"] = dataclasses.replace(one, status=status)


@pytest.mark.parametrize(
    ("phases", "reasons"),
    [
        (("Pending", "Ready"), ("Pending", "Pending", "StartingEngine")),
        (
            ("Pending", "Fetching", "Ready"),
            ("Pending", "Pending", "FetchingModel", "StartingEngine"),
        ),
    ],
    ids=["on the node", "far away"],
)
def test_a_start_is_told_in_its_order_wherever_the_weights_are(
    phases: tuple[str, ...], reasons: tuple[str, ...]
) -> None:
    world = world_of()
    world.decide()
    said = [world.available("chat")]
    for phase in map(ModelPhase, phases):
        is_here = phase is ModelPhase.READY
        weights(world, phase)
        report(world, EnginePhase.STARTING if is_here else EnginePhase.WAITING)
        world.decide()
        said.append(world.available("chat"))
    assert tuple(one.reason for one in said if one is not None) == reasons


def test_weights_on_their_way_are_told_in_percent() -> None:
    world = world_of()
    world.decide()
    weights(world, ModelPhase.FETCHING, done=2 * 2**30)
    world.decide()
    available = world.available("chat")
    assert told(available) == ("False", "FetchingModel")
    assert available is not None
    assert available.message == "OpenModel qwen: 40 % of 5.0 GiB fetched to n1"


def test_a_missing_model_aborts_and_its_creation_recovers() -> None:
    world = World().add(runtime(), playground("chat", "qwen"), node("n1"))
    world.settle()
    progressing = world.progressing("chat")
    assert told(progressing) == ("False", "AbortProcessing")
    assert progressing is not None
    assert progressing.message == "Waiting for model creation"
    assert told(world.available("chat")) == ("False", "ModelNotFound")
    world.add(model("qwen"))
    world.decide()
    assert told(world.progressing("chat")) == ("True", "Pending")
    world.settle()
    assert told(world.available("chat")) == ("True", "PlaygroundReady")


def test_a_missing_draft_model_aborts_as_well() -> None:
    world = World().add(
        runtime(), model("qwen"), playground("chat", "qwen", draft="small"), node("n1")
    )
    world.settle()
    available = world.available("chat")
    assert told(available) == ("False", "ModelNotFound")
    assert available is not None
    assert available.message == "OpenModel small does not exist"


def test_a_model_that_is_deleted_leaves_its_engines_alone() -> None:
    world = world_of()
    world.settle()
    before = world.engines()
    del world.models["qwen"]
    world.settle()
    assert world.engines() == before
    assert told(world.progressing("chat")) == ("False", "AbortProcessing")
    assert told(world.available("chat")) == ("True", "PlaygroundReady")


def test_a_foreign_service_of_the_name_aborts_until_it_is_deleted() -> None:
    world = world_of()
    world.settle()
    (service,) = world.services.values()
    foreign = OwnerReference(
        api_version="v1", kind="Other", name="chat", uid="another", controller=True
    )
    world = world_of()
    meta = dataclasses.replace(service.metadata, owner_references=(foreign,))
    world.services[("default", "chat")] = dataclasses.replace(service, metadata=meta)
    world.decide()
    assert told(world.progressing("chat")) == ("False", "AbortProcessing")
    assert told(world.available("chat")) == ("False", "ServiceConflict")
    del world.services[("default", "chat")]
    world.settle()
    assert told(world.progressing("chat")) == ("True", "Pending")
    assert told(world.available("chat")) == ("True", "PlaygroundReady")


def test_a_missing_runtime_is_told_and_its_creation_recovers() -> None:
    world = World().add(model("qwen"), playground("chat", "qwen"), node("n1"))
    world.settle()
    assert told(world.available("chat")) == ("False", "RuntimeNotFound")
    world.add(runtime())
    world.settle()
    assert told(world.available("chat")) == ("True", "PlaygroundReady")


@pytest.mark.parametrize("missing", ["runtime", "model"])
def test_a_playground_is_scaled_though_its_runtime_or_model_is_gone(missing: str) -> None:
    world = World().add(model("qwen"), runtime(), playground("chat", "qwen", 3), node("n1"))
    world.settle()
    if missing == "runtime":
        del world.runtimes["vllm"]
    else:
        del world.models["qwen"]
    world.edit("chat", 1)
    world.decide()
    assert world.services["default", "chat"].spec.replicas == 1
    assert list(world.engines()) == ["default/chat-0"]
    world.add(model("qwen"), runtime())
    world.settle()
    assert list(world.engines()) == ["default/chat-0"]
    assert told(world.available("chat")) == ("True", "PlaygroundReady")


def test_deleting_a_playground_ends_its_engines() -> None:
    world = world_of(2)
    world.settle()
    world.delete_playground("chat")
    (action,) = world.plan()[:1]
    assert isinstance(action, Assign)
    assert action.gone == (("default", "chat"),)
    world.settle()
    assert world.engines() == {}
    assert world.nodes["n1"].spec.models == ()


def test_engines_on_a_node_that_was_made_anew_end_with_their_playground() -> None:
    world = world_of()
    world.settle()
    world.delete_playground("chat")
    running = world.nodes["n1"].status
    anew = dataclasses.replace(node("n1", 4), status=running)
    world.nodes["n1"] = anew
    (told,) = [action for action in world.plan() if isinstance(action, Assign)]
    assert (told.spec, told.gone) == (NodeSpec(), (("default", "chat"),))
    world.settle()
    assert world.plan() == ()
    idle = dataclasses.replace(anew, status=dataclasses.replace(running, engines=()))
    world.nodes["n1"] = idle
    assert [action for action in world.plan() if isinstance(action, Assign)] == []


def test_engines_of_a_service_that_can_not_be_read_stay() -> None:
    world = world_of()
    world.settle()
    ref = Ref(kind=SERVICE, namespace="default", name="chat")
    broken = Unreadable(
        why="spec: broken", metadata=ObjectMeta(name="chat"), status=WorkloadStatus()
    )
    snapshot = dataclasses.replace(world.snapshot(), services={}, unreadable={ref: broken})
    assert [a for a in plan(snapshot, NOW).actions if isinstance(a, Assign)] == []


def test_a_playground_with_no_replicas_is_not_available() -> None:
    world = world_of(0)
    world.settle()
    assert told(world.available("chat")) == ("False", "ScaledToZero")


def test_an_elastic_config_says_what_decides() -> None:
    world = world_of()
    old = world.playground("chat")
    elastic = dataclasses.replace(old.spec, elastic_config=ElasticConfig(max_replicas=3))
    world.add(dataclasses.replace(old, spec=elastic))
    world.settle()
    (scaling,) = [c for c in world.playground("chat").status.conditions if c.type[0] == "S"]
    assert (scaling.type, scaling.status, scaling.reason) == (
        "ScalingActive",
        "True",
        "Load",
    )


def test_every_condition_is_about_the_generation_that_was_seen() -> None:
    world = world_of()
    world.settle()
    world.edit("chat", 1)
    world.settle()
    status = world.playground("chat").status
    assert status.observed_generation == 2
    assert {condition.observed_generation for condition in status.conditions} == {2}


def test_a_model_says_on_how_many_nodes_it_is_cached() -> None:
    world = world_of()
    world.decide()
    assert world.models["qwen"].status.cached == "0/1"
    world.settle()
    assert world.models["qwen"].status.cached == "1/1"
    assert world.models["qwen"].metadata.labels == {"llmaz.io/model-family-name": "family"}


def test_a_model_that_its_engines_bring_is_neither_cached_nor_without_use() -> None:
    ollama = model("qwen", uri="ollama://nowhere/x:1")
    world = world_of().add(ollama, runtime("vllm", "{{ .ModelName }}"))
    world.settle()
    status = world.models["qwen"].status
    ready = find_condition(status.conditions, "Ready")
    assert ready is not None
    assert (status.cached, ready.status, ready.reason) == ("0/0", "Unknown", "OwnWeights")


def test_a_node_keeps_its_labels_while_its_accelerators_are_not_known() -> None:
    world = world_of()
    world.settle()
    one = world.nodes["n1"]
    unknown = dataclasses.replace(one.status, accelerators=None)
    world.nodes["n1"] = dataclasses.replace(one, status=unknown)
    before = world.kube_nodes["n1"]
    assert before.labels
    world.settle()
    assert world.kube_nodes["n1"] == before


def test_a_runtime_says_whether_it_can_be_used() -> None:
    wrong = RecommendedConfig(name="fast", args=("--model", "{{ .Modelpath }}"))
    world = World().add(runtime(), runtime("broken", recommended_configs=(wrong,)))
    world.settle()
    (ready,) = world.runtimes["vllm"].status.conditions
    assert told(ready) == ("True", "Valid")
    (ready,) = world.runtimes["broken"].status.conditions
    assert told(ready) == ("False", "InvalidTemplate")
    assert ready.message.startswith("recommendedConfig fast: {{ .Modelpath }} is not known here")


def test_a_playground_says_where_it_is_reached() -> None:
    world = world_of()
    world.settle()
    snapshot = dataclasses.replace(world.snapshot(), gateway_url="http://gateway/v1")
    (action,) = plan(snapshot, NOW).actions
    assert isinstance(action, SetStatus)
    assert isinstance(action.status, WorkloadStatus)
    assert (action.ref.kind, action.status.url) == (PLAYGROUND, "http://gateway/v1")


def test_what_a_settled_cluster_looks_like_is_left_alone() -> None:
    world = world_of(3)
    world.settle()
    assert world.plan() == ()


def test_a_status_is_written_once_for_many_looks() -> None:
    world = world_of()
    statuses = [action for action in world.decide() if isinstance(action, SetStatus)]
    assert len({(action.ref, str(action.status)) for action in statuses}) == len(statuses)


def test_the_variables_of_a_flavor_reach_the_engine() -> None:
    config = RecommendedConfig(name="default", args=("--tp={{ .TP }}", "{{ .Port }}"))
    world = World().add(
        model("qwen", flavor("a10", 2, TP="2")),
        runtime(recommended_configs=(config,)),
        playground("chat", "qwen"),
        node("n1", 2),
    )
    world.settle()
    (engine,) = world.nodes["n1"].spec.engines
    assert engine.args == ("--tp=$(LLMAZ_TP)", "$(LLMAZ_PORT)")
    assert engine.env == (EnvVar(name="LLMAZ_TP", value="2"), EnvVar(name="LLMAZ_PP", value="1"))


def test_a_service_that_its_playground_makes_anew_leaves_the_engines_alone() -> None:
    world = world_of()
    world.settle()
    before = world.engines()
    world.delete_service("chat")
    world.settle()
    assert world.engines() == before
    assert ("default", "chat") in world.services


def test_a_playground_that_can_not_be_read_is_told_where_it_is_wrong() -> None:
    ref = Ref(kind=PLAYGROUND, namespace="default", name="chat")
    broken = Unreadable(
        why="spec.backendRuntimeConfig.name: is the older name of backendName",
        metadata=ObjectMeta(name="chat", namespace="default", uid="uid-chat", generation=3),
        status=WorkloadStatus(),
    )
    first, event = plan(ClusterSnapshot(unreadable={ref: broken}), NOW).actions
    assert isinstance(first, SetStatus)
    assert isinstance(first.status, WorkloadStatus)
    (condition,) = first.status.conditions
    assert told(condition) == ("False", "InvalidManifest")
    assert condition.message == broken.why
    assert isinstance(event, RecordEvent)
