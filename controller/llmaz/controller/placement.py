"""Replicas x nodes -> where each replica runs, or why it can't.

All replicas and all nodes are seen at once. What is placed and still legal stays, unless its node
or accelerator drives it away and there is room elsewhere; the rest goes,
flavor by flavor in order of preference, to a node that has the weights, then to the fullest one,
then to the first by name. The same snapshot always gives the same answer.
"""

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TypeAlias

from llmaz.api.node import AssignedEngine
from llmaz.controller.demand import Demand, Option
from llmaz.controller.flavors import hosts_of
from llmaz.controller.fleet import Fleet
from llmaz.controller.groups import (
    epoch_of,
    groups_of,
    last_epoch,
    new_places,
    pick,
    refusal,
    short_of,
    staying,
)
from llmaz.controller.nodes import Ledger, NodeView, needs_of
from llmaz.controller.ranks import Spot
from llmaz.controller.seats import Seat

_Group: TypeAlias = tuple[Seat, ...]  # a replica's engines as they are assigned, the leader's first
_NAMED = 3  # nodes that a refusal names per flavor; the rest are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where one replica runs."""

    node: str
    option: Option
    engine: AssignedEngine  # as it shall be there
    workers: tuple["Placed", ...] = ()  # of a group that the engine leads

    @property
    def members(self) -> tuple["Placed", ...]:
        """All engines of the replica, the one that answers first."""
        return self, *self.workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplaced:
    """Why one replica runs nowhere: a sentence per flavor."""

    reasons: tuple[str, ...]


Outcome: TypeAlias = Placed | Unplaced


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
        outcomes |= _staying(demand, demand.ids, groups, fleet)
        surplus = demand.surplus_ids if _is_updating(demand, seated, outcomes) else ()
        outcomes |= _staying(demand, surplus, groups, fleet)
        waiting.append((demand, [id_ for id_ in demand.ids if id_ not in outcomes]))
        surpluses.append((demand, [id_ for id_ in surplus if id_ not in outcomes]))
    for demand, ids in (*waiting, *surpluses):
        for id_, outcome in _place_new(demand, ids, groups, fleet).items():
            old = groups.get(id_, ()) if isinstance(outcome, Unplaced) else ()
            outcomes[id_] = _stay(demand, old, fleet) or outcome
    return outcomes


def _staying(
    demand: Demand, ids: Iterable[str], groups: Mapping[str, _Group], fleet: Fleet
) -> dict[str, Outcome]:
    there = {id_: groups[id_] for id_ in ids if id_ in groups}
    settled = {
        id_: group
        for id_, group in there.items()
        if all(_is_settled(seat, fleet) for seat in group)
    }
    staying = {id_: _stay(demand, group, fleet) for id_, group in settled.items()}
    return {id_: placed for id_, placed in staying.items() if placed is not None}


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


def _is_settled(seat: Seat, fleet: Fleet) -> bool:
    """Tell whether nothing drives an engine away from where it is.

    From a lost or a tainted node, or an accelerator that is not well, an engine goes where there is
    room. If there is none, it stays: the node may come back, and a report may be wrong.
    """
    ledger, engine = fleet.ledgers[seat.node], seat.engine
    resources = {*engine.resources.limits, *engine.resources.requests}
    is_driven = ledger.view.drives_away(resources)
    return not is_driven and ledger.sick.isdisjoint(engine.accelerators)


def _stay(demand: Demand, group: _Group, fleet: Fleet) -> Placed | None:
    """Keep a replica where it is when some flavor allows it there."""
    for option in demand.options:
        placed = _stay_as(option, demand, group, fleet)
        if placed is not None:
            return placed
    return None


def _stay_as(option: Option, demand: Demand, group: _Group, fleet: Fleet) -> Placed | None:
    if not group or group[0].engine.rank != 0 or not _is_runnable(option):
        return None
    members = _members(option) if option.worker is not None else (option,)
    if not all(map(_is_legal, members, group, repeat(fleet))):
        return None
    if option.worker is not None:
        spots = staying(option, group, fleet)
        if spots is None:
            return None
        for member, spot in zip(members, spots, strict=True):
            fleet.take(spot.node, member.needs, spot.accelerators)
        return _placed_group(demand, group[0].engine.id, option, spots, epoch_of(group))
    seat = group[0]
    uuids = seat.engine.accelerators
    fleet.take(seat.node, option.needs, uuids)
    engine = demand.engine(seat.engine.id, option, uuids, epoch=last_epoch(group))
    return Placed(node=seat.node, option=option, engine=engine)


