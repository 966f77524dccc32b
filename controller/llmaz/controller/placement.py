"""Replicas x nodes -> where each replica runs, or why it can't.

All replicas and all nodes are seen at once. What is placed and still legal stays, unless its node
or accelerator drives it away and there is room elsewhere; the rest goes,
flavor by flavor in order of preference, to a node that has the weights, then to the fullest one,
then to the first by name. The same snapshot always gives the same answer.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from llmaz.api.node import AssignedEngine
from llmaz.controller.demand import Demand, Option
from llmaz.controller.fleet import Fleet
from llmaz.controller.groups import groups_of, last_epoch, new_places, pick
from llmaz.controller.nodes import NodeView, needs_of
from llmaz.controller.outcomes import Outcome, Placed, Unplaced
from llmaz.controller.refusals import is_runnable, reason
from llmaz.controller.seats import Seat
from llmaz.controller.staying import Group, placed_group, stay, stays


def place(
    demands: Sequence[Demand],
    views: Mapping[str, NodeView],
    seated: Mapping[str, Seat],
    kept: Collection[str],
) -> dict[str, Outcome]:
    """Return an outcome for the engine id of every replica.

    `seated` are the engines as assigned now. Those in `kept` stay as they are whatever happens:
    nothing is known of what they shall be.
    """
    fleet = Fleet(views)
    for id_ in sorted(kept):
        seat = seated[id_]
        fleet.take(seat.node, needs_of(seat.engine), seat.engine.accelerators)
    groups = groups_of(seated)
    outcomes: dict[str, Outcome] = {}
    waiting: list[tuple[Demand, list[str]]] = []
    surpluses: list[tuple[Demand, list[str]]] = []
    for demand in sorted(demands, key=lambda demand: demand.prefix):
        outcomes |= stays(demand, demand.ids, groups, fleet)
        surplus = demand.surplus_ids if _is_updating(demand, seated, outcomes) else ()
        outcomes |= stays(demand, surplus, groups, fleet)
        waiting.append((demand, [id_ for id_ in demand.ids if id_ not in outcomes]))
        surpluses.append((demand, [id_ for id_ in surplus if id_ not in outcomes]))
    for demand, ids in (*waiting, *surpluses):
        for id_, outcome in _place_new(demand, ids, groups, fleet).items():
            old = groups.get(id_, ()) if isinstance(outcome, Unplaced) else ()
            outcomes[id_] = stay(demand, old, fleet) or outcome
    return outcomes


def _is_updating(
    demand: Demand, seated: Mapping[str, Seat], outcomes: Mapping[str, Outcome]
) -> bool:
    """Tell whether replicas in excess are of use: until the last one of the others is replaced."""
    there = [seated[id_] for id_ in demand.ids if id_ in seated]
    after = (outcomes.get(seat.engine.id) for seat in there)
    if any(
        isinstance(outcome, Placed) and _is_changed(outcome.engine, seat.engine)
        for seat, outcome in zip(there, after, strict=True)
    ):
        return True
    has_begun = any(id_ in seated for id_ in demand.surplus_ids)
    return has_begun and not all(seat.is_ready for seat in there)


def _is_changed(engine: AssignedEngine, now: AssignedEngine) -> bool:
    """Tell whether an engine shall be another; a group that starts anew is the same."""
    return dataclasses.replace(engine, epoch=now.epoch) != now


def _place_new(
    demand: Demand, ids: Sequence[str], groups: Mapping[str, Group], fleet: Fleet
) -> dict[str, Outcome]:
    """Place what is nowhere yet, flavor by flavor."""
    outcomes: dict[str, Outcome] = {}
    left = list(reversed(ids))
    for option in demand.options if left else ():
        if option.worker is not None:
            while left and (spots := new_places(demand, option, fleet)) is not None:
                id_ = left.pop()
                epoch = last_epoch(groups.get(id_, ())) + 1
                outcomes[id_] = placed_group(demand, id_, option, spots, epoch)
        elif is_runnable(option):
            outcomes |= _filled(demand, option, left, groups, fleet)
    if left:
        unplaced = Unplaced(reasons=tuple(reason(option, fleet) for option in demand.options))
        outcomes |= dict.fromkeys(left, unplaced)
    return outcomes


def _filled(
    demand: Demand, option: Option, left: list[str], groups: Mapping[str, Group], fleet: Fleet
) -> dict[str, Outcome]:
    """Fill node after node with what is left: each is the fullest until it has no more room."""
    outcomes: dict[str, Outcome] = {}
    for ledger in fleet.candidates(demand, option) if left else ():
        while left and ledger.shortage(option.needs) is None:
            name, uuids = ledger.view.name, pick(option, ledger)
            fleet.take(name, option.needs, uuids)
            id_ = left.pop()
            engine = demand.engine(id_, option, uuids, epoch=last_epoch(groups.get(id_, ())))
            outcomes[id_] = Placed(node=name, option=option, engine=engine)
        if not left:
            break
    return outcomes
