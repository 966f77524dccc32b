"""What is placed stays as long as it may: its flavor, node and accelerators are still legal."""

import dataclasses
from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import TypeAlias

from llmaz.api.node import OUT_OF_DEVICE_MEMORY, EnginePhase
from llmaz.controller.board import Board
from llmaz.controller.demand import Demand, Option, tolerations_of
from llmaz.controller.fleet import Fleet
from llmaz.controller.groups import epoch_alone, epoch_of, staying
from llmaz.controller.ledger import Ledger
from llmaz.controller.outcomes import Placed
from llmaz.controller.ranks import Spot, leader_id
from llmaz.controller.refusals import is_runnable
from llmaz.controller.seats import Seat

Group: TypeAlias = tuple[Seat, ...]  # a replica's engines as they are assigned, the leader's first


def stays(demand: Demand, ids: Iterable[str], groups: Mapping[str, Group], board: Board) -> None:
    """Keep those of these replicas in their places that nothing drives away."""
    there = (groups[id_] for id_ in ids if id_ in groups)
    for group in there:
        if all(_is_settled(seat, board.fleet, demand) for seat in group):
            stay(demand, group, board)


def is_driven(seat: Seat, fleet: Fleet, demand: Demand) -> bool:
    """Tell whether its node drives an engine away."""
    view = fleet.ledgers[seat.node].view
    return view.drives_away(_asked(seat), tolerations_of(demand.service))


def why_driven(group: Group, fleet: Fleet, demand: Demand) -> str | None:
    """Say what drives a replica away from where it is; None where nothing does."""
    for seat in group:
        if not fleet.ledgers[seat.node].sick.isdisjoint(seat.engine.accelerators):
            return f"{seat.node} has an accelerator that is not well"
        view = fleet.ledgers[seat.node].view
        why = view.why_left(_asked(seat), tolerations_of(demand.service))
        if why is not None:
            return f"{seat.node} {why}"
    return None


def _asked(seat: Seat) -> set[str]:
    return {*seat.engine.resources.limits, *seat.engine.resources.requests}


def _is_settled(seat: Seat, fleet: Fleet, demand: Demand) -> bool:
    """Tell whether nothing drives an engine away from where it is.

    From a lost or a tainted node, or an accelerator that is not well, an engine goes where there is
    room. If there is none, it stays: the node may come back, and a report may be wrong.
    """
    is_well = fleet.ledgers[seat.node].sick.isdisjoint(seat.engine.accelerators)
    return is_well and not is_driven(seat, fleet, demand)


def stay(demand: Demand, group: Group, board: Board) -> Placed | None:
    """Keep a replica where it is when some flavor allows it there."""
    for option in demand.options_of(leader_id(group[0].engine.id)) if group else ():
        placed = _stay_as(option, demand, group, board)
        if placed is not None:
            board.settle(demand, placed)
            return placed
    return None


def _stay_as(option: Option, demand: Demand, group: Group, board: Board) -> Placed | None:
    fleet = board.fleet
    if not group or group[0].engine.rank != 0 or not is_runnable(option):
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
        return placed_group(demand, group[0].engine.id, option, spots, epoch_of(group))
    fleet.take(group[0].node, option.needs, group[0].engine.accelerators)
    return board.memo.recall(_placed_there, demand, option, *group)


def _placed_there(demand: Demand, option: Option, *group: Seat) -> Placed:
    """Return the place of a replica of one engine that stays."""
    seat = group[0]
    uuids = seat.engine.accelerators
    engine = demand.engine(seat.engine.id, option, uuids, epoch=epoch_alone(group))
    # The same object where nothing changed: who compares the two later need not look inside.
    same = engine == seat.engine
    return Placed(node=seat.node, option=option, engine=seat.engine if same else engine)


def _members(option: Option) -> tuple[Option, ...]:
    """Return what each member of a group takes, the leader first."""
    assert option.worker is not None
    return option, *(option.worker for _ in range(option.hosts - 1))


def placed_group(
    demand: Demand, id_: str, option: Option, spots: tuple[Spot, ...], epoch: int
) -> Placed:
    engines = demand.group(id_, option, spots, epoch)
    leader, *workers = (
        Placed(node=spot.node, option=option, engine=engine)
        for spot, engine in zip(spots, engines, strict=True)
    )
    return dataclasses.replace(leader, workers=tuple(workers))


def _is_hopeless(option: Option, seat: Seat, ledger: Ledger) -> bool:
    """Tell whether an engine that does not run is known by now to be too large for its place.

    Often its size is known only once the weights are there. What runs has shown that it fits.
    """
    report = seat.report
    runs = report is not None and report.phase is not EnginePhase.WAITING
    if report is not None and runs and report.reason != OUT_OF_DEVICE_MEMORY:
        return False
    return ledger.is_too_small(option.needs, seat.engine.accelerators)


def _is_legal(option: Option, seat: Seat, fleet: Fleet) -> bool:
    """Tell whether an engine may keep its accelerators for this flavor.

    Capacity is not asked again: a node that shrank or grew busy is no reason to end what serves.
    """
    ledger, uuids = fleet.ledgers[seat.node], set(seat.engine.accelerators)
    taken_port = option.needs.port is not None and option.needs.port in ledger.ports
    if ledger.is_taken(uuids) or taken_port:
        return False
    if len(uuids) != sum(option.needs.devices.values()):
        return False
    if not ledger.view.may_have(option.selector) or _is_hopeless(option, seat, ledger):
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
