"""What a decision about the slots of one Service sees, and what it says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from llmaz.controller.actions import Action
from llmaz.controller.groups import is_serving
from llmaz.controller.nodes import NodeView
from llmaz.controller.outcomes import Outcome
from llmaz.controller.seats import Seat
from llmaz.controller.slots.pod import SlotPod
from llmaz.controller.slots.policy import SlotPolicy
from llmaz.controller.slots.spares import Spares

Group = tuple[Seat, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a decision about slots sees besides the demand."""

    pods: Sequence[SlotPod]  # of the Service
    groups: Mapping[str, Group]
    views: Mapping[str, NodeView]
    left: Mapping[str, Seat]  # where replicas serve that are not ready in their new slots
    policy: SlotPolicy
    spares: Spares  # of the namespace
    now: datetime
    driven: frozenset[str] = frozenset()  # pods on nodes from which they shall go

    def serving(self, ids: "Sequence[str]") -> set[str]:
        """Return which of these replicas answer requests from pods that live."""
        living = {pod.uid for pod in self.pods if pod.lives}
        groups = ((id_, self.groups.get(id_, ())) for id_ in ids)
        found = {id_ for id_, group in groups if is_serving(group) and slots_of(group) <= living}
        return found | {id_ for id_, seat in self.left.items() if slots_of((seat,)) <= living}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What there is to keep evictions from."""

    pods: int  # that are, or may become, a place for an engine
    serving: int  # replicas
    astray: int = 0  # pods on nodes of which nothing is known, whose place nobody will take
    is_stuck: bool = False  # a slot that shall go finds no other place


@dataclass(frozen=True, slots=True, kw_only=True)
class Slotted:
    """What becomes of the replicas of one Service, or of all.

    The engines of `held` stay as they are assigned, although there is no outcome for them: their
    pods are gone, and others are not bound yet.
    """

    outcomes: Mapping[str, Outcome]
    held: frozenset[str]
    actions: tuple[Action, ...]
    look_again_in: float | None
    hold: Hold | None = None  # of one Service whose slots are followed by others


def slots_of(group: Group) -> set[str]:
    """Return the uids of the pods that engines run in."""
    return {seat.engine.slot.uid for seat in group if seat.engine.slot is not None}
