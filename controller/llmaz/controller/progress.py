"""How far the replicas of one Service are, and in one sentence why it is not all the way."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from llmaz.api.fingerprint import fingerprint
from llmaz.api.service import Service
from llmaz.controller.actions import Refusal
from llmaz.controller.demand import Demand, engine_prefix
from llmaz.controller.flavors import ANY
from llmaz.controller.ladder import warm_nodes
from llmaz.controller.outcomes import Outcome, Placed, Unplaced
from llmaz.controller.revisions import current, wanted_revision
from llmaz.controller.seats import Seat
from llmaz.controller.served import Served
from llmaz.controller.sleeping import why_asleep
from llmaz.controller.snapshot import ClusterSnapshot, Key
from llmaz.controller.unready import why_not_ready, why_without

# What a user can do something about is told before what only takes time.
_ORDER = (
    "EngineFailed",
    "FetchFailed",
    "SlotNotRunning",
    "Unplaceable",
    "NodeLost",
    "EngineNotReady",
    "FetchingModel",
    "Pending",
    "StoppingEngine",
    "StartingEngine",
)
_FAILURES = ("EngineFailed", "FetchFailed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The replicas of one Service.

    `why` says what is missing, None when nothing is; `outdated` how many replicas are not yet what
    or where they shall be, `updated` how many are; `revision` is what they shall be, and `pinned`
    tells whether somebody keeps them there.
    """

    wanted: int
    placed: int
    ready: int
    flavor: str
    outdated: int
    updated: int = 0
    revision: int = 0
    pinned: bool = False
    why: Refusal | None
    refused: Refusal | None = None  # why they stay as they are, whatever was edited
    waits: Mapping[str, int] = field(default_factory=dict)  # replicas by what they wait for
    reloaded: int = 0  # replicas that run other weights than they shall
    stuck: Refusal | None = None  # what keeps a replica that is updated from being ready
    without: Refusal | None = None  # which weights those that are outdated wait for

    @property
    def is_updated(self) -> bool:
        """Whether nothing is left of an update: all that are wanted are new, and ready."""
        is_new = self.updated == self.wanted and not self.outdated and not self.reloaded
        return not self.wanted or (is_new and self.ready == self.wanted)

    @property
    def message(self) -> str:
        """All of it in one sentence; nothing where everything is as it should be."""
        update = f"{self.outdated} of {self.wanted} replicas wait to be replaced"
        update += f": {self.without.message}" if self.without else ""
        problem = self.why or self.refused
        told = (
            problem.message if problem else "",
            update if self.outdated else "",
            f"kept at revision {self.revision}" if self.pinned else "",
        )
        return "; ".join(part for part in told if part)


def progress(
    service: Service, served: Served, snapshot: ClusterSnapshot, now: datetime
) -> Progress:
    """Judge every replica of a Service by what its node's agent reports."""
    meta = service.metadata
    key = meta.namespace or "", meta.name
    demand = served.demands[key]
    refusal = demand if isinstance(demand, Refusal) else None
    wanted = service.spec.replicas
    ids = [f"{engine_prefix(service)}{index}" for index in range(wanted)]
    lingering = list(_lingering(ids, served.outcomes))
    waits = list(_waits(ids, refusal, served, snapshot, now))
    without = None if isinstance(demand, Refusal) else _without(ids, demand, served, snapshot)
    return Progress(
        wanted=wanted,
        placed=sum(id_ in served.kept or _is_placed(served.outcomes.get(id_)) for id_ in ids),
        ready=wanted - len(waits),
        # Without a demand nothing is known of flavors: what was said of the same engines stays.
        flavor=service.status.flavor if refusal else _flavor(ids, served.outcomes),
        outdated=sum(id_ in served.outdated for id_ in ids) + len(lingering),
        updated=sum(id_ in served.groups and _is_updated(id_, served) for id_ in ids),
        revision=(
            service.status.revision
            if refusal
            else current(service, served.revisions.get(key, []), snapshot.memo)
        ),
        pinned=refusal is None and wanted_revision(service) is not None,
        refused=refusal or next(chain(lingering, _stranded(ids, served.outcomes)), None),
        why=_worst(waits, wanted) if wanted else _at_rest(key, demand, served, snapshot, now),
        waits=Counter(why.reason for _, _, why in waits),
        reloaded=_reloaded(ids, demand, served),
        stuck=_stuck(waits, ids, served) or _failed(without),
        without=without,
    )


def _waits(
    ids: Sequence[str],
    refusal: Refusal | None,
    served: Served,
    snapshot: ClusterSnapshot,
    now: datetime,
) -> Iterator[tuple[int, int, Refusal]]:
    """Yield what replicas wait for, each with the rank of its reason and the replica's number."""
    for index, id_ in enumerate(ids):
        group = served.groups.get(id_, ())
        why = _why_unseated(refusal, served.outcomes.get(id_), group)
        if why is None and id_ not in served.left:
            why = _why_group(group, snapshot, now)
        if why is not None:
            yield _ORDER.index(why.reason) if why.reason in _ORDER else -1, index, why


def _without(
    ids: Sequence[str], demand: Demand, served: Served, snapshot: ClusterSnapshot
) -> Refusal | None:
    """Return which weights keep replicas from being replaced; those that can't be had first."""
    outcomes = (served.outcomes[id_] for id_ in ids if id_ in served.outdated)
    nodes = {one.node for each in outcomes if isinstance(each, Placed) for one in each.members}
    whys = (why_without(snapshot.nodes[name], demand.models) for name in sorted(nodes))
    return min(
        (why for why in whys if why is not None),
        key=lambda why: _ORDER.index(why.reason),
        default=None,
    )


