"""A world whose engines run in slots: a test is its scheduler and its kubelets."""

import dataclasses
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from llmaz.api.kinds import POD, POD_DISRUPTION_BUDGET
from llmaz.api.manifest import Manifest
from llmaz.controller.actions import Action, ApplyOwned, DeleteOwned, OpenGate, SetLabels
from llmaz.controller.slots.budget import read_budget
from llmaz.controller.slots.pod import SlotPod, read_pod
from llmaz.controller.slots.policy import SlotPolicy
from llmaz.controller.snapshot import ClusterSnapshot, Ref
from support.builders import flavor, model, node, playground, runtime
from support.controlling import World

DRAIN: dict[str, Any] = {"annotations": {"llmaz.io/drain": "new memory"}}
CORDON: dict[str, Any] = {"unschedulable": True}


@dataclass
class SlotWorld(World):
    """Pods stay pending until a test binds them; a deleted one stays until `gone`."""

    policy: SlotPolicy = field(default_factory=lambda: SlotPolicy(launcher="slot"))

    def snapshot(self) -> ClusterSnapshot:
        slots: dict[tuple[str, str], tuple[SlotPod, ...]] = {}
        for pod in self.pods():
            slots[pod.owner] = (*slots.get(pod.owner, ()), pod)
        made = {ref: one for ref, one in self.manifests.items() if ref.kind != POD}
        budgets = {
            ref.key: budget
            for ref, one in made.items()
            if ref.kind == POD_DISRUPTION_BUDGET and (budget := read_budget(one)) is not None
        }
        return dataclasses.replace(
            super().snapshot(),
            manifests=made,
            slots=slots,
            budgets=budgets,
            slot_policy=self.policy,
        )

    def pods(self, replica: int | None = None) -> list[SlotPod]:
        """The pods, by name; those of one replica where it is given."""
        refs = sorted((ref for ref in self.manifests if ref.kind == POD), key=lambda ref: ref.name)
        pods = [pod for ref in refs if (pod := read_pod(self.manifests[ref])) is not None]
        return [pod for pod in pods if replica is None or pod.replica == str(replica)]

    def pod(self, replica: int = 0) -> SlotPod:
        """The one pod of a replica."""
        (found,) = self.pods(replica)
        return found

    def manifest(self, pod: SlotPod) -> Any:  # noqa: ANN401  # JSON, which a test looks into
        return self.manifests[Ref(kind=POD, namespace=pod.namespace, name=pod.name)]

    def perform(self, action: Action) -> None:
        match action:
            case OpenGate(ref=ref):
                spec = cast("dict[str, Any]", self.manifests[ref]["spec"])
                spec.pop("schedulingGates")
            case DeleteOwned(ref=ref) if ref.kind == POD:
                self._metadata(ref)["deletionTimestamp"] = self._stamp()
                if not cast("dict[str, Any]", self.manifests[ref]["spec"]).get("nodeName"):
                    del self.manifests[ref]  # nobody runs it: it goes at once
            case SetLabels(ref=ref) if ref.kind == POD:
                meta = self._metadata(ref)
                meta["labels"] = {**meta["labels"], **action.labels}
                meta["annotations"] = {**meta["annotations"], **action.annotations}
                if action.owner is not None:
                    meta["ownerReferences"] = [action.owner]
            case ApplyOwned(ref=ref) if ref.kind == POD:
                assert ref not in self.manifests, "a pod is made once"
                super().perform(action)
                self._metadata(ref)["creationTimestamp"] = self._stamp()
            case _:
                super().perform(action)

    def bind(self, pod: SlotPod, node: str, ip: str = "10.0.0.9") -> None:
        self.manifest(pod)["spec"]["nodeName"] = node
        self.manifest(pod)["status"] = {"phase": "Running", "podIP": ip}

    def refuse(self, pod: SlotPod, message: str = "0/3 nodes are available") -> None:
        """Have the scheduler find no node for a pod."""
        condition: Manifest = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": self._stamp(),
        }
        self.manifest(pod)["status"] = {"phase": "Pending", "conditions": [condition]}

    def fail(self, pod: SlotPod, reason: str, message: str = "") -> None:
        """Have a pod be over: evicted, preempted, refused by its node."""
        self.manifest(pod)["status"] = {
            "phase": "Failed",
            "reason": reason,
            "message": message,
            "conditions": [
                {"type": "Ready", "status": "False", "lastTransitionTime": self._stamp()}
            ],
        }

    def evict(self, pod: SlotPod) -> None:
        self.manifest(pod)["metadata"]["deletionTimestamp"] = self._stamp()

    def gone(self, pod: SlotPod) -> None:
        del self.manifests[Ref(kind=POD, namespace=pod.namespace, name=pod.name)]

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def _metadata(self, ref: Ref) -> dict[str, Any]:
        return cast("dict[str, Any]", self.manifests[ref]["metadata"])

    def _stamp(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")


def slot_world(world: World, *, warm: int = 0) -> SlotWorld:
    """The same cluster, with engines in slots."""
    return SlotWorld(
        models=world.models,
        runtimes=world.runtimes,
        playgrounds=world.playgrounds,
        nodes=world.nodes,
        kube_nodes=world.kube_nodes,
        policy=SlotPolicy(launcher="slot", warm=warm),
    )


def ready(replicas: int = 1) -> SlotWorld:
    """Replicas that serve from slots on n1, beside a node that has room."""
    world = slot_world(
        World().add(
            model("qwen", flavor("a10")),
            runtime(),
            playground("chat", "qwen", replicas),
            node("n1", 4),
            node("n2", 4),
        )
    )
    world.settle()
    for pod in world.pods():
        world.bind(pod, "n1")
    world.settle()
    return world


def leave(world: SlotWorld, told: dict[str, Any]) -> None:
    """Have n1 be drained, or cordoned, as people say it."""
    old = world.kube_nodes["n1"]
    notes = {**old.annotations, **told.get("annotations", {})}
    world.kube_nodes["n1"] = dataclasses.replace(old, **{**told, "annotations": notes})


def followers(world: SlotWorld) -> list[SlotPod]:
    return [pod for pod in world.pods() if not pod.node and pod.lives]
