"""Which pods to make, to let go and to delete for one replica. Pure.

A pod that failed is followed by another after a pause that grows while pods do not live for long.
One that no node takes is followed by one of the next flavor.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from llmaz.api import names
from llmaz.api.kinds import POD
from llmaz.controller.actions import Action, ApplyOwned, DeleteOwned, Known, OpenGate, SetLabels
from llmaz.controller.demand import Demand
from llmaz.controller.owned import ensure
from llmaz.controller.slots.attempts import Attempt, patience
from llmaz.controller.slots.driven import is_kept_off_in_vain, kept_off
from llmaz.controller.slots.manifest import LEFT_ALONE, LET_GO, Place, slot_pod
from llmaz.controller.slots.pod import GATE, RANK, REPLICA, SlotPod
from llmaz.controller.slots.policy import SlotPolicy
from llmaz.controller.slots.unit import Unit
from llmaz.controller.snapshot import Ref

_LONG = timedelta(minutes=10)  # a pod that lived for so long failed for reasons of its own
_LONGEST_PAUSE = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """One replica's turn."""

    demand: Demand
    unit: Unit
    attempts: tuple[Attempt, ...]
    policy: SlotPolicy
    now: datetime
    avoid: tuple[str, ...] = ()  # nodes that no pod shall be bound to
    has_failed: bool = False  # its engine starts no more as it is

    def due(self) -> float | None:
        """Return the seconds until something is to be done without an event; None for never."""
        waits = [wait for wait in (self._pause(), self._until_next()) if wait is not None]
        return min((wait for wait in waits if wait > 0), default=None)

    def actions(self) -> Iterator[Action]:
        """Yield what makes the replica whole: pods that are missing, gates that may open."""
        unit = self.unit
        yield from self._told()
        yield from map(deleted, unit.surplus)
        yield from (
            deleted(pod) for pod in unit.current.values() if is_kept_off_in_vain(pod, self.avoid)
        )
        if unit.is_whole:  # what is over is told by what came after it
            yield from map(deleted, unit.ended)
        next_in = self._until_next()
        if next_in is not None and next_in <= 0:
            later = dataclasses.replace(unit, current={}, attempt=unit.attempt + 1)
            yield from dataclasses.replace(self, unit=later)._made()
            yield from map(deleted, unit.current.values())
            return
        pause = self._pause()
        if pause is None or pause <= 0:
            yield from self._made()
        if unit.is_whole:
            yield from (_opened(pod) for pod in unit.current.values() if pod.is_gated)

    def _made(self) -> Iterator[ApplyOwned]:
        unit = self.unit
        attempt = self.attempts[unit.attempt % len(self.attempts)]
        for rank in range(attempt.size):
            if rank in unit.current:
                continue
            before = unit.before(rank)
            place = Place(
                replica=unit.replica,
                rank=rank,
                attempt=unit.attempt,
                failures=failures_after(before),
                after=before.uid if before is not None else "",
            )
            pod = slot_pod(self.demand, attempt, place, self.policy)
            manifest = kept_off(pod, self.avoid)
            meta = self.demand.service.metadata
            name = place.name(meta.name, attempt.key)
            write = ensure(_ref(meta.namespace or "", name), manifest, None)
            if write is not None:
                yield dataclasses.replace(write, known=self._known(rank))

    def _known(self, rank: int) -> Known:
        """Return the pods that a member has, or had, as far as this decision knows."""
        labels = {
            "app.kubernetes.io/managed-by": names.CONTROLLER,
            names.SERVICE_NAME: self.demand.service.metadata.name,
            REPLICA: self.unit.replica,
            RANK: str(rank),
        }
        return Known(labels=labels, uids=self.unit.uids)

    def _told(self) -> Iterator[SetLabels]:
        """Have pods tell what is theirs to tell: the model, and whether they may be disturbed.

        Another model needs no other pod, and no node has to stay for an engine that has failed.
        """
        model = self.demand.service.spec.model_claims.main
        notes = LET_GO if self.has_failed else LEFT_ALONE
        for pod in self.unit.current.values():
            if pod.model != model or pod.is_left_alone == self.has_failed:
                ref = _ref(pod.namespace, pod.name)
                yield SetLabels(ref=ref, labels={names.MODEL_NAME: model}, annotations=notes)

    def _pause(self) -> float | None:
        """Return how long to wait until pods that failed are followed by others."""
        unit = self.unit
        missing = (unit.before(rank) for rank in range(unit.size) if rank not in unit.current)
        over = [pod for pod in missing if pod is not None and pod.ended_at is not None]
        waits = (pause_after(pod) - _seconds(self.now, pod.ended_at) for pod in over)
        return max(waits, default=None)

    def _until_next(self) -> float | None:
        """Return how long the scheduler still has until the next flavor is tried.

        A single flavor is waited for: an autoscaler may bring a node. Members of a group that are
        bound while others are not hold what another group may need, so that all are made anew.
        """
        unit = self.unit
        times = [pod.unschedulable_since for pod in unit.current.values()]
        refused = [time for time in times if time is not None]
        is_split = any(pod.node for pod in unit.current.values())
        if not refused or (len(self.attempts) == 1 and not is_split):
            return None
        allowed = patience(unit.attempt, len(self.attempts), self.policy.fallback_seconds)
        return allowed - _seconds(self.now, max(refused))


def deleted(pod: SlotPod) -> DeleteOwned:
    return DeleteOwned(ref=_ref(pod.namespace, pod.name), uid=pod.uid)


def _opened(pod: SlotPod) -> OpenGate:
    left = tuple(gate for gate in pod.gates if gate != GATE)
    return OpenGate(ref=_ref(pod.namespace, pod.name), uid=pod.uid, left=left)


def _ref(namespace: str, name: str) -> Ref:
    return Ref(kind=POD, namespace=namespace, name=name)


def failures_after(pod: SlotPod | None) -> int:
    """Return how many pods in a row did not live for long, this one included."""
    if pod is None or pod.ended_at is None:
        return 0
    return 0 if pod.ended_at - pod.created >= _LONG else pod.failures + 1


def pause_after(pod: SlotPod) -> float:
    """Return how long after its end a pod is followed by another: at once if it lived for long."""
    failures = failures_after(pod)
    return min(_LONGEST_PAUSE, float(2 ** min(failures, 16))) if failures else 0.0


def _seconds(now: datetime, since: datetime | None) -> float:
    return (now - since).total_seconds() if since is not None else 0.0
