"""Where replicas run whose engines are in slots: the scheduler binds, the controller follows."""

import dataclasses
from typing import Any, cast

from llmaz.api import names
from llmaz.api.backendruntime import MultiHostCommands
from llmaz.api.kinds import ENDPOINT_SLICE
from llmaz.api.node import EnginePhase
from llmaz.api.playground import BackendRuntimeConfig
from support.builders import flavor, model, node, on, playground, runtime
from support.controlling import World, world_of
from support.placing import needing
from support.slotworld import SlotWorld, slot_world


def ready(replicas: int = 1) -> SlotWorld:
    """A Playground whose replicas all serve from slots on n1."""
    world = slot_world(world_of(replicas))
    world.settle()
    for pod in world.pods():
        world.bind(pod, "n1")
    world.settle()
    assert world.available("chat") is not None
    return world


def terms(pod: Any) -> Any:  # noqa: ANN401  # JSON
    required = pod["spec"]["affinity"]["nodeAffinity"]
    return required["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]


def says(world: SlotWorld) -> str:
    """Whether the Playground is available, and why not."""
    condition = world.available("chat")
    assert condition is not None
    return f"{condition.status} {condition.reason}: {condition.message}"


def test_an_engine_is_assigned_to_the_node_that_its_pod_is_bound_to() -> None:
    world = slot_world(world_of())
    world.settle()
    assert world.engines() == {}
    assert "Pending" in says(world)
    world.bind(world.pod(), "n1")
    world.settle()
    (engine,) = world.nodes["n1"].spec.engines
    assert engine.slot is not None
    assert (engine.slot.uid, engine.accelerators) == (world.pod().uid, ())
    assert says(world).startswith("True")


def test_a_pod_that_no_node_takes_is_told_in_the_scheduler_s_words_and_waits_for_a_node() -> None:
    world = slot_world(world_of())
    world.settle()
    pod = world.pod()
    world.refuse(pod, "0/1 nodes are available: 1 Insufficient nvidia.com/gpu")
    world.settle()
    assert "Unplaceable" in says(world)
    assert says(world).endswith(
        f"a10: pod {pod.name} waits for a node: "
        "0/1 nodes are available: 1 Insufficient nvidia.com/gpu"
    )
    world.pass_(3600)
    world.settle()
    assert (world.pod().uid, world.pod().attempt) == (pod.uid, 0)


def test_an_image_that_can_t_be_pulled_is_told() -> None:
    world = slot_world(world_of())
    world.settle()
    pod = world.pod()
    world.bind(pod, "n1")
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    world.manifest(pod)["status"]["containerStatuses"] = [{"state": {"waiting": waiting}}]
    world.decide()
    assert "SlotNotRunning" in says(world)
    assert says(world).endswith(
        f"on n1: pod {pod.name} does not run: ImagePullBackOff: no such image"
    )


def test_a_node_without_an_agent_is_told() -> None:
    world = slot_world(world_of())
    world.settle()
    world.bind(world.pod(), "elsewhere")
    world.settle()
    assert "is on node elsewhere, which has no agent" in says(world)


def test_flavors_are_tried_one_after_another_and_then_anew_for_longer() -> None:
    world = slot_world(
        World().add(
            model("qwen", flavor("a10"), flavor("a100", 2, TP="2")),
            runtime(),
            playground("chat", "qwen"),
            node("n1", 4),
        )
    )
    world.settle()
    seen = []
    for patience in (20, 20, 40, 40, 80):
        world.refuse(world.pod())
        world.pass_(patience - 1)
        world.settle()
        seen.append(world.pod().attempt)
        world.pass_(2)
        world.settle()
    assert seen == [0, 1, 2, 3, 4]
    limits = world.manifest(world.pod())["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"nvidia.com/gpu": "2"}
    world.bind(world.pod(), "n1")
    world.settle()
    assert world.playground("chat").status.flavor == "a100"


def test_flavors_that_ask_for_the_same_are_one_pod_with_weights() -> None:
    world = slot_world(
        World().add(
            model("qwen", on(flavor("a10"), gpu="a10"), on(flavor("l4"), gpu="l4")),
            runtime(),
            playground("chat", "qwen"),
            node("n1", 1),
        )
    )
    world.kube_nodes["n1"] = dataclasses.replace(world.kube_nodes["n1"], labels={"gpu": "l4"})
    world.settle()
    spec = world.manifest(world.pod())["spec"]
    wanted = spec["affinity"]["nodeAffinity"]
    preferred = wanted["preferredDuringSchedulingIgnoredDuringExecution"]
    assert [one["weight"] for one in preferred] == [100, 80]
    terms = wanted["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert [term["matchExpressions"][0]["values"] for term in terms] == [["a10"], ["l4"]]
    world.bind(world.pod(), "n1")
    world.settle()
    assert world.playground("chat").status.flavor == "l4"


def test_a_pod_that_its_node_refuses_is_followed_by_another_after_a_pause() -> None:
    world = slot_world(world_of())
    world.settle()
    first = world.pod()
    world.bind(first, "n1")
    world.fail(first, "UnexpectedAdmissionError", "no healthy devices present")
    world.settle()
    assert [pod.uid for pod in world.pods()] == [first.uid]
    assert "has ended: UnexpectedAdmissionError: no healthy devices present" in says(world)
    world.pass_(2)
    world.settle()
    second = next(pod for pod in world.pods() if pod.lives)
    assert (second.failures, second.name != first.name) == (1, True)
    world.gone(first)
    world.bind(second, "n1")
    world.fail(second, "UnexpectedAdmissionError")
    world.pass_(3)
    world.settle()
    assert not any(pod.lives for pod in world.pods())
    world.pass_(2)
    world.settle()
    assert [pod.failures for pod in world.pods() if pod.lives] == [2]


def test_an_evicted_pod_takes_no_more_requests_and_is_followed_at_once() -> None:
    world = ready()
    old = world.pod()
    world.evict(old)
    world.settle()
    (made,) = (one for ref, one in world.manifests.items() if ref.kind == ENDPOINT_SLICE)
    (endpoint,) = cast("Any", made)["endpoints"]
    assert endpoint["conditions"] == {"ready": False, "serving": False, "terminating": True}
    assert endpoint["targetRef"]["name"] == old.name
    new = next(pod for pod in world.pods() if pod.lives)
    world.gone(old)
    world.bind(new, "n1", "10.0.0.10")
    world.settle()
    (engine,) = world.nodes["n1"].spec.engines
    assert engine.slot is not None
    assert engine.slot.uid == new.uid
    assert world.pod().uid == new.uid


def test_an_engine_stays_assigned_while_nothing_is_known_of_its_pod() -> None:
    world = ready()
    before = world.nodes["n1"].spec.engines
    world.gone(world.pod())
    world.settle()
    assert world.nodes["n1"].spec.engines == before


def test_other_arguments_need_no_other_pod_and_another_image_does() -> None:
    world = ready(2)
    before = [pod.uid for pod in world.pods()]
    world.add(runtime("vllm", "--model", "{{ .ModelPath }}", "--other"))
    world.settle()
    assert [pod.uid for pod in world.pods()] == before
    assert world.nodes["n1"].spec.engines[0].args[-1] == "--other"
    world.add(runtime("vllm", "--model", "{{ .ModelPath }}", "--other", version="v2"))
    world.decide()
    leaving = [pod for pod in world.pods() if pod.is_ending]
    assert len(leaving) == 1  # maxUnavailable
    for _ in range(2):
        for pod in [pod for pod in world.pods() if pod.is_ending]:
            world.gone(pod)
        world.settle()
        for pod in [pod for pod in world.pods() if not pod.node]:
            world.bind(pod, "n1")
        world.settle()
    assert [pod.uid in before for pod in world.pods() if pod.lives] == [False, False]
    assert says(world).startswith("True")


def test_another_model_needs_no_other_pod_which_tells_of_it_from_then_on() -> None:
    world = ready()
    pod = world.pod()
    world.add(model("llama", flavor("a10")), playground("chat", "llama"))
    world.settle()
    assert world.pod().uid == pod.uid
    assert world.pod().model == "llama"
    assert world.nodes["n1"].spec.engines[0].model == "llama"


def test_a_model_that_is_too_large_for_its_pod_s_accelerators_is_given_another_pod() -> None:
    world = ready()
    small = world.pod()
    world.add(needing(model("large", flavor("a10")), "40Gi"), playground("chat", "large"))
    world.settle()
    assert next(pod for pod in world.pods() if pod.uid == small.uid).is_ending
    world.gone(small)
    world.settle()
    expressions = {
        one["key"]: one.get("values")
        for term in terms(world.manifest(world.pod()))
        for one in term["matchExpressions"]
        if one["operator"] == "Gt"
    }
    assert expressions == {"llmaz.io/accelerator.memory-mib": ["40959"]}


def test_a_model_that_is_served_stays_whatever_it_is_thought_to_need() -> None:
    world = ready()
    pod = world.pod()
    world.add(needing(world.models["qwen"], "40Gi"))
    world.settle()
    assert world.pod() == pod


def test_no_node_has_to_stay_for_an_engine_that_has_failed() -> None:
    world = ready()
    (report,) = world.nodes["n1"].status.engines or ()
    failed = dataclasses.replace(report, phase=EnginePhase.FAILED, reason="BadArguments")
    status = dataclasses.replace(world.nodes["n1"].status, engines=(failed,))
    world.nodes["n1"] = dataclasses.replace(world.nodes["n1"], status=status)
    world.decide()
    notes = world.manifest(world.pod())["metadata"]["annotations"]
    assert notes["karpenter.sh/do-not-disrupt"] == "false"
    assert notes["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "true"
    world.add(runtime("vllm", "--other"))
    world.settle()
    assert world.pod().is_left_alone


def test_a_replica_that_is_wanted_no_more_has_its_pod_deleted() -> None:
    world = ready(2)
    world.edit("chat", 1)
    world.settle()
    assert [(pod.replica, pod.is_ending) for pod in world.pods()] == [("0", False), ("1", True)]


def test_a_playground_may_ask_for_processes_where_slots_are_the_rule() -> None:
    world = slot_world(world_of())
    config = BackendRuntimeConfig(launcher="process")
    world.add(playground("chat", "qwen", config=config))
    world.settle()
    assert world.pods() == []
    assert world.engines()["default/chat-0"] == ("n1", ("n1-0",))


def test_pods_of_a_service_whose_engines_became_processes_go_when_nothing_runs_in_them() -> None:
    world = ready()
    world.add(playground("chat", "qwen", config=BackendRuntimeConfig(launcher="process")))
    world.settle()
    assert [pod.is_ending for pod in world.pods()] == [True]
    assert world.nodes["n1"].spec.engines[0].slot is None


def test_processes_are_not_given_the_accelerators_of_slots() -> None:
    world = ready()
    report = world.nodes["n1"].status.engines
    assert report is not None
    given = (dataclasses.replace(report[0], accelerators=("n1-0",)),)
    status = dataclasses.replace(world.nodes["n1"].status, engines=given)
    world.nodes["n1"] = dataclasses.replace(world.nodes["n1"], status=status)
    world.add(playground("other", "qwen", config=BackendRuntimeConfig(launcher="process")))
    world.decide()
    assert world.engines()["default/other-0"] == ("n1", ("n1-1",))


def test_pods_match_the_selector_of_the_status_for_an_autoscaler_on_resources() -> None:
    world = ready()
    labels = world.manifest(world.pod())["metadata"]["labels"]
    assert world.playground("chat").status.selector == f"{names.SERVICE_NAME}=chat"
    assert labels[names.SERVICE_NAME] == "chat"


def groups() -> SlotWorld:
    world = slot_world(
        World().add(
            model("big", flavor("h100", 4, TP="4", PP="2")),
            runtime(multi_host_commands=MultiHostCommands(leader=("lead",), worker=("work",))),
            playground("chat", "big"),
            node("n1", 4),
            node("n2", 4),
        )
    )
    world.settle()
    return world


def test_the_pods_of_a_group_are_bound_together_and_know_each_other() -> None:
    world = groups()
    leader, worker = sorted(world.pods(), key=lambda pod: pod.rank)
    assert not leader.is_gated  # all of them are there
    assert not worker.is_gated
    apart = world.manifest(leader)["spec"]["affinity"]["podAntiAffinity"]
    (term,) = apart["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    world.bind(leader, "n1", "10.0.0.1")
    world.settle()
    assert world.engines() == {}
    world.bind(worker, "n2", "10.0.0.2")
    world.settle()
    (engine,) = world.nodes["n2"].spec.engines
    env = {variable.name: variable.value for variable in engine.env}
    assert env[names.LWS_LEADER_ADDRESS] == "10.0.0.1"
    assert env[names.NODE_ADDRESS] == "10.0.0.2"
    assert engine.rank == 1


def test_a_group_that_is_bound_in_part_is_made_anew_so_that_it_holds_up_no_other() -> None:
    world = groups()
    leader, worker = sorted(world.pods(), key=lambda pod: pod.rank)
    world.bind(leader, "n1", "10.0.0.1")
    world.refuse(worker)
    world.settle()
    world.pass_(21)
    world.settle()
    assert next(pod for pod in world.pods() if pod.uid == leader.uid).is_ending
    assert sorted(pod.attempt for pod in world.pods() if pod.lives) == [1, 1]


def test_a_group_that_lost_a_member_goes_on_with_another_as_the_next_epoch() -> None:
    world = groups()
    leader, worker = sorted(world.pods(), key=lambda pod: pod.rank)
    world.bind(leader, "n1", "10.0.0.1")
    world.bind(worker, "n2", "10.0.0.2")
    world.settle()
    epoch = world.nodes["n1"].spec.engines[0].epoch
    world.evict(worker)
    world.settle()
    world.gone(worker)
    (new,) = (pod for pod in world.pods() if pod.rank == 1)
    world.bind(new, "n2", "10.0.0.3")
    world.settle()
    assert world.nodes["n1"].spec.engines[0].epoch == epoch + 1
    assert next(pod for pod in world.pods() if pod.rank == 0).uid == leader.uid


def test_an_engine_is_told_that_its_pod_sees_the_copies_in_memory() -> None:
    world = slot_world(world_of(1))
    world.policy = dataclasses.replace(world.policy, memory_path="/dev/shm/llmaz")  # the node's
    world.settle()
    world.bind(world.pod(), "n1")
    world.settle()
    (engine,) = world.nodes["n1"].spec.engines
    assert engine.slot is not None
    assert engine.slot.memory
    world.policy = dataclasses.replace(world.policy, memory_path="")
    world.settle()
    assert world.nodes["n1"].spec.engines == (engine,)  # what a pod sees, it sees until its end