def _failed(why: Refusal | None) -> Refusal | None:
    return why if why is not None and why.reason in _FAILURES else None


def _reloaded(ids: Sequence[str], demand: Demand | Refusal, served: Served) -> int:
    if isinstance(demand, Refusal):
        return 0
    return sum(
        served.groups[id_][0].engine.weights != demand.pattern.weights
        for id_ in ids
        if id_ in served.groups
    )


def _stuck(
    waits: Sequence[tuple[int, int, Refusal]], ids: Sequence[str], served: Served
) -> Refusal | None:
    """Return why an update goes no further: a replica that was updated, and fails as it is now."""
    failed = (
        why
        for _, index, why in sorted(waits, key=lambda wait: wait[:2])
        if why.reason in _FAILURES
        and ids[index] not in served.outdated
        and (why.reason != "EngineFailed" or any(map(_is_of_now, served.groups[ids[index]])))
    )
    return next(failed, None)


def _is_of_now(seat: Seat) -> bool:
    """Tell whether what is said of an engine is said of the one that is assigned now."""
    return seat.report is not None and seat.report.fingerprint == fingerprint(seat.engine)


def _at_rest(
    key: Key, demand: Demand | Refusal, served: Served, snapshot: ClusterSnapshot, now: datetime
) -> Refusal:
    """Say what became of the last replica of a Service that asks for none."""
    if isinstance(demand, Demand) and demand.resting:
        group = next((served.groups[id_] for id_ in demand.ids if id_ in served.outcomes), ())
        if group:
            return why_asleep(group[0], wanted=not demand.pattern.asleep)
    there = ", ".join(warm_nodes(key, snapshot, now))
    warm = f"; its weights stay on {there}" if there else ""
    return Refusal(reason="ScaledToZero", message=f"no replicas are asked for{warm}")


def _is_updated(id_: str, served: Served) -> bool:
    """Tell whether a replica is assigned as it shall be."""
    outcome = served.outcomes.get(id_)
    is_allowed = isinstance(outcome, Placed) and not outcome.lingers
    return is_allowed and id_ not in served.outdated


def _lingering(ids: Sequence[str], outcomes: Mapping[str, Outcome]) -> Iterator[Refusal]:
    """Yield why replicas are still where no flavor allows them."""
    for index, id_ in enumerate(ids):
        outcome = outcomes.get(id_)
        if isinstance(outcome, Placed) and outcome.lingers:
            words = f"no flavor allows replica {index} on {outcome.node}, where it serves until "
            yield Refusal(
                reason="Unplaceable",
                message=f"{words}there is room: {'; '.join(outcome.lingers)}",
            )


def _stranded(ids: Sequence[str], outcomes: Mapping[str, Outcome]) -> Iterator[Refusal]:
    """Yield why replicas are still where they are driven away from."""
    for index, id_ in enumerate(ids):
        outcome = outcomes.get(id_)
        if isinstance(outcome, Placed) and outcome.stranded:
            why, *flavors = outcome.stranded
            words = f"replica {index} stays until there is room elsewhere, though {why}"
            yield Refusal(reason="Unplaceable", message=f"{words}: {'; '.join(flavors)}")


def _is_placed(outcome: Outcome | None) -> bool:
    return isinstance(outcome, Placed)


def _flavor(ids: list[str], outcomes: Mapping[str, Outcome]) -> str:
    used = (
        outcome.option.flavor.name
        for outcome in map(outcomes.get, ids)
        if isinstance(outcome, Placed)
    )
    return ",".join(sorted({name for name in used if name != ANY.name}))


def _worst(waits: list[tuple[int, int, Refusal]], wanted: int) -> Refusal | None:
    if not waits:
        return None
    _, index, why = min(waits, key=lambda wait: wait[:2])
    if wanted == 1 or why.reason not in _ORDER:
        return why
    ready = wanted - len(waits)
    return Refusal(
        reason=why.reason,
        message=f"{ready} of {wanted} replicas are ready; replica {index}: {why.message}",
    )


def _why_unseated(
    refusal: Refusal | None, outcome: Outcome | None, group: tuple[Seat, ...]
) -> Refusal | None:
    """Return why a replica runs nowhere, or None when it is assigned to a node."""
    if isinstance(outcome, Unplaced) and not (outcome.displaced and group):
        return Refusal(reason=outcome.reason, message="; ".join(outcome.reasons))
    if group and group[0].engine.rank:
        words = "its former leader finishes the requests that it has, and its workers go then"
        return Refusal(reason="StoppingEngine", message=words)
    if group:
        return None
    node = outcome.node if isinstance(outcome, Placed) else "its node"
    assigning = Refusal(reason="Pending", message=f"is being assigned to {node}")
    return refusal or assigning


def _why_group(group: tuple[Seat, ...], snapshot: ClusterSnapshot, now: datetime) -> Refusal | None:
    """Return what an assigned replica waits for, or None when it and all its workers are ready."""
    whys = [why for seat in group if (why := why_not_ready(seat, snapshot, now)) is not None]
    return min(whys, key=lambda why: _ORDER.index(why.reason), default=None)