def _members(option: Option) -> tuple[Option, ...]:
    """Return what each member of a group takes, the leader first."""
    assert option.worker is not None
    return option, *(option.worker for _ in range(option.hosts - 1))


def _placed_group(
    demand: Demand, id_: str, option: Option, spots: tuple[Spot, ...], epoch: int
) -> Placed:
    engines = demand.group(id_, option, spots, epoch)
    leader, *workers = (
        Placed(node=spot.node, option=option, engine=engine)
        for spot, engine in zip(spots, engines, strict=True)
    )
    return dataclasses.replace(leader, workers=tuple(workers))


def _is_legal(option: Option, seat: Seat, fleet: Fleet) -> bool:
    """Tell whether an engine may keep its accelerators for this flavor.

    Capacity is not asked again: a node that shrank or grew busy is no reason to end what serves.
    """
    ledger, uuids = fleet.ledgers[seat.node], set(seat.engine.accelerators)
    taken_port = option.needs.port is not None and option.needs.port in ledger.ports
    if uuids & ledger.uuids or taken_port:
        return False
    if len(uuids) != sum(option.needs.devices.values()):
        return False
    if seat.node not in fleet.selected(option):
        return False
    if ledger.view.accelerators is None:
        return True  # not known: no reason to move
    devices = {device.uuid: device for device in ledger.view.accelerators}
    counts = dict.fromkeys(option.needs.devices, 0)
    for uuid in uuids:
        device = devices.get(uuid)
        if device is None:
            return False
        counts[device.resource] = counts.get(device.resource, 0) + 1
    return counts == dict(option.needs.devices)


def _is_runnable(option: Option) -> bool:
    """Tell whether a flavor that takes several nodes belongs to a Service whose replicas may."""
    return option.worker is not None or hosts_of(option.flavor) == 1


def _place_new(
    demand: Demand, ids: Sequence[str], groups: Mapping[str, _Group], fleet: Fleet
) -> dict[str, Outcome]:
    """Place what is nowhere yet, flavor by flavor."""
    outcomes: dict[str, Outcome] = {}
    left = list(reversed(ids))
    for option in demand.options if left else ():
        if option.worker is not None:
            while left and (spots := new_places(demand, option, fleet)) is not None:
                id_ = left.pop()
                epoch = last_epoch(groups.get(id_, ())) + 1
                outcomes[id_] = _placed_group(demand, id_, option, spots, epoch)
        elif _is_runnable(option):
            outcomes |= _filled(demand, option, left, groups, fleet)
    if left:
        unplaced = Unplaced(reasons=tuple(_reason(option, fleet) for option in demand.options))
        outcomes |= dict.fromkeys(left, unplaced)
    return outcomes


def _filled(
    demand: Demand, option: Option, left: list[str], groups: Mapping[str, _Group], fleet: Fleet
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


def _reason(option: Option, fleet: Fleet) -> str:
    """Say for one flavor how many nodes fit, and what the others are short of."""
    name = option.flavor.name
    hosts = hosts_of(option.flavor)
    if not _is_runnable(option):
        return (
            f"{name}: PP {hosts} takes a group of {hosts} nodes, and a replica runs on one: there "
            "are no multiHostCommands and no leaderTemplate"
        )
    if not fleet.ledgers:
        return f"{name}: there are no nodes"
    chosen = fleet.selected(option)
    if option.worker is None:
        none_fits = f"{name}: 0 of {len(fleet.ledgers)} nodes fit"
        problems = {one: _why_not(option, ledger) for one, ledger in chosen.items()}
    else:
        none_fits = f"{name}: {refusal(option, fleet)}"
        problems = {one: short_of(option, ledger) for one, ledger in chosen.items()}
    if not chosen:
        wanted = ",".join(f"{k}={v}" for k, v in sorted(option.flavor.node_selector.items()))
        return f"{none_fits}: none is labelled {wanted}"
    short = [f"{one} {problem}" for one, problem in problems.items() if problem is not None]
    if not short:
        return none_fits
    more = f", and {len(short) - _NAMED} more" if len(short) > _NAMED else ""
    return f"{none_fits}: {', '.join(short[:_NAMED])}{more}"


def _why_not(option: Option, ledger: Ledger) -> str | None:
    return ledger.view.closed or ledger.shortage(option.needs)
