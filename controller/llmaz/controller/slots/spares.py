"""Spare slots: pods that are kept ready, so that a replica waits for no image and no node. Pure.

A spare is of a kind: its image, its accelerators, its flavor and all else that a pod can't change.
It becomes the pod of any replica in its namespace that would be made one of that kind, and has
belonged until then to one of the Services that have such replicas. Groups have none: their members
are bound together.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from llmaz.api import names
from llmaz.api.kinds import POD, SERVICE
from llmaz.api.manifest import Manifest
from llmaz.controller.actions import Action, ApplyOwned, SetLabels
from llmaz.controller.demand import Demand
from llmaz.controller.owned import ensure, reference
from llmaz.controller.slots.attempts import Attempt, attempts_of
from llmaz.controller.slots.making import deleted
from llmaz.controller.slots.manifest import LEFT_ALONE, Place, kind_of, slot_pod
from llmaz.controller.slots.pod import ATTEMPT, FAILURES, REPLICA, SPARE, SlotPod
from llmaz.controller.slots.policy import SlotPolicy
from llmaz.controller.slots.unit import Unit
from llmaz.controller.snapshot import Ref


@dataclass(slots=True)
class Spares:
    """The spares of one namespace while replicas take what they need.

    `seen` are all that there are, those that end included.
    """

    seen: tuple[SlotPod, ...]
    policy: SlotPolicy
    left: list[SlotPod] = field(default_factory=list)

    def __post_init__(self) -> None:
        living = (pod for pod in self.seen if pod.lives)
        self.left = sorted(living, key=lambda pod: (not pod.node, pod.created, pod.name))

    def take(self, demand: Demand, unit: Unit, attempts: Sequence[Attempt]) -> SetLabels | None:
        """Give a spare to a replica that has no pod and would be made one like it."""
        if unit.current or unit.size > 1 or not self.left:
            return None
        kind = kind_of(demand, attempts[unit.attempt % len(attempts)], self.policy)
        found = next((pod for pod in self.left if pod.kind == kind), None)
        if found is None:
            return None
        self.left.remove(found)
        return _taken(found, demand, unit)

    def kept(self, demands: Iterable[Demand]) -> Iterator[Action]:
        """Yield what keeps as many of each kind as the policy says, and no other."""
        keepers: dict[str, tuple[Demand, Attempt]] = {}
        for demand in demands if self.policy.warm else ():
            attempt = attempts_of(demand)[0]
            if attempt.size == 1:
                keepers.setdefault(kind_of(demand, attempt, self.policy), (demand, attempt))
        yield from (deleted(pod) for pod in self.left if pod.kind not in keepers)
        for kind, (demand, attempt) in keepers.items():
            mine = [pod for pod in self.left if pod.kind == kind]
            yield from map(deleted, mine[self.policy.warm :])
            newest = max((pod.uid for pod in self.seen if pod.kind == kind), default="")
            for number in range(self.policy.warm - len(mine)):
                place = Place(replica=SPARE, after=f"{newest}-{number}")
                yield from _made(demand, attempt, place, self.policy)
        yield from (deleted(pod) for pod in self.seen if not pod.lives and not pod.is_ending)


def _taken(pod: SlotPod, demand: Demand, unit: Unit) -> SetLabels:
    """Have a spare be the pod of a replica, which may be another Service's."""
    meta = demand.service.metadata
    ref = Ref(kind=POD, namespace=pod.namespace, name=pod.name)
    return SetLabels(
        ref=ref,
        labels={
            REPLICA: unit.replica,
            names.SERVICE_NAME: meta.name,
            names.MODEL_NAME: demand.service.spec.model_claims.main,
            names.PLAYGROUND_NAME: meta.labels.get(names.PLAYGROUND_NAME),
        },
        annotations={ATTEMPT: str(unit.attempt), FAILURES: "0", **LEFT_ALONE},
        owner=reference(SERVICE, meta) if pod.service != meta.name else None,
    )


def _made(
    demand: Demand, attempt: Attempt, place: Place, policy: SlotPolicy
) -> Iterator[ApplyOwned]:
    manifest: Manifest = slot_pod(demand, attempt, place, policy)
    meta = demand.service.metadata
    name = place.name(meta.name, attempt.key)
    write = ensure(Ref(kind=POD, namespace=meta.namespace or "", name=name), manifest, None)
    if write is not None:
        yield write
