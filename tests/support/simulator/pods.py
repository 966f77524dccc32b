"""The pods of slots in a simulated cluster, and who moves them: the stock scheduler, the kubelets.

The scheduler binds a pod to a node that has what it asks for, or leaves it pending and says so. A
kubelet gives it devices that are well, or refuses it; it ends what is deleted, and nothing while
its machine is lost.
"""

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, cast

from llmaz.api import names
from llmaz.api.kinds import NODE, POD
from llmaz.api.manifest import Manifest
from llmaz.controller.slots.pod import SlotPod, read_pod
from llmaz.controller.snapshot import Ref
from support.simulator.agents import Agent, address_of
from support.simulator.server import Server
from support.simulator.users import GPU


class PodServer(Server):
    """A server whose pods end slowly: one that is bound stays until its kubelet lets it go."""

    ending: Callable[[SlotPod], None] = staticmethod(lambda _pod: None)
    made: Callable[[SlotPod], None] = staticmethod(lambda _pod: None)

    def remove(self, ref: Ref) -> None:
        if ref.kind != POD or ref not in self.objects:
            super().remove(ref)
            return
        pod = self.pod(ref)
        if pod.is_ending:
            return
        self.delete(ref)
        self.ending(pod)

    def delete(self, ref: Ref) -> None:
        """Begin to end a pod, whoever wants it; nobody runs one that is not bound."""
        if not self.pod(ref).node:
            super().remove(ref)
        elif not self.pod(ref).is_ending:
            self.put(ref, {"metadata": {"deletionTimestamp": self._stamp()}})

    def let_go(self, ref: Ref) -> None:
        """Forget a pod that has ended."""
        super().remove(ref)

    def apply(self, ref: Ref, config: Manifest, *, subresource: str) -> Manifest:
        is_new = ref not in self.objects
        answer = super().apply(ref, config, subresource=subresource)
        if is_new and ref.kind == POD:
            answer = self.put(ref, {"metadata": {"creationTimestamp": self._stamp()}})
            self.made(self.pod(ref))
        return answer

    def pod(self, ref: Ref) -> SlotPod:
        found = read_pod(self.objects[ref])
        assert found is not None, f"{ref.name} is no slot"
        return found

    def pods(self) -> dict[Ref, SlotPod]:
        return {ref: self.pod(ref) for ref in list(self.objects) if ref.kind == POD}

    def set_status(self, ref: Ref, phase: str, **given: Any) -> None:  # noqa: ANN401  # JSON
        condition = given.pop("condition", None)
        stamped = [{**condition, "lastTransitionTime": self._stamp()}] if condition else []
        self.put(ref, {"status": {"phase": phase, "conditions": stamped, **given}})

    def _stamp(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")


class Pods:
    """The scheduler, and a kubelet on each node."""

    def __init__(self, server: PodServer, agents: Mapping[str, Agent]) -> None:
        self._server = server
        self._agents = agents
        self.given: dict[str, tuple[str, ...]] = {}  # devices, by the uid of the pod
        self.refusing: set[str] = set()  # nodes that refuse the next pod
        self.lost: set[str] = set()  # nodes whose machine does nothing

    def step(self, random: Random | None = None) -> bool:
        """Bring every pod one step on, or most of them; tell whether anything changed."""
        moved = False
        for ref, pod in self._server.pods().items():
            if random is None or random.random() < 0.7:
                moved |= self._bring_on(ref, pod)
        return moved

    def has_room(self, spec: Mapping[str, Any]) -> str | None:
        """Return a node that takes a pod like this one, the one that it prefers."""
        there = [name for name in sorted(self._agents) if self._takes(name, spec)]
        return max(there, key=lambda name: _liking(self._labels(name), spec), default=None)

    def _bring_on(self, ref: Ref, pod: SlotPod) -> bool:
        manifest = cast("dict[str, Any]", self._server.objects[ref])
        if not pod.node:
            return not pod.gates and self._schedule(ref, pod, manifest)
        if pod.node not in self._agents or (pod.is_ending and pod.node not in self.lost):
            self._server.let_go(ref)
            self.given.pop(pod.uid, None)
            return True
        is_new = manifest.get("status", {}).get("phase", "Pending") == "Pending"
        if is_new and pod.node not in self.lost:
            self._admit(ref, pod, manifest["spec"])
            return True
        return False

    def _schedule(self, ref: Ref, pod: SlotPod, manifest: Mapping[str, Any]) -> bool:
        spec = manifest["spec"]
        node = self.has_room(spec)
        if node is not None:
            self._server.put(ref, {"spec": {**spec, "nodeName": node}})
            self._server.set_status(ref, "Pending")
            return True
        if pod.unschedulable is not None:
            return False
        said = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        self._server.set_status(ref, "Pending", condition={**said, "message": "no node is free"})
        return True

    def _admit(self, ref: Ref, pod: SlotPod, spec: Mapping[str, Any]) -> None:
        taken = {uuid for uuids in self.given.values() for uuid in uuids}
        well = [one.uuid for one in self._agents[pod.node].devices if one.healthy]
        free = [uuid for uuid in well if uuid not in taken][: _asked(spec)]
        if len(free) < _asked(spec) or pod.node in self.refusing:
            self.refusing.discard(pod.node)
            self.fail(ref, "UnexpectedAdmissionError")
            return
        self.given[pod.uid] = tuple(free)
        self._server.set_status(ref, "Running", podIP=address_of(pod.node))

    def fail(self, ref: Ref, reason: str) -> None:
        """End a pod that stays to be seen, as one that was refused or preempted."""
        self.given.pop(self._server.pod(ref).uid, None)
        ready = {"type": "Ready", "status": "False"}
        self._server.set_status(ref, "Failed", reason=reason, condition=ready)

    def _takes(self, name: str, spec: Mapping[str, Any]) -> bool:
        node = cast("Any", self._server.objects.get(Ref(kind=NODE, name=name)))
        if node is None or name in self.lost or node["spec"].get("unschedulable"):
            return False
        if not _tolerates(node["spec"].get("taints") or (), spec.get("tolerations") or ()):
            return False
        labels = self._labels(name)
        fields = {"metadata.name": name}
        if any(labels.get(key) != value for key, value in spec.get("nodeSelector", {}).items()):
            return False
        required = _affinity(spec).get("requiredDuringSchedulingIgnoredDuringExecution")
        if required and not any(
            _has(labels, term) and all(_is_met(fields, one) for one in term.get("matchFields", ()))
            for term in required["nodeSelectorTerms"]
        ):
            return False
        return self._free(name) >= _asked(spec)

    def _free(self, name: str) -> int:
        """Return how many devices are nobody's in the scheduler's ledger."""
        held = sum(
            _asked(cast("Any", self._server.objects[ref])["spec"])
            for ref, pod in self._server.pods().items()
            if pod.node == name and pod.ended is None
        )
        return sum(one.healthy for one in self._agents[name].devices) - held

    def _labels(self, name: str) -> Mapping[str, str]:
        node = cast("Any", self._server.objects[Ref(kind=NODE, name=name)])
        return {names.OS: "linux", **(node["metadata"].get("labels") or {})}


def _asked(spec: Mapping[str, Any]) -> int:
    limits: Iterator[Mapping[str, str]] = (
        one.get("resources", {}).get("limits", {}) for one in spec["containers"]
    )
    return sum(int(one.get(GPU, 0)) for one in limits)


def _affinity(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", spec.get("affinity", {}).get("nodeAffinity", {}))


def _liking(labels: Mapping[str, str], spec: Mapping[str, Any]) -> int:
    preferred = _affinity(spec).get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    return sum(one["weight"] for one in preferred if _has(labels, one["preference"]))


def _has(labels: Mapping[str, str], term: Mapping[str, Any]) -> bool:
    return all(_is_met(labels, one) for one in term.get("matchExpressions", ()))


def _is_met(labels: Mapping[str, str], one: Mapping[str, Any]) -> bool:
    said, operator = labels.get(one["key"]), one["operator"]
    match operator:
        case "In":
            return said in one["values"]
        case "NotIn":
            return said not in one["values"]
        case "DoesNotExist":
            return said is None
        case "Gt":
            return said is not None and int(said) > int(one["values"][0])
    raise AssertionError(f"the simulated scheduler knows no {operator}")


def _tolerates(taints: Any, tolerations: Any) -> bool:  # noqa: ANN401  # JSON
    hard = [one for one in taints if one["effect"] in ("NoSchedule", "NoExecute")]
    keys = {one.get("key") for one in tolerations}
    return all(one["key"] in keys for one in hard)
