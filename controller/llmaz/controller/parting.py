"""Groups whose members go, or become others: the leader first, and its workers once it has ended.

The leader finishes the requests that it has, and for that it needs its workers. A group that is
broken has nobody to wait for: all of it goes at once. Pure.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from llmaz.api.fingerprint import fingerprint, is_next_epoch
from llmaz.api.node import AssignedEngine, EnginePhase, EngineReport, InferenceNode
from llmaz.controller.ranks import leader_id
from llmaz.controller.seats import Seat
from llmaz.controller.served import Served
from llmaz.controller.turn import Turn

_WORKS = (EnginePhase.READY, EnginePhase.UNREADY, EnginePhase.ASLEEP, EnginePhase.STOPPING)


def parted(found: Sequence[Turn], served: Served, nodes: Mapping[str, InferenceNode]) -> list[Turn]:
    """Return the turns with the workers held back whose leaders still work as they did."""
    planned = {(node, one.id): one for turn in found for node, one in turn.engines}
    leaving = {
        id_: workers
        for id_, group in served.groups.items()
        if (workers := tuple(seat for seat in group if seat.engine.rank))
        and served.kept.isdisjoint(seat.engine.id for seat in group)
        and not any(served.views[seat.node].is_lost for seat in workers)
        and _go_together(workers, planned)
    }
    working = set(_working(nodes, served, planned)) if leaving else set()
    held = {id_: workers for id_, workers in leaving.items() if id_ in working}
    after = [_held_back(turn, held.pop(turn.replica, ()), served) for turn in found]
    return after + [_on_its_own(workers, nodes) for _, workers in sorted(held.items())]


def _go_together(
    workers: Sequence[Seat], planned: Mapping[tuple[str, str], AssignedEngine]
) -> bool:
    """Tell whether workers that run shall go or change, other than in their group's next epoch."""
    if not all(seat.is_ready for seat in workers) or workers[0].engine.slot is not None:
        return False
    pairs = [(seat.engine, planned.get((seat.node, seat.engine.id))) for seat in workers]
    if any(new is not None and is_next_epoch(new, old) for old, new in pairs):
        return False
    return any(new != old for old, new in pairs)


def _working(
    nodes: Mapping[str, InferenceNode],
    served: Served,
    planned: Mapping[tuple[str, str], AssignedEngine],
) -> Iterator[str]:
    """Yield the replicas whose leader runs where, or as, it shall not run any more."""
    for name, node in nodes.items():
        for report in () if served.views[name].is_lost else node.status.engines or ():
            if report.phase in _WORKS and _is_former(report, planned.get((name, report.id))):
                yield report.id


def _is_former(report: EngineReport, planned: AssignedEngine | None) -> bool:
    return planned is None or report.fingerprint != fingerprint(planned)


def _held_back(turn: Turn, workers: Sequence[Seat], served: Served) -> Turn:
    """Return a turn in which the workers stay until its leader has ended.

    Where nobody moves the leader is assigned as it shall be, so that the group keeps its places;
    else nothing is until then.
    """
    if not workers or turn.waits or turn.moves:
        return turn
    stay = tuple((seat.node, seat.engine) for seat in workers)
    leader = turn.after[:1] if _is_in_place(turn, served.groups[turn.replica]) else ()
    return dataclasses.replace(turn, now=(*leader, *stay), waits=True)


def _is_in_place(turn: Turn, group: Sequence[Seat]) -> bool:
    there = [(seat.node, seat.engine.id, seat.engine.accelerators) for seat in group]
    return there == [(node, one.id, one.accelerators) for node, one in turn.after]


def _on_its_own(workers: Sequence[Seat], nodes: Mapping[str, InferenceNode]) -> Turn:
    """Return the turn of a replica that is wanted no more."""
    first = workers[0]
    used = (first.engine.main_model, first.engine.draft_model)
    return Turn(
        replica=leader_id(first.engine.id),
        models=tuple(one for one in nodes[first.node].spec.models if one.name in used),
        now=tuple((seat.node, seat.engine) for seat in workers),
        after=(),
        waits=True,
    )
