"""The pod of a slot as it was last seen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from llmaz.api import names
from llmaz.api.manifest import Manifest
from llmaz.api.slot import MEMORY

# Labels and annotations of the pods.
REPLICA = "llmaz.io/replica"
RANK = "llmaz.io/rank"
SLOT_KEY = "llmaz.io/slot-key"
ATTEMPT = "llmaz.io/slot-attempt"
FAILURES = "llmaz.io/slot-failures"
KIND = "llmaz.io/slot-kind"
UNDISTURBED = "karpenter.sh/do-not-disrupt"
GATE = "llmaz.io/group"
_OWN = ("", names.MODEL_RUNNER, "shim")
SPARE = "spare"  # as the replica of one that is kept ready


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotPod:
    """One pod of a slot."""

    namespace: str
    name: str
    uid: str
    service: str
    replica: str  # the index of the replica that it is for, or spare
    rank: int
    key: str  # of pods that could stand for each other
    attempt: int  # which of its flavors it stands for, and how often all of them were tried
    failures: int  # of the pods before it that did not live for long
    model: str = ""  # what its label says that it serves
    is_left_alone: bool = True  # whether autoscalers are told to leave it alone
    kind: str = ""  # of a spare: what pods could stand for any of its kind
    created: datetime
    node: str = ""  # it is bound to
    ip: str = ""
    is_ending: bool = False  # it is being deleted
    ended: str | None = None  # why it is over, in words
    ended_at: datetime | None = None
    unschedulable: str | None = None  # what the scheduler says
    unschedulable_since: datetime | None = None
    waiting: str | None = None  # why its containers have not begun
    gates: tuple[str, ...] = ()
    kept_off: frozenset[str] = frozenset()  # the nodes that it may not be bound to, by name
    labels: Mapping[str, str] = field(default_factory=dict)
    sees_memory: bool = False  # the node's copies of weights in memory

    @property
    def lives(self) -> bool:
        """Whether it is, or may become, a place for an engine."""
        return not self.is_ending and self.ended is None

    @property
    def state(self) -> str:
        """How far it is, in one word: Pending, Bound, Spare, Ending or Ended."""
        if self.ended is not None:
            return "Ended"
        if self.is_ending:
            return "Ending"
        if not self.node:
            return "Pending"
        return "Spare" if self.replica == SPARE else "Bound"

    @property
    def is_gated(self) -> bool:
        """Whether the rest of its group is waited for."""
        return GATE in self.gates

    @property
    def owner(self) -> tuple[str, str]:
        """The namespace and name of the Service that it was made for."""
        return self.namespace, self.service


def read_pod(manifest: Manifest) -> SlotPod | None:
    """Read a pod; None where it is none of a slot."""
    meta = cast("dict[str, Any]", manifest["metadata"])
    labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
    if names.SERVICE_NAME not in labels or SLOT_KEY not in notes:
        return None
    spec = cast("dict[str, Any]", manifest.get("spec") or {})
    status = cast("dict[str, Any]", manifest.get("status") or {})
    scheduled = _condition(status, "PodScheduled")
    is_refused = scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable"
    ended = _ended(status)
    created = _time(meta.get("creationTimestamp"))
    return SlotPod(
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        service=labels[names.SERVICE_NAME],
        replica=labels.get(REPLICA, ""),
        rank=_number(labels.get(RANK)),
        key=notes[SLOT_KEY],
        attempt=_number(notes.get(ATTEMPT)),
        failures=_number(notes.get(FAILURES)),
        model=labels.get(names.MODEL_NAME, ""),
        is_left_alone=notes.get(UNDISTURBED) == "true",
        kind=notes.get(KIND, ""),
        created=created,
        node=spec.get("nodeName", ""),
        ip=status.get("podIP", ""),
        is_ending=meta.get("deletionTimestamp") is not None,
        ended=ended,
        ended_at=_ended_at(status, created) if ended is not None else None,
        unschedulable=scheduled.get("message", "no node fits") if is_refused else None,
        unschedulable_since=_time(scheduled.get("lastTransitionTime")) if is_refused else None,
        waiting=next(_waits(status), None),
        gates=tuple(gate["name"] for gate in spec.get("schedulingGates") or ()),
        kept_off=frozenset(_kept_off(spec)),
        labels=labels,
        sees_memory=any(one.get("name") == MEMORY for one in spec.get("volumes") or ()),
    )


def _kept_off(spec: dict[str, Any]) -> Iterator[str]:
    """Yield the nodes that all terms of its affinity leave out, as driven.py writes them."""
    near = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = near.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for one in (required.get("nodeSelectorTerms") or [{}])[0].get("matchFields") or ():
        if one.get("operator") == "NotIn":
            yield from one.get("values") or ()


def _ended(status: dict[str, Any]) -> str | None:
    phase = status.get("phase")
    if phase not in ("Failed", "Succeeded"):
        return None
    said = (status.get("reason"), status.get("message"))
    return ": ".join(part for part in said if part) or f"it has {str(phase).lower()}"


def _ended_at(status: dict[str, Any], created: datetime) -> datetime:
    """Return when it ended, as far as anything tells: its last condition changed then."""
    times = [_time(c.get("lastTransitionTime")) for c in status.get("conditions") or ()]
    known = [time for time in times if time > created]
    started = _time(status.get("startTime"))
    return max([*known, started, created])


def _waits(status: dict[str, Any]) -> Iterator[str]:
    for list_ in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(list_) or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
                said = (_named(container, waiting["reason"]), waiting.get("message"))
                yield ": ".join(part for part in said if part)


def _named(container: dict[str, Any], reason: str) -> str:
    """Name the container with the reason where it is none that llmaz has made."""
    name = container.get("name", "")
    return reason if name in _OWN else f"{reason} (container {name})"


def _condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    found = (one for one in status.get("conditions") or () if one.get("type") == kind)
    return next(found, {})


def _number(text: object) -> int:
    return int(text) if isinstance(text, str) and text.isdecimal() else 0


def _time(text: object) -> datetime:
    if not isinstance(text, str):
        return _NEVER
    return datetime.fromisoformat(text)


_NEVER = datetime.fromisoformat("1970-01-01T00:00:00Z")
