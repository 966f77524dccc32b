"""Spare slots: pods that are kept ready, so that a replica waits for no image and no node. Pure.

A spare belongs to one Service, and becomes the pod of any replica of it. Groups have none: their
members are bound together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmaz.api.kinds import POD
from llmaz.controller.actions import Action, SetLabels
from llmaz.controller.demand import Demand
from llmaz.controller.owned import ensure
from llmaz.controller.slots.attempts import Attempt
from llmaz.controller.slots.making import deleted
from llmaz.controller.slots.manifest import LEFT_ALONE, Place, slot_pod
from llmaz.controller.slots.pod import ATTEMPT, FAILURES, REPLICA, SPARE, SlotPod
from llmaz.controller.slots.policy import SlotPolicy
from llmaz.controller.slots.unit import Unit
from llmaz.controller.snapshot import Ref


@dataclass(slots=True)
class Spares:
    """The spares of one Service while its replicas take what they need. It never leaves that."""

    left: list[SlotPod]
    outdated: tuple[SlotPod, ...]
    attempt: Attempt

    def take(self, unit: Unit, attempts: Sequence[Attempt]) -> SetLabels | None:
        """Give a spare to a replica that has no pod and would be made one like it."""
        wanted = attempts[unit.attempt % len(attempts)]
        if unit.current or unit.size > 1 or wanted.key != self.attempt.key or not self.left:
            return None
        pod = self.left.pop(0)
        notes = {ATTEMPT: str(unit.attempt), FAILURES: "0", **LEFT_ALONE}
        ref = Ref(kind=POD, namespace=pod.namespace, name=pod.name)
        return SetLabels(ref=ref, labels={REPLICA: unit.replica}, annotations=notes)

    def kept(self, demand: Demand, pods: Sequence[SlotPod], policy: SlotPolicy) -> Iterator[Action]:
        """Yield what keeps as many ready as the policy says."""
        yield from map(deleted, self.outdated)
        yield from map(deleted, self.left[policy.warm :])
        if self.attempt.size > 1:
            return
        newest = max((pod.uid for pod in pods), default="")
        for number in range(policy.warm - len(self.left)):
            place = Place(replica=SPARE, after=f"{newest}-{number}")
            manifest = slot_pod(demand, self.attempt, place, policy)
            meta = demand.service.metadata
            name = place.name(meta.name, self.attempt.key)
            ref = Ref(kind=POD, namespace=meta.namespace or "", name=name)
            write = ensure(ref, manifest, None)
            if write is not None:
                yield write


def spares_of(pods: Sequence[SlotPod], attempts: Sequence[Attempt]) -> Spares:
    """Return the spares among a Service's pods, those that are bound first."""
    mine = [pod for pod in pods if pod.replica == SPARE]
    living = [pod for pod in mine if pod.lives and pod.key == attempts[0].key]
    over = [pod for pod in mine if not pod.is_ending and pod not in living]
    living.sort(key=lambda pod: (not pod.node, pod.created, pod.name))
    return Spares(left=living, outdated=tuple(over), attempt=attempts[0])
