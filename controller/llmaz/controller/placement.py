"""Replicas x nodes -> where each replica runs, or why it can't.

All replicas and all nodes are seen at once. What is placed and still legal stays, unless its node
or accelerator drives it away and there is room elsewhere; the rest goes,
flavor by flavor in order of preference, to a node that has the weights, then to the fullest one,
then to the first by name. The same snapshot always gives the same answer.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from llmaz.api.node import AssignedEngine
from llmaz.controller.demand import Demand, Option
from llmaz.controller.flavors import hosts_of
from llmaz.controller.fleet import Fleet
from llmaz.controller.nodes import Ledger, NodeView, needs_of
from llmaz.controller.seats import Seat

_NAMED = 3  # nodes that a refusal names per flavor; the rest are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where one replica runs."""

    node: str
    option: Option
    engine: AssignedEngine  # as it shall be there


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
    outcomes: dict[str, Outcome] = {}
    waiting: list[tuple[Demand, list[str]]] = []
    surpluses: list[tuple[Demand, list[str]]] = []
    for demand in sorted(demands, key=lambda demand: demand.prefix):
        outcomes |= _staying(demand, demand.ids, seated, fleet)
        surplus = demand.surplus_ids if _is_updating(demand, seated, outcomes) else ()
        outcomes |= _staying(demand, surplus, seated, fleet)
        waiting.append((demand, [id_ for id_ in demand.ids if id_ not in outcomes]))
        surpluses.append((demand, [id_ for id_ in surplus if id_ not in outcomes]))
    for demand, ids in (*waiting, *surpluses):
        for id_, outcome in _place_new(demand, ids, fleet).items():
            old = seated.get(id_) if isinstance(outcome, Unplaced) else None
            outcomes[id_] = _stay(demand, old, fleet) or outcome
    return outcomes


def _staying(
    demand: Demand, ids: Iterable[str], seated: Mapping[str, Seat], fleet: Fleet
) -> dict[str, Outcome]:
    settled = [id_ for id_ in ids if _is_settled(seated.get(id_), fleet)]
    staying = {id_: _stay(demand, seated.get(id_), fleet) for id_ in settled}
    return {id_: placed for id_, placed in staying.items() if placed is not None}


def _is_updating(
    demand: Demand, seated: Mapping[str, Seat], outcomes: Mapping[str, Outcome]
) -> bool:
    """Tell whether replicas in excess are of use: until the last one of the others is replaced."""
    there = [seated[id_] for id_ in demand.ids if id_ in seated]
    after = (outcomes.get(seat.engine.id) for seat in there)
    if any(
        isinstance(outcome, Placed) and outcome.engine != seat.engine
        for seat, outcome in zip(there, after, strict=True)
    ):
        return True
    has_begun = any(id_ in seated for id_ in demand.surplus_ids)
    return has_begun and not all(seat.is_ready for seat in there)


def _is_settled(seat: Seat | None, fleet: Fleet) -> bool:
    """Tell whether an engine runs somewhere, and nothing drives it away from there.

    From a lost or a tainted node, or an accelerator that is not well, an engine goes where there is
    room. If there is none, it stays: the node may come back, and a report may be wrong.
    """
    if seat is None:
        return False
    ledger, engine = fleet.ledgers[seat.node], seat.engine
    resources = {*engine.resources.limits, *engine.resources.requests}
    is_driven = ledger.view.drives_away(resources)
    return not is_driven and ledger.sick.isdisjoint(engine.accelerators)


def _stay(demand: Demand, seat: Seat | None, fleet: Fleet) -> Placed | None:
    """Keep an engine where it is when some flavor allows it there."""
    if seat is None:
        return None
    for option in demand.options:
        if _is_legal(option, seat, fleet):
            uuids = seat.engine.accelerators
            fleet.take(seat.node, option.needs, uuids)
            engine = demand.engine(seat.engine.id, option, uuids)
            return Placed(node=seat.node, option=option, engine=engine)
    return None


def _is_legal(option: Option, seat: Seat, fleet: Fleet) -> bool:
    """Tell whether an engine may keep its accelerators for this flavor.

    Capacity is not asked again: a node that shrank or grew busy is no reason to end what serves.
    """
    ledger, uuids = fleet.ledgers[seat.node], set(seat.engine.accelerators)
    taken_port = option.needs.port is not None and option.needs.port in ledger.ports
    if hosts_of(option.flavor) > 1 or uuids & ledger.uuids or taken_port:
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


def _place_new(demand: Demand, ids: Sequence[str], fleet: Fleet) -> dict[str, Outcome]:
    """Fill node after node: each is the fullest that has room until it has none."""
    outcomes: dict[str, Outcome] = {}
    left = list(reversed(ids))
    for option in demand.options:
        candidates = fleet.candidates(demand, option) if hosts_of(option.flavor) == 1 else ()
        for ledger in candidates if left else ():
            while left and ledger.shortage(option.needs) is None:
                name, uuids = ledger.view.name, _pick(option, ledger)
                fleet.take(name, option.needs, uuids)
                engine = demand.engine(left.pop(), option, uuids)
                outcomes[engine.id] = Placed(node=name, option=option, engine=engine)
            if not left:
                break
    if left:
        refusal = Unplaced(reasons=tuple(_reason(option, fleet) for option in demand.options))
        outcomes |= dict.fromkeys(left, refusal)
    return outcomes


def _pick(option: Option, ledger: Ledger) -> tuple[str, ...]:
    """Return the accelerators that one replica gets: those with the lowest indexes."""
    chosen = (
        uuid
        for resource, count in option.needs.devices.items()
        for uuid in ledger.fitting(resource, option.needs)[:count]
    )
    return tuple(chosen)


def _reason(option: Option, fleet: Fleet) -> str:
    """Say for one flavor how many nodes fit, and what the others are short of."""
    name = option.flavor.name
    hosts = hosts_of(option.flavor)
    if hosts > 1:
        return f"{name}: PP {hosts} takes a group of {hosts} nodes, and a replica runs on one"
    if not fleet.ledgers:
        return f"{name}: there are no nodes"
    none_fits = f"{name}: 0 of {len(fleet.ledgers)} nodes fit"
    chosen = fleet.selected(option)
    if not chosen:
        wanted = ",".join(f"{k}={v}" for k, v in sorted(option.flavor.node_selector.items()))
        return f"{none_fits}: none is labelled {wanted}"
    short = [
        f"{ledger.view.name} {ledger.view.closed or ledger.shortage(option.needs)}"
        for ledger in islice(chosen.values(), _NAMED)
    ]
    more = f", and {len(chosen) - _NAMED} more" if len(chosen) > _NAMED else ""
    return f"{none_fits}: {', '.join(short)}{more}"
